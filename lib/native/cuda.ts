/**
 * The table of cpp/bindings/cuda.cc.
 * @module
 */
import type { Handle } from './types.js';

/** GPUs: their memory, graphs and settings. */
export interface CudaTable<T extends Handle> {
  cudaKernels(): boolean;
  cudaRuntime(): boolean;
  /** Empty if a device can be used. */
  cudaProblem(): string;
  cudaDeviceProperties(
    device: number,
  ): [name: string, major: number, minor: number, totalMemory: number, multiprocessors: number];
  cudaMemoryStats(
    device: number,
  ): [
    allocated: number,
    peakAllocated: number,
    reserved: number,
    peakReserved: number,
    free: number,
    total: number,
    retries: number,
    failures: number,
  ];
  cudaResetPeaks(device: number): void;
  cudaEmptyCache(): void;
  cudaSynchronize(device: number): void;
  cudaGraphBegin(device: number): number;
  cudaGraphEnd(graph: number): void;
  cudaGraphAbandon(graph: number): void;
  cudaGraphReplay(graph: number): void;
  cudaGraphDispose(graph: number): void;
  setCudaFlags(
    matmulTf32: boolean | undefined,
    convTf32: boolean | undefined,
    benchmark: boolean | undefined,
    deterministic: boolean | undefined,
  ): void;
  /**
   * Sets the tables of measured dynamic convolutions for the process. `splits`: two for each table; `counts`: rows of each table; `sizes`: for each row
   * element, batch, in, out, size, kernel, stride, groups, experts; `times`: for each row and algorithm infer and train.
   */
  setCudaTuning(
    gpus: string[],
    capabilities: string[],
    splits: number[],
    counts: number[],
    sizes: number[],
    times: number[],
  ): void;
  /** Whether this process has called setCudaTuning. */
  cudaTuningIsSet(): boolean;
  /**
   * Measured algorithms for a problem on a GPU, fastest first. `sizes`: batch, in, out, height, width, kernel, stride, groups, experts, dilation.
   */
  cudaTuningRanking(
    gpu: string,
    capability: string,
    element: number,
    sizes: number[],
    training: boolean,
  ): string[];
  pinMemory(input: T): T;
  isPinned(input: T): boolean;
}
