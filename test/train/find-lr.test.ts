/** The learning-rate range test: what it suggests, and that it leaves no trace. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ArgumentError, functional as F, manualSeed, optim, TrainingError, train } from '../../lib/index.js';
import { bitsOf, RandomImages, sgd, tinyNet } from './support.js';

beforeEach(() => manualSeed(5));

const find = (options: Partial<train.FindLearningRateOptions> = {}) => {
  const model = options.model ?? tinyNet();
  return train.findLearningRate({
    model,
    optimizer: sgd(model),
    trainLoader: new RandomImages(16),
    ...options,
  });
};

describe('findLearningRate', () => {
  it('grows the rate exponentially and suggests one at which the loss falls', async () => {
    const { lr, lrs, losses } = await find({ minLr: 1e-4, maxLr: 10, steps: 60 });
    expect(lrs[0]).toBe(1e-4);
    expect(lrs[1]! / lrs[0]!).toBeCloseTo(1e5 ** (1 / 59), 9);
    expect(lrs).toHaveLength(losses.length);
    const index = lrs.indexOf(lr);
    expect(losses[index + 1]).toBeLessThan(losses[index - 1]!);
    // Training with it works: the loss of a few epochs is far below that at the start.
    const model = tinyNet();
    const optimizer = sgd(model, lr);
    const trainer = new train.Trainer({ model, optimizer, trainLoader: new RandomImages(16), epochs: 10 });
    const { best } = await trainer.fit();
    expect(best!.loss).toBeLessThan(0.7 * losses[0]!);
  });

  it('ends when the loss has grown too much', async () => {
    const { lrs, losses } = await find({ minLr: 1e-2, maxLr: 1e4, steps: 100, divergence: 2 });
    expect(lrs.length).toBeLessThan(100);
    const isBounded = (loss: number, i: number) => loss <= 2 * Math.min(...losses.slice(0, i + 1));
    expect(losses.map(isBounded)).toEqual(losses.map((_, i) => i < losses.length - 1));
  });

  it('leaves weights, buffers, optimizer, modes, gradients and random numbers as they were', async () => {
    const model = tinyNet({ dropout: 0.5 });
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.03 });
    const trainLoader = new RandomImages(16);
    await new train.Trainer({ model, optimizer, trainLoader, epochs: 1 }).fit();
    model.eval();
    const before = [bitsOf(model), JSON.stringify(stateOf(optimizer))] as const;
    manualSeed(11);
    const next = F.dropout(model.forward(await images()), { p: 0.5 }).arraySync();
    manualSeed(11);
    await find({ model, optimizer, trainLoader, steps: 20 });
    expect(F.dropout(model.forward(await images()), { p: 0.5 }).arraySync()).toEqual(next);
    expect(bitsOf(model)).toEqual(before[0]);
    expect(JSON.stringify(stateOf(optimizer)) === before[1]).toBe(true);
    expect(optimizer.lr).toBe(0.03);
    expect([...model.modules()].some(({ training }) => training)).toBe(false);
    expect([...model.parameters()].every(({ grad }) => grad === null)).toBe(true);
  });

  it('reads a short loader again, and can be stopped', async () => {
    const trainLoader = new RandomImages(24); // 2 batches
    const { lrs } = await find({ trainLoader, steps: 10, minLr: 1e-4, maxLr: 0.1 });
    expect(lrs).toHaveLength(10);
    const stopped = find({ trainLoader, signal: AbortSignal.abort() });
    await expect(stopped).rejects.toThrow('it did not in 1 steps');
  });

  it('refuses what it cannot use', async () => {
    await expect(find({ minLr: 1, maxLr: 0.1 })).rejects.toThrow(
      'Expected a number above 1, minLr, for maxLr',
    );
    await expect(find({ steps: 9 })).rejects.toThrow(ArgumentError);
    await expect(find({ trainLoader: new RandomImages(100) })).rejects.toThrow(TrainingError);
    await expect(find({ bogus: 1 } as never)).rejects.toThrow(/bogus/);
  });
});

async function images() {
  for await (const batch of new RandomImages(8)) return batch.images;
  throw new Error('no batch');
}

function stateOf(optimizer: optim.Optimizer) {
  const { tensors, ...rest } = optimizer.stateDict();
  return [Object.entries(tensors).map(([key, value]) => [key, value.arraySync()]), rest];
}
