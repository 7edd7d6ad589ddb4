import { expect, test } from 'vitest';
import * as transforms from '../../lib/data/transforms.js';
import { ArgumentError } from '../../lib/errors.js';

test("the defaults are the article's two pipelines", () => {
  expect(transforms.train()).toEqual({
    kind: 'train',
    resize: 130,
    size: 128,
    scale: [0.08, 1],
    ratio: [3 / 4, 4 / 3],
    flip: 0.5,
    mean: [0.5],
    std: [0.5],
  });
  expect(transforms.test()).toEqual({ kind: 'test', size: 128, mean: [0.5], std: [0.5] });
});

test('transforms are frozen, and survive JSON', () => {
  const transform = transforms.train({ resize: 40, size: 32, mean: [0.1, 0.2, 0.3], flip: 0 });
  expect(Object.isFrozen(transform)).toBe(true);
  expect(() => (transform.mean as number[]).push(1)).toThrow(TypeError);
  expect(transforms.from(JSON.parse(JSON.stringify(transform)))).toEqual(transform);
  expect(transforms.from(transforms.padCrop({ padding: 2 }))).toEqual(transforms.padCrop({ padding: 2 }));
  expect(transforms.from(transforms.test({ size: 8 }))).toEqual(transforms.test({ size: 8 }));
});

test('every bad option is named', () => {
  const bad: [() => unknown, string][] = [
    [() => transforms.train({ resize: 0 }), 'resize'],
    [() => transforms.train({ size: 1.5 }), 'size'],
    [() => transforms.train({ scale: [0.5, 0.1] }), 'scale'],
    [() => transforms.train({ scale: [0, 1] }), 'scale'],
    [() => transforms.train({ scale: [0.1, 1.5] }), 'scale'],
    [() => transforms.train({ ratio: [Number.NaN, 1] }), 'ratio'],
    [() => transforms.train({ flip: 2 }), 'flip'],
    [() => transforms.padCrop({ flip: Number.NaN }), 'flip'],
    [() => transforms.padCrop({ padding: 0 }), 'padding'],
    [() => transforms.padCrop({ resize: 8 } as object), "'resize'"],
    [() => transforms.train({ mean: [] }), 'mean'],
    [() => transforms.test({ std: 0 }), 'std'],
    [() => transforms.test({ std: [0.5, -1, 0.5] }), 'std'],
    [() => transforms.test({ sise: 3 } as object), "'sise'"],
    [() => transforms.from({ kind: 'other' }), 'transform'],
    [() => transforms.from(null), 'transform'],
  ];
  for (const [make, name] of bad) {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(name);
  }
});
