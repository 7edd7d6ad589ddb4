import { describe, expect, test } from 'vitest';
import {
  augmentBatch,
  augmentOnDevice,
  type BatchFormat,
  batchPlan,
  withFormat,
} from '../../lib/data/batches.js';
import { bundled } from '../../lib/data/mnist.js';
import { type Plan, planFor } from '../../lib/data/plan.js';
import { Random } from '../../lib/data/random.js';
import type { Transform } from '../../lib/data/transforms.js';
import * as transforms from '../../lib/data/transforms.js';
import { ArgumentError, DyconvError } from '../../lib/errors.js';
import { tensor } from '../../lib/tensor/create.js';
import type { Device } from '../../lib/tensor/dtype.js';
import { describeOnCuda } from '../support/cuda.js';
import { augmentReference } from './augment-reference.js';

type Shape = readonly [number, number, number];

/** Smooth images with some noise: bilinear resizing of pure noise would hide errors of half a pixel. */
function pictures(shape: Shape, count: number): Uint8Array {
  const [channels, height, width] = shape;
  const random = new Random(5);
  return Uint8Array.from({ length: count * channels * height * width }, (_, i) => {
    const x = i % width;
    const y = Math.floor(i / width) % height;
    return Math.min(255, (x * 97) / width + (y * 131) / height + random.below(28));
  });
}

async function augment(
  images: Uint8Array,
  shape: Shape,
  transform: Transform,
  indices: number[],
  { seed = 42, epoch = 3, threads = 1 } = {},
): Promise<Float32Array> {
  const plan = batchPlan(transform, shape);
  const batch = await augmentBatch({ images, shape }, indices, plan, { seed, epoch, threads });
  expect(batch.shape).toEqual([indices.length, shape[0], ...plan.size]);
  expect(batch.dtype).toBe('float32');
  const values = batch.dataSync({ dtype: 'float32' });
  batch.dispose();
  return values;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

const {
  centerCrop,
  colorJitter,
  compose,
  normalize,
  randomCrop,
  randomErasing,
  randomHorizontalFlip,
  randomResizedCrop,
  randomVerticalFlip,
  resize,
} = transforms;
const strong = colorJitter({ brightness: 0.6, contrast: 0.6, saturation: 0.8, hue: 0.4 });
const everything = compose([
  resize({ size: 36 }),
  randomResizedCrop({ size: [20, 24], scale: [0.2, 0.9] }),
  randomHorizontalFlip(),
  randomVerticalFlip({ p: 0.3 }),
  strong,
  normalize({ mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4] }),
  randomErasing({ p: 0.7, value: 'random' }),
]);
const changesColours = (transform: Transform) =>
  transform.kind === 'compose' && transform.steps.some(({ step }) => step === 'colorJitter');

const cases: [string, Shape, Transform][] = [
  ["the article's training pipeline", [3, 32, 32], transforms.train()],
  ["the article's test pipeline", [3, 32, 32], transforms.test()],
  [
    'another mean and std for every channel',
    [3, 28, 28],
    transforms.train({ mean: [0.1, 0.5, 0.4], std: [0.2, 0.3, 0.9] }),
  ],
  ['one channel', [1, 28, 28], transforms.train({ size: 64, resize: 70 })],
  ['images that get smaller', [3, 150, 131], transforms.train({ size: 31, resize: 40 })],
  ['images that are not square', [3, 17, 45], transforms.test({ size: 24 })],
  ['tiny images', [2, 1, 3], transforms.train({ size: 5, resize: 7 })],
  [
    'sizes that are no multiple of a vector',
    [3, 9, 9],
    transforms.train({ size: 13, resize: 12, scale: [0.3, 0.9] }),
  ],
  ['padded and cropped, at the size of the images', [3, 32, 32], transforms.padCrop({ mean: 0.4 })],
  ['padded more than the image is wide', [3, 8, 10], transforms.padCrop({ size: 9, padding: 12 })],
  ['always flipped', [3, 8, 8], transforms.train({ size: 16, resize: 16, flip: 1 })],
  ['composed: nothing', [3, 5, 7], compose([])],
  ['composed: two resizings', [1, 9, 11], compose([resize({ size: 6 }), resize({ size: [14, 15] })])],
  [
    'composed: padded crop, enlarged',
    [3, 16, 16],
    compose([randomCrop({ size: 16, padding: 4 }), resize({ size: 40 })]),
  ],
  [
    'composed: a crop not square',
    [2, 20, 30],
    compose([randomCrop({ size: [9, 17] }), randomVerticalFlip({ p: 1 })]),
  ],
  ['composed: central crop', [3, 9, 13], compose([resize({ size: 21 }), centerCrop({ size: [10, 15] })])],
  ['composed: central crop beyond the image', [1, 5, 8], compose([centerCrop({ size: 12 })])],
  ['brightness', [3, 16, 16], compose([colorJitter({ brightness: 0.7 }), normalize()])],
  ['contrast', [3, 17, 13], compose([colorJitter({ contrast: [0.2, 1.9] }), normalize()])],
  ['saturation', [3, 16, 16], compose([colorJitter({ saturation: [0, 2.5] })])],
  ['hue', [3, 16, 16], compose([colorJitter({ hue: 0.5 })])],
  [
    'all colors, in every order',
    [3, 24, 24],
    compose([randomHorizontalFlip(), strong, normalize({ std: 0.25 })]),
  ],
  ['colors of one channel', [1, 24, 24], compose([strong, normalize()])],
  ['erased', [3, 24, 20], compose([normalize(), randomErasing({ p: 1, value: [-1, 0.5, 2] })])],
  ['erased with noise', [2, 24, 20], compose([normalize(), randomErasing({ p: 0.8, value: 'random' })])],
  ['every step', [3, 32, 32], everything],
];

