/**
 * The table of cpp/bindings/runtime.cc.
 * @module
 */
import type { DistributedError, DyconvError } from '../errors.js';
import type { DType, Handle } from './types.js';

type ErrorClass = new (message: string) => DyconvError;

/** Settings, modes, scopes, memory, threads, generators, versions. */
export interface RuntimeTable<T extends Handle> {
  /** By ErrorKind of cpp/typed_error.h. They are called with the message, DistributedError also with the reason and the ranks. */
  setErrorClasses(classes: readonly (ErrorClass | typeof DistributedError)[]): void;
  setCollector(collector: (young: boolean) => void): void;
  setTensorClass(tensorClass: new () => object): void;
  setMaxBufferBytes(bytes: number): void;
  setTracer(tracer: (() => number) | null): void;
  creations(): [creation: number, tensors: number, bytes: number][];
  setMode(grad: boolean, inference: boolean): void;
  setAutocast(enabled: boolean, dtype: DType): void;
  isGradEnabled(): boolean;
  isInferenceMode(): boolean;
  openScope(): number;
  enterScope(id: number): void;
  closeScope(id: number, parent: number, keep: readonly T[]): void;
  releaseFromScope(input: T): void;
  isTensor(value: unknown): value is T;
  allocatorStats(): [allocated: number, cached: number, peak: number, allocations: number];
  emptyCache(): void;
  setCacheLimit(bytes: number): void;
  setMemoryLimit(bytes: number): void;
  limitMemory(memoryLimit: number, cacheLimit: number): void;
  liveTensors(): number;
  liveBytes(): number;
  setNumThreads(threads: number): void;
  getNumThreads(): number;
  limitThreads(limit: number): void;
  manualSeed(seed: number): void;
  getRngState(device: string): T;
  setRngState(state: T, device: string): void;
  libtorchVersion(): string;
  cpuCapability(): string;
  cudaBuilt(): boolean;
  cudaDeviceCount(): number;
}
