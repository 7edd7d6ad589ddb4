/**
 * Operation counts of single layers. Layers are recognized by their class names, so that reports do not import layers.
 * @module
 */

import { isTensor, type Tensor } from '../tensor/tensor.js';
import type { MultiheadAttention } from './attention.js';
import type { AnyModule, Module } from './module.js';

/** The cost of one call of a layer. */
export interface Cost {
  /** Floating-point operations; a multiply-add is two. */
  flops: number;
}

type Rule = (module: Record<string, unknown>, inputs: readonly Tensor[], output: Tensor) => number;

const weightOf = (module: Record<string, unknown>) => module.weight as Tensor;
const product = (sizes: readonly number[]) => sizes.reduce((result, size) => result * size, 1);

/** What the rule of ODConv2d uses. */
interface ODParts {
  weight: Tensor;
  routing: { filterFc: object | null; spatialFc: object | null };
}

/** For every sample: the weighted sum of the K kernels, then the convolution with it. */
function mixAndConvolve(module: Record<string, unknown>, input: Tensor, output: Tensor): number {
  const experts = module.experts as Tensor;
  const mixing = 2 * (input.shape[0] ?? 0) * experts.numel;
  return mixing + 2 * output.numel * product(experts.shape.slice(2));
}

/** Scalars in the matrices of a module and of those below it; vectors are biases. */
function scalarsOf(module: Record<string, unknown>): number {
  const matrices = [...(module as unknown as Module).parameters()].filter(({ ndim }) => ndim >= 2);
  return matrices.reduce((sum, { numel }) => sum + numel, 0);
}

/** Every output scalar is a dot product over a kernel's inputs. */
const convolution: Rule = (module, _, output) => 2 * output.numel * product(weightOf(module).shape.slice(1));

/** Every input scalar is multiplied by a kernel for the outputs. */
const transposed: Rule = (module, [input]) => 2 * input!.numel * product(weightOf(module).shape.slice(1));

/** Every vector of the input and the state before it are multiplied by the weights of all layers and directions. */
const recurrent: Rule = (module, [input]) => (2 * input!.numel * scalarsOf(module)) / input!.shape.at(-1)!;

const RULES: Readonly<Record<string, Rule>> = {
  Conv1d: convolution,
  Conv2d: convolution,
  Conv3d: convolution,
  ConvTranspose1d: transposed,
  ConvTranspose2d: transposed,
  ConvTranspose3d: transposed,
  Linear: (module, _, output) => 2 * output.numel * weightOf(module).shape[1]!,
  // The product with the first input, then that with the second.
  Bilinear: (module, _, output) => {
    const [, first, second] = weightOf(module).shape as [number, number, number];
    return 2 * output.numel * (first * second + second);
  },
  ExpertConv: (module, [input], output) => mixAndConvolve(module, input!, output),
  // Its pooling too.
  CondConv2d: (module, [input], output) =>
    (module.routingFn === null ? 0 : input!.numel) + mixAndConvolve(module, input!, output),
  // The pooling, the factors of input, output and mixed kernel, and the rest.
  ODConv2d: (module, [given], output) => {
    const input = given!;
    const { weight, routing } = module as unknown as ODParts;
    const kernels = routing.spatialFc ? (input.shape[0] ?? 0) * product(weight.shape.slice(1)) : 0;
    const scaling = input.numel + (routing.filterFc ? output.numel : 0) + kernels;
    return input.numel + scaling + mixAndConvolve(module, input, output);
  },
  // The pooling (one addition per input), then two linear maps of its result.
  RoutingAttention: (module, [input]) => input!.numel + 2 * (input!.shape[0] ?? 0) * scalarsOf(module),
  // The maps to Q, K and V, the scores, and the weighted sums; the last linear map is a separate layer.
  MultiheadAttention: (module, [query, key, value]) => {
    const { embedDim, biasK, addZeroAttn, batchFirst } = module as unknown as MultiheadAttention;
    const maps = [query!, key!, value!].reduce((sum, { numel }) => sum + 2 * numel * embedDim, 0);
    const steps = key!.shape[batchFirst && key!.ndim === 3 ? 1 : 0]!;
    const keys = steps + (biasK === null ? 0 : 1) + (addZeroAttn ? 1 : 0);
    return maps + 2 * (2 * query!.numel * keys);
  },
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  LSTMCell: recurrent,
  GRUCell: recurrent,
  RNNCell: recurrent,
};

/** The rule of a module's class or of the nearest class it extends. */
function ruleOf(module: object): Rule | undefined {
  for (let at = Object.getPrototypeOf(module); at !== null; at = Object.getPrototypeOf(at)) {
    const name: string = at.constructor?.name ?? '';
    if (Object.hasOwn(RULES, name)) return RULES[name];
  }
  return undefined;
}

/** The tensors among the inputs or outputs of a call. */
export function tensorsIn(value: unknown): Tensor[] {
  if (isTensor(value)) return [value];
  return Array.isArray(value) ? value.flatMap(tensorsIn) : [];
}

/** The cost of a call of `module` with these inputs and this output; 0 for layers that are not counted. */
export function costOf(module: AnyModule, inputs: readonly unknown[], output: unknown): Cost {
  const rule = ruleOf(module);
  const [given, [result]] = [tensorsIn(inputs), tensorsIn(output)];
  if (!rule || given.length === 0 || !result) return { flops: 0 };
  return { flops: rule(module as unknown as Record<string, unknown>, given, result) };
}
