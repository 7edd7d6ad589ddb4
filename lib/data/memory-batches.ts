/**
 * Batches of a set in memory: made from its bytes by the add-on, on the CPU or on the device.
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';
import {
  augmentBatch,
  augmentOnDevice,
  type BatchPlan,
  batchPlan,
  imagesOnDevice,
  labelTensor,
} from './batches.js';
import type { InMemoryDataset } from './dataset.js';
import type { ResolvedOptions } from './loader-options.js';
import { drawMixing, type Mixing, softLabels } from './mix.js';

/** A set in memory, with the plan by which all its batches are made. */
export class MemoryBatches {
  readonly #set: InMemoryDataset;
  readonly #plan: BatchPlan;
  readonly #options: ResolvedOptions;
  /** With `augmentOn: 'device'`: the set on the device, made for the first batch. */
  #onDevice: Tensor | undefined;

  /** @throws ArgumentError when the transform does not fit the images. */
  constructor(set: InMemoryDataset, options: ResolvedOptions) {
    const { transform, dtype, memoryFormat, device, augmentOn } = options;
    this.#set = set;
    this.#options = options;
    // A batch that is made on the device needs no page-locked memory to come from.
    const format = augmentOn === 'cpu' ? { dtype, memoryFormat, device } : { dtype, memoryFormat };
    this.#plan = batchPlan(transform, set.shape, format);
  }

  /** The images `indices` and their labels. */
  async make(
    indices: readonly number[],
    { epoch, batch }: { epoch: number; batch: number },
  ): Promise<{ images: Tensor; labels: Tensor }> {
    const { seed, mix, device } = this.#options;
    const { labels, classes } = this.#set;
    const mixing = mix && drawMixing(mix, this.#plan.size, { seed, epoch, batch });
    const images = await this.#images(indices, epoch, mixing);
    try {
      const picked = indices.map((index) => labels[index]!);
      const values = mix ? softLabels(picked, classes.length, mixing) : BigInt64Array.from(picked, BigInt);
      return { images, labels: labelTensor(values, picked.length, device) };
    } catch (error) {
      images.dispose();
      throw error;
    }
  }

  /** Frees the copy of the set on the device. */
  dispose(): void {
    this.#onDevice?.dispose();
    this.#onDevice = undefined;
  }

  async #images(indices: readonly number[], epoch: number, mixing: Mixing | undefined): Promise<Tensor> {
    const { seed, threads, device, augmentOn } = this.#options;
    const request = { seed, epoch, mixing };
    if (augmentOn === 'cpu')
      return augmentBatch(this.#set, indices, this.#plan, { ...request, threads, device });
    this.#onDevice ??= imagesOnDevice(this.#set, device);
    return augmentOnDevice(this.#onDevice, indices, this.#plan, request);
  }
}
