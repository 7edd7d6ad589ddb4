/**
 * The algorithm of each dynamic layer of a model, for the records of a run.
 * @module
 */
import { checkIterable, checkOptions, optionKeys } from '../check/index.js';
import type { AnyModule, Module } from '../nn/module.js';
import { dynamicConv2d } from '../ops/dynamic-conv.js';
import type { Operands } from '../ops/dynamic-conv-nd.js';
import { autocast, enableGrad, noGrad, tidy } from '../tensor/context.js';
import { zeros } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkModel } from './checks.js';
import { switchToEvaluation } from './evaluate.js';
import { resetExpertUsage } from './expert-usage.js';
import type { AutocastDType } from './forward-backward.js';

const DEVICE_AUTOCAST = optionKeys('device', 'autocast');

/** Members by which a dynamic layer is recognized, so that this file does not import layers. */
interface DynamicLayer {
  attention(input: Tensor): Tensor;
  operands(input: Tensor, attention: Tensor): Operands;
}

/**
 * Runs a batch of zeros through a model, in evaluation mode and without using random numbers, and gets the algorithm of every dynamic
 * layer.
 * @param shape - Shape of the batch, [B, C, H, W]; the choice depends on it.
 * @returns Names of algorithms by the names of layers; empty for a model without dynamic layers.
 */
export function kernelChoices(
  model: Module,
  shape: readonly number[],
  options: { device?: Device | undefined; autocast?: AutocastDType | undefined } = {},
): Record<string, string> {
  const { device, autocast: dtype } = checkOptions(options, DEVICE_AUTOCAST);
  checkModel(model);
  checkIterable(shape, 'shape', 'an array of sizes');
  const layers = [...model.namedModules()].filter(([, module]) => isDynamic(module));
  if (layers.length === 0) return {};
  const found: Record<string, string> = {};
  const hooks = layers.map(([name, module]) =>
    module.registerForwardHook((_, inputs) => {
      found[name] = choiceOf(module as unknown as DynamicLayer, ...(inputs as [Tensor]));
    }),
  );
  const restore = switchToEvaluation(model);
  try {
    const forward = () => void model.forward(zeros([...shape], { device }));
    noGrad(() => tidy(() => (dtype ? autocast(forward, { dtype }) : forward())));
  } finally {
    restore();
    for (const hook of hooks) hook.remove();
    resetExpertUsage(model);
  }
  return found;
}

function choiceOf(layer: DynamicLayer, ...[input, options]: [Tensor, { attention?: Tensor }?]): string {
  // The layer's own attention, because mixing is cheaper if attention sums to 1.
  const { attention = layer.attention(input) } = options ?? {};
  const operands = layer.operands(input, attention);
  const { algorithm = 'auto', ...geometry } = operands.options;
  if (algorithm !== 'auto') return algorithm;
  // Under autocast the weight follows the input.
  const { dtype } = operands.input;
  const [weight, bias] = [operands.weight, operands.bias].map((tensor) => tensor?.to({ dtype }) ?? null);
  // Recorded, as in a training step: a measured table may have another algorithm for inference.
  return enableGrad(() => dynamicConv2d.choice(operands.input, weight!, operands.attention, bias, geometry));
}

function isDynamic(module: AnyModule): boolean {
  return ['attention', 'operands'].every((name) => name in module);
}
