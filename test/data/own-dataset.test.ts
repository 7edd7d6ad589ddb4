/** Custom data sets: any object with a length and a function that returns a sample. */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { data, memory, type Tensor, tensor, train } from '../../lib/index.js';

let before: number;
beforeEach(() => {
  before = memory().numTensors;
});
afterEach(() => {
  // Tensors of earlier tests may be collected in the meantime.
  expect(memory().numTensors - before).toBeLessThanOrEqual(0);
});

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

/** 10 images of different sizes, returned after different times; all bytes of image i are 20 i. */
const uneven: data.Dataset<data.ImageSample> = {
  length: 10,
  classes: ['a', 'b', 'c'],
  async get(i) {
    await sleep((i * 7) % 5);
    const [height, width] = [4 + i, 12 - i];
    return { image: bytes(3 * height * width, 20 * i), shape: [3, height, width], label: i % 3 };
  },
};

async function readAll<B extends { images: Tensor; labels: Tensor }>(loader: AsyncIterable<B>) {
  const seen: { shape: number[]; levels: number[]; labels: number[] }[] = [];
  for await (const { images, labels } of loader) {
    const values = await images.data();
    const size = values.length / images.shape[0]!;
    seen.push({
      shape: [...images.shape],
      levels: Array.from({ length: images.shape[0]! }, (_, i) => Math.round(Number(values[i * size]) * 255)),
      labels: Array.from(labels.dataSync(), Number),
    });
    images.dispose();
    labels.dispose();
  }
  return seen;
}

describe('images got one by one', () => {
  it('of any size become batches if a transform resizes them', async () => {
    const transform = data.transforms.compose([data.transforms.resize({ size: 6 })]);
    const seen = await readAll(data.loader(uneven, { batchSize: 4, transform }));
    expect(seen.map(({ shape }) => shape)).toEqual([
      [4, 3, 6, 6],
      [4, 3, 6, 6],
      [2, 3, 6, 6],
    ]);
    expect(seen.flatMap(({ levels }) => levels)).toEqual(Array.from({ length: 10 }, (_, i) => 20 * i));
    expect(seen.flatMap(({ labels }) => labels)).toEqual(Array.from({ length: 10 }, (_, i) => i % 3));
  });

  it('are the same batches as from a set in memory: order, augmentation, mixing', async () => {
    const set = await data.bundled({ split: 'test' });
    const { length, classes, shape } = set;
    const own: data.Dataset = { length, classes, shape, get: async (i) => set.get(i) };
    const options: data.LoaderOptions = {
      batchSize: 7,
      limit: 40,
      shuffle: true,
      seed: 5,
      transform: data.transforms.train({ resize: 20, size: 16 }),
      mix: data.transforms.cutmix({ p: 0.7 }),
      memoryFormat: 'channelsLast',
    };
    const [one, other] = [data.loader(set, options), data.loader(own, options)];
    const batches = one[Symbol.asyncIterator]();
    let compared = 0;
    for await (const batch of other) {
      const { value } = (await batches.next()) as { value: data.Batch };
      for (const name of ['images', 'labels'] as const) {
        expect(batch[name].shape).toEqual(value[name].shape);
        expect(batch[name].sub(value[name]).abs().max().item()).toBe(0);
        batch[name].dispose();
        value[name].dispose();
      }
      compared += 1;
    }
    await batches.return?.();
    expect(compared).toBe(6);
    globalThis.gc?.();
    before = memory().numTensors; // the results of sub() and abs() are garbage-collected
  });

  it('are rejected with their index if they do not fit', async () => {
    const first = async (set: data.Dataset, options = {}) => {
      for await (const { images, labels } of data.loader(set, { batchSize: 4, ...options }))
        for (const one of [images, labels]) one.dispose();
    };
    await expect(first(uneven)).rejects.toThrow(
      'Expected images of one size in a batch but sample 0 gives [3, 4, 12] and sample 1 [3, 5, 11]: use a transform',
    );
    const of = (sample: unknown): data.Dataset => ({ length: 2, classes: ['a', 'b'], get: () => sample });
    const shape = [1, 2, 2];
    await expect(first(of({ image: bytes(4, 0), label: 0 }))).rejects.toThrow(
      'sample 0: expected shape [C, H, W] of the 4 values of its image but found undefined',
    );
    await expect(first(of({ image: bytes(5, 0), shape, label: 0 }))).rejects.toThrow('of the 5 values');
    await expect(first(of({ image: bytes(4, 0), shape, label: 2 }))).rejects.toThrow(
      'sample 0: expected an integer from 0 to 1, or a tensor in every sample, for label but found 2 (number)',
    );
    await expect(first(of({ image: bytes(4, 0), shape, label: 0.5 }))).rejects.toThrow('found 0.5 (number)');
    const floats = of({ image: new Float32Array(4), shape, label: 0 });
    await expect(first(floats, { transform: data.transforms.test() })).rejects.toThrow('images of bytes');
    await expect(first(of(undefined))).rejects.toThrow('item: expected tensors, typed arrays');
    expect(() => data.loader({ ...uneven, length: 0 }, { batchSize: 1 })).toThrow('at least 1 sample');
    expect(() => data.loader({} as never, { batchSize: 1 })).toThrow('a number for dataset.length');
  });

  it('of other dtypes are stacked as they are', async () => {
    const set: data.Dataset<data.ImageSample> = {
      length: 3,
      get: (i) => ({ image: Float64Array.from([i, 0.5, -i, 300]), shape: [1, 2, 2], label: BigInt(i) }),
    };
    for await (const { images, labels } of data.loader(set, { batchSize: 3 })) {
      expect([images.dtype, images.shape, labels.dtype]).toEqual(['float64', [3, 1, 2, 2], 'int64']);
      expect([...images.dataSync({ dtype: 'float64' })].slice(8)).toEqual([2, 0.5, -2, 300]);
      images.dispose();
      labels.dispose();
    }
  });
});

