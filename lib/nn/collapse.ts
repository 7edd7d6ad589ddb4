/**
 * Replaces dynamic convolutions by ordinary ones.
 * @module
 */
import { checkFunction, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, describe, invalidArgument } from '../errors.js';
import { noGrad, tidy } from '../tensor/context.js';
import { full, tensor } from '../tensor/create.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import {
  type DynamicLayer,
  isDynamic,
  type StaticForm,
  type StaticLayer,
  staticLayer,
} from './dynamic-layer.js';
import type { DynamicForwardOptions } from './expert-conv.js';
import type { Conv2d } from './layers.js';
import { type AnyModule, Module } from './module.js';
import { ODConv2d } from './od-conv.js';
import { replaceLayers } from './replace.js';

/** Result of {@link collapse} with calibration images of one layer. */
export interface Collapsed<Layer = Conv2d> {
  /** The ordinary convolution with the mean kernel. */
  conv: Layer;
  /** Root mean square of the outputs' difference on the calibration images, over that of the dynamic outputs. */
  error: number;
}

/** Options of {@link collapse} for a network. */
export interface CollapseOptions {
  /**
   * The weight of each expert, K numbers, by the layer and its key. Default: the mean attention over `calibration` if that is
   * given, otherwise 1 / K each. Not for an ODConv2d, which has other attentions too.
   */
  attention?: ((layer: DynamicLayer, key: string) => readonly number[]) | undefined;
  /** Typical inputs of the module, for the mean attention of every layer. The module runs on them once, in evaluation mode. */
  calibration?: Tensor | undefined;
}

const COLLAPSE_KEYS = optionKeys('attention', 'calibration');

/**
 * Converts one dynamic layer to an ordinary convolution: its kernel is the sum weighted by the mean attention over
 * calibration images. It is faster but no longer dynamic; the error measures the difference.
 * @param layer - Not changed.
 * @param calibration - [B, I, H, W] (or [B, I, L], [B, I, D, H, W]), typical inputs of the layer.
 */
export function collapse<L extends DynamicLayer>(layer: L, calibration: Tensor): Collapsed<StaticForm<L>>;
/**
 * Converts one dynamic layer to an ordinary convolution whose kernel is a weighted sum of the experts.
 * @param layer - Not changed.
 * @throws ArgumentError for attention that does not sum to 1 (sigmoid routing, CondConv2d, ODConv2d) without `attention` or
 * `calibration`.
 */
export function collapse<L extends DynamicLayer>(layer: L, options?: CollapseOptions): StaticForm<L>;
/**
 * Converts every dynamic convolution of a network to an ordinary one whose kernel is a weighted sum of the experts, in place:
 * the inverse of {@link dynamize}. Keys and shapes of the result are those of the network with ordinary convolutions.
 * @returns The module.
 * @throws ArgumentError when there is no dynamic layer; for attention that does not sum to 1 without `attention` or
 * `calibration`.
 * @example nn.collapse(model, { calibration: images });
 */
export function collapse<M extends AnyModule>(module: M, options?: CollapseOptions): M;
export function collapse(
  module: AnyModule,
  options: Tensor | CollapseOptions = {},
): AnyModule | StaticLayer | Collapsed<StaticLayer> {
  if (isTensor(options)) {
    if (isDynamic(module)) return calibrate(module, options);
    throw new ArgumentError(`Expected a dynamic convolution for layer but received ${describe(module)}`);
  }
  if (!(module instanceof Module)) throw invalidArgument('module', 'a Module', module);
  const { attention, calibration } = checkOptions(options, COLLAPSE_KEYS);
  if (attention !== undefined) checkFunction(attention, 'attention');
  return tidy(() => {
    const means = calibration && !attention ? meanFactors(module, calibration) : undefined;
    const convert = (layer: DynamicLayer, key: string): StaticLayer => {
      if (attention) return toStatic(layer, given(attention, layer, key));
      if (!means) return toStatic(layer, uniform(layer, key));
      const mean = means.get(layer);
      if (mean === undefined)
        throw new ArgumentError(
          `Expected calibration to run the layer ${key} but the module does not call it`,
        );
      return toStatic(layer, mean);
    };
    if (isDynamic(module)) return convert(module, '');
    const replaced = replaceLayers(module, (layer, key) =>
      isDynamic(layer) ? (convert(layer, key) as unknown as AnyModule) : undefined,
    );
    if (replaced.length > 0) return module;
    throw new ArgumentError(
      `Expected a module with a dynamic convolution for module but received ${module.constructor.name} without one`,
    );
  });
}

function calibrate(layer: DynamicLayer, calibration: Tensor): Collapsed<StaticLayer> {
  return tidy(() =>
    noGrad(() => {
      const conv = toStatic(layer, layer.factors(calibration).mean({ dim: 0 }));
      const wanted = layer.forward(calibration, { attention: layer.attention(calibration) });
      const size = Number(wanted.norm().item());
      const error = size === 0 ? 0 : Number(conv.forward(calibration).sub(wanted).norm().item()) / size;
      return { conv, error };
    }),
  );
}

/** The mean factors of every dynamic layer over the images of all its calls, [F]. */
function meanFactors(module: AnyModule, calibration: Tensor): Map<DynamicLayer, Tensor> {
  const seen = new Map<DynamicLayer, Tensor[]>();
  const modes = [...module.modules()].map((layer) => ({ layer, training: layer.training }));
  const hooks = [...module.modules()].flatMap((layer) =>
    isDynamic(layer)
      ? [
          layer.registerForwardPreHook((_, [input, options]) => {
            const { attention } = (options ?? {}) as DynamicForwardOptions;
            seen.set(layer, [...(seen.get(layer) ?? []), layer.factors(input as Tensor, attention)]);
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

function given(
  attention: NonNullable<CollapseOptions['attention']>,
  layer: DynamicLayer,
  key: string,
): Tensor {
  const name = key || 'layer';
  if (layer instanceof ODConv2d)
    throw new ArgumentError(
      `Expected calibration for ${name}, an ODConv2d, but received attention: it also has attention over channels and positions`,
    );
  const weights = attention(layer, key);
  const valid =
    Array.isArray(weights) &&
    weights.length === layer.numExperts &&
    weights.every((weight) => Number.isFinite(weight));
  if (!valid) throw invalidArgument(`attention of ${name}`, `${layer.numExperts} numbers`, weights);
  return tensor([...weights]);
}

function uniform(layer: DynamicLayer, key: string): Tensor {
  const { numExperts, sumsToOne } = layer;
  if (!sumsToOne) {
    const { name } = layer.constructor;
    const kind = name.startsWith('Dynamic') ? 'sigmoid routing' : name;
    const wanted = kind === 'ODConv2d' ? 'calibration' : 'attention or calibration';
    throw new ArgumentError(
      `Expected ${wanted} for ${key || 'layer'} with ${kind}: its attention does not sum to 1`,
    );
  }
  return full([numExperts], 1 / numExperts, { dtype: 'float32' });
}

/** @param factors - [F]: for most layers the attention, [K]. */
function toStatic(layer: DynamicLayer, factors: Tensor): StaticLayer {
  const { weight, bias, training } = layer;
  const conv = staticLayer(layer, bias !== null, weight);
  conv.train(training);
  noGrad(() => {
    const parameters = layer.staticParameters(factors);
    conv.weight.copy_(parameters.weight);
    if (parameters.bias !== null) conv.bias!.copy_(parameters.bias);
  });
  conv.weight.requiresGrad = weight.requiresGrad;
  if (bias !== null) conv.bias!.requiresGrad = bias.requiresGrad;
  return conv;
}
