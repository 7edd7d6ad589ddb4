/**
 * Steps that work on bytes: equal to torchvision's, within one gray level; deterministic; part of transforms and loaders. The golden values are made by
 * test/golden/make_transforms.py.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { applyStep } from '../../lib/data/pixels/apply.js';
import { grayscale } from '../../lib/data/pixels/colour.js';
import { gaussianBlur, resizeAntialias } from '../../lib/data/pixels/filters.js';
import { affine, fiveCrop, perspective, rotate } from '../../lib/data/pixels/geometry.js';
import type { ByteImage } from '../../lib/data/pixels/image.js';
import {
  applyOperation,
  augMixSpace,
  magnitudeOf,
  randAugmentSpace,
  type Space,
  trivialAugmentSpace,
  weightedSum,
} from '../../lib/data/pixels/policies.js';
import { Random } from '../../lib/data/random.js';
import { ArgumentError, data, ShapeError } from '../../lib/index.js';

interface Encoded {
  shape: [number, number, number];
  bytes: string;
}
// biome-ignore lint/suspicious/noExplicitAny: the parameters of each function, as Python wrote them.
type Parameters = any;
interface Case extends Encoded {
  name: string;
  image: number;
  parameters: Parameters;
}
interface Golden {
  images: Encoded[];
  spaces: Record<string, [string, number[] | null, boolean][]>;
  size: [number, number];
  cases: Case[];
}

const path = new URL('../golden/transforms.json.gz', import.meta.url);
const golden = JSON.parse(gunzipSync(readFileSync(path)).toString()) as Golden;
const decoded = ({ shape, bytes }: Encoded): ByteImage => ({
  shape,
  bytes: new Uint8Array(Buffer.from(bytes, 'base64')),
});
const images = golden.images.map(decoded);
const t = data.transforms;

/** torchvision's null is our undefined. */
const given = <T extends object>(parameters: T): T =>
  Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== null)) as T;

/** Applies steps of the add-on to one image. */
async function byLoader({ bytes, shape }: ByteImage, step: data.transforms.Step): Promise<ByteImage> {
  const set = [{ image: bytes, shape, label: 0 }];
  for await (const batch of data.loader(set, { batchSize: 1, transform: t.compose([step]) })) {
    const values = batch.images.mul(255).round().dataSync({ dtype: 'float32' });
    return { bytes: Uint8Array.from(values), shape: batch.images.shape.slice(1) as never };
  }
  throw new Error('no batch');
}

const APPLY: Record<string, (image: ByteImage, parameters: Parameters) => ByteImage | Promise<ByteImage>> = {
  operation: (image, { operation, magnitude, ...options }: Parameters) =>
    applyOperation(image, operation, magnitude, given(options)),
  rotate: (image, { angle, ...options }: Parameters) => rotate(image, angle, given(options)),
  affine: (image, parameters: Parameters) => affine(image, given(parameters), given(parameters)),
  perspective: (image, { start, end, ...options }: Parameters) =>
    perspective(image, start, end, given(options)),
  fiveCrop: (image, { size, place }: Parameters) => fiveCrop(image, size)[place]!,
  centerCrop: (image, { size }: Parameters) => byLoader(image, t.centerCrop({ size })),
  gaussianBlur: (image, { kernelSize, sigma }: Parameters) => gaussianBlur(image, kernelSize, sigma),
  resize: (image, { size, antialias }: Parameters) =>
    antialias ? resizeAntialias(image, size) : byLoader(image, t.resize({ size })),
  grayscale: (image, { numOutputChannels }: Parameters) => grayscale(image, numOutputChannels),
  weightedSum: (image, { weights }: Parameters) => {
    const inverse = { ...image, bytes: image.bytes.map((value) => 255 - value) };
    return weightedSum(
      [image, inverse, { ...image, bytes: image.bytes.map((value) => value & 0xe0) }],
      weights,
    );
  },
};

