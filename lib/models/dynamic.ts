/**
 * The networks of the paper on dynamic convolution: ResNets and MobileNets all of whose convolutions but the first are dynamic.
 * @see https://arxiv.org/abs/1912.03458
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import type { StaticLayer } from '../nn/dynamic-layer.js';
import { dynamize } from '../nn/dynamize.js';
import { MOBILENET_V2_KEYS, type MobileNetV2, type MobileNetV2Options, mobilenetV2 } from './mobilenet-v2.js';
import {
  MOBILENET_V3_KEYS,
  type MobileNetV3,
  type MobileNetV3Options,
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
}

/** @internal */
export const DYNAMIC_KEYS = optionKeys('numExperts', 'reduction', 'temperature');

/** Options of {@link resnet10Dy} and {@link resnet18Dy}. */
export interface ResNetDyOptions extends ResNetOptions, DynamicOptions {}

/** @internal */
export const RESNET_DY_KEYS = optionKeys(...RESNET_KEYS, ...DYNAMIC_KEYS);

/** Options of {@link mobilenetV2Dy}. */
export interface MobileNetV2DyOptions extends MobileNetV2Options, DynamicOptions {}

/** @internal */
export const MOBILENET_V2_DY_KEYS = optionKeys(...MOBILENET_V2_KEYS, ...DYNAMIC_KEYS);

/** Options of {@link mobilenetV3SmallDy}. */
export interface MobileNetV3DyOptions extends MobileNetV3Options, DynamicOptions {}

/** @internal */
export const MOBILENET_V3_DY_KEYS = optionKeys(...MOBILENET_V3_KEYS, ...DYNAMIC_KEYS);

/** All convolutions but the first, each expert initialised like the convolution. */
const paper = { from: 'random' } as const;

/**
 * ResNet-10-DY.
 * @see https://arxiv.org/abs/1912.03458
 */
export function resnet10Dy(options: ResNetDyOptions = {}): ResNet {
  const { numExperts, reduction, temperature, ...rest } = checkOptions(options, RESNET_DY_KEYS);
  return dynamize(resnet10(rest), { ...paper, numExperts, reduction, temperature });
}

/**
 * ResNet-18-DY: the convolutions of the shortcuts are dynamic too.
 * @see https://arxiv.org/abs/1912.03458
 * @example const model = models.resnet18Dy({ numClasses: 10, numExperts: 4 });
 */
export function resnet18Dy(options: ResNetDyOptions = {}): ResNet {
  const { numExperts, reduction, temperature, ...rest } = checkOptions(options, RESNET_DY_KEYS);
  return dynamize(resnet18(rest), { ...paper, numExperts, reduction, temperature });
}

/**
 * MobileNetV2-DY; `widthMult` 0.35, 0.5, 0.75 and 1 are in the paper. The last convolution is not dynamic: the paper's numbers
 * of parameters and operations are those of such a network.
 * @see https://arxiv.org/abs/1912.03458
 */
export function mobilenetV2Dy(options: MobileNetV2DyOptions = {}): MobileNetV2 {
  const { numExperts, reduction, temperature, ...rest } = checkOptions(options, MOBILENET_V2_DY_KEYS);
  const model = mobilenetV2(rest);
  const fixed = ['features.0.0', `features.${model.features.length - 1}.0`];
  const filter = (_: StaticLayer, key: string) => !fixed.includes(key);
  return dynamize(model, { ...paper, numExperts, reduction, temperature, filter });
}

/**
 * MobileNetV3-Small-DY. The two layers of squeeze and excitation are not dynamic: they have one pixel.
 * @see https://arxiv.org/abs/1912.03458
 */
export function mobilenetV3SmallDy(options: MobileNetV3DyOptions = {}): MobileNetV3 {
  const { numExperts, reduction, temperature, ...rest } = checkOptions(options, MOBILENET_V3_DY_KEYS);
  const filter = (_: StaticLayer, key: string) => key !== 'features.0.0' && !/\.fc[12]$/.test(key);
  return dynamize(mobilenetV3Small(rest), { ...paper, numExperts, reduction, temperature, filter });
}
