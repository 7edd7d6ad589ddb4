/**
 * Makes the convolutions of a network dynamic.
 * @module
 */
import { integer, number, oneOf } from '../check/arguments.js';
import { checkFunction, checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { noGrad, tidy } from '../tensor/context.js';
import { randn } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { DynamicConv2d, RoutingAttention } from './dynamic-conv.js';
import { Conv2d } from './layers.js';
import { type AnyModule, Module } from './module.js';
import { replaceLayers } from './replace.js';

/** What the experts of {@link dynamize} start from. */
export type ExpertSource = 'copy' | 'perturb' | 'random';

/** Options of {@link dynamize}. */
export interface DynamizeOptions {
  /** Number of kernels of each layer. Default 4. */
  numExperts?: number | undefined;
  /** The routing's hidden layer has inChannels / reduction units, at least 1. Default 4. */
  reduction?: number | undefined;
  /** Softmax temperature of the routing. Default 30. */
  temperature?: number | undefined;
  /**
   * The initial experts. `'copy'`: all are the layer's kernel, so that the network computes what it did until it is trained.
   * `'perturb'`: copies with noise, whose sum over the experts is 0; the network then computes nearly what it did, and the
   * experts differ from the start. `'random'`: independent normal numbers with the standard deviation of the layer's
   * weights, to train a network from the start as it is initialised. Biases are copied. Default `'copy'`.
   */
  from?: ExpertSource | undefined;
  /** Standard deviation of the noise of `'perturb'`, relative to that of the layer's weights. Default 0.1. */
  noise?: number | undefined;
  /**
   * Which layers become dynamic, by the layer and its key such as `layer1.0.conv1`. Default: all except the first one, as
   * in the paper.
   */
  filter?: ((layer: Conv2d, key: string) => boolean) | undefined;
}

const DYNAMIZE_KEYS = optionKeys('numExperts', 'reduction', 'temperature', 'from', 'noise', 'filter');

type Settings = RequiredOptions<Omit<DynamizeOptions, 'filter'>>;

/**
 * Replaces convolutions by dynamic ones, in place: strided, dilated, grouped and depthwise ones too. Every key `x.weight`
 * [O, I / groups, kh, kw] of the state becomes [K, O, I / groups, kh, kw], `x.bias` [O] becomes [K, O], and
 * `x.routing.net.0.weight|bias`, `x.routing.net.2.weight|bias` and `x.routing.temperature` are added. Device, dtype and
 * `requiresGrad` are kept; the routing is trained. Create the optimizer afterwards: the parameters are new.
 *
 * Not replaced: subclasses of Conv2d, convolutions of other dimensions, transposed convolutions, and the layers inside
 * dynamic convolutions.
 * @param module - A network; or a Conv2d, for which `filter` is not called.
 * @returns The module; for a Conv2d, a DynamicConv2d.
 * @throws ArgumentError when no layer is replaced, or when a layer that is to be replaced has hooks; nothing is then changed.
 * @see https://arxiv.org/abs/1912.03458
 * @example
 * const model = nn.dynamize(models.resnet18(), { numExperts: 4, filter: (layer) => layer.kernelSize[0] === 3 });
 */
export function dynamize(module: Conv2d, options?: DynamizeOptions): DynamicConv2d;
export function dynamize<M extends AnyModule>(module: M, options?: DynamizeOptions): M;
export function dynamize(module: AnyModule, options: DynamizeOptions = {}): AnyModule {
  if (!(module instanceof Module)) throw invalidArgument('module', 'a Module', module);
  const { filter, ...given } = checkOptions(options, DYNAMIZE_KEYS);
  const settings = checkSettings(given);
  if (filter !== undefined) checkFunction(filter, 'filter');
  if (isPlain(module)) return toDynamic(module, '', settings) as unknown as AnyModule;
  let first = true;
  const replaced = replaceLayers(module, (layer, key) => {
    if (layer instanceof DynamicConv2d || layer instanceof RoutingAttention) return 'keep';
    if (!isPlain(layer)) return undefined;
    const chosen = filter === undefined ? !first : filter(layer, key);
    first = false;
    return chosen ? (toDynamic(layer, key, settings) as unknown as AnyModule) : 'keep';
  });
  if (replaced.length === 0) {
    throw new ArgumentError(
      `Expected a module with a Conv2d that ${filter ? 'filter chooses' : 'is not the first one'} for module but received ${module.constructor.name} without one`,
    );
  }
  return module;
}

/** A Conv2d itself: a subclass may compute something else. */
function isPlain(module: unknown): module is Conv2d {
  return module instanceof Conv2d && module.constructor === Conv2d;
}

function checkSettings({
  numExperts = 4,
  reduction = 4,
  temperature = 30,
  from = 'copy',
  noise = 0.1,
}: Omit<DynamizeOptions, 'filter'>): Settings {
  return {
    numExperts: integer('numExperts', numExperts, 1),
    reduction: number('reduction', reduction, { min: Number.MIN_VALUE }),
    temperature: number('temperature', temperature, { min: Number.MIN_VALUE }),
    from: oneOf('from', ['copy', 'perturb', 'random'], from),
    noise: number('noise', noise, { min: 0 }),
  };
}

function toDynamic(conv: Conv2d, key: string, settings: Settings): DynamicConv2d {
  // A hook is a property of the layer, and would stay behind.
  if (Object.hasOwn(conv, 'forward'))
    throw new ArgumentError(`Expected a Conv2d without hooks for the layer ${key || 'module'}`);
  const { inChannels, outChannels, kernelSize, weight, bias, options } = conv;
  const { numExperts, reduction, temperature } = settings;
  const layer = new DynamicConv2d(inChannels, outChannels, kernelSize, {
    ...options,
    bias: bias !== null,
    numExperts,
    reduction,
    temperature,
    dtype: weight.dtype,
    device: weight.device,
  });
  layer.train(conv.training);
  noGrad(() =>
    tidy(() => {
      fillExperts(layer.weight, weight, settings);
      if (bias !== null) layer.bias!.copy_(bias);
    }),
  );
  layer.weight.requiresGrad = weight.requiresGrad;
  if (bias !== null) layer.bias!.requiresGrad = bias.requiresGrad;
  return layer;
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
