/**
 * Converts a transform to the numbers that C++ uses.
 * @module
 */
import { invalidArgument, ShapeError } from '../errors.js';
import type { InMemoryDataset } from './dataset.js';
import type { Bounds, Size } from './transform-checks.js';
import type { ComposedTransform, Step, Transform } from './transforms.js';

/** Read by cpp/bindings/data.cc; the fields are explained in cpp/kernels/augment/augment.h. */
export interface Plan {
  /** Size before the crop. */
  resize: Size;
  /** Size of the batch. */
  size: Size;
  crop: 'none' | 'resized' | 'random' | 'center';
  cropSize: Size;
  padding: number;
  scale: Bounds;
  ratio: Bounds;
  flip: number;
  verticalFlip: number;
  brightness: Bounds;
  contrast: Bounds;
  saturation: Bounds;
  hue: Bounds;
  erase: number;
  eraseScale: Bounds;
  eraseRatio: Bounds;
  /** Empty for noise. */
  eraseValue: readonly number[];
  mean: readonly number[];
  std: readonly number[];
}

/**
 * The plan of a transform for images of this shape. The add-on checks the numbers of a plan; that it fits the images is
 * checked here.
 * @param transform - undefined: only scaled to [0, 1].
 * @throws ArgumentError when the transform does not fit the images: values for a different number of channels, or a crop that
 * is larger than the image.
 */
export function planFor(transform: Transform | undefined, shape: InMemoryDataset['shape']): Plan {
  const plan = planOf(transform, shape);
  checkFit(plan, shape);
  return plan;
}

/** A plan that is not compared with the images. */
export function planOf(transform: Transform | undefined, [, height, width]: InMemoryDataset['shape']): Plan {
  const own: Size = [height, width];
  if (transform === undefined) return { ...NOTHING, resize: own, size: own };
  if (transform.kind === 'compose') return composedPlan(transform, own);
  const { mean, std } = transform;
  const size: Size = [transform.size, transform.size];
  if (transform.kind === 'test') return { ...NOTHING, resize: own, size, mean, std };
  const { flip } = transform;
  if (transform.kind === 'pad-crop') {
    const { padding } = transform;
    return { ...NOTHING, resize: size, size, crop: 'random', cropSize: size, padding, flip, mean, std };
  }
  const { resize, scale, ratio } = transform;
  return { ...NOTHING, resize: [resize, resize], size, crop: 'resized', scale, ratio, flip, mean, std };
}

const NOTHING: Omit<Plan, 'resize' | 'size'> = {
  crop: 'none',
  cropSize: [0, 0],
  padding: 0,
  scale: [1, 1],
  ratio: [1, 1],
  flip: 0,
  verticalFlip: 0,
  brightness: [1, 1],
  contrast: [1, 1],
  saturation: [1, 1],
  hue: [0, 0],
  erase: 0,
  eraseScale: [1, 1],
  eraseRatio: [1, 1],
  eraseValue: [0],
  mean: [0],
  std: [1],
};

function composedPlan({ steps }: ComposedTransform, own: Size): Plan {
  const plan: Plan = { ...NOTHING, resize: own, size: own };
  for (const [index, step] of steps.entries()) addStep(plan, step, index);
  return plan;
}

function addStep(plan: Plan, step: Step, index: number): void {
  switch (step.step) {
    case 'resize':
      if (index === 0) plan.resize = step.size;
      plan.size = step.size;
      return;
    case 'centerCrop':
    case 'randomCrop':
      plan.crop = step.step === 'randomCrop' ? 'random' : 'center';
      plan.padding = step.step === 'randomCrop' ? step.padding : 0;
      plan.cropSize = step.size;
      plan.size = step.size;
      return;
    case 'randomResizedCrop': {
      const { size, scale, ratio } = step;
      Object.assign(plan, { crop: 'resized', size, scale, ratio });
      return;
    }
    case 'randomHorizontalFlip':
      plan.flip = step.p;
      return;
    case 'randomVerticalFlip':
      plan.verticalFlip = step.p;
      return;
    case 'randomErasing':
      plan.erase = step.p;
      plan.eraseScale = step.scale;
      plan.eraseRatio = step.ratio;
      plan.eraseValue = step.value === 'random' ? [] : step.value;
      return;
    default: {
      const { step: _, ...options } = step;
      Object.assign(plan, options);
    }
  }
}

function checkFit(plan: Plan, [channels]: InMemoryDataset['shape']): void {
  for (const [name, values] of [
    ['mean', plan.mean],
    ['std', plan.std],
    ['value', plan.eraseValue],
  ] as const) {
    if (values.length > 1 && values.length !== channels) {
      throw invalidArgument(`transform.${name}`, `1 or ${channels} values, one per channel`, values);
    }
  }
  const room = plan.resize.map((pixels) => pixels + 2 * plan.padding);
  if (plan.crop === 'random' && plan.cropSize.some((pixels, axis) => pixels > room[axis]!)) {
    const limit = `at most ${room.join(' x ')} pixels, the padded image`;
    throw invalidArgument('transform.randomCrop.size', limit, plan.cropSize);
  }
  const { brightness, contrast, saturation, hue } = plan;
  const neutral = [...brightness, ...contrast, ...saturation, ...hue].join() === '1,1,1,1,1,1,0,0';
  if (!neutral && channels !== 1 && channels !== 3) {
    throw new ShapeError(`Expected images of 1 or 3 channels for colorJitter but received ${channels}`);
  }
}
