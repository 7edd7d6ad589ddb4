/**
 * GPUs: what there is, what memory is in use, and whole steps captured as graphs.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { DeviceError, DyconvError, invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import type { Device } from '../tensor/dtype.js';

const DEVICE = optionKeys('device');

/** Figures of `cuda.deviceProperties`. */
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

/** Figures of `cuda.memoryStats`, in bytes; peaks since `cuda.resetPeakMemoryStats`. */
export interface CudaMemoryStats {
  /** In use by tensors. */
  allocatedBytes: number;
  /** Most bytes in tensors at once, since the start or the last reset. */
  peakAllocatedBytes: number;
  /** Held by the caching allocator, in use or not. */
  reservedBytes: number;
  /** Most bytes held at once, since the start or the last reset. */
  peakReservedBytes: number;
  /** Free on the device, for every process. */
  freeBytes: number;
  /** Bytes of memory the device has. */
  totalBytes: number;
  /** Allocations that succeeded only after the cache was emptied. */
  retries: number;
  /** Allocations that failed for good. */
  failures: number;
}

/** Options of `cuda.setFlags`; what is left out stays as it is. */
export interface CudaFlags {
  /** Products of float32 matrices on tensor cores, with 10 bits of mantissa. libtorch's default: false. */
  matmulTf32?: boolean | undefined;
  /** The same for convolutions. libtorch's default: true. */
  convTf32?: boolean | undefined;
  /** Let cuDNN time its algorithms once for every new shape. libtorch's default: false. */
  benchmark?: boolean | undefined;
  /** Only cuDNN algorithms whose results repeat to the bit. libtorch's default: false. */
  deterministic?: boolean | undefined;
}

const FLAG_KEYS = optionKeys('matmulTf32', 'convTf32', 'benchmark', 'deterministic');

function deviceCount(): number {
  return native.cudaBuilt() ? native.cudaDeviceCount() : 0;
}

/** The number of a CUDA device that is there. @throws DeviceError */
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
 * Work recorded once and replayed as one launch. Between two replays nothing is computed on the processor but the
 * launch itself, so small models are no longer bound by it.
 *
 * What is captured always reads and writes the same memory: give it new input with `copy_`, and keep numbers that
 * change (learning rate, temperature) in tensors. Nothing may be read back during the capture.
 * @see https://pytorch.org/docs/stable/generated/torch.cuda.CUDAGraph.html
 * @example
 * const graph = new cuda.Graph();
 * const y = graph.capture(() => model.forward(x));
 * x.copy_(next); graph.replay(); // y now holds the result of `next`
 */
export class Graph {
  #id = 0;

  /**
   * Runs `fn` once, recording instead of computing.
   * @param fn - Not asynchronous. Should have run before, so that libraries have made their choices.
   * @returns What `fn` returns; its tensors get their values from {@link replay}.
   * @throws DeviceError where there is no such device; NativeError for an operation that cannot be captured.
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

  /** Frees the graph and the memory its intermediate results live in. */
  dispose(): void {
    if (this.#id !== 0) native.cudaGraphDispose(this.#id);
    this.#id = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

let captures = 0;

/** Whether a {@link Graph} is being captured: nothing may be read back, and what is computed comes later. */
export function isCapturing(): boolean {
  return captures > 0;
}

/** CUDA, as far as the libtorch in use has it. */
export const cuda = Object.freeze({
  /** Whether a CUDA device can be used. */
  isAvailable: (): boolean => deviceCount() > 0,
  /** Why `cuda.isAvailable` is false, as libtorch or the driver puts it; null where it is true. */
  whyUnavailable: (): string | null => native.cudaProblem() || null,
  /** The number of CUDA devices; 0 for a CPU build of libtorch. */
  deviceCount,
  /** Whether dyconv's own CUDA kernels are part of this build; without, CUDA runs on libtorch's alone. */
  hasKernels: (): boolean => native.cudaKernels(),
  /** What a device is. @param device - Default `'cuda'`, the first. @throws DeviceError */
  deviceProperties(device?: Device): DeviceProperties {
    const [name, major, minor, totalMemory, multiProcessorCount] = native.cudaDeviceProperties(
      indexOf(device),
    );
    return { name, capability: [major, minor], totalMemory, multiProcessorCount };
  },
  /** What memory of a device is in use. @param device - Default `'cuda'`. @throws DeviceError */
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
  /** Starts the peaks of `cuda.memoryStats` anew. @throws DeviceError */
  resetPeakMemoryStats: (device?: Device): void => native.cudaResetPeaks(indexOf(device)),
  /** Gives memory that the caching allocator keeps for reuse back to the devices. Does nothing without one. */
  emptyCache(): void {
    if (deviceCount() > 0) native.cudaEmptyCache();
  },
  /** Waits until everything queued on a device is done. @param device - Default `'cuda'`. @throws DeviceError */
  synchronize: (device?: Device): void => native.cudaSynchronize(indexOf(device)),
  /** How libtorch computes on GPUs. For the whole process; can be set without a GPU. */
  setFlags(flags: CudaFlags): void {
    const { matmulTf32, convTf32, benchmark, deterministic } = checkOptions(flags, FLAG_KEYS, 'flags');
    native.setCudaFlags(matmulTf32, convTf32, benchmark, deterministic);
  },
  Graph,
});
