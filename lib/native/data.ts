/**
 * The table of cpp/bindings/data.cc.
 * @module
 */
import type { Dims, Handle, Sizes } from './types.js';

/** Augmented batches, made in the background. */
export interface DataTable<T extends Handle> {
  // plan: a BatchPlan of lib/data/batches.ts
  augmentBatch(
    images: Uint8Array,
    shape: Sizes,
    indices: Sizes,
    plan: object,
    mix: Dims,
    seed: number,
    epoch: number,
    threads: number,
  ): Promise<T>;
  /** Images of different sizes, packed behind each other. `sizes`: height and width of each; `keys`: of its random numbers. */
  augmentImages(
    images: Uint8Array,
    channels: number,
    sizes: Sizes,
    keys: Sizes,
    plan: object,
    mix: Dims,
    seed: number,
    epoch: number,
    threads: number,
  ): Promise<T>;
  augmentOnDevice(
    images: T,
    indices: Sizes,
    plan: object,
    mix: Dims,
    seed: number,
    epoch: number,
  ): Promise<T>;
  toDevice(input: T, device: string): T;
  allocateBytes(length: number): ArrayBuffer | null;
}
