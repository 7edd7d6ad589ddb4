/** Loaders that draw samples with weights. */
import { describe, expect, it } from 'vitest';
import { createDataset } from '../../lib/data/dataset.js';
import { ArgumentError, data } from '../../lib/index.js';

/** 90 images of class 0 and 10 of class 1; the first pixel is the index. */
const labels = Uint8Array.from({ length: 100 }, (_, i) => (i % 10 === 9 ? 1 : 0));
const set = createDataset({
  ...{ name: 'numbers', split: 'train', classes: ['common', 'rare'], shape: [1, 1, 1], source: 'numbers' },
  ...{ images: Uint8Array.from({ length: 100 }, (_, i) => i), labels },
});

/** Indices of the images of an epoch, in order. */
async function drawn(options: Partial<data.LoaderOptions> = {}, epoch = 0, source: data.Dataset = set) {
  const loader = data.loader(source as typeof set, { batchSize: 10, seed: 3, ...options });
  loader.epoch = epoch;
  const found: number[] = [];
  for await (const { images } of loader)
    found.push(...(images.mul(255).round().flatten().arraySync() as number[]));
  return found;
}

describe('weights of a loader', () => {
  const weights = data.balancedWeights(set.labels);

  it('draw every class equally often, if they are balanced', async () => {
    expect([weights[0], weights[9]]).toEqual([1 / 90, 1 / 10]);
    const counts = [0, 0];
    for (let epoch = 0; epoch < 20; epoch++)
      for (const index of await drawn({ weights }, epoch)) counts[labels[index]!]! += 1;
    expect(counts[0]! + counts[1]!).toBe(2000);
    // Five standard deviations of 2,000 fair draws are 112.
    expect(Math.abs(counts[0]! - 1000)).toBeLessThan(112);
  });

  it('depend on the seed and the epoch, not on shuffle, and are the same for other data sets', async () => {
    const first = await drawn({ weights });
    expect(await drawn({ weights, shuffle: true })).toEqual(first);
    expect(await drawn({ weights }, 1)).not.toEqual(first);
    expect(await drawn({ weights, seed: 4 })).not.toEqual(first);
    const own: data.Dataset = {
      length: 100,
      classes: set.classes,
      get: (i) => ({ ...set.get(i), shape: [1, 1, 1] }),
    };
    expect(await drawn({ weights }, 0, own)).toEqual(first);
  });

  it('of 0 leave samples out, also with a limit', async () => {
    const even = Array.from({ length: 100 }, (_, i) => (i % 4 === 0 ? 2 : 0));
    expect((await drawn({ weights: even })).every((index) => index % 4 === 0)).toBe(true);
    const limited = await drawn({ weights: even, limit: 50 });
    expect(limited).toHaveLength(50);
    expect(limited.every((index) => index % 4 === 0)).toBe(true);
  });

  it('are refused where a limit leaves only samples of weight 0', () => {
    const odd = Array.from({ length: 100 }, (_, i) => i % 2);
    // Of every two samples the first one, of weight 0.
    const make = () => data.loader(set, { batchSize: 1, weights: odd, limit: 50 });
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow('Expected a weight above 0 for one of the 50 samples that limit leaves for weights');
  });

  it.each([
    [[1, 2], 'Expected 100 numbers, one for each sample for weights'],
    [new Array(100).fill(-1), 'Expected a finite number of at least 0 for weights[0] but received -1'],
    [new Array(100).fill(0), 'Expected a weight above 0 for weights'],
    ['abc', 'Expected 100 numbers, one for each sample for weights'],
  ])('are refused: %s', (wrong, message) => {
    const make = () => data.loader(set, { batchSize: 1, weights: wrong as number[] });
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });

  it('are refused for iterable sets, and need labels to be balanced', () => {
    const stream = { async *[Symbol.asyncIterator]() {} } as data.IterableDataset;
    expect(() => data.loader(stream, { batchSize: 1, weights: [1] })).toThrow('none for an iterable set');
    const detached = new Int32Array(3);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    for (const wrong of [3, null, {}, detached, []])
      expect(() => data.balancedWeights(wrong as never)).toThrow(ArgumentError);
  });
});
