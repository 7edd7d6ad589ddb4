/**
 * The functional interface, torch.nn.functional in camelCase: `import { functional as F } from 'dyconv'`.
 * @module
 */
export * from './activation.js';
export {
  type AvgPool2dOptions,
  adaptiveAvgPool2d,
  avgPool2d,
  type Conv2dOptions,
  conv2d,
  type InterpolateOptions,
  interpolate,
  linear,
  type MaxPool2dOptions,
  maxPool2d,
  pad,
} from './conv.js';
export {
  type DynamicConv2dOptions,
  dynamicConv2d,
  type RoutingKind,
  type RoutingOptions,
  routing,
} from './dynamic-conv.js';
export * from './loss.js';
