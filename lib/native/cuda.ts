/**
 * The part of the type of the add-on's tables that is about GPUs: see {@link Native} in native.ts, which extends it.
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';

/** Devices, memory, graphs, and the scaling of losses. */
export interface NativeCuda {
  // cuda.cc
  cudaKernels(): boolean;
  cudaRuntime(): boolean;
  /** Empty where a device can be used. */
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
  pinMemory(input: Tensor): Tensor;
  isPinned(input: Tensor): boolean;

  // amp.cc
  ampUnscale(parameters: readonly Tensor[], found: Tensor, inverseScale: Tensor): void;
  ampUpdateScale(
    scale: Tensor,
    tracker: Tensor,
    found: Tensor,
    growth: number,
    backoff: number,
    interval: number,
  ): void;
}