describe('torchvision', () => {
  it.each([...new Set(golden.cases.map(({ name }) => name))])(
    '%s is equal within one gray level',
    async (name) => {
      const cases = golden.cases.filter((one) => one.name === name);
      let equal = 0;
      let all = 0;
      for (const { image, parameters, ...result } of cases) {
        const what = JSON.stringify({ image, ...parameters });
        const expected = decoded(result);
        const actual = await APPLY[name]!(images[image]!, parameters);
        expect(actual.shape, what).toEqual(expected.shape);
        const differences = actual.bytes.map((value, i) => Math.abs(value - expected.bytes[i]!));
        expect(Math.max(...differences), what).toBeLessThanOrEqual(1);
        equal += differences.filter((difference) => difference === 0).length;
        all += differences.length;
      }
      // Most are equal: a shift by one level of the whole image would be a wrong rounding.
      // torchvision rounds after rows and after columns.
      expect(equal / all).toBeGreaterThan(name === 'resize' ? 0.9 : 0.97);
    },
  );

  it('has the same operations and magnitudes', () => {
    const spaces: Record<string, [Space, number]> = {
      randAugment: [randAugmentSpace(golden.size), 31],
      trivialAugmentWide: [trivialAugmentSpace(), 31],
      augMix: [augMixSpace(golden.size, true), 10],
    };
    for (const [name, [space, bins]] of Object.entries(spaces)) {
      const expected = golden.spaces[name]!;
      expect(space.map(([operation]) => operation)).toEqual(expected.map(([operation]) => operation));
      for (const [i, [operation, magnitudes]] of space.entries()) {
        const [, values, signed] = expected[i]!;
        expect(magnitudes !== null && 'signed' in magnitudes && magnitudes.signed, operation).toBe(signed);
        for (let bin = 0; bin < bins; bin++)
          expect(magnitudeOf(magnitudes, bin, bins), `${operation} ${bin}`).toBeCloseTo(
            values?.[bin] ?? 0,
            4,
          );
      }
    }
    expect(augMixSpace([8, 8], false)).toHaveLength(9);
  });
});

const steps: data.transforms.Step[] = [
  t.randAugment(),
  t.trivialAugmentWide({ interpolation: 'bilinear', fill: [1, 2, 3] }),
  t.augMix(),
  t.randomRotation({ degrees: 40, interpolation: 'bilinear' }),
  t.randomAffine({ degrees: 10, translate: [0.2, 0.1], scale: [0.8, 1.2], shear: [-5, 5, -3, 3] }),
  t.randomPerspective({ p: 1 }),
  t.randomGrayscale({ p: 0.5 }),
  t.gaussianBlur({ kernelSize: 3 }),
  t.custom(({ image, shape }, random) => ({ image: image.map((value) => value ^ random.below(4)), shape }), {
    name: 'noise',
  }),
  t.randomResizedCrop({ size: [12, 10], antialias: true }),
];

describe('a random step', () => {
  it.each(steps.map((step) => [step.step, step] as const))(
    '%s depends on the generator only, and changes images',
    (_, step) => {
      const image = images[0]!;
      const before = image.bytes.slice();
      const results = [1, 2, 3, 4, 5, 6, 7, 8].map(
        (seed) => applyStep(image, step as never, new Random(seed))[0]!,
      );
      const again = [1, 2, 3, 4, 5, 6, 7, 8].map(
        (seed) => applyStep(image, step as never, new Random(seed))[0]!,
      );
      expect(again).toEqual(results);
      expect(new Set(results.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).size).toBeGreaterThan(1);
      expect(image.bytes).toEqual(before);
    },
  );
});

/** All bytes of the batches of a loader. */
async function batches(options: Partial<data.LoaderOptions>, set: data.Dataset = own) {
  const all: number[][] = [];
  for await (const { images, labels } of data.loader(set, {
    batchSize: 5,
    seed: 3,
    ...options,
  }) as data.Loader) {
    all.push([...images.shape], [...images.dataSync({ dtype: 'float32' })]);
    images.dispose();
    labels.dispose();
  }
  return all;
}

const own: data.Dataset<data.ImageSample> = {
  length: 12,
  get: (i) => {
    const random = new Random(i);
    const shape = [3, 18 + (i % 3), 16] as const;
    return {
      image: Uint8Array.from({ length: 3 * shape[1] * 16 }, () => random.below(256)),
      shape,
      label: i,
    };
  },
};

