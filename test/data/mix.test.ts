import { expect, test } from 'vitest';
import { augmentBatch, augmentOnDevice, batchPlan } from '../../lib/data/batches.js';
import { createDataset } from '../../lib/data/dataset.js';
import { type Batch, loader } from '../../lib/data/loader.js';
import type { LoaderOptions } from '../../lib/data/loader-options.js';
import { type BatchMix, drawMixing, type Mixing, softLabels } from '../../lib/data/mix.js';
import { Random } from '../../lib/data/random.js';
import { compose, cutmix, mixup, normalize } from '../../lib/data/transforms.js';
import { ArgumentError } from '../../lib/errors.js';
import { crossEntropy } from '../../lib/ops/loss.js';
import { tensor } from '../../lib/tensor/create.js';

const SHAPE = [3, 9, 11] as const;
const COUNT = 7;
const random = new Random(3);
const set = createDataset({
  name: 'noise',
  split: 'train',
  classes: ['a', 'b', 'c', 'd'],
  shape: SHAPE,
  images: Uint8Array.from({ length: COUNT * 297 }, () => random.below(256)),
  labels: Uint8Array.from({ length: COUNT }, (_, i) => i % 4),
  source: 'test',
});
const all = Array.from({ length: COUNT }, (_, i) => i);

/** Pixel by pixel: the image and the one before it in the batch. */
function mixReference(batch: Float32Array, { share, box }: Mixing): Float32Array {
  const [, height, width] = SHAPE;
  const sample = batch.length / COUNT;
  return batch.map((own, i) => {
    const [b, y, x] = [Math.floor(i / sample), Math.floor(i / width) % height, i % width];
    const other = batch[((b + COUNT - 1) % COUNT) * sample + (i % sample)]!;
    if (!box) return share * own + (1 - share) * other;
    const inside = y >= box.top && y < box.top + box.height && x >= box.left && x < box.left + box.width;
    return inside ? other : own;
  });
}

const mixings: [string, Mixing][] = [
  ['mixup', { share: 0.3 }],
  ['mixup with nothing of its own', { share: 0 }],
  ['cutmix', { share: 0.5, box: { top: 2, left: 3, height: 4, width: 8 } }],
  ['cutmix with an empty box', { share: 1, box: { top: 2, left: 11, height: 4, width: 0 } }],
];

for (const [name, mixing] of mixings) {
  test(`equals the pixel-by-pixel reference: ${name}`, async () => {
    const transform = compose([normalize({ mean: 0.3, std: 0.4 })]);
    const where = { seed: 1, epoch: 2, threads: 1 };
    const ordinary = batchPlan(transform, set.shape);
    const plain = await augmentBatch(set, all, ordinary, where);
    const expected = mixReference(plain.dataSync({ dtype: 'float32' }), mixing);
    for (const threads of [1, 3]) {
      for (const memoryFormat of ['contiguous', 'channelsLast'] as const) {
        const plan = batchPlan(transform, set.shape, { memoryFormat });
        const mixed = await augmentBatch(set, all, plan, { ...where, threads, mixing });
        const values = mixed.dataSync({ dtype: 'float32' });
        for (const [i, value] of values.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-6);
        const rounding = batchPlan(transform, set.shape, { memoryFormat, dtype: 'bfloat16' });
        const half = await augmentBatch(set, all, rounding, { ...where, threads, mixing });
        const rounded = half.dataSync({ dtype: 'float32' });
        for (const [i, value] of rounded.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(0.02);
      }
    }
    const resident = tensor(set.images, { shape: [COUNT, ...SHAPE], dtype: 'uint8' });
    const there = await augmentOnDevice(resident, all, ordinary, { ...where, mixing });
    const values = there.dataSync({ dtype: 'float32' });
    for (const [i, value] of values.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-5);
  });
}

test('labels are shared as the images are', () => {
  expect([...softLabels([2, 0, 0], 3, { share: 0.75 })]).toEqual([0.25, 0, 0.75, 0.75, 0, 0.25, 1, 0, 0]);
  expect([...softLabels([1, 0], 2, undefined)]).toEqual([0, 1, 1, 0]);
  const { box, share } = drawMixing([cutmix()], [9, 11], { seed: 1, epoch: 0, batch: 0 })!;
  expect(share).toBeCloseTo(1 - (box!.height * box!.width) / 99, 12);
});

test('shares follow Beta(alpha, alpha), boxes are inside and match the labels', () => {
  for (const [alpha, variance] of [
    [1, 1 / 12],
    [0.2, 1 / (4 * 1.4)],
    [4, 1 / 36],
  ] as const) {
    const shares = Array.from(
      { length: 4000 },
      (_, batch) => drawMixing([mixup({ alpha })], [8, 8], { seed: 5, epoch: 1, batch })!.share,
    );
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(variance / shares.length));
    const spread = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    expect(Math.abs(spread / variance - 1)).toBeLessThan(0.1);
  }
  for (let batch = 0; batch < 500; batch++) {
    const { box } = drawMixing([cutmix()], [9, 11], { seed: 5, epoch: 1, batch })!;
    expect(Math.min(box!.top, box!.left, box!.height, box!.width)).toBeGreaterThanOrEqual(0);
    expect(box!.top + box!.height).toBeLessThanOrEqual(9);
    expect(box!.left + box!.width).toBeLessThanOrEqual(11);
  }
});

