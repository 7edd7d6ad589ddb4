/**
 * The table of cpp/bindings/data_parallel.cc.
 * @module
 */
import type { GroupHandle } from './distributed.js';
import type { Handle, Optional } from './types.js';

declare const DATA_PARALLEL: unique symbol;

/** A network that several processes train: an object of the add-on. */
export interface DataParallelHandle {
  readonly [DATA_PARALLEL]: true;
}

/** Training in several processes. All functions block the calling thread. */
export interface DataParallelTable<T extends Handle> {
  /** `bucketBytes` null: PyTorch's sizes. */
  dataParallel(
    group: GroupHandle,
    parameters: readonly T[],
    names: readonly string[],
    bucketBytes: number | null,
    findUnused: boolean,
    gradientAsBucketView: boolean,
    compress: boolean,
  ): DataParallelHandle;
  /** Copies tensors of rank 0 to all processes. */
  dataParallelBroadcast(model: DataParallelHandle, tensors: readonly T[]): void;
  dataParallelForward(model: DataParallelHandle, synchronize: boolean, buffers: readonly T[]): void;
  dataParallelBackward(model: DataParallelHandle, outputs: readonly T[]): void;
  syncBatchNorm(
    group: GroupHandle,
    input: T,
    weight: Optional<T>,
    bias: Optional<T>,
    runningMean: Optional<T>,
    runningVar: Optional<T>,
    momentum: number,
    eps: number,
  ): T;
}
