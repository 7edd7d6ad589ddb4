/**
 * Batches of images and labels from the samples of a custom data set.
 * @module
 */
import { ArgumentError, describe, invalidArgument, ShapeError } from '../errors.js';
import { keep, tidy } from '../tensor/context.js';
import { tensor } from '../tensor/create.js';
import type { TypedArray } from '../tensor/dtype.js';
import { stack } from '../tensor/join.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { augmentPacked, type BatchPlan, type BatchRequest, labelTensor } from './batches.js';
import { checkShapes } from './collate.js';
import { createDataset, type Dataset, datasetError, type InMemoryDataset } from './dataset.js';
import { type BatchMix, drawMixing, softLabels } from './mix.js';
import type { Pipeline, SamplePlans } from './pipeline.js';
import type { ByteImage } from './pixels/image.js';

type Shape = readonly [channels: number, height: number, width: number];

/** One image with its label, as `get` of a custom data set returns it. */
export interface ImageSample {
  /**
   * The image, [C, H, W]. Bytes (a Uint8Array, or a uint8 tensor on the CPU) may be of any size where the loader has a
   * transform that resizes, and become values of 0 to 1. Images of other dtypes are stacked unchanged and must have one size. The image
   * must not be modified until the batch is made.
   */
  image: TypedArray | Tensor;
  /** [C, H, W] of a typed array. Default: the shape of the set. */
  shape?: Shape | undefined;
  /** The class, an integer; or a tensor, such as a mask or probabilities, which is stacked. */
  label: number | bigint | Tensor;
}

/** The parameters of a batch. */
export interface SampleRequest extends Omit<BatchRequest, 'mixing'> {
  pipeline: Pipeline;
  mix: readonly BatchMix[] | undefined;
  /** 0-based number of the batch in its epoch. */
  batch: number;
}

/** What the samples of a set have in common. */
type ImageSet = Pick<Dataset, 'shape' | 'classes'>;

/** Whether a sample is an image with its label. */
export function isImageSample(sample: unknown): sample is ImageSample {
  return typeof sample === 'object' && sample !== null && 'image' in sample && 'label' in sample;
}

/**
 * Images and labels of samples.
 * @param keys - Index of each in the set.
 * @throws DatasetError naming a sample that is not an image; ShapeError for different sizes without a transform that resizes.
 */
export async function batchOfImages(
  set: ImageSet,
  samples: readonly ImageSample[],
  keys: readonly number[],
  request: SampleRequest,
): Promise<{ images: Tensor; labels: Tensor }> {
  const { pipeline, mix, epoch, batch, device = 'cpu' } = request;
  for (const [i, sample] of samples.entries()) if (!isImageSample(sample)) throw badSample(keys[i]!, sample);
  const bytes = samples.map((sample, i) => bytesOf(set, sample, keys[i]!));
  const given = bytes.filter((image) => image !== undefined);
  if (given.length > 0 && given.length < samples.length)
    throw datasetError(`sample ${keys[bytes.indexOf(undefined)]}`, 'expected bytes, as its batch has them');
  if (given.length === 0 && (pipeline.transform || mix))
    throw new ArgumentError(
      `Expected images of bytes (uint8) for ${pipeline.transform ? 'transform' : 'mix'} but sample ${keys[0]} has other ` +
        'values: transform them in get(), or give bytes',
    );
  const labels = labelsOf(samples, keys, set.classes?.length);
  const seed = pipeline.lastSeed(request.seed);
  const prepared = pipeline.isStaged ? await pipeline.prepare(given, keys, request) : given;
  const preparedKeys =
    pipeline.crops === 1 ? keys : keys.flatMap((key) => new Array(pipeline.crops).fill(key));
  const plan = given.length > 0 ? commonPlan(pipeline.last, prepared, preparedKeys) : undefined;
  const mixing = plan && mix && drawMixing(mix, plan.size, { seed: request.seed, epoch, batch });
  const made = plan
    ? await augmentPacked(prepared, preparedKeys, plan, { ...request, seed, mixing })
    : tidy(() => stackImages(set, samples, keys, device));
  const images = pipeline.crops === 1 ? made : byCrops(made, pipeline.crops);
  try {
    if (isTensor(labels)) return { images, labels: device === 'cpu' ? labels : onDevice(labels, device) };
    const values = mix ? softLabels(labels, set.classes!.length, mixing) : BigInt64Array.from(labels, BigInt);
    return { images, labels: labelTensor(values, labels.length, device) };
  } catch (error) {
    images.dispose();
    throw error;
  }
}

/**
 * The image of a sample, which has to be one of bytes with 1 label.
 * @throws DatasetError naming the sample.
 */
export function byteImage(set: ImageSet, sample: unknown, key: number): ByteImage {
  if (!isImageSample(sample)) throw badSample(key, sample);
  const image = bytesOf(set, sample, key);
  if (image) return image;
  throw datasetError(`sample ${key}`, `expected bytes (uint8) for image but found ${describe(sample.image)}`);
}

/** The image of a sample, if it consists of bytes. */
function bytesOf(
  set: ImageSet,
  { image, shape = set.shape }: ImageSample,
  key: number,
): ByteImage | undefined {
  if (isTensor(image)) {
    if (image.dtype !== 'uint8') return undefined;
    if (image.shape.length !== 3) throw badShape(key, image.shape, image.numel);
    return { bytes: image.dataSync({ dtype: 'uint8' }), shape: image.shape as unknown as Shape };
  }
  if (!(image instanceof Uint8Array)) return undefined;
  checkShape(key, shape, image.length);
  return { bytes: image, shape };
}

