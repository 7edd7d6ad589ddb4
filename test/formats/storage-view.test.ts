/** Strided views, compared with the elements at their offsets. */
import { expect, it } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { viewStorage } from '../../lib/formats/storage-view.js';
import { arange, memory, tidy } from '../../lib/index.js';

/** The elements of a layout, one by one. */
function elements(shape: number[], strides: number[], offset: number): unknown {
  const [size, ...sizes] = shape;
  if (size === undefined) return offset;
  return Array.from({ length: size }, (_, i) => elements(sizes, strides.slice(1), offset + i * strides[0]!));
}

it('has the elements of its layout: overlapping, expanded, permuted, empty', () => {
  const random = new Random(20261129);
  const before = memory().numTensors;
  tidy(() => {
    const storage = arange(400);
    for (let round = 0; round < 500; round++) {
      const dims = random.below(5);
      const shape = Array.from(
        { length: dims },
        () => random.below(round % 10 === 0 ? 3 : 4) + (round % 10 === 0 ? 0 : 1),
      );
      const strides = shape.map(() => [0, 1, 2, 3, 5, 12, 40][random.below(7)]!);
      const offset = random.below(5);
      const view = viewStorage(storage, { shape, strides, offset });
      expect(view.shape).toEqual(shape);
      expect(view.arraySync(), `[${shape}] by [${strides}] at ${offset}`).toEqual(
        elements(shape, strides, offset),
      );
    }
  });
  expect(memory().numTensors).toBe(before);
});

it('shares the storage, with the given strides', () => {
  const storage = arange(24);
  const view = viewStorage(storage, { shape: [2, 3, 4], strides: [12, 1, 3], offset: 0 });
  expect(view.strides).toEqual([12, 1, 3]);
  storage.fill_(7);
  expect(view.sum().item()).toBe(7 * 24);
});