describe('getting samples', () => {
  it('limits concurrent requests, prefetches while a batch is in use, and stops when the iteration is left', async () => {
    let open = 0;
    let most = 0;
    const asked: number[] = [];
    const set: data.Dataset<number> = {
      length: 100,
      async get(i) {
        asked.push(i);
        most = Math.max(most, ++open);
        await sleep(2);
        open--;
        return i;
      },
    };
    const loader = data.loader(set, { batchSize: 10, concurrency: 3, prefetch: 2 });
    let batches = 0;
    for await (const batch of loader) {
      expectTypeOf(batch).toEqualTypeOf<Tensor>();
      batch.dispose();
      await sleep(60);
      if (++batches === 2) break;
    }
    expect(most).toBe(3);
    const { length } = asked;
    expect(length).toBeGreaterThan(20);
    expect(length).toBeLessThanOrEqual(43);
    expect(asked).toEqual(Array.from({ length }, (_, i) => i));
    await sleep(20);
    expect(asked).toHaveLength(length);
  });

  it('passes on what get throws, at the turn of its batch', async () => {
    const failure = new Error('disk on fire');
    const get = (i: number) => {
      if (i === 5) throw failure;
      return i;
    };
    const seen: number[] = [];
    const read = async () => {
      for await (const batch of data.loader({ length: 8, get }, { batchSize: 2, prefetch: 4 })) {
        seen.push(...batch.dataSync({ dtype: 'float32' }));
        batch.dispose();
      }
    };
    await expect(read()).rejects.toBe(failure);
    expect(seen).toEqual([0, 1, 2, 3]);
  });
});

