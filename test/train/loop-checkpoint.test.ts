/** Checkpoints of custom training loops. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  amp,
  CheckpointError,
  functional as F,
  loadSafetensors,
  manualSeed,
  memory,
  nn,
  noGrad,
  optim,
  randn,
  saveSafetensors,
  type Tensor,
  tensor,
  tidy,
  train,
} from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-loop-'));
const file = join(folder, 'last.checkpoint');
afterAll(() => rmSync(folder, { recursive: true }));

/** A network with dropout and batch norm, so that generators and buffers matter. */
function parts() {
  const model = new nn.Sequential(
    new nn.Linear(4, 8),
    new nn.BatchNorm1d(8),
    new nn.Dropout(0.5),
    new nn.Linear(8, 1),
  );
  const optimizer = new optim.AdamW(model.parameters(), { lr: 0.05, amsgrad: true });
  const scheduler = new optim.lr.OneCycleLR(optimizer, { maxLr: 0.1, totalSteps: 20 });
  const ema = new optim.ExponentialMovingAverage(model.parameters(), { decay: 0.9 });
  const scaler = new amp.GradScaler({ device: 'cpu' });
  return { model, optimizer, scheduler, ema, scaler };
}

/** Trains some steps on random data. @returns The losses. */
function steps({ model, optimizer, scheduler, ema }: ReturnType<typeof parts>, count: number): number[] {
  return Array.from({ length: count }, () =>
    tidy(() => {
      optimizer.zeroGrad();
      const x = randn([16, 4]);
      const loss = F.mseLoss(model.forward(x), x.sum({ dim: 1, keepdim: true }));
      loss.backward();
      optimizer.step();
      scheduler.step();
      ema.update();
      return Number(loss.item());
    }),
  );
}

const numbers = (state: Record<string, Tensor>) =>
  Object.fromEntries(Object.entries(state).map(([key, value]) => [key, value.arraySync()]));

