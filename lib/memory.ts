/**
 * What memory dyconv holds, and how much of it may be kept for reuse.
 * @module
 */
import { invalidArgument } from './errors.js';
import { native } from './native.js';

/** Figures of {@link memory}. */
export interface MemoryStats {
  /** Tensors of this thread neither disposed nor collected. */
  numTensors: number;
  /** Bytes of their storages, each counted once however many views share it. */
  numBytes: number;
  /** Bytes of CPU memory in use by libtorch in this process, intermediate results of autograd included. */
  allocatedBytes: number;
  /** Bytes of CPU memory kept for reuse. */
  cachedBytes: number;
  /** Largest `allocatedBytes` so far. */
  peakBytes: number;
}

/** What the package holds: tensors of this thread, CPU memory of the process. */
export function memory(): MemoryStats {
  const [allocatedBytes, cachedBytes, peakBytes] = native.allocatorStats();
  return {
    numTensors: native.liveTensors(),
    numBytes: native.liveBytes(),
    allocatedBytes,
    cachedBytes,
    peakBytes,
  };
}

/** Gives the CPU memory kept for reuse back to the system. */
export function emptyCache(): void {
  native.emptyCache();
}

/** Options of {@link setMemoryOptions}. */
export interface MemoryOptions {
  /**
   * Bytes of freed CPU memory that may be kept for reuse; 0 keeps none, as libtorch by itself does. Reuse is what makes
   * training steps quick: a fresh page costs more than the arithmetic done in it. Default: an eighth of the machine's
   * memory.
   */
  cacheLimit: number;
}

/** Changes how the process keeps CPU memory. */
export function setMemoryOptions({ cacheLimit }: MemoryOptions): void {
  if (!Number.isSafeInteger(cacheLimit) || cacheLimit < 0) {
    throw invalidArgument('cacheLimit', 'a number of bytes, at least 0', cacheLimit);
  }
  native.setCacheLimit(cacheLimit);
}
