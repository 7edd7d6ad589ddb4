/**
 * Dynamic convolution of one and three dimensions, computed by the two-dimensional one.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { ShapeError } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { CONV_KEYS, type ConvOptions, kernelOf, padFarEnds, resolveConvNd } from './conv-nd.js';
import {
  type DynamicConv2dAlgorithm,
  type DynamicConv2dOptions,
  dynamicConv2d,
  dynamicConv2dAlgorithm,
} from './dynamic-conv.js';

/** Options of {@link dynamicConv1d} and {@link dynamicConv3d}. */
export interface DynamicConvOptions extends ConvOptions {
  /** Algorithm of the two-dimensional convolution: `'auto'` or a name from {@link dynamicConv2d.algorithms}. Default `'auto'`. */
  algorithm?: DynamicConv2dAlgorithm | undefined;
}

/** @internal */
export const DYNAMIC_CONV_KEYS = optionKeys(...CONV_KEYS, 'algorithm');

/** @internal The arguments of a {@link dynamicConv2d} that computes another operation. */
export interface Operands {
  input: Tensor;
  weight: Tensor;
  attention: Tensor;
  bias: Tensor | null;
  options: DynamicConv2dOptions;
}

/** @internal Computes a {@link dynamicConv2d}. */
export function run({ input, weight, attention, bias, options }: Operands): Tensor {
  return dynamicConv2d(input, weight, attention, bias, options);
}

const AXES = { 1: ['L'], 3: ['D', 'H', 'W'] } as const;

/** Checks the shapes before they are changed, so that errors show those of the caller. */
function checkShapes(
  count: 1 | 3,
  input: Tensor,
  weight: Tensor,
  attention: Tensor,
  bias: Tensor | null,
  groups: number,
): void {
  const axes = AXES[count].join(', ');
  const shape = checkShape('weight', weight);
  if (shape.length !== count + 3) {
    const kernel = count === 1 ? 'k' : 'kd, kh, kw';
    throw wrongShape('weight', `[K, O, I / groups, ${kernel}]`, shape);
  }
  const [experts = 0, outputs = 0, perGroup = 0] = shape;
  const images = checkShape('input', input);
  if (images.length !== count + 2 || images[1] !== perGroup * groups)
    throw wrongShape('input', `[B, ${perGroup * groups}, ${axes}]`, images);
  const weights = checkShape('attention', attention);
  if (weights.length !== 2 || weights[0] !== images[0] || weights[1] !== experts)
    throw wrongShape('attention', `[B, K] = [${images[0]}, ${experts}]`, weights);
  if (bias === null) return;
  const biases = checkShape('bias', bias);
  if (biases.length !== 2 || biases[0] !== experts || biases[1] !== outputs)
    throw wrongShape('bias', `[K, O] = [${experts}, ${outputs}]`, biases);
}

function wrongShape(name: string, wanted: string, shape: readonly number[]): ShapeError {
  return new ShapeError(`Expected shape ${wanted} for ${name} but received [${shape.join(', ')}]`);
}

/** @internal A sequence is an image of one row. */
export function operands1d(
  input: Tensor,
  weight: Tensor,
  attention: Tensor,
  bias: Tensor | null,
  options: DynamicConvOptions,
): Operands {
  const { algorithm, ...geometry } = options;
  const { stride, padding, dilation, groups, extra } = resolveConvNd(kernelOf(weight, 1), geometry);
  checkShapes(1, input, weight, attention, bias, groups);
  return {
    input: padFarEnds(input, extra).unsqueeze(2),
    weight: weight.unsqueeze(3),
    attention,
    bias,
    options: {
      stride: [1, stride[0]!],
      padding: [0, padding[0]!],
      dilation: [1, dilation[0]!],
      groups,
      algorithm,
    },
  };
}

/**
 * @internal A volume is one image for every output plane, whose channels are the planes under the kernel: channel
 * `i * kd + t` is plane t of channel i. Attention is repeated for the planes.
 */
