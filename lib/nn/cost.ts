/**
 * Operation counts of single layers. Layers are recognised by their class names, so that reports do not import layers.
 * @module
 */

import { isTensor, type Tensor } from '../tensor/tensor.js';
import type { AnyModule, Module } from './module.js';

/** The cost of one call of a layer. */
export interface Cost {
  /** Floating-point operations; a multiply-add is two. */
  flops: number;
}

type Rule = (module: Record<string, unknown>, input: Tensor, output: Tensor) => number;

const weightOf = (module: Record<string, unknown>) => module.weight as Tensor;
const product = (sizes: readonly number[]) => sizes.reduce((result, size) => result * size, 1);

const convolution: Rule = (module, _, output) => 2 * output.numel * product(weightOf(module).shape.slice(1));

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

/** Every output scalar is a dot product over a kernel's inputs. */
const RULES: Readonly<Record<string, Rule>> = {
  Conv1d: convolution,
  Conv2d: convolution,
  Conv3d: convolution,
  Linear: (module, _, output) => 2 * output.numel * weightOf(module).shape[1]!,
  ExpertConv: mixAndConvolve,
  // Its pooling too.
  CondConv2d: (module, input, output) =>
    (module.routingFn === null ? 0 : input.numel) + mixAndConvolve(module, input, output),
  // The pooling, the factors of input, output and mixed kernel, and the rest.
  ODConv2d: (module, input, output) => {
    const { weight, routing } = module as unknown as ODParts;
    const kernels = routing.spatialFc ? (input.shape[0] ?? 0) * product(weight.shape.slice(1)) : 0;
    const scaling = input.numel + (routing.filterFc ? output.numel : 0) + kernels;
    return input.numel + scaling + mixAndConvolve(module, input, output);
  },
  // The pooling (one addition per input), then two linear maps of its result.
  RoutingAttention: (module, input) => {
    const weights = [...(module as unknown as Module).namedParameters()].filter(([key]) =>
      key.endsWith('weight'),
    );
    const scalars = weights.reduce((sum, [, { numel }]) => sum + numel, 0);
    return input.numel + 2 * (input.shape[0] ?? 0) * scalars;
  },
};

/** The rule of a module's class or of the nearest class it extends. */
function ruleOf(module: object): Rule | undefined {
  for (let at = Object.getPrototypeOf(module); at !== null; at = Object.getPrototypeOf(at)) {
    const name: string = at.constructor?.name ?? '';
    if (Object.hasOwn(RULES, name)) return RULES[name];
  }
  return undefined;
}

/** The cost of a call of `module` with this input and output; 0 for layers that are not counted. */
export function costOf(module: AnyModule, input: unknown, output: unknown): Cost {
  const rule = ruleOf(module);
  if (!rule || !isTensor(input) || !isTensor(output)) return { flops: 0 };
  return { flops: rule(module as unknown as Record<string, unknown>, input, output) };
}
