/**
 * The functional interface, torch.nn.functional in camelCase: `import { functional as F } from 'dyconv'`.
 * @module
 */
export * from './activation.js';
export { type Conv2dAlgorithm, type Conv2dOptions, conv2d, linear, pad } from './conv.js';
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
} from './conv-nd.js';
export type {
  CudaTuning,
  CudaTuningAbout,
  CudaTuningProblem,
  CudaTuningRow,
  CudaTuningSplits,
} from './cuda-tuning.js';
export {
  type DynamicConv2dAlgorithm,
  type DynamicConv2dOptions,
  dynamicConv2d,
  type RoutingKind,
  type RoutingOptions,
  routing,
} from './dynamic-conv.js';
export { type DynamicConvOptions, dynamicConv1d, dynamicConv3d } from './dynamic-conv-nd.js';
export * from './embedding-bag.js';
export * from './loss.js';
export * from './loss-likelihood.js';
export * from './loss-margin.js';
export * from './norm.js';
export * from './pool.js';
export * from './resize.js';
export * from './unpool.js';
