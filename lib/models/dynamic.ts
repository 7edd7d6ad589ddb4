/**
 * The networks of the paper on dynamic convolution: ResNets and MobileNets with dynamic convolutions. Which ones are dynamic follows from
 * the numbers of parameters and operations in its tables.
 * @see https://arxiv.org/abs/1912.03458
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import type { StaticLayer } from '../nn/dynamic-layer.js';
import { dynamize } from '../nn/dynamize.js';
import type { AnyModule } from '../nn/module.js';
import { MOBILENET_V2_KEYS, type MobileNetV2, type MobileNetV2Options, mobilenetV2 } from './mobilenet-v2.js';
import {
  MOBILENET_V3_SMALL_KEYS,
  type MobileNetV3,
  type MobileNetV3SmallOptions,
  mobilenetV3Small,
} from './mobilenet-v3.js';
import { RESNET_KEYS, type ResNet, type ResNetOptions, resnet10, resnet18 } from './resnet.js';

/** Options of the dynamic convolutions of a network. */
export interface DynamicOptions {
  /** Number of kernels of each dynamic layer. Default 4. */
  numExperts?: number | undefined;
  /** The hidden layer of each routing has inChannels / reduction units, at least 1. Default 4. */
  reduction?: number | undefined;
  /** Initial softmax temperature. Default 30. */
  temperature?: number | undefined;
  /** Which convolutions are dynamic, by the layer and its key such as `layer1.0.conv1`. Default: see the network. */
  filter?: ((layer: StaticLayer, key: string) => boolean) | undefined;
}

/** @internal */
export const DYNAMIC_KEYS = optionKeys('numExperts', 'reduction', 'temperature', 'filter');

/** Options of {@link resnet10Dy} and {@link resnet18Dy}. */
export interface ResNetDyOptions extends ResNetOptions, DynamicOptions {}

/** @internal */
export const RESNET_DY_KEYS = optionKeys(...RESNET_KEYS, ...DYNAMIC_KEYS);

/** Options of {@link mobilenetV2Dy}. */
export interface MobileNetV2DyOptions extends MobileNetV2Options, DynamicOptions {}

/** @internal */
export const MOBILENET_V2_DY_KEYS = optionKeys(...MOBILENET_V2_KEYS, ...DYNAMIC_KEYS);

/** Options of {@link mobilenetV3SmallDy}. */
export interface MobileNetV3DyOptions extends MobileNetV3SmallOptions, DynamicOptions {}

/** @internal */
export const MOBILENET_V3_DY_KEYS = optionKeys(...MOBILENET_V3_SMALL_KEYS, ...DYNAMIC_KEYS);

/** Makes convolutions dynamic, each expert initialized like the convolution. */
function withExperts<M extends AnyModule>(
  model: M,
  options: DynamicOptions,
  filter: (layer: StaticLayer, key: string) => boolean,
): M {
  return dynamize(model, { ...options, filter: options.filter ?? filter, from: 'random' });
}

/** The 3x3 convolutions of the last two stages. */
const lastStages = (_: StaticLayer, key: string) => /^layer[34]\.\d+\.conv\d$/.test(key);

/**
 * ResNet-10-DY. The 3x3 convolutions of the last two stages are dynamic: 18.8 million parameters, 18.6 in the paper (all but the first layer
 * dynamic: 20.2).
 * @see https://arxiv.org/abs/1912.03458
 */
export function resnet10Dy(options: ResNetDyOptions = {}): ResNet {
  const { numExperts, reduction, temperature, filter, ...rest } = checkOptions(options, RESNET_DY_KEYS);
  return withExperts(resnet10(rest), { numExperts, reduction, temperature, filter }, lastStages);
}

/**
 * ResNet-18-DY. The 3x3 convolutions of the last two stages are dynamic: 42.9 million parameters, 42.7 in the paper (all but the first layer
 * dynamic: 45.5, as in later papers).
 * @see https://arxiv.org/abs/1912.03458
 * @example const model = models.resnet18Dy({ numClasses: 10, numExperts: 4 });
 * @example models.resnet18Dy({ filter: (_, key) => key !== 'conv1' });
 */
export function resnet18Dy(options: ResNetDyOptions = {}): ResNet {
  const { numExperts, reduction, temperature, filter, ...rest } = checkOptions(options, RESNET_DY_KEYS);
  return withExperts(resnet18(rest), { numExperts, reduction, temperature, filter }, lastStages);
}

/**
 * MobileNetV2-DY; `widthMult` 0.35, 0.5, 0.75 and 1 are in the paper. All convolutions but the first and the last are dynamic: the paper's numbers
 * of parameters and operations are those of such a network.
 * @see https://arxiv.org/abs/1912.03458
 */
export function mobilenetV2Dy(options: MobileNetV2DyOptions = {}): MobileNetV2 {
  const { numExperts, reduction, temperature, filter, ...rest } = checkOptions(options, MOBILENET_V2_DY_KEYS);
  const model = mobilenetV2(rest);
  const fixed = ['features.0.0', `features.${model.features.length - 1}.0`];
  return withExperts(model, { numExperts, reduction, temperature, filter }, (_, key) => !fixed.includes(key));
}

/**
 * MobileNetV3-Small-DY. All convolutions are dynamic but the first and the two layers of squeeze and excitation, which have one pixel.
 * The paper's network is `variant: 'preprint'`; the default has the structure of torchvision's network, as
 * {@link mobilenetV3Small} has.
 * @see https://arxiv.org/abs/1912.03458
 */
export function mobilenetV3SmallDy(options: MobileNetV3DyOptions = {}): MobileNetV3 {
  const { numExperts, reduction, temperature, filter, ...rest } = checkOptions(options, MOBILENET_V3_DY_KEYS);
  return withExperts(
    mobilenetV3Small(rest),
    { numExperts, reduction, temperature, filter },
    (_, key) => key !== 'features.0.0' && !/\.fc[12]$/.test(key),
  );
}
