/**
 * CUDA: devices, memory statistics, and graphs.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { DeviceError, DyconvError, invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import type { Device } from '../tensor/dtype.js';

const DEVICE = optionKeys('device');

/** Result of `cuda.deviceProperties`. */
export interface DeviceProperties {
  /** Such as `NVIDIA H100`. */
  name: string;
  /** Compute capability, such as `[9, 0]`. */
  capability: [major: number, minor: number];
  /** Bytes. */
  totalMemory: number;
  /** Streaming multiprocessors of the device. */
  multiProcessorCount: number;
}

/** Result of `cuda.memoryStats`, in bytes; peaks since `cuda.resetPeakMemoryStats`. */
export interface CudaMemoryStats {
  /** In use by tensors. */
  allocatedBytes: number;
  /** Peak of `allocatedBytes` since the start or the last reset. */
  peakAllocatedBytes: number;
  /** Held by the caching allocator, in use or not. */
  reservedBytes: number;
  /** Peak of `reservedBytes` since the start or the last reset. */
  peakReservedBytes: number;
  /** Free memory of the device. */
  freeBytes: number;
  /** Total memory of the device. */
  totalBytes: number;
  /** Allocations that succeeded only after the cache was emptied. */
  retries: number;
  /** Failed allocations. */
  failures: number;
}

/** Options of `cuda.setFlags`; omitted options are not changed. */
export interface CudaFlags {
  /** Products of float32 matrices on tensor cores, with 10 bits of mantissa. libtorch's default: false. */
  matmulTf32?: boolean | undefined;
  /** The same for convolutions. libtorch's default: true. */
  convTf32?: boolean | undefined;
  /** Let cuDNN time its algorithms once for every new shape. libtorch's default: false. */
  benchmark?: boolean | undefined;
  /** Only cuDNN algorithms with bit-reproducible results. libtorch's default: false. */
  deterministic?: boolean | undefined;
}

const FLAG_KEYS = optionKeys('matmulTf32', 'convTf32', 'benchmark', 'deterministic');

function deviceCount(): number {
  return native.cudaBuilt() ? native.cudaDeviceCount() : 0;
}

/** The index of an existing CUDA device. @throws DeviceError */
function indexOf(device: Device = 'cuda'): number {
  const match = typeof device === 'string' ? /^cuda(?::(\d+))?$/.exec(device) : null;
  if (!match) throw invalidArgument('device', "'cuda' or 'cuda:N'", device);
  const index = Number(match[1] ?? 0);
  if (index >= deviceCount()) {
    const problem = native.cudaProblem() || `${deviceCount()} CUDA devices were found`;
    throw new DeviceError(`Expected an available device for device but received '${device}': ${problem}`);
  }
  return index;
}

/**
 * A CUDA graph: work that is recorded once and replayed with one launch. A replay costs the CPU only this launch, so that the
 * speed of small models is not limited by the CPU.
 *
 * Captured operations always read and write the same memory: pass new input with `copy_`, and keep numbers that change
 * (learning rate, temperature) in tensors. Values cannot be read during the capture.
 * @see https://pytorch.org/docs/stable/generated/torch.cuda.CUDAGraph.html
 * @example
 * const graph = new cuda.Graph();
 * const y = graph.capture(() => model.forward(x));
 * x.copy_(next); graph.replay(); // y now has the result for `next`
 */
export class Graph {
  #id = 0;

  /**
   * Runs `fn` once, recording instead of computing.
   * @param fn - Synchronous. Should have run before, so that libraries have chosen their algorithms.
   * @returns The result of `fn`; its tensors get their values from {@link replay}.
   * @throws DeviceError if the device does not exist; NativeError for an operation that cannot be captured.
   */
  capture<T>(fn: () => T, options: { device?: Device | undefined } = {}): T {
    const { device = 'cuda' } = checkOptions(options, DEVICE);
    if (this.#id !== 0) throw new DyconvError('Expected a graph that has not been captured yet');
    const id = native.cudaGraphBegin(indexOf(device));
    captures += 1;
    try {
      const result = fn();
      native.cudaGraphEnd(id);
      this.#id = id;
      return result;
    } finally {
      captures -= 1;
      if (this.#id === 0) native.cudaGraphAbandon(id);
    }
  }

  /** Queues the recorded work again. Does not wait for it. */
  replay(): void {
    if (this.#id === 0) throw new DyconvError('Expected a captured graph to replay');
    native.cudaGraphReplay(this.#id);
  }

  /** Frees the graph and the memory of its intermediate results. */
  dispose(): void {
    if (this.#id !== 0) native.cudaGraphDispose(this.#id);
    this.#id = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

let captures = 0;

/** Whether a {@link Graph} is being captured: values cannot be read then. */
export function isCapturing(): boolean {
  return captures > 0;
}

/** CUDA devices and their settings. */
export const cuda = Object.freeze({
  /** Whether a CUDA device can be used. */
  isAvailable: (): boolean => deviceCount() > 0,
  /** Why `cuda.isAvailable` is false, in the words of libtorch or the driver; null if it is true. */
  whyUnavailable: (): string | null => native.cudaProblem() || null,
  /** The number of CUDA devices; 0 for a CPU build of libtorch. */
  deviceCount,
  /** Whether this build has dyconv's CUDA kernels; otherwise CUDA uses only libtorch's kernels. */
  hasKernels: (): boolean => native.cudaKernels(),
  /** Properties of a device. @param device - Default `'cuda'`, the first. @throws DeviceError */
  deviceProperties(device?: Device): DeviceProperties {
    const [name, major, minor, totalMemory, multiProcessorCount] = native.cudaDeviceProperties(
      indexOf(device),
    );
    return { name, capability: [major, minor], totalMemory, multiProcessorCount };
  },
  /** Memory statistics of a device. @param device - Default `'cuda'`. @throws DeviceError */
  memoryStats(device?: Device): CudaMemoryStats {
    const [
      allocatedBytes,
      peakAllocatedBytes,
      reservedBytes,
      peakReservedBytes,
      freeBytes,
      totalBytes,
      retries,
      failures,
    ] = native.cudaMemoryStats(indexOf(device));
    return {
      allocatedBytes,
      peakAllocatedBytes,
      reservedBytes,
      peakReservedBytes,
      freeBytes,
      totalBytes,
      retries,
      failures,
    };
  },
  /** Resets the peaks of `cuda.memoryStats`. @throws DeviceError */
  resetPeakMemoryStats: (device?: Device): void => native.cudaResetPeaks(indexOf(device)),
  /** Returns the memory that the caching allocator keeps for reuse to the devices. Does nothing without a device. */
  emptyCache(): void {
    if (deviceCount() > 0) native.cudaEmptyCache();
  },
  /** Waits for all queued work of a device. @param device - Default `'cuda'`. @throws DeviceError */
  synchronize: (device?: Device): void => native.cudaSynchronize(indexOf(device)),
  /** Settings of libtorch for GPUs, for the whole process; can be set without a GPU. */
  setFlags(flags: CudaFlags): void {
    const { matmulTf32, convTf32, benchmark, deterministic } = checkOptions(flags, FLAG_KEYS, 'flags');
    native.setCudaFlags(matmulTf32, convTf32, benchmark, deterministic);
  },
  Graph,
});
