/** The end of an epoch: a last batch of one image, and sets smaller than a batch. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  data,
  manualSeed,
  nn,
  optim,
  randn,
  setNumThreads,
  train,
  zeros,
} from '../../lib/index.js';

setNumThreads(1);

const warnings: NodeJS.ErrnoException[] = [];
const listener = (warning: Error) => void warnings.push(warning);
beforeEach(() => {
  warnings.length = 0;
  process.on('warning', listener);
});
afterEach(() => void process.off('warning', listener));

const clothes = await data.bundled({ split: 'test', channels: 1 });

async function run(length: number, batchNorm: boolean, options: Partial<data.LoaderOptions> = {}) {
  manualSeed(1);
  const middle = batchNorm ? new nn.BatchNorm1d(4) : new nn.ReLU();
  const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 4), middle, new nn.Linear(4, 10));
  const trainer = new train.Trainer({
    model,
    optimizer: new optim.SGD(model.parameters(), { lr: 0.01 }),
    trainLoader: data.loader(clothes, { batchSize: 4, limit: length, ...options }),
    epochs: 2,
  });
  const seen: number[] = [];
  trainer.on('step', ({ images }) => void seen.push(images));
  const { epochs } = await trainer.fit();
  await new Promise((resolve) => setImmediate(resolve));
  const told = warnings.filter(({ code }) => code === 'DYCONV_LAST_BATCH');
  return { epochs, seen, told, model };
}

describe('a last batch of one image', () => {
  it('is skipped if the model has batch norm, with one warning', async () => {
    const { epochs, seen, told, model } = await run(13, true);
    expect(epochs).toBe(2);
    expect(seen).toEqual([4, 4, 4, 4, 4, 4]);
    expect(told).toHaveLength(1);
    expect(told[0]!.message).toContain('dropLast: true');
    const { runningVar } = model.at(2) as nn.BatchNorm1d;
    for (const value of runningVar!.dataSync()) expect(value).toBeGreaterThan(0);
  });

  it.each([
    ['the model has none', false, 13, {}, [4, 4, 4, 1]],
    ['the batch has two', true, 14, {}, [4, 4, 4, 2]],
    ['the loader leaves it out', true, 13, { dropLast: true }, [4, 4, 4]],
  ])('is not an issue where %s', async (_, batchNorm, length, options, epoch) => {
    const { seen, told } = await run(length, batchNorm, options);
    expect(seen).toEqual([...epoch, ...epoch]);
    expect(told).toEqual([]);
  });
});

it('leaves the mean gradient of an accumulated step as it is', async () => {
  /** The weights after one step over batches of these sizes. */
  const trained = async (sizes: number[]) => {
    manualSeed(1);
    const model = new nn.Sequential(new nn.Linear(6, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 3));
    const trainLoader = {
      length: sizes.length,
      async *[Symbol.asyncIterator]() {
        for (const [i, size] of sizes.entries()) {
          manualSeed(10 + i);
          yield { images: randn([size, 6]), labels: zeros([size], { dtype: 'int64' }) };
        }
      },
    };
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.5 });
    await new train.Trainer({ model, optimizer, trainLoader, epochs: 1, accumulate: 4 }).fit();
    return (model.at(2) as nn.Linear).weight.dataSync();
  };
  const [expected, actual] = [await trained([5, 5, 5]), await trained([5, 5, 5, 1])];
  for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i] as number, 6);
});

it('a set smaller than a batch is one batch, unless only full ones count', async () => {
  expect((await run(3, true)).seen).toEqual([3, 3]);
  await expect(run(3, true, { dropLast: true })).rejects.toThrow(ArgumentError);
  await expect(run(3, true, { dropLast: true })).rejects.toThrow('at most 3, the number of images');
});