describe('batches', () => {
  it('collate tensors, arrays, numbers, texts and objects of them', async () => {
    const set = {
      length: 2,
      get: (i: number) => ({
        name: `n${i}`,
        score: i / 2,
        id: BigInt(i),
        good: i > 0,
        points: Int16Array.of(i, i + 1),
        pair: [tensor([i, 1]), { deep: i }] as [Tensor, { deep: number }],
      }),
    };
    for await (const batch of data.loader(set, { batchSize: 2 })) {
      expectTypeOf(batch.name).toEqualTypeOf<string[]>();
      expectTypeOf(batch.pair[1].deep).toEqualTypeOf<Tensor>();
      const { score, id, good, points, pair } = batch;
      const all = [score, id, good, points, pair[0], pair[1].deep];
      expect(batch.name).toEqual(['n0', 'n1']);
      expect(all.map(({ dtype }) => dtype)).toEqual([
        'float32',
        'int64',
        'bool',
        'int16',
        'float32',
        'float32',
      ]);
      expect(points.arraySync()).toEqual([
        [0, 1],
        [1, 2],
      ]);
      expect(pair[0].shape).toEqual([2, 2]);
      for (const one of all) one.dispose();
    }
    globalThis.gc?.();
    before = memory().numTensors; // the tensors of the samples are garbage-collected
  });

  it('are what collate makes of the samples', async () => {
    const words = ['a', 'abc', 'ab'];
    const loader = data.loader(
      { length: 3, get: (i: number) => words[i]! },
      {
        batchSize: 2,
        collate: async (texts: string[]) => {
          await sleep(1);
          return { lengths: tensor(texts.map(({ length }) => length)), texts };
        },
      },
    );
    const seen: unknown[] = [];
    for await (const { lengths, texts } of loader) {
      seen.push([lengths.arraySync(), texts]);
      lengths.dispose();
    }
    expect(seen).toEqual([
      [
        [1, 3],
        ['a', 'abc'],
      ],
      [[2], ['ab']],
    ]);
    const transform = data.transforms.test();
    expect(() => data.loader(uneven, { batchSize: 1, transform, collate: () => 1 })).toThrow('with collate');
    for (const [name, value] of [
      ['dtype', 'bfloat16'],
      ['memoryFormat', 'channelsLast'],
    ])
      expect(() => data.loader(uneven, { batchSize: 1, [name!]: value, collate: () => 1 })).toThrow(
        `Expected no ${name} with collate, which makes the batch`,
      );
  });

  it('name the items that do not belong together', () => {
    const collate = data.defaultCollate as (items: unknown[]) => unknown;
    expect(() => collate([{ x: 1 }, { x: 'a' }])).toThrow(
      'item.x: expected one kind in every item of a batch',
    );
    expect(() => collate([{ x: 1 }, {}])).toThrow('item: expected one kind');
    expect(() => collate([[new Uint8Array(2)], [new Uint8Array(3)]])).toThrow('item[0] of one shape');
    expect(() => collate([() => 1])).toThrow('item: expected tensors, typed arrays, numbers');
  });
});

it('a set of one is evaluated like any other', async () => {
  const { nn } = await import('../../lib/index.js');
  const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(12, 3));
  const transform = data.transforms.test({ size: 2 });
  const result = await train.evaluate(model, data.loader(uneven, { batchSize: 3, transform }));
  expect(result.images).toBe(10);
  for (const parameter of model.parameters()) parameter.dispose();
});

it('sets and loaders have descriptions', async () => {
  const set = await data.bundled({ split: 'test' });
  expect(String(set)).toMatch(
    /^bundled \(test\): 500 images of 3 x 28 x 28, 10 classes \(T-shirt\/top, Trouser, Pullover, \.\.\.\), from .*gz$/,
  );
  expect(inspect(set)).toBe(String(set));
  expect(Object.keys(set)).not.toContain('toString');
  const loader = data.loader(set, { batchSize: 64, shuffle: true, dropLast: true, seed: 3 });
  expect(inspect(loader)).toMatch(
    /^Loader \(7 batches of 64, shuffled by seed 3, the last one full\): 448 of 500 /,
  );
  expect(String(data.subset(set, [3, 4]))).toMatch(/^Subset: 2 images of 3 x 28 x 28, .*, of 500$/);
  expect(String(data.concat([set, set]))).toMatch(/^ConcatDataset of 2: 1000 images/);
});
