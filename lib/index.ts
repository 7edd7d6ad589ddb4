/**
 * dyconv: PyTorch's libtorch for Node.js, with dynamic convolution at the price of a static one.
 * @module
 */

export * as data from './data/index.js';
export * as distributed from './distributed/index.js';
export {
  ArgumentError,
  CheckpointError,
  DatasetError,
  DeviceError,
  DisposedError,
  DistributedError,
  type DistributedReason,
  type DownloadAttempt,
  DownloadError,
  DTypeError,
  DyconvError,
  GradcheckError,
  LockedError,
  NativeError,
  OverloadedError,
  PoolClosedError,
  RequestTimeoutError,
  ShapeError,
  SwapTimeoutError,
  TrainingError,
  WorkerError,
} from './errors.js';
export { loadNpy, saveNpy } from './formats/npy.js';
export { loadNpz, type SaveNpzOptions, saveNpz } from './formats/npz.js';
export {
  type LoadSafetensorsOptions,
  loadSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  type SaveSafetensorsOptions,
  saveSafetensors,
} from './formats/safetensors.js';
export { loadTorch, TorchObject, type TorchValue } from './formats/torch-file.js';
export { type LoadTorchStateDictOptions, loadTorchStateDict } from './formats/torch-state-dict.js';
export * as models from './models/index.js';
export { DynamicConv2d, DynamicConv2d as DynamicConv } from './nn/dynamic-conv.js';
export * as nn from './nn/index.js';
export { type ExportOnnxOptions, exportOnnx, type OnnxExport, type OnnxValue } from './onnx/export.js';
export type { OnnxValueInfo } from './onnx/load/model.js';
export type { OnnxModule } from './onnx/load/module.js';
export { type LoadOnnxOptions, loadOnnx } from './onnx/load.js';
export { dynamicConv2d } from './ops/dynamic-conv.js';
export * as functional from './ops/index.js';
export * as amp from './optim/grad-scaler.js';
export * as optim from './optim/index.js';
export type { CalibrationBatch, CalibrationSource } from './program/calibrate.js';
export {
  type LoadProgramOptions,
  loadPackage,
  loadTorchScript,
  PackageProgram,
  TorchScriptProgram,
} from './program/foreign.js';
export { loadProgram, Program } from './program/program.js';
export type { QuantizeOptions } from './program/quantize.js';
export { type ProgramInput, Runnable, type RunOptions } from './program/runner.js';
export * as report from './report/index.js';
export { type CudaFlags, type CudaMemoryStats, cuda, type DeviceProperties } from './runtime/cuda.js';
export {
  emptyCache,
  type LeakGroup,
  type LeakReport,
  leakReport,
  type MemoryOptions,
  type MemoryStats,
  memory,
  setMemoryOptions,
} from './runtime/memory.js';
export {
  cpuCapability,
  getNumThreads,
  getRngState,
  manualSeed,
  type RngOptions,
  setNumThreads,
  setRngState,
  version,
} from './runtime/settings.js';
export * as serve from './serve/index.js';
export * as autograd from './tensor/autograd.js';
export { background } from './tensor/background.js';
export { type FromTypedArrayOptions, fromTypedArray } from './tensor/buffer.js';
export { where } from './tensor/comparison.js';
export {
  autocast,
  enableGrad,
  inferenceMode,
  isGradEnabled,
  keep,
  noGrad,
  tidy,
  untidy,
} from './tensor/context.js';
export * from './tensor/create.js';
export type { Device, DType, TypedArray, TypedArrayOf } from './tensor/dtype.js';
export { releaseHandle, type TensorHandle } from './tensor/handle.js';
export {
  atleast1d,
  atleast2d,
  atleast3d,
  blockDiag,
  broadcastShapes,
  broadcastTensors,
  cartesianProd,
  cat,
  columnStack,
  dstack,
  hstack,
  meshgrid,
  stack,
  vstack,
} from './tensor/join.js';
export * as linalg from './tensor/linalg.js';
export { einsum } from './tensor/matrix.js';
export type { NestedArray } from './tensor/nested.js';
export { type Index, type Slice, slice } from './tensor/slice.js';
export type { BackwardOptions, ToOptions } from './tensor/tensor.js';
export { isTensor, Tensor } from './tensor/tensor.js';
export {
  type ExportTorchScriptOptions,
  exportTorchScript,
  type TorchScriptExport,
} from './torch-script/export.js';
export * as train from './train/index.js';