function checkShape(key: number, shape: Shape | undefined, length: number): asserts shape is Shape {
  const valid =
    Array.isArray(shape) &&
    shape.length === 3 &&
    shape.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!valid || shape[0] * shape[1] * shape[2] !== length) throw badShape(key, shape, length);
}

function badShape(key: number, shape: readonly number[] | undefined, length: number): Error {
  return datasetError(
    `sample ${key}`,
    `expected shape [C, H, W] of the ${length} values of its image but found ${describe(shape)}`,
  );
}

function badSample(key: number, sample: unknown): Error {
  return datasetError(`sample ${key}`, `expected { image, label } but found ${describe(sample)}`);
}

/** [B * crops, C, H, W] as [B, crops, C, H, W]. */
function byCrops(images: Tensor, crops: number): Tensor {
  try {
    return keep(images.reshape([-1, crops, ...images.shape.slice(1)]));
  } finally {
    images.dispose();
  }
}

/** One plan for images of any size: their transformed size must be the same. */
function commonPlan(plans: SamplePlans, images: readonly ByteImage[], keys: readonly number[]): BatchPlan {
  const [first] = images as [ByteImage];
  const { size } = plans.for(first.shape);
  for (const [i, { shape }] of images.entries()) {
    if (shape === first.shape || shape.join() === first.shape.join()) continue;
    const own = plans.for(shape);
    if (shape[0] === first.shape[0] && own.size.join() === size.join()) continue;
    throw new ShapeError(
      `Expected images of one size in a batch but sample ${keys[0]} gives [${[first.shape[0], ...size].join(', ')}] and ` +
        `sample ${keys[i]} [${[shape[0], ...own.size].join(', ')}]: use a transform that resizes`,
    );
  }
  return plans.common(first.shape[0], size);
}

/** Labels as integers, or stacked. */
function labelsOf(
  samples: readonly ImageSample[],
  keys: readonly number[],
  classes: number | undefined,
): number[] | Tensor {
  const labels = samples.map(({ label }) => label);
  if (labels.every(isTensor)) {
    checkShapes(
      labels.map(({ shape }) => shape),
      'labels',
    );
    return keep(stack(labels));
  }
  return labels.map((label, i) => classOf(label, keys[i]!, classes, ', or a tensor in every sample,'));
}

/**
 * A label as the index of a class.
 * @param classes - Number of classes, where it is known.
 * @param other - What else is allowed, for the message.
 * @throws DatasetError naming the sample.
 */
export function classOf(label: unknown, key: number, classes: number | undefined, other = ''): number {
  const value = typeof label === 'bigint' ? Number(label) : label;
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < (classes ?? Infinity))
    return value as number;
  const expected = classes === undefined ? 'an integer from 0' : `an integer from 0 to ${classes - 1}`;
  throw datasetError(`sample ${key}`, `expected ${expected}${other} for label but found ${describe(label)}`);
}

function stackImages(
  set: ImageSet,
  samples: readonly ImageSample[],
  keys: readonly number[],
  device: NonNullable<BatchRequest['device']>,
): Tensor {
  const images = samples.map(({ image, shape = set.shape }, i) => {
    if (isTensor(image)) return image;
    if (!ArrayBuffer.isView(image))
      throw datasetError(
        `sample ${keys[i]}`,
        `expected a typed array or a tensor for image but found \
${describe(image)}`,
      );
    checkShape(keys[i]!, shape, image.length);
    return tensor(image, { shape: [...shape] });
  });
  checkShapes(
    images.map(({ shape }) => shape),
    'images',
  );
  const batch = keep(stack(images));
  return device === 'cpu' ? batch : onDevice(batch, device);
}

function onDevice(host: Tensor, device: NonNullable<BatchRequest['device']>): Tensor {
  try {
    return keep(native.toDevice(host, device));
  } finally {
    host.dispose();
  }
}

/**
 * A set whose samples are in memory, from all its samples.
 * @throws ArgumentError unless they are images of bytes of one size with integer labels.
 */
export function gathered(set: Dataset, samples: readonly unknown[]): InMemoryDataset {
  const keys = samples.map((_, i) => i);
  const images = samples.map((sample, i) => {
    if (!isImageSample(sample)) throw badSample(i, sample);
    const image = bytesOf(set, sample, i);
    if (image) return image;
    throw invalidArgument("augmentOn: 'device'", 'images of bytes', sample.image);
  });
  checkShapes(
    images.map(({ shape }) => shape),
    'images',
  );
  const labels = labelsOf(samples as ImageSample[], keys, set.classes?.length);
  if (isTensor(labels)) throw invalidArgument("augmentOn: 'device'", 'integers as labels', labels);
  const { shape } = images[0]!;
  const bytes = new Uint8Array(images.length * shape[0] * shape[1] * shape[2]);
  for (const [i, image] of images.entries()) bytes.set(image.bytes, i * image.bytes.length);
  const most = labels.reduce((a, b) => Math.max(a, b), 0);
  return createDataset({
    name: 'samples',
    split: 'train',
    classes: set.classes ?? Array.from({ length: most + 1 }, (_, label) => String(label)),
    shape,
    images: bytes,
    labels: Uint16Array.from(labels),
    source: 'samples',
  });
}
