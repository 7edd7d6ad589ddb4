/**
 * Batches as tensors, made by the add-on. Only this file and the loader of `data` make tensors.
 * @module
 */
import type { PartialOptions } from '../check/index.js';
import type { PlanHandle } from '../native/data.js';
import { holdBuffer } from '../tensor/buffer.js';
import { keep } from '../tensor/context.js';
import { tensor } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { allocateBytes } from './bytes.js';
import type { InMemoryDataset } from './dataset.js';
import type { ResolvedOptions } from './loader-options.js';
import type { Mixing } from './mix.js';
import { type Plan, planFor } from './plan.js';
import type { Transform } from './transforms.js';

/** The format and the device of a batch. */
export type BatchFormat = PartialOptions<Pick<ResolvedOptions, 'dtype' | 'memoryFormat' | 'device'>>;

/** A plan with its format, which the add-on has read and checked. */
export interface BatchPlan extends Plan {
  readonly handle: PlanHandle;
}

/**
 * The plan of the batches of a transform: made and checked once, for all of them.
 * @internal
 * @param transform - undefined: only scaled to [0, 1].
 * @param shape - [C, H, W] of the images.
 * @throws ArgumentError when the transform does not fit the images.
 */
export function batchPlan(
  transform: Transform | undefined,
  shape: InMemoryDataset['shape'],
  format: BatchFormat = {},
): BatchPlan {
  return withFormat(planFor(transform, shape), format);
}

/** A plan with the format of its batches. */
export function withFormat(plan: Plan, { dtype = 'float32', memoryFormat, device }: BatchFormat): BatchPlan {
  const channelsLast = memoryFormat === 'channelsLast';
  // Copies from page-locked memory to CUDA are asynchronous.
  const pinned = device?.startsWith('cuda') ?? false;
  return { ...plan, handle: native.augmentPlan({ ...plan, dtype, channelsLast, pinned }) };
}

/** The request for a batch. Random numbers depend on the seed, the epoch and the index of each image. */
export interface BatchRequest {
  seed: number;
  epoch: number;
  threads: number;
  mixing?: Mixing | undefined;
  device?: Device | undefined;
}

type Images = Pick<InMemoryDataset, 'images' | 'shape'>;

/**
 * Images of a set, transformed on the data thread and copied to the device.
 * @internal
 * @param plan - What {@link batchPlan} makes for the shape of the set.
 * @returns [indices.length, C, H, W]; the caller must dispose it.
 */
export async function augmentBatch(
  { images, shape }: Images,
  indices: readonly number[],
  plan: BatchPlan,
  { seed, epoch, threads, mixing, device = 'cpu' }: BatchRequest,
): Promise<Tensor> {
  const mix = mixNumbers(mixing);
  holdBuffer(images, 'dataset.images');
  const host = keep(
    await native.augmentBatch(images, shape, indices, plan.handle, mix, seed, epoch, threads),
  );
  if (device === 'cpu') return host;
  try {
    return keep(native.toDevice(host, device));
  } finally {
    host.dispose();
  }
}

/**
 * Images of different sizes by one plan, transformed on the data thread and copied to the device.
 * @internal
 * @param images - Bytes and [C, H, W] of each, all of the same number of channels.
 * @param keys - The random numbers of each image depend on its key.
 * @param plan - A size of 0 means the size of each image.
 * @returns [images.length, C, H, W]; the caller must dispose it.
 */
export async function augmentPacked(
  images: readonly { bytes: Uint8Array; shape: readonly [number, number, number] }[],
  keys: readonly number[],
  plan: BatchPlan,
  { seed, epoch, threads, mixing, device = 'cpu' }: BatchRequest,
): Promise<Tensor> {
  // A private copy: no other code can detach this memory while the thread reads it.
  const packed = allocateBytes(images.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let at = 0;
  for (const { bytes } of images) {
    packed.set(bytes, at);
    at += bytes.length;
  }
  const sizes = images.flatMap(({ shape: [, height, width] }) => [height, width]);
  const [channels] = images[0]!.shape;
  const mix = mixNumbers(mixing);
  const host = keep(
    await native.augmentImages(packed, channels, sizes, keys, plan.handle, mix, seed, epoch, threads),
  );
  if (device === 'cpu') return host;
  try {
    return keep(native.toDevice(host, device));
  } finally {
    host.dispose();
  }
}

/**
 * The same for a set that is stored on the device, with libtorch's operations.
 * @internal
 * @param images - uint8 [N, C, H, W].
 */
export async function augmentOnDevice(
  images: Tensor,
  indices: readonly number[],
  plan: BatchPlan,
  { seed, epoch, mixing }: Omit<BatchRequest, 'threads' | 'device'>,
): Promise<Tensor> {
  return keep(await native.augmentOnDevice(images, indices, plan.handle, mixNumbers(mixing), seed, epoch));
}

/** The bytes of a set on a device, uint8 [N, C, H, W]. */
export function imagesOnDevice({ images, shape, length }: InMemoryDataset, device: Device): Tensor {
  return keep(tensor(images, { shape: [length, ...shape], dtype: 'uint8', device }));
}

/** Numbers in a tensor on the device: int64 of bigints, float32 rows of floats. */
export function labelTensor(values: BigInt64Array | Float32Array, length: number, device: Device): Tensor {
  const shape = values instanceof BigInt64Array ? [length] : [length, values.length / length];
  const host = keep(tensor(values, { shape }));
  if (device === 'cpu') return host;
  try {
    return keep(native.toDevice(host, device));
  } finally {
    host.dispose();
  }
}

function mixNumbers(mixing: Mixing | undefined): number[] | null {
  if (mixing === undefined) return null;
  const { share, box } = mixing;
  // Inside the box of CutMix, all pixels are of the other image.
  return box ? [0, box.top, box.left, box.height, box.width] : [share];
}