test('p and lists: some batches are unchanged, every mix is used', () => {
  const draw = (mixes: BatchMix[]) =>
    Array.from({ length: 400 }, (_, batch) => drawMixing(mixes, [8, 8], { seed: 0, epoch: 0, batch }));
  const some = draw([mixup({ p: 0.25 })]).filter(Boolean).length;
  expect(some).toBeGreaterThan(60);
  expect(some).toBeLessThan(140);
  const boxed = draw([mixup(), cutmix()]).filter((mixing) => mixing!.box).length;
  expect(boxed).toBeGreaterThan(150);
  expect(boxed).toBeLessThan(250);
});

async function read(options: Partial<LoaderOptions>): Promise<{ images: Buffer; labels: Buffer }> {
  const [images, labels]: Buffer[][] = [[], []];
  const each = ({ images: x, labels: y }: Batch) => {
    expect(y.shape).toEqual([x.shape[0], 4]);
    expect(y.dtype).toBe('float32');
    images!.push(Buffer.from(x.dataSync({ dtype: 'float32' }).buffer));
    labels!.push(Buffer.from(y.dataSync({ dtype: 'float32' }).buffer));
    x.dispose();
    y.dispose();
  };
  const source = loader(set, { batchSize: 3, shuffle: true, mix: [mixup(), cutmix()], ...options });
  for await (const batch of source) each(batch);
  return { images: Buffer.concat(images!), labels: Buffer.concat(labels!) };
}

test('mixed batches do not depend on the number of threads or on prefetching, and differ by seed', async () => {
  const once = await read({ threads: 1, prefetch: 0 });
  const again = await read({ threads: 3, prefetch: 5 });
  expect(again.images.equals(once.images) && again.labels.equals(once.labels)).toBe(true);
  expect((await read({ seed: 1 })).images.equals(once.images)).toBe(false);
});

test('the loss accepts the labels, and is the mixture of the two losses', async () => {
  const logits = tensor([
    [0.2, -1, 3, 0.5],
    [1, 1, -2, 0],
  ]);
  const soft = tensor(softLabels([2, 1], 4, { share: 0.7 }), { shape: [2, 4] });
  const hard = (labels: number[]) => Number(crossEntropy(logits, tensor(labels, { dtype: 'int64' })).item());
  const expected = 0.7 * hard([2, 1]) + 0.3 * hard([1, 2]);
  expect(Number(crossEntropy(logits, soft).item())).toBeCloseTo(expected, 6);
});

test('bad options are named', () => {
  expect(() => mixup({ alpha: 0 })).toThrow(/alpha/);
  expect(() => cutmix({ p: 2 })).toThrow(/p /);
  expect(() => mixup({ beta: 1 } as never)).toThrow(ArgumentError);
  for (const mix of [{}, [], { kind: 'mixup', alpha: -1 }] as never[])
    expect(() => loader(set, { batchSize: 2, mix })).toThrow(ArgumentError);
  expect(loader(set, { batchSize: 2, mix: JSON.parse(JSON.stringify(cutmix())) as BatchMix }).length).toBe(4);
});