export function operands3d(
  input: Tensor,
  weight: Tensor,
  attention: Tensor,
  bias: Tensor | null,
  options: DynamicConvOptions,
): Operands & { planes: number } {
  const { algorithm, ...geometry } = options;
  const { stride, padding, dilation, groups, extra } = resolveConvNd(kernelOf(weight, 3), geometry);
  checkShapes(3, input, weight, attention, bias, groups);
  const [experts = 0, outputs = 0, perGroup = 0, depth = 1, height = 1, width = 1] = weight.shape;
  const [batch = 0, channels = 0] = input.shape;
  const window = dilation[0]! * (depth - 1) + 1;
  const padded = padDepth(input, padding[0]!, extra);
  const [, , planesIn = 0, rows = 0, columns = 0] = padded.shape;
  if (planesIn < window)
    throw new ShapeError(
      `Expected a depth of at least ${window} for the padded input but received ${planesIn}`,
    );
  // [B, I, D', H, W, window], a view; every dilation-th plane of a window is under the kernel.
  const windows = padded.unfold(2, window, stride[0]!);
  const planes = windows.shape[2]!;
  const taps =
    dilation[0] === 1 ? windows : windows.index('...', { start: 0, stop: null, step: dilation[0]! });
  return {
    input: taps.permute([0, 2, 1, 5, 3, 4]).reshape([batch * planes, channels * depth, rows, columns]),
    weight: weight.reshape([experts, outputs, perGroup * depth, height, width]),
    attention: attention
      .unsqueeze(1)
      .expand([batch, planes, experts])
      .reshape([batch * planes, experts]),
    bias,
    options: {
      stride: [stride[1]!, stride[2]!],
      padding: [padding[1]!, padding[2]!],
      dilation: [dilation[1]!, dilation[2]!],
      groups,
      algorithm,
    },
    planes,
  };
}

/** Pads the depth on both sides; of the other sizes only the far ends, if `'same'` needs it. */
function padDepth(input: Tensor, depth: number, extra: readonly number[]): Tensor {
  const [more = 0, bottom = 0, right = 0] = extra;
  if (depth + more + bottom + right === 0) return input;
  return native.pad(input, [0, right, 0, bottom, depth, depth + more], 'constant', 0);
}

/**
 * Convolves every sample with its own weighted sum of K kernels: {@link dynamicConv2d} for sequences.
 * @param input - [B, I, L]. @param weight - [K, O, I / groups, k]. @param attention - [B, K]. @param bias - [K, O] or null. Default null.
 * @returns [B, O, L'], dtype of the input.
 * @throws ShapeError, DTypeError naming the tensor; ArgumentError for an unknown algorithm.
 * @see https://arxiv.org/abs/1912.03458
 */
export function dynamicConv1d(
  input: Tensor,
  weight: Tensor,
  attention: Tensor,
  bias: Tensor | null = null,
  options: DynamicConvOptions = {},
): Tensor {
  dynamicConv2dAlgorithm(checkOptions(options, DYNAMIC_CONV_KEYS).algorithm);
  return run(operands1d(input, weight, attention, bias, options)).squeeze(2);
}

/**
 * Convolves every sample with its own weighted sum of K kernels: {@link dynamicConv2d} for volumes. The input is copied
 * kd / stride times, because the kernel's planes become channels of a two-dimensional convolution.
 * @param input - [B, I, D, H, W]. @param weight - [K, O, I / groups, kd, kh, kw]. @param attention - [B, K].
 * @param bias - [K, O] or null. Default null.
 * @returns [B, O, D', H', W'], dtype of the input.
 * @throws ShapeError, DTypeError naming the tensor; ArgumentError for an unknown algorithm.
 * @see https://arxiv.org/abs/1912.03458
 */
export function dynamicConv3d(
  input: Tensor,
  weight: Tensor,
  attention: Tensor,
  bias: Tensor | null = null,
  options: DynamicConvOptions = {},
): Tensor {
  dynamicConv2dAlgorithm(checkOptions(options, DYNAMIC_CONV_KEYS).algorithm);
  const operands = operands3d(input, weight, attention, bias, options);
  return fromPlanes(run(operands), operands.planes);
}

/** @internal Puts planes together: [B * D, O, H, W] -> [B, O, D, H, W]. */
export function fromPlanes(images: Tensor, planes: number): Tensor {
  const [count = 0, channels = 0, height = 0, width = 0] = images.shape;
  return images
    .reshape([count / planes, planes, channels, height, width])
    .transpose(1, 2)
    .contiguous();
}
