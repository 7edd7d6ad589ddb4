/**
 * Layers and the base class of networks, torch.nn: `import { nn } from 'dyconv'`.
 * @module
 */

export { compile, Program, type ProgramHandle } from '../program/program.js';
export type { Compilable, CompileOptions } from '../program/record.js';
export * from './activations.js';
export {
  type AttentionForwardOptions,
  MultiheadAttention,
  type MultiheadAttentionOptions,
} from './attention.js';
export { type Collapsed, type CollapseOptions, collapse } from './collapse.js';
export { CondConv2d, type CondConv2dOptions } from './cond-conv.js';
export { ModuleDict, ModuleList } from './containers.js';
export {
  Conv1d,
  Conv3d,
  type ConvLayerOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeLayerOptions,
} from './conv.js';
export {
  DynamicConv1d,
  DynamicConv2d,
  DynamicConv2d as DynamicConv,
  type DynamicConv2dLayerOptions,
  DynamicConv3d,
  type DynamicConvLayerOptions,
} from './dynamic-conv.js';
export type { DynamicLayer, StaticForm, StaticLayer } from './dynamic-layer.js';
export { type DynamicKind, type DynamizeOptions, dynamize, type ExpertSource } from './dynamize.js';
export type { DynamicForwardOptions } from './expert-conv.js';
export type { ExpertUsage } from './expert-usage.js';
export { foldBatchNorm, fuse } from './fuse.js';
export * as init from './init.js';
export {
  Bilinear,
  Conv2d,
  type Conv2dLayerOptions,
  Embedding,
  type EmbeddingOptions,
  type FactoryOptions,
  Linear,
  type LinearOptions,
} from './layers.js';
export type { LoadResult, LoadStateDictOptions, MismatchResult } from './load-state.js';
export * from './losses.js';
export {
  type AnyModule,
  type ForwardHook,
  type ForwardPreHook,
  type HookHandle,
  Module,
  type ModuleFunction,
  Parameter,
  type StateDict,
} from './module.js';
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  type BatchNormLayerOptions,
  GroupNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  type InstanceNormLayerOptions,
  LayerNorm,
  LocalResponseNorm,
  type LocalResponseNormOptions,
  type NormLayerOptions,
  RMSNorm,
} from './norm.js';
export { ODAttention, type ODAttentions, ODConv2d, type ODConv2dOptions } from './od-conv.js';
export * from './pool.js';
export { GRU, LSTM, type LSTMOptions, type RecurrentOptions, RNN, type RNNOptions } from './recurrent.js';
export {
  GRUCell,
  LSTMCell,
  type RecurrentCellOptions,
  RNNCell,
  type RNNCellOptions,
} from './recurrent-cells.js';
export { RoutingAttention, type RoutingAttentionOptions } from './routing-attention.js';
export * from './simple.js';
export { SyncBatchNorm, type SyncBatchNormOptions } from './sync-batch-norm.js';
export {
  type EncoderForwardOptions,
  type EncoderLayerForwardOptions,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerEncoderLayerOptions,
  type TransformerEncoderOptions,
} from './transformer.js';
export * as utils from './utils.js';
