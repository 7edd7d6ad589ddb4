/**
 * Layers and the base class of networks, torch.nn: `import { nn } from 'dyconv'`.
 * @module
 */
export {
  DynamicConv2d,
  DynamicConv2d as DynamicConv,
  type DynamicConv2dLayerOptions,
  type DynamicForwardOptions,
  RoutingAttention,
  type RoutingAttentionOptions,
} from './dynamic-conv.js';
export type { ExpertUsage } from './expert-usage.js';
export { type Collapsed, collapse, foldBatchNorm, fuse } from './fuse.js';
export * as init from './init.js';
export {
  Conv2d,
  type Conv2dLayerOptions,
  Embedding,
  type FactoryOptions,
  Linear,
  type LinearOptions,
} from './layers.js';
export {
  type AnyModule,
  type ForwardHook,
  type LoadResult,
  Module,
  Parameter,
  type StateDict,
} from './module.js';
export {
  BatchNorm2d,
  type BatchNormLayerOptions,
  GroupNorm,
  LayerNorm,
  type NormLayerOptions,
} from './norm.js';
export * from './simple.js';
export * as utils from './utils.js';
