/**
 * The table of cpp/bindings/data.cc.
 * @module
 */
import type { Dims, Handle, Sizes } from './types.js';

/** Key of {@link PlanHandle}; it exists for the compiler only. */
export declare const PLAN: unique symbol;

/** An opaque plan, which the add-on has read and checked. It is freed by the garbage collection. */
export interface PlanHandle {
  /** @internal */
  readonly [PLAN]: true;
}

/** Augmented batches, made in the background. */
export interface DataTable<T extends Handle> {
  /** `plan`: a Plan of lib/data/plan.ts with the format of the batch. */
  augmentPlan(plan: object): PlanHandle;
  augmentBatch(
    images: Uint8Array,
    shape: Sizes,
    indices: Sizes,
    plan: PlanHandle,
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
    plan: PlanHandle,
    mix: Dims,
    seed: number,
    epoch: number,
    threads: number,
  ): Promise<T>;
  augmentOnDevice(
    images: T,
    indices: Sizes,
    plan: PlanHandle,
    mix: Dims,
    seed: number,
    epoch: number,
  ): Promise<T>;
  toDevice(input: T, device: string): T;
  allocateBytes(length: number): ArrayBuffer | null;
}
