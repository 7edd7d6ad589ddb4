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

const { compose, randomCrop, randomHorizontalFlip, colorJitter, normalize, randomErasing } = transforms;
const usual = compose([
  randomCrop({ size: 32, padding: 4 }),
  randomHorizontalFlip(),
  colorJitter({ brightness: 0.2, contrast: [0.5, 2], hue: 0.05 }),
  normalize({ mean: [0.491, 0.482, 0.447], std: 0.25 }),
  randomErasing({ p: 0.25, value: 'random' }),
]);

test('composed transforms are frozen data, and survive JSON', () => {
  expect(Object.isFrozen(usual) && Object.isFrozen(usual.steps)).toBe(true);
  expect(usual.steps.every((step) => Object.isFrozen(step))).toBe(true);
  expect(usual.steps[0]).toEqual({ step: 'randomCrop', size: [32, 32], padding: 4 });
  expect(usual.steps[2]).toEqual({
    step: 'colorJitter',
    brightness: [0.8, 1.2],
    contrast: [0.5, 2],
    saturation: [1, 1],
    hue: [-0.05, 0.05],
  });
  expect(transforms.from(JSON.parse(JSON.stringify(usual)))).toEqual(usual);
});

test('transforms are printed, one step a line', () => {
  expect(transforms.format(usual)).toBe(`compose
  randomCrop(size: [32, 32], padding: 4)
  randomHorizontalFlip(p: 0.5)
  colorJitter(brightness: [0.8, 1.2], contrast: [0.5, 2], saturation: [1, 1], hue: [-0.05, 0.05])
  normalize(mean: [0.491, 0.482, 0.447], std: 0.25)
  randomErasing(p: 0.25, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: random)`);
  expect(transforms.format(transforms.test({ size: 64 }))).toBe('test\n  size: 64, mean: 0.5, std: 0.5');
  expect(transforms.format(transforms.train())).toContain('ratio: [0.75, 1.33333]');
});

test('steps that one pass cannot do in that order are refused', () => {
  const flip = randomHorizontalFlip();
  for (const steps of [
    [normalize(), flip],
    [flip, flip],
    [flip, randomCrop({ size: 8 })],
    [randomErasing(), normalize()],
    [randomCrop({ size: 8 }), transforms.centerCrop({ size: 4 })],
    [1, 2, 3].map((size) => transforms.resize({ size })),
  ]) {
    expect(() => compose(steps)).toThrow(ArgumentError);
    expect(() => compose(steps)).toThrow(/in the order resize, centerCrop or randomCrop/);
  }
});

test('every bad option of a step is named', () => {
  const bad: [() => unknown, string][] = [
    [() => compose([{ step: 'rotate' }] as never), "'rotate'"],
    [() => compose('resize' as never), 'steps'],
    [() => transforms.resize({ size: [3, 4, 5] } as never), 'size'],
    [() => transforms.resize({ size: 0 }), 'size'],
    [() => transforms.centerCrop({ size: 4, p: 1 } as never), "'p'"],
    [() => randomCrop({ size: 4, padding: -1 }), 'padding'],
    [() => transforms.randomResizedCrop({ size: 4, scale: [0, 1] }), 'scale'],
    [() => randomHorizontalFlip({ p: 1.5 }), 'p '],
    [() => transforms.randomVerticalFlip({ prob: 1 } as never), "'prob'"],
    [() => colorJitter({ brightness: -1 }), 'brightness'],
    [() => colorJitter({ contrast: [2, 1] }), 'contrast'],
    [() => colorJitter({ saturation: Number.NaN }), 'saturation'],
    [() => colorJitter({ hue: 0.6 }), 'hue'],
    [() => normalize({ std: 0 }), 'std'],
    [() => randomErasing({ value: 'noise' as never }), 'value'],
    [() => randomErasing({ ratio: [0, 1] }), 'ratio'],
    [() => transforms.from({ kind: 'compose', steps: [{ step: 'resize', size: 4, sise: 5 }] }), "'sise'"],
    [() => transforms.from({ kind: 'compose', stages: [] }), "'stages'"],
  ];
  for (const [make, name] of bad) {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(name);
  }
});