describe('a checkpoint of a custom loop', () => {
  it('continues exactly, with dropout and random data', async () => {
    manualSeed(1);
    const first = parts();
    steps(first, 5);
    await train.saveCheckpoint(file, {
      ...first,
      extra: { epoch: 3, best: [0.5, null], mean: tensor([1, 2]) },
    });
    const wanted = steps(first, 5);

    manualSeed(2);
    const second = parts();
    const { extra } = await train.loadCheckpoint<{ epoch: number; best: unknown; mean: Tensor }>(
      file,
      second,
    );
    expect(extra.epoch).toBe(3);
    expect(extra.best).toEqual([0.5, null]);
    expect(extra.mean.arraySync()).toEqual([1, 2]);
    expect(steps(second, 5)).toEqual(wanted);
    expect(numbers(second.model.stateDict())).toEqual(numbers(first.model.stateDict()));
    expect(second.ema.stateDict().updates).toBe(10);
    expect(second.optimizer.lr).toBe(first.optimizer.lr);
    expect(readdirSync(folder)).toEqual(['last.checkpoint']);
  });

  it('keeps the generators with generator: false', async () => {
    const { model } = parts();
    await train.saveCheckpoint(file, { model });
    manualSeed(3);
    const wanted = randn([3]).arraySync();
    manualSeed(3);
    await train.loadCheckpoint(file, { model, generator: false });
    expect(randn([3]).arraySync()).toEqual(wanted);
    await train.loadCheckpoint(file, { model });
    const repeated = randn([3]).arraySync();
    await train.loadCheckpoint(file, {});
    expect(randn([3]).arraySync()).toEqual(repeated);
  });

  it('has several objects by name, and custom ones', async () => {
    const make = (n: number) => new nn.Linear(1, n);
    const [generator, discriminator] = [make(2), make(3)];
    const optimizers = [new optim.Adam(generator.parameters()), new optim.SGD(discriminator.parameters())];
    const counter = {
      count: 4,
      stateDict: () => ({ count: counter.count }),
      loadStateDict: (state: { count: number }) => {
        counter.count = state.count;
      },
    };
    const model = { generator, discriminator };
    await train.saveCheckpoint(file, { model, optimizer: optimizers, scheduler: counter });
    counter.count = 0;
    const before = numbers(discriminator.stateDict());
    noGrad(() => discriminator.weight.fill_(9));
    await train.loadCheckpoint(file, { model, optimizer: optimizers, scheduler: counter });
    expect(counter.count).toBe(4);
    expect(numbers(discriminator.stateDict())).toEqual(before);
    // The weights are tensors of a safetensors file.
    expect(Object.keys(await loadSafetensors(file))).toContain('model.discriminator.weight');
    // One of them alone.
    await train.loadCheckpoint(file, { model: { generator } });
  });

  it('restores all parts or none', async () => {
    const saved = parts();
    steps(saved, 2);
    await train.saveCheckpoint(file, saved);
    const other = parts();
    steps(other, 3);
    const foreign = new optim.SGD(new nn.Linear(1, 1).parameters(), { momentum: 0.9 });
    const before = [numbers(other.model.stateDict()), numbers(other.ema.stateDict().averages as never)];
    const wrong = train.loadCheckpoint(file, { model: other.model, optimizer: foreign, ema: other.ema });
    await expect(wrong).rejects.toThrow(CheckpointError);
    await expect(wrong).rejects.toThrow(
      /last\.checkpoint does not fit optimizer: Expected groups of 2 parameters for the optimizer state but received 6/,
    );
    expect([numbers(other.model.stateDict()), numbers(other.ema.stateDict().averages as never)]).toEqual(
      before,
    );
    const wider = new nn.Sequential(new nn.Linear(4, 9));
    await expect(train.loadCheckpoint(file, { model: wider })).rejects.toThrow(
      /does not fit model: .*unexpected 1\.weight/,
    );
  });

  it('frees what it read, and nothing of the caller', async () => {
    const own = parts();
    steps(own, 1);
    const mean = tensor([1, 2]);
    await train.saveCheckpoint(file, { ...own, extra: { mean } });
    const { extra } = await train.loadCheckpoint<{ mean: Tensor }>(file, own);
    extra.mean.dispose();
    collectGarbage();
    const before = memory().numTensors;
    await train.saveCheckpoint(file, { ...own, extra: { mean } });
    const again = await train.loadCheckpoint<{ mean: Tensor }>(file, own);
    expect(memory().numTensors).toBe(before + 1);
    again.extra.mean.dispose();
    expect(mean.arraySync()).toEqual([1, 2]);
    steps(own, 1);
  });

  it('reports what is wrong with a file', async () => {
    const { model, optimizer } = parts();
    await train.saveCheckpoint(file, { model });
    await expect(train.loadCheckpoint(file, { model, optimizer })).rejects.toThrow(
      /Expected the state of optimizer in .*last\.checkpoint but received that of model/,
    );
    const before = readFileSync(file);
    for (const length of [0, 5, 100, before.length - 1]) {
      writeFileSync(file, before.subarray(0, length));
      await expect(train.loadCheckpoint(file, { model })).rejects.toThrow(CheckpointError);
    }
    await expect(train.loadCheckpoint(join(folder, 'none'), { model })).rejects.toThrow(/none: no such file/);
    await saveSafetensors(file, model.stateDict());
    await expect(train.loadCheckpoint(file, { model })).rejects.toThrow(
      /Expected a checkpoint of saveCheckpoint\(file, parts\) in .*last\.checkpoint but received another safetensors file/,
    );
    for (const state of ['{}', '{"generator":3}', '{"generator":{"$tensor":"a"},"model":4}', '[', 'null']) {
      await saveSafetensors(file, { a: tensor([1]) }, { metadata: { format: 'dyconv-checkpoint-1', state } });
      await expect(train.loadCheckpoint(file, { model }), state).rejects.toThrow(CheckpointError);
    }
    const state = '{"generator":{"$tensor":"a"}}';
    await saveSafetensors(file, { a: tensor([1]) }, { metadata: { format: 'dyconv-checkpoint-1', state } });
    await expect(train.loadCheckpoint(file)).rejects.toThrow(/damaged state of the generator/);
  });

  it('leaves the previous file for what cannot be saved', async () => {
    const { model } = parts();
    await train.saveCheckpoint(file, { model });
    const before = readFileSync(file);
    await expect(train.saveCheckpoint(file, { model, extra: { when: new Date() } })).rejects.toThrow(
      /Expected plain data or tensors for extra\.when but received Date/,
    );
    await expect(train.saveCheckpoint(join(folder, 'a', 'b'), { model })).rejects.toThrow(CheckpointError);
    for (const wrong of [{ model: 3 }, { model: { a: {} } }, { optimiser: model }, { model: null }])
      await expect(train.saveCheckpoint(file, wrong as never)).rejects.toThrow(ArgumentError);
    await expect(train.loadCheckpoint(file, { generator: 1 as never })).rejects.toThrow(ArgumentError);
    await expect(train.saveCheckpoint('', { model })).rejects.toThrow(ArgumentError);
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});