for (const [name, shape, transform] of cases) {
  test(`equals the two-step reference: ${name}`, async () => {
    const images = pictures(shape, 6);
    const indices = [4, 0, 5, 5, 2];
    const sample = shape[0] * shape[1] * shape[2];
    const batch = await augment(images, shape, transform, indices);
    const plan = planFor(transform, shape);
    const plane = plan.size[0] * plan.size[1];
    for (const [b, index] of indices.entries()) {
      const image = images.subarray(index * sample, (index + 1) * sample);
      const ours = batch.subarray(b * shape[0] * plane, (b + 1) * shape[0] * plane);
      const where = { seed: 42, epoch: 3, index };
      expect(largestDifference(ours, augmentReference(image, shape, transform, where))).toBeLessThan(2e-5);
      // An image library rounds to whole gray levels after both steps: half a level each. (After a change of
      // hue or contrast the levels are no longer those of the image.)
      if (changesColours(transform)) continue;
      const library = augmentReference(image, shape, transform, { ...where, round: true });
      const oneLevel = 1.001 / 255 / Math.min(...plan.std);
      expect(largestDifference(ours, library)).toBeLessThanOrEqual(oneLevel);
    }
  });
}

test('crops and flips depend on (seed, epoch, index) only', async () => {
  const shape = [3, 32, 32] as const;
  const images = pictures(shape, 40);
  const indices = Array.from({ length: 40 }, (_, i) => i);
  const transform = transforms.train({ size: 32, resize: 36 });
  const once = await augment(images, shape, transform, indices);
  const same = (other: Float32Array) =>
    Buffer.compare(Buffer.from(once.buffer), Buffer.from(other.buffer)) === 0;
  for (const threads of [1, 2, 3, 8, 100]) {
    expect(same(await augment(images, shape, transform, indices, { threads }))).toBe(true);
  }
  expect(same(await augment(images, shape, transform, indices, { seed: 43 }))).toBe(false);
  expect(same(await augment(images, shape, transform, indices, { epoch: 4 }))).toBe(false);
  const sample = 3 * 32 * 32;
  const alone = await augment(images, shape, transform, [17]);
  expect(alone).toEqual(once.slice(17 * sample, 18 * sample));
});

test('random numbers do not depend on the number of threads, with every step', async () => {
  const shape = [3, 32, 32] as const;
  const images = pictures(shape, 20);
  const indices = Array.from({ length: 20 }, (_, i) => 19 - i);
  const once = await augment(images, shape, everything, indices);
  for (const threads of [2, 7])
    expect(await augment(images, shape, everything, indices, { threads })).toEqual(once);
  const sample = 3 * 20 * 24;
  const alone = await augment(images, shape, everything, [12]);
  expect(alone).toEqual(once.slice(7 * sample, 8 * sample));
});

for (const channels of [1, 3, 4]) {
  test(`channels last and bfloat16 are the same numbers: ${channels} channel(s)`, async () => {
    const shape = [channels, 12, 15] as const;
    const images = pictures(shape, 3);
    const make = (transform: Transform, format: BatchFormat) =>
      augmentBatch({ images, shape }, [2, 0, 1], batchPlan(transform, shape, format), {
        seed: 1,
        epoch: 0,
        threads: 2,
      });
    const erasing = compose([normalize(), randomErasing({ p: 1, value: 0.3 })]);
    for (const transform of [transforms.train({ size: 19, resize: 21 }), erasing]) {
      const plain = await make(transform, {});
      const last = await make(transform, { memoryFormat: 'channelsLast' });
      expect(last.shape).toEqual(plain.shape);
      expect(last.equal(plain)).toBe(true);
      // With one channel the two formats have the same memory layout.
      if (channels > 1)
        expect(last.strides).toEqual(plain.contiguous({ memoryFormat: 'channelsLast' }).strides);
      for (const memoryFormat of ['contiguous', 'channelsLast'] as const) {
        const half = await make(transform, { memoryFormat, dtype: 'bfloat16' });
        expect(half.dtype).toBe('bfloat16');
        expect(half.strides).toEqual((memoryFormat === 'contiguous' ? plain : last).strides);
        expect(half.equal(plain.to({ dtype: 'bfloat16' }))).toBe(true);
      }
    }
  });
}