describe('in a loader', () => {
  const transform = t.compose([
    t.resize({ size: 16 }),
    t.randomHorizontalFlip(),
    ...steps,
    t.resize({ size: 8 }),
    t.colorJitter({ brightness: 0.3 }),
    t.normalize(t.presets.imagenet),
    t.randomErasing(),
  ]);

  it('batches are bit-exact for any number of threads, of prefetched batches and of samples at once', async () => {
    const expected = await batches({ transform, threads: 1 });
    expect(expected.filter((_, i) => i % 2 === 0)).toEqual([
      [5, 3, 8, 8],
      [5, 3, 8, 8],
      [2, 3, 8, 8],
    ]);
    for (const variant of [{ threads: 3 }, { prefetch: 0 }, { concurrency: 1, prefetch: 5 }])
      expect(await batches({ transform, ...variant })).toEqual(expected);
    const loader = data.loader(own, { batchSize: 5, seed: 3, transform });
    loader.seek({ epoch: 0, batch: 2 });
    for await (const { images } of loader) expect([...images.dataSync()]).toEqual(expected.at(-1));
    expect(await batches({ transform, seed: 4 })).not.toEqual(expected);
  });

  it('a set in memory gives the same as its samples one by one', async () => {
    const memory = await data.bundled({ split: 'test' });
    const { shape, classes } = memory;
    const single: data.Dataset = { length: 12, shape, classes, get: (i) => memory.get(i) };
    const options = { transform: t.compose([t.randAugment(), t.randomCrop({ size: 20 })]), batchSize: 12 };
    const [shapeOf, values] = await batches(options, single);
    const first = await batches(
      options,
      data.subset(
        memory,
        Array.from({ length: 12 }, (_, i) => i),
      ),
    );
    expect(first).toEqual([shapeOf, values]);
    for await (const { images } of data.loader(memory, { ...options, seed: 3 })) {
      expect([...images.dataSync()]).toEqual(values);
      break;
    }
  });

  it('steps of the add-on before them are those of torchvision on bytes: a flip, then a custom step', async () => {
    const seen: number[][] = [];
    const look = t.custom(({ image }) => {
      seen.push([...image.subarray(0, 16)]);
      return image;
    });
    await batches({
      transform: t.compose([t.randomHorizontalFlip({ p: 1 }), look, t.resize({ size: 4 })]),
      limit: 1,
    });
    expect(seen).toEqual([[...((await own.get(0)).image as Uint8Array).subarray(0, 16)].reverse()]);
  });

  it('grayscale changes the number of channels, expand the size', async () => {
    const transform = t.compose([
      t.grayscale(),
      t.randomRotation({ degrees: [45, 45], expand: true }),
      t.resize({ size: 6 }),
    ]);
    expect((await batches({ transform, limit: 1 }))[0]).toEqual([1, 1, 6, 6]);
  });

  it('fiveCrop gives five images of each', async () => {
    const transform = t.compose([
      t.resize({ size: 10 }),
      t.fiveCrop({ size: 6 }),
      t.normalize(t.presets.half),
    ]);
    const [shape, values] = await batches({ transform, batchSize: 3, limit: 3 });
    expect(shape).toEqual([3, 5, 3, 6, 6]);
    const resized = await byLoader(sampleImage(0), t.resize({ size: 10 }));
    const corners = fiveCrop(resized, [6, 6]).flatMap(({ bytes }) => [...bytes]);
    for (const [i, byte] of corners.entries()) expect(values![i]).toBeCloseTo((byte / 255 - 0.5) / 0.5, 5);
  });
});

function sampleImage(i: number): ByteImage {
  const { image, shape } = own.get(i) as data.ImageSample;
  return { bytes: image as Uint8Array, shape: shape! };
}

