/**
 * Dynamic convolution (Chen et al., CVPR 2020, https://arxiv.org/abs/1912.03458) as a function.
 * @module
 */

import { number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { CONV2D_KEYS, type Conv2dOptions, kernelSizeOf, padExtra, resolveConv } from './conv.js';
import { type CudaTuning, loadCudaTuning, setCudaTuning } from './cuda-tuning.js';

/** The function from logits to attention: `softmax` (Chen et al.) or `sigmoid` (CondConv, Yang et al., NeurIPS 2019). */
export type RoutingKind = 'softmax' | 'sigmoid';

/**
 * Algorithms of {@link dynamicConv2d}. `'auto'` chooses the fastest for the sizes; {@link dynamicConv2d.algorithms} lists
 * the others that this build and this processor have. Those of one instruction set or one tile size are for comparison.
 */
export type DynamicConv2dAlgorithm = 'auto' | AlgorithmName;

/** The names in the table of cpp/ops/dynamic_conv/dynamic_conv.cc, in its order; a test compares the two. */
const ALGORITHMS = [
  'mix-once',
  'depthwise',
  'winograd',
  'winograd-forward',
  'fused',
  'fused-cuda',
  'mix-cuda',
  'mix-after',
  'grouped',
  'depthwise-avx2',
  'depthwise-portable',
  'fused-avx2',
  'fused-portable',
  'winograd-2x3',
  'winograd-3x4',
  'winograd-4x2',
  'winograd-avx2',
  'winograd-portable',
  'reference',
] as const;

type AlgorithmName = (typeof ALGORITHMS)[number];

loadCudaTuning();

const built = new Set(native.dynamicConv2dAlgorithms());
const available = Object.freeze(ALGORITHMS.filter((name) => built.has(name)));

/** Checks the name of an algorithm. @throws ArgumentError for one that is not available here. */
export function dynamicConv2dAlgorithm(algorithm: DynamicConv2dAlgorithm = 'auto'): DynamicConv2dAlgorithm {
  return algorithm === 'auto' ? algorithm : oneOf('algorithm', ['auto', ...available], algorithm);
}

/** Options of {@link dynamicConv2d}. */
export interface DynamicConv2dOptions extends Conv2dOptions {
  /** `'auto'` or a name from {@link dynamicConv2d.algorithms}. Default `'auto'`. */
  algorithm?: DynamicConv2dAlgorithm | undefined;
}

const DYNAMIC_CONV2D_KEYS = optionKeys(...CONV2D_KEYS, 'algorithm');

/**
 * Convolves every sample with its own weighted sum of K kernels:
 * `y[b] = conv2d(x[b], Σ_k attention[b,k]·weight[k]) + Σ_k attention[b,k]·bias[k]`. Differentiable in all tensors.
 * @param input - [B, I, H, W], contiguous or channels last; float32, float64, bfloat16 or float16.
 * @param weight - [K, O, I / groups, kh, kw], dtype and device of the input.
 * @param attention - [B, K], dtype of the input or float32.
 * @param bias - [K, O] or null. Default null.
 * @returns [B, O, H', W'], dtype of the input.
 * @throws ShapeError, DTypeError naming the tensor; ArgumentError for an unknown algorithm.
 * @see https://arxiv.org/abs/1912.03458
 */
export function dynamicConv2d(
  input: Tensor,
  weight: Tensor,
  attention: Tensor,
  bias: Tensor | null = null,
  options: DynamicConv2dOptions = {},
): Tensor {
  const algorithm = dynamicConv2dAlgorithm(checkOptions(options, DYNAMIC_CONV2D_KEYS).algorithm);
  const { stride, padding, dilation, groups, extra } = resolveConv(kernelSizeOf(weight), options);
  return native.dynamicConv2d(
    padExtra(input, extra),
    weight,
    attention,
    bias,
    stride,
    padding,
    dilation,
    groups,
    algorithm,
  );
}

/** Names of the algorithms in the order of `'auto'`; `'reference'`, which is slow, is the last. */
dynamicConv2d.algorithms = (): AlgorithmName[] => [...available];

/**
 * The algorithm that `'auto'` chooses for these arguments of {@link dynamicConv2d}, without computing. It depends on the shapes
 * and on whether the attention of every sample sums to 1; on a GPU with a measured table, also on the dtype and on whether autograd
 * records the operation.
 */
dynamicConv2d.choice = (
  input: Tensor,
  weight: Tensor,
  attention: Tensor,
  bias: Tensor | null = null,
  options: Conv2dOptions = {},
): AlgorithmName => {
  checkOptions(options, CONV2D_KEYS);
  const { stride, padding, dilation, groups, extra } = resolveConv(kernelSizeOf(weight), options);
  const choice = native.dynamicConv2dChoice(
    padExtra(input, extra),
    weight,
    attention,
    bias,
    stride,
    padding,
    dilation,
    groups,
  );
  return choice as AlgorithmName;
};

/**
 * Sets measured tables for GPUs in the whole process, in place of those of the package and of `DYCONV_CUDA_TUNING`. A GPU uses the first
 * table with its name, otherwise the first with its compute capability; `'auto'` then chooses the fastest algorithm of the nearest
 * measured problem. With an empty array, only the rules decide. Can be set without a GPU.
 * @param tables - As `gpu-check` writes them, parsed: docs/cuda.md has the format.
 * @throws ArgumentError naming the field that is missing or does not fit.
 * @example dynamicConv2d.setCudaTuning([JSON.parse(readFileSync('cuda-tuning.json', 'utf8'))]);
 */
dynamicConv2d.setCudaTuning = (tables: Iterable<CudaTuning>): void => setCudaTuning(tables);

/** The smallest temperature of a {@link routing}: the smallest normal float32. */
export const LEAST_TEMPERATURE = 2 ** -126;

/** Options of {@link routing}. */
export interface RoutingOptions {
  /**
   * Divides the logits; high values give nearly equal attention. At least 2^-126; a Tensor of one number
   * is read on its own device. Default 1.
   */
  temperature?: number | Tensor | undefined;
  /** Default `'softmax'`. */
  kind?: RoutingKind | undefined;
}

const ROUTING_KEYS = optionKeys('temperature', 'kind');

/**
 * Attention over K kernels from the input: `kind((w2 relu(w1 pool(x) + b1) + b2) / temperature)`.
 * @param input - [B, I, H, W]. @param weight1 - [R, I, 1, 1]. @param bias1 - [R].
 * @param weight2 - [K, R, 1, 1]. @param bias2 - [K].
 * @returns [B, K]; float32 also for 16-bit inputs, because the gradient of the attention needs this precision.
 */
export function routing(
  input: Tensor,
  weight1: Tensor,
  bias1: Tensor,
  weight2: Tensor,
  bias2: Tensor,
  options: RoutingOptions = {},
): Tensor {
  const { temperature = 1, kind = 'softmax' } = checkOptions(options, ROUTING_KEYS);
  if (typeof temperature === 'number' || !isTensor(temperature))
    number('temperature', temperature, { min: LEAST_TEMPERATURE });
  oneOf('kind', ['softmax', 'sigmoid'], kind);
  return native.routing(input, weight1, bias1, weight2, bias2, temperature, kind);
}
