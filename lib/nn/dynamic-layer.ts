/**
 * Dynamic layers and the ordinary ones that they become.
 * @module
 */
import type { RequiredOptions } from '../check/index.js';
import type { ConvOptions } from '../ops/conv-nd.js';
import type { Tensor } from '../tensor/tensor.js';
import type { CondConv2d } from './cond-conv.js';
import { Conv1d, Conv3d } from './conv.js';
import type { DynamicConv1d, DynamicConv2d, DynamicConv3d } from './dynamic-conv.js';
import { ExpertConv } from './expert-conv.js';
import { Conv2d, type Conv2dLayerOptions } from './layers.js';
import type { ODConv2d } from './od-conv.js';

/** A convolution with several kernels. */
export type DynamicLayer = DynamicConv1d | DynamicConv2d | DynamicConv3d | CondConv2d | ODConv2d;

/** An ordinary convolution. */
export type StaticLayer = Conv1d | Conv2d | Conv3d;

/** The ordinary convolution of the same number of dimensions. */
export type StaticForm<L> = L extends DynamicConv1d ? Conv1d : L extends DynamicConv3d ? Conv3d : Conv2d;

/** Whether a module is a dynamic layer. */
export function isDynamic(module: unknown): module is DynamicLayer {
  return module instanceof ExpertConv;
}

/** Whether a module is an ordinary convolution itself: a subclass may compute something else. */
export function isStatic(module: unknown): module is StaticLayer {
  return [Conv1d, Conv2d, Conv3d].some(
    (Class) => module instanceof Class && (module as object).constructor === Class,
  );
}

/** An ordinary convolution with the sizes and options of a dynamic layer. */
export function staticLayer(layer: DynamicLayer, bias: boolean, { dtype, device }: Tensor): StaticLayer {
  const { inChannels, outChannels, kernelSize } = layer;
  const { stride, padding, dilation, groups }: RequiredOptions<ConvOptions> = layer.options;
  const options = { stride, padding, dilation, groups, bias, dtype, device };
  if (kernelSize.length === 1) return new Conv1d(inChannels, outChannels, kernelSize, options);
  if (kernelSize.length === 3) return new Conv3d(inChannels, outChannels, kernelSize, options);
  return new Conv2d(inChannels, outChannels, kernelSize, options as Conv2dLayerOptions);
}