describe('transforms with them', () => {
  it('are data: stored as JSON, restored, printed', () => {
    const stored = t.compose(steps.filter(({ step }) => step !== 'custom'));
    expect(t.from(JSON.parse(JSON.stringify(stored)))).toEqual(stored);
    const text = t.format(t.compose([t.resize({ size: 8, antialias: true }), steps[8]!]));
    expect(text).toBe('compose\n  resize(size: [8, 8], antialias: true)\n  custom(name: noise)');
    expect(JSON.stringify(t.resize({ size: 8 }))).toBe('{"step":"resize","size":[8,8]}');
    expect(() => t.from(JSON.parse(JSON.stringify(t.compose([steps[8]!]))))).toThrow(
      'the function of the custom step noise, which is not part of its JSON form',
    );
  });

  it('draw a grid', async () => {
    const png = await data.grid(own, {
      transform: t.compose([t.randAugment(), t.resize({ size: 8 })]),
      rows: 2,
      columns: 2,
    });
    expect(png.subarray(1, 4).toString()).toBe('PNG');
  });

  it('name what is wrong', async () => {
    const refused: [() => unknown, string][] = [
      [() => t.randAugment({ magnitude: 31 }), 'an integer from 0 to 30 for magnitude but received 31'],
      [() => t.randAugment({ numOps: -1 }), 'an integer of at least 0 for numOps'],
      [
        () => t.randAugment({ interpolation: 'bicubic' as never }),
        "one of 'nearest', 'bilinear' for interpolation",
      ],
      [() => t.trivialAugmentWide({ numMagnitudeBins: 1 }), 'an integer of at least 2 for numMagnitudeBins'],
      [() => t.augMix({ severity: 11 }), 'an integer from 1 to 10 for severity'],
      [() => t.augMix({ chainDepth: 0 }), 'an integer of at least 1 for chainDepth'],
      [() => t.augMix({ allOps: 1 as never }), 'a boolean for allOps'],
      [() => t.randomRotation({ degrees: [5, 4] }), 'a number of degrees or [smallest, largest] for degrees'],
      [
        () => t.randomRotation({ degrees: 5, fill: 300 }),
        'a number from 0 to 255, or one per channel for fill',
      ],
      [() => t.randomRotation({ degrees: 5, center: [1] as never }), '[x, y] in pixels for center'],
      [() => t.randomAffine({ degrees: 0, translate: [2, 0] }), 'two shares from 0 to 1 for translate'],
      [() => t.randomAffine({ degrees: 0, shear: [1, 2, 3] as never }), 'for shear'],
      [() => t.randomPerspective({ distortionScale: 2 }), 'a number from 0 to 1 for distortionScale'],
      [() => t.grayscale({ numOutputChannels: 2 as never }), '1 or 3 for numOutputChannels'],
      [() => t.gaussianBlur({ kernelSize: 4 }), 'odd numbers for kernelSize'],
      [() => t.gaussianBlur({ kernelSize: 3, sigma: 0 }), 'for sigma'],
      [() => t.custom(5 as never), 'a function for apply'],
      [() => t.resize({ size: 3, antialias: 1 as never }), 'a boolean for antialias'],
      [() => t.compose([t.normalize(), t.randAugment()]), 'randAugment before normalize and randomErasing'],
      [() => t.compose([t.fiveCrop({ size: 3 }), t.randAugment()]), 'only normalize after fiveCrop'],
      [
        () =>
          t.compose([
            t.randAugment(),
            t.resize({ size: 3 }),
            t.randomCrop({ size: 2 }),
            t.resize({ size: 4 }),
            t.randomCrop({ size: 2 }),
          ]),
        'at most one step of each kind in the order',
      ],
      [
        () =>
          data.loader(own, { batchSize: 1, augmentOn: 'device', transform: t.compose([t.randAugment()]) }),
        "'cpu' for a transform with steps that work on bytes for augmentOn",
      ],
      [
        () =>
          data.loader(
            { ...own, classes: ['a'] },
            { batchSize: 1, mix: t.mixup(), transform: t.compose([t.fiveCrop({ size: 3 })]) },
          ),
        'no mix with fiveCrop',
      ],
    ];
    for (const [call, message] of refused) {
      expect(call, message).toThrow(ArgumentError);
      expect(call).toThrow(message);
    }
    const run = async (step: data.transforms.Step) =>
      batches({ transform: t.compose([step, t.resize({ size: 4 })]) });
    await expect(run(t.fiveCrop({ size: 3 }))).rejects.toThrow('only normalize after fiveCrop');
    await expect(run(t.custom(() => new Uint8Array(3), { name: 'short' }))).rejects.toThrow(
      'bytes [C, H, W], or { image, shape } for the result of the step short',
    );
    await expect(run(t.gaussianBlur({ kernelSize: 41 }))).rejects.toThrow(ShapeError);
    await expect(batches({ transform: t.compose([t.fiveCrop({ size: 40 })]) })).rejects.toThrow(
      'an image of at least 40 x 40 pixels for a crop but received 18 x 16',
    );
  });
});