/** libtorch's operations on the CPU, or the CUDA kernel in a build that emulates CUDA; the CUDA kernel on a GPU. */
function onDevice(device: Device): void {
  test.each(cases)('the same: %s', async (_name, shape, transform) => {
    const images = pictures(shape, 6);
    const resident = tensor(images, { shape: [6, ...shape], dtype: 'uint8', device });
    const indices = [4, 0, 5, 5, 2];
    const where = { seed: 42, epoch: 3 };
    const plan = batchPlan(transform, shape);
    const there = await augmentOnDevice(resident, indices, plan, where);
    const here = await augmentBatch({ images, shape }, indices, plan, { ...where, threads: 1 });
    expect(there.shape).toEqual(here.shape);
    const [a, b] = [there.dataSync({ dtype: 'float32' }), here.dataSync({ dtype: 'float32' })];
    expect(largestDifference(a, b)).toBeLessThan(3e-5);
  });
}

describe('a set on the CPU as its device', () => onDevice('cpu'));
describeOnCuda('a set on a GPU', () => onDevice('cuda'));

test('an equal share of images is flipped, and the crops cover the range of areas', async () => {
  // A ramp from left to right: its slope shows the direction, its range the width of the crop.
  const [count, size] = [4000, 16];
  const images = Uint8Array.from({ length: count * size * size }, (_, i) => (i % size) * 16);
  const indices = Array.from({ length: count }, (_, i) => i);
  const transform = transforms.train({ size, resize: 128, mean: 0, std: 1 });
  const batch = await augment(images, [1, size, size], transform, indices);
  let flipped = 0;
  let widths = 0;
  for (let b = 0; b < count; b++) {
    const rise = batch[b * size * size + size - 1]! - batch[b * size * size]!;
    if (rise < 0) flipped++;
    widths += Math.abs(rise) / ((15 * 16) / 255);
  }
  expect(Math.abs(flipped / count - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / count));
  // E[sqrt(area)] for an area uniform in [0.08, 1] is 0.71; rejected attempts and clamped edges change it
  // slightly.
  expect(widths / count).toBeGreaterThan(0.6);
  expect(widths / count).toBeLessThan(0.8);
});

test('a gray image in three channels is the same in each', async () => {
  const set = await bundled({ split: 'test' });
  const batch = await augment(set.images, set.shape, transforms.train({ size: 40 }), [3, 499]);
  const plane = 40 * 40;
  for (const b of [0, 1]) {
    const [red, green, blue] = [0, 1, 2].map((c) =>
      batch.slice((b * 3 + c) * plane, (b * 3 + c + 1) * plane),
    );
    expect(green).toEqual(red);
    expect(blue).toEqual(red);
  }
});

test('an empty batch is empty', async () => {
  const one = { images: new Uint8Array(3), shape: [3, 1, 1] as const };
  const plan = batchPlan(transforms.test({ size: 4 }), one.shape);
  const batch = await augmentBatch(one, [], plan, { seed: 0, epoch: 0, threads: 2 });
  expect(batch.shape).toEqual([0, 3, 4, 4]);
});

test('a broken contract is an error, in time or as a rejection', async () => {
  const call = async (changes: { images?: Uint8Array; indices?: number[]; plan?: Partial<Plan> }) => {
    const images = changes.images ?? new Uint8Array(2 * 12);
    const shape = [3, 2, 2] as const;
    const plan = withFormat({ ...planFor(transforms.test({ size: 4 }), shape), ...changes.plan }, {});
    const where = { seed: 0, epoch: 0, threads: 1 };
    return augmentBatch({ images, shape }, changes.indices ?? [0], plan, where);
  };
  await expect(call({ indices: [2] })).rejects.toThrow(DyconvError);
  await expect(call({ indices: [2] })).rejects.toThrow(/from 0 to 1 for indices but received 2/);
  await expect(call({ indices: [-1] })).rejects.toThrow(/indices/);
  await expect(call({ plan: { size: [0, 0] } })).rejects.toThrow(/for size/);
  await expect(call({ plan: { resize: [-1, 2] } })).rejects.toThrow(
    /from 0 to 2\^20 for resize but received -1/,
  );
  await expect(call({ plan: { mean: [0, 0] } })).rejects.toThrow(/one per channel/);
  await expect(call({ plan: { crop: 'random', cropSize: [4, 4], padding: -1 } })).rejects.toThrow(/padding/);
  await expect(call({ plan: { crop: 'random', cropSize: [5, 4], padding: 1 } })).rejects.toThrow(
    /at most 4 x 4, the padded image, for cropSize but received 5 x 4/,
  );
  await expect(call({ images: new Uint8Array(13) })).rejects.toThrow(DyconvError);
  await expect(call({ images: new Uint16Array(24) as unknown as Uint8Array })).rejects.toThrow(ArgumentError);
});
