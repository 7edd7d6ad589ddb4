/** Iterable data sets: order, shuffling, resuming, division among processes, errors. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { ArgumentError, DatasetError, data, memory, type Tensor } from '../../lib/index.js';
import { readBatches } from './streams.js';

let before: number;
beforeEach(() => {
  before = memory().numTensors;
});
afterEach(() => {
  expect(memory().numTensors - before).toBeLessThanOrEqual(0);
});

const sample = (i: number): data.ImageSample => ({
  image: new Uint8Array(12).fill(i),
  shape: [3, 2, 2],
  label: i % 2,
});
const range = (length: number) => Array.from({ length }, (_, i) => i);

/** Images of level 0 to `length - 1`. */
const counted = (length: number, fields: object = {}): data.IterableDataset<data.ImageSample> => ({
  ...fields,
  async *[Symbol.asyncIterator]() {
    for (const i of range(length)) yield sample(i);
  },
});

const levels = async (loader: AsyncIterable<data.Batch>, most?: number) =>
  (await readBatches(loader, most)).map((batch) => batch.levels);

describe('an iterable set', () => {
  it('gives batches in its order, of images and labels', async () => {
    const loader = data.loader(counted(10), { batchSize: 4 });
    expectTypeOf(loader).toEqualTypeOf<data.Loader<data.Batch>>();
    const seen = await readBatches(loader);
    expect(seen.map((batch) => batch.levels)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(seen.flatMap(({ labels }) => labels)).toEqual(range(10).map((i) => i % 2));
    expect([loader.length, loader.numImages]).toEqual([Infinity, Infinity]);
    expect(loader.stats.images).toBe(10);
    expect(String(loader)).toContain('an unknown number of samples');
  });

  it('may be synchronous, and has a length if it knows it', async () => {
    const set = Object.assign(range(10).map(sample), {});
    const loader = data.loader(set, { batchSize: 4, dropLast: true });
    expect([loader.length, loader.numImages]).toEqual([2, 8]);
    expect(await levels(loader)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
  });

  it('is collated like other sets', async () => {
    const set = {
      *[Symbol.iterator]() {
        yield* [1, 2, 3];
      },
    };
    const loader = data.loader(set, { batchSize: 2 });
    expectTypeOf(loader).toEqualTypeOf<data.Loader<Tensor>>();
    const batches: unknown[] = [];
    for await (const batch of loader) {
      batches.push(batch.arraySync());
      batch.dispose();
    }
    expect(batches).toEqual([[1, 2], [3]]);
    const sums = data.loader(set, { batchSize: 2, collate: (items) => items.reduce((a, b) => a + b) });
    const seen: number[] = [];
    for await (const sum of sums) seen.push(sum);
    expect(seen).toEqual([3, 3]);
  });

  it('is shuffled by a buffer: another order every epoch, the same for the same seed, complete', async () => {
    const make = (options = {}) =>
      data.loader(counted(50), { batchSize: 50, shuffle: true, shuffleBuffer: 8, seed: 3, ...options });
    const loader = make();
    const [[first]] = [await levels(loader)];
    const [second] = await levels(loader);
    expect(first).not.toEqual(range(50));
    expect(second).not.toEqual(first);
    for (const epoch of [first!, second!]) {
      expect(epoch.toSorted((a, b) => a - b)).toEqual(range(50));
      // With a buffer of 8, the item at place p is one of the first p + 9.
      for (const [place, level] of epoch.entries()) expect(level).toBeLessThanOrEqual(place + 8);
    }
    expect(await levels(make())).toEqual([first]);
    expect(await levels(make({ seed: 4 }))).not.toEqual([first]);
  });

  it('is resumed bit-exactly at any batch, whatever the number of threads and prefetched batches', async () => {
    const transform = data.transforms.compose([
      data.transforms.randomResizedCrop({ size: 2 }),
      data.transforms.colorJitter({ brightness: 0.9 }),
    ]);
    const options = { batchSize: 4, shuffle: true, shuffleBuffer: 5, seed: 7, transform };
    const read = async (loader: data.Loader) => {
      const all: number[][] = [];
      for await (const { images, labels } of loader) {
        all.push(
          [...images.dataSync({ dtype: 'float32' }), ...labels.dataSync({ dtype: 'int64' })].map(Number),
        );
        images.dispose();
        labels.dispose();
      }
      return all;
    };
    const whole = data.loader(counted(18), options);
    await read(whole);
    const expected = await read(whole);
    expect(expected).toHaveLength(5);
    for (const [batch, variant] of [
      { threads: 1 },
      { threads: 4 },
      { prefetch: 0 },
      { prefetch: 7, concurrency: 1 },
    ].entries()) {
      const loader = data.loader(counted(18), { ...options, ...variant });
      loader.seek({ epoch: 1, batch });
      expect(await read(loader)).toEqual(expected.slice(batch));
    }
  });

  it('tells its position, and is continued after it was left', async () => {
    const loader = data.loader(counted(20), { batchSize: 4 });
    const batches = loader[Symbol.asyncIterator]();
    const first = await batches.next();
    for (const one of [first.value!.images, first.value!.labels]) one.dispose();
    const { position } = loader;
    expect(position).toEqual({ epoch: 0, batch: 1 });
    await batches.return(undefined);
    loader.seek(position);
    expect(await levels(loader, 1)).toEqual([[4, 5, 6, 7]]);
  });

  it('is divided among processes: disjoint, of equal size', async () => {
    const shares = [];
    for (const rank of [0, 1, 2])
      shares.push((await levels(data.loader(counted(11), { batchSize: 2, rank, worldSize: 3 }))).flat());
    expect(shares).toEqual([
      [0, 3, 6],
      [1, 4, 7],
      [2, 5, 8],
    ]);
  });

  it('is divided completely without dropRemainder', async () => {
    const share = async (rank: number, epoch = 0) => {
      const loader = data.loader(counted(11), { batchSize: 2, rank, worldSize: 3, dropRemainder: false });
      loader.seek({ epoch, batch: 1 });
      return (await levels(loader, epoch)).flat();
    };
    expect(await Promise.all([0, 1, 2].map((rank) => share(rank)))).toEqual([[6, 9], [7, 10], [8]]);
  });

  it('is limited to its first samples, and read no further than that', async () => {
    let given = 0;
    const endless = {
      *[Symbol.iterator]() {
        for (;;) yield sample(given++ % 200);
      },
    };
    expect(await levels(data.loader(endless, { batchSize: 2, limit: 5 }))).toEqual([[0, 1], [2, 3], [4]]);
    expect(given).toBe(5);
  });

  it('is closed when the loop is left, and reports what it throws', async () => {
    let closed = 0;
    const set = {
      async *[Symbol.asyncIterator]() {
        try {
          for (let i = 0; ; i++) {
            if (i === 20) throw new Error('no more');
            yield sample(i);
          }
        } finally {
          closed++;
        }
      },
    };
    expect(await levels(data.loader(set, { batchSize: 2 }), 1)).toEqual([[0, 1]]);
    expect(closed).toBe(1);
    await expect(levels(data.loader(set, { batchSize: 7 }))).rejects.toThrow('no more');
    expect(closed).toBe(2);
  });
});

describe('a set with read and decode', () => {
  it('gets the seed and the epoch; decodes several items at once and none that is skipped', async () => {
    const requests: data.ReadRequest[] = [];
    const decoded: number[] = [];
    let open = 0;
    let most = 0;
    const set: data.ReadableSet<data.ImageSample> = {
      length: 12,
      *read(request) {
        requests.push(request);
        yield* range(12);
      },
      async decode(item: never) {
        decoded.push(item);
        most = Math.max(most, ++open);
        await sleep(2);
        open--;
        return item === 5 ? null : sample(item);
      },
    };
    const loader = data.loader(set, { batchSize: 4, concurrency: 3, seed: 9 });
    loader.seek({ epoch: 2, batch: 1 });
    // Item 5 is left out.
    expect(await levels(loader)).toEqual([
      [4, 6, 7],
      [8, 9, 10, 11],
    ]);
    expect(requests).toEqual([{ epoch: 2, seed: 9, shuffle: false }]);
    expect(decoded).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(most).toBe(3);
    expect(loader.length).toBe(3);
  });
});

describe('a sample that is null', () => {
  it('is left out of its batch, and so is a batch without samples', async () => {
    const set: data.Dataset<data.ImageSample | null> = {
      length: 8,
      get: (i) => (i < 4 || i === 6 ? null : sample(i)),
    };
    const loader = data.loader(set, { batchSize: 4 });
    expect(await levels(loader)).toEqual([[4, 5, 7]]);
    expect(loader.stats).toMatchObject({ batches: 1, images: 3 });
    expect((await data.describe(set as data.Dataset<data.ImageSample>)).length).toBe(3);
  });
});

describe('errors', () => {
  it('name what is wrong with a set', async () => {
    const generator = counted(3)[Symbol.asyncIterator as never] as () => AsyncGenerator<data.ImageSample>;
    const once = data.loader(generator(), { batchSize: 2 });
    expect(await levels(once)).toHaveLength(2);
    await expect(levels(once)).rejects.toThrow(DatasetError);
    await expect(levels(once)).rejects.toThrow(
      'epoch 2 but the set yielded none: a generator yields its samples only once',
    );
    const refused: [object, object, string][] = [
      [counted(3, { length: 0 }), {}, 'an integer from 1, or undefined for dataset.length'],
      [counted(3, { classes: [1] }), {}, 'an array of names for dataset.classes'],
      [{ read: () => [] }, {}, 'a function, as the set has read for dataset.decode'],
      [counted(3), { augmentOn: 'device' }, "'cpu' for an iterable data set for augmentOn"],
      [counted(3), { mix: data.transforms.mixup() }, 'names, for mix for dataset.classes'],
      [counted(3), { shuffleBuffer: 0 }, 'an integer from 1 for shuffleBuffer'],
      [counted(3, { length: 3 }), { batchSize: 4, dropLast: true }, 'at most 3, the number of images'],
    ];
    for (const [set, options, message] of refused) {
      const make = () => data.loader(set as never, { batchSize: 2, ...options });
      expect(make, message).toThrow(ArgumentError);
      expect(make).toThrow(message);
    }
  });
});
