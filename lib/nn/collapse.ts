/**
 * Replaces dynamic convolutions by ordinary ones.
 * @module
 */
import { checkFunction, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, describe, invalidArgument } from '../errors.js';
import { noGrad, tidy } from '../tensor/context.js';
import { full, tensor } from '../tensor/create.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { DynamicConv2d, type DynamicForwardOptions } from './dynamic-conv.js';
import { Conv2d } from './layers.js';
import { type AnyModule, Module } from './module.js';
import { replaceLayers } from './replace.js';

/** Result of {@link collapse} with calibration images of one layer. */
export interface Collapsed {
  /** The ordinary convolution with the mean kernel. */
  conv: Conv2d;
  /** Root mean square of the outputs' difference on the calibration images, over that of the dynamic outputs. */
  error: number;
}

/** Options of {@link collapse} for a network. */
export interface CollapseOptions {
  /**
   * The weight of each expert, K numbers, by the layer and its key. Default: the mean attention over `calibration` if that is
   * given, otherwise 1 / K each.
   */
  attention?: ((layer: DynamicConv2d, key: string) => readonly number[]) | undefined;
  /** Typical inputs of the module, for the mean attention of every layer. The module runs on them once, in evaluation mode. */
  calibration?: Tensor | undefined;
}

const COLLAPSE_KEYS = optionKeys('attention', 'calibration');

/**
 * Converts one dynamic layer to an ordinary convolution: its kernel is the sum weighted by the mean attention over
 * calibration images. It is faster but no longer dynamic; the error measures the difference.
 * @param layer - Not changed.
 * @param calibration - [B, I, H, W], typical inputs of the layer.
 */
export function collapse(layer: DynamicConv2d, calibration: Tensor): Collapsed;
/**
 * Converts one dynamic layer to an ordinary convolution whose kernel is a weighted sum of the experts.
 * @param layer - Not changed.
 * @throws ArgumentError for sigmoid routing without `attention` or `calibration`.
 */
export function collapse(layer: DynamicConv2d, options?: CollapseOptions): Conv2d;
/**
 * Converts every dynamic convolution of a network to an ordinary one whose kernel is a weighted sum of the experts, in place:
 * the way back from {@link dynamize}. The result's keys and shapes are those of the network with ordinary convolutions.
 * @returns The module.
 * @throws ArgumentError when there is no dynamic layer; for sigmoid routing without `attention` or `calibration`.
 * @example nn.collapse(model, { calibration: images });
 */
export function collapse<M extends AnyModule>(module: M, options?: CollapseOptions): M;
export function collapse(
  module: AnyModule,
  options: Tensor | CollapseOptions = {},
): AnyModule | Conv2d | Collapsed {
  if (isTensor(options)) {
    if (module instanceof DynamicConv2d) return calibrate(module, options);
    throw new ArgumentError(`Expected a DynamicConv2d for layer but received ${describe(module)}`);
  }
  if (!(module instanceof Module)) throw invalidArgument('module', 'a Module', module);
  const { attention, calibration } = checkOptions(options, COLLAPSE_KEYS);
  if (attention !== undefined) checkFunction(attention, 'attention');
  return tidy(() => {
    const means = calibration && !attention ? meanAttention(module, calibration) : undefined;
    const convert = (layer: DynamicConv2d, key: string): Conv2d => {
      if (attention) return toStatic(layer, given(attention(layer, key), layer, key));
      if (!means) return toStatic(layer, uniform(layer, key));
      const mean = means.get(layer);
      if (mean === undefined)
        throw new ArgumentError(
          `Expected calibration to run the layer ${key} but the module does not call it`,
        );
      return toStatic(layer, mean);
    };
    if (module instanceof DynamicConv2d) return convert(module, '');
    const replaced = replaceLayers(module, (layer, key) =>
      layer instanceof DynamicConv2d ? (convert(layer, key) as unknown as AnyModule) : undefined,
    );
    if (replaced.length > 0) return module;
    throw new ArgumentError(
      `Expected a module with a DynamicConv2d for module but received ${module.constructor.name} without one`,
    );
  });
}

function calibrate(layer: DynamicConv2d, calibration: Tensor): Collapsed {
  return tidy(() =>
    noGrad(() => {
      const attention = layer.attention(calibration);
      const conv = toStatic(layer, attention.mean({ dim: 0 }));
      const wanted = layer.forward(calibration, { attention });
      const size = Number(wanted.norm().item());
      const error = size === 0 ? 0 : Number(conv.forward(calibration).sub(wanted).norm().item()) / size;
      return { conv, error };
    }),
  );
}

/** The mean attention of every dynamic layer over the images of all its calls, [K]. */
function meanAttention(module: AnyModule, calibration: Tensor): Map<DynamicConv2d, Tensor> {
  const seen = new Map<DynamicConv2d, Tensor[]>();
  const modes = [...module.modules()].map((layer) => ({ layer, training: layer.training }));
  const hooks = [...module.modules()].flatMap((layer) =>
    layer instanceof DynamicConv2d
      ? [
          layer.registerForwardPreHook((_, [input, options]) => {
            const { attention = layer.attention(input as Tensor) } = (options ?? {}) as DynamicForwardOptions;
            seen.set(layer, [...(seen.get(layer) ?? []), attention]);
          }),
        ]
      : [],
  );
  try {
    module.eval();
    noGrad(() => (module as Module).forward(calibration));
  } finally {
    for (const hook of hooks) hook.remove();
    for (const { layer, training } of modes) layer.training = training;
  }
  const mean = (calls: Tensor[]) =>
    calls
      .map((a) => a.mean({ dim: 0 }))
      .reduce((a, b) => a.add(b))
      .div(calls.length);
  return new Map([...seen].map(([layer, calls]) => [layer, mean(calls)]));
}

function given(weights: readonly number[], { numExperts }: DynamicConv2d, key: string): Tensor {
  const valid =
    Array.isArray(weights) &&
    weights.length === numExperts &&
    weights.every((weight) => Number.isFinite(weight));
  if (!valid) throw invalidArgument(`attention of ${key || 'layer'}`, `${numExperts} numbers`, weights);
  return tensor([...weights]);
}

function uniform({ numExperts, routing }: DynamicConv2d, key: string): Tensor {
  if (routing.kind !== 'softmax') {
    throw new ArgumentError(
      `Expected attention or calibration for ${key || 'layer'} with sigmoid routing: its attention does not sum to 1`,
    );
  }
  return full([numExperts], 1 / numExperts, { dtype: 'float32' });
}

/** @param attention - [K]. */
function toStatic(layer: DynamicConv2d, attention: Tensor): Conv2d {
  const { inChannels, outChannels, kernelSize, options, weight, bias } = layer;
  const { stride, padding, dilation, groups } = options;
  const conv = new Conv2d(inChannels, outChannels, kernelSize, {
    stride,
    padding,
    dilation,
    groups,
    bias: bias !== null,
    dtype: weight.dtype,
    device: weight.device,
  });
  conv.train(layer.training);
  noGrad(() => {
    const factors = attention.to({ dtype: weight.dtype, device: weight.device });
    conv.weight.copy_(factors.reshape([-1, 1, 1, 1, 1]).mul(weight).sum({ dim: 0 }));
    if (bias !== null) conv.bias!.copy_(factors.reshape([-1, 1]).mul(bias).sum({ dim: 0 }));
  });
  conv.weight.requiresGrad = weight.requiresGrad;
  if (bias !== null) conv.bias!.requiresGrad = bias.requiresGrad;
  return conv;
}
