/**
 * Makes the convolutions of a network dynamic.
 * @module
 */
import { integer, number, oneOf } from '../check/arguments.js';
import { checkFunction, checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { noGrad, tidy } from '../tensor/context.js';
import { linspace, randn } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { CondConv2d } from './cond-conv.js';
import type { Conv1d, Conv3d } from './conv.js';
import { DynamicConv1d, DynamicConv2d, DynamicConv3d } from './dynamic-conv.js';
import { type DynamicLayer, isDynamic, isStatic, type StaticLayer } from './dynamic-layer.js';
import { zeros_ } from './init.js';
import type { Conv2d, Conv2dLayerOptions } from './layers.js';
import { type AnyModule, Module } from './module.js';
import { ODConv2d } from './od-conv.js';
import { replaceLayers } from './replace.js';
import { RoutingAttention } from './routing-attention.js';

/** The initial experts of {@link dynamize}. */
export type ExpertSource = 'copy' | 'perturb' | 'random';

/**
 * The layers that {@link dynamize} makes: `'dynamic'` {@link DynamicConv2d}, `'condconv'` {@link CondConv2d}, `'odconv'` {@link ODConv2d}.
 */
export type DynamicKind = 'dynamic' | 'condconv' | 'odconv';

/** Options of {@link dynamize}. */
export interface DynamizeOptions {
  /**
   * The kind of the dynamic layers. Default `'dynamic'`, which is also there for one and three dimensions; the others are for
   * Conv2d only.
   */
  layer?: DynamicKind | undefined;
  /** Number of kernels of each layer. Default 4. */
  numExperts?: number | undefined;
  /**
   * The hidden layer of the attention has inChannels / reduction units. Default 4, for `'odconv'` 16; `'condconv'` has no hidden
   * layer.
   */
  reduction?: number | undefined;
  /** Temperature of the attention. Default 30; `'condconv'` has none. */
  temperature?: number | undefined;
  /**
   * The initial experts. `'copy'`: copies of the layer's kernel, so that the network gives the same results until it is
   * trained. `'perturb'`: copies with noise whose sum over the experts is 0; the results are then nearly the same, and the
   * experts differ from the start. `'random'`: independent normal numbers with the standard deviation of the layer's weights,
   * to train a network from the start as it is initialized. Biases are copied. Default `'copy'`.
   *
   * Where sigmoids scale the experts (`'condconv'`, `'odconv'`), copies are divided by the initial attention, which is the same
   * for every image: the maps to these sigmoids start at 0.
   */
  from?: ExpertSource | undefined;
  /** Standard deviation of the noise of `'perturb'`, relative to that of the layer's weights. Default 0.1. */
  noise?: number | undefined;
  /**
   * Which layers become dynamic, by the layer and its key such as `layer1.0.conv1`. Default: all except the first one, as
   * in the paper.
   */
  filter?: ((layer: StaticLayer, key: string) => boolean) | undefined;
}

const DYNAMIZE_KEYS = optionKeys(
  'layer',
  'numExperts',
  'reduction',
  'temperature',
  'from',
  'noise',
  'filter',
);

type Settings = Omit<RequiredOptions<DynamizeOptions>, 'filter' | 'reduction' | 'temperature'> & {
  reduction?: number | undefined;
  temperature?: number | undefined;
};

/**
 * Replaces convolutions by dynamic ones, in place: strided, dilated, grouped and depthwise ones too. Every key `x.weight`
 * [O, I / groups, ...kernel] of the state becomes [K, O, I / groups, ...kernel], `x.bias` [O] becomes [K, O], and
 * `x.routing.net.0.weight|bias`, `x.routing.net.2.weight|bias` and `x.routing.temperature` are added (for other values of `layer`: the
 * keys of that layer). Device, dtype and `requiresGrad` are kept; the attention is trained. Create the optimizer afterwards: the parameters are new.
 *
 * Conv2d, Conv1d and Conv3d are replaced. Not replaced: their subclasses, transposed convolutions, and the layers inside
 * dynamic convolutions.
 * @param module - A network; or a convolution, for which `filter` is not called.
 * @returns The module; for a Conv2d, a DynamicConv2d (or what `layer` says), and so on.
 * @throws ArgumentError when no layer is replaced, or when a layer that is to be replaced has hooks; nothing is then changed.
 * @see https://arxiv.org/abs/1912.03458
 * @example
 * const model = nn.dynamize(models.resnet18(), { numExperts: 4, filter: (layer) => layer.kernelSize[0] === 3 });
 */
export function dynamize(module: Conv2d, options: DynamizeOptions & { layer: 'condconv' }): CondConv2d;
export function dynamize(module: Conv2d, options: DynamizeOptions & { layer: 'odconv' }): ODConv2d;
export function dynamize(
  module: Conv2d,
  options?: DynamizeOptions & { layer?: 'dynamic' | undefined },
): DynamicConv2d;
export function dynamize(module: Conv1d, options?: DynamizeOptions): DynamicConv1d;
export function dynamize(module: Conv3d, options?: DynamizeOptions): DynamicConv3d;
export function dynamize<M extends AnyModule>(module: M, options?: DynamizeOptions): M;
export function dynamize(module: AnyModule, options: DynamizeOptions = {}): AnyModule {
  if (!(module instanceof Module)) throw invalidArgument('module', 'a Module', module);
  const { filter, ...given } = checkOptions(options, DYNAMIZE_KEYS);
  const settings = checkSettings(given);
  if (filter !== undefined) checkFunction(filter, 'filter');
  if (isStatic(module)) return toDynamic(module, '', settings) as unknown as AnyModule;
  let first = true;
  const replaced = replaceLayers(module, (layer, key) => {
    if (isDynamic(layer) || layer instanceof RoutingAttention) return 'keep';
    if (!isStatic(layer)) return undefined;
    const chosen = filter === undefined ? !first : filter(layer, key);
    first = false;
    return chosen ? (toDynamic(layer, key, settings) as unknown as AnyModule) : 'keep';
  });
  if (replaced.length === 0) {
    const { name } = module.constructor;
    const received = [...module.modules()].some(isDynamic)
      ? `${name}, which is dynamic already`
      : `${name} without one`;
    throw new ArgumentError(
      `Expected a module with a convolution that ${filter ? 'filter chooses' : 'is not the first one'} for module but received ${received}`,
    );
  }
  return module;
}

function checkSettings({
  layer = 'dynamic',
  numExperts = 4,
  reduction,
  temperature,
  from = 'copy',
  noise = 0.1,
}: Omit<DynamizeOptions, 'filter'>): Settings {
  oneOf('layer', ['dynamic', 'condconv', 'odconv'], layer);
  if (layer === 'condconv')
    for (const [name, value] of Object.entries({ reduction, temperature }))
      if (value !== undefined)
        throw new ArgumentError(`Expected no ${name} for layer 'condconv' but received ${value}`);
  return {
    layer,
    numExperts: integer('numExperts', numExperts, 1),
    reduction:
      reduction === undefined ? undefined : number('reduction', reduction, { min: Number.MIN_VALUE }),
    temperature: number('temperature', temperature ?? 30, { min: Number.MIN_VALUE }),
    from: oneOf('from', ['copy', 'perturb', 'random'], from),
    noise: number('noise', noise, { min: 0 }),
  };
}

function toDynamic(conv: StaticLayer, key: string, settings: Settings): DynamicLayer {
  // A hook is a property of the layer, and would stay behind.
  if (Object.hasOwn(conv, 'forward'))
    throw new ArgumentError(
      `Expected a ${conv.constructor.name} without hooks for the layer ${key || 'module'}`,
    );
  const { weight, bias } = conv;
  const layer = dynamicLayer(conv, key, settings);
  layer.train(conv.training);
  noGrad(() =>
    tidy(() => {
      const scale = settings.from === 'random' ? 1 : fixAttention(layer);
      fillExperts(layer.experts, weight, settings);
      if (scale !== 1) layer.weight.div_(scale);
      // The bias of an ODConv2d is not scaled by attention.
      if (bias !== null) layer.bias!.copy_(layer instanceof ODConv2d ? bias : bias.div(scale));
    }),
  );
  layer.weight.requiresGrad = weight.requiresGrad;
  if (bias !== null) layer.bias!.requiresGrad = bias.requiresGrad;
  return layer;
}

/** A dynamic layer with the sizes and options of an ordinary one. */
function dynamicLayer(
  conv: StaticLayer,
  key: string,
  { layer: kind, numExperts, reduction, temperature }: Settings,
): DynamicLayer {
  const { inChannels, outChannels, kernelSize, weight } = conv;
  const common = {
    ...conv.options,
    bias: conv.bias !== null,
    numExperts,
    dtype: weight.dtype,
    device: weight.device,
  };
  if (kernelSize.length !== 2) {
    if (kind !== 'dynamic')
      throw new ArgumentError(
        `Expected a Conv2d for the layer ${key || 'module'} with layer '${kind}' but received a ${conv.constructor.name}: leave it out with filter`,
      );
    const Layer = kernelSize.length === 1 ? DynamicConv1d : DynamicConv3d;
    return new Layer(inChannels, outChannels, kernelSize, { ...common, reduction, temperature });
  }
  const options = common as typeof common & Conv2dLayerOptions & { algorithm?: undefined };
  const size = kernelSize as [number, number];
  if (kind === 'condconv') return new CondConv2d(inChannels, outChannels, size, options);
  const Layer = kind === 'odconv' ? ODConv2d : DynamicConv2d;
  return new Layer(inChannels, outChannels, size, { ...options, reduction, temperature });
}

/**
 * Makes the initial attention the same for all inputs where it does not sum to 1.
 * @returns The factor of the kernel if all experts are equal.
 */
function fixAttention(layer: DynamicLayer): number {
  if (layer instanceof CondConv2d) {
    const { weight, bias } = layer.routingFn!;
    zeros_(weight);
    // With the same attention, equal experts would get equal gradients and stay equal.
    bias!.copy_(linspace(-1, 1, layer.numExperts, { dtype: bias!.dtype, device: bias!.device }));
    return Number(bias!.sigmoid().sum().item());
  }
  if (!(layer instanceof ODConv2d)) return 1;
  const { channelFc, filterFc, spatialFc } = layer.routing;
  const sigmoids = [channelFc, filterFc, spatialFc].filter((head) => head !== null);
  for (const head of sigmoids) zeros_(head.weight);
  return 0.5 ** sigmoids.length;
}

/** @param experts - [K, ...shape of weight], filled in place. */
function fillExperts(experts: Tensor, weight: Tensor, { from, noise }: Settings): void {
  if (from !== 'random') experts.copy_(weight);
  if (from === 'copy') return;
  const random = randn([...experts.shape], { dtype: experts.dtype, device: experts.device });
  const deviation = weight.square().mean().sqrt();
  if (from === 'random') experts.copy_(random.mul(deviation));
  else experts.add_(random.sub(random.mean({ dim: 0, keepdim: true })).mul(deviation.mul(noise)));
}
