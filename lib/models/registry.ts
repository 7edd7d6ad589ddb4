/**
 * The table of the networks: how to make each, and its options.
 * @module
 */
import { optionKeys } from '../check/index.js';
import { ArgumentError } from '../errors.js';
import type { Module } from '../nn/module.js';
import {
  ALEX_NET_DY_KEYS,
  ALEX_NET_KEYS,
  type AlexNetDyOptions,
  alexnet,
  alexnetDy,
  alexnetWide,
} from './alexnet.js';
import { CONVNEXT_KEYS, type ConvNeXtOptions, convnextTiny } from './convnext.js';
import { DENSENET_KEYS, type DenseNetOptions, densenet121 } from './densenet.js';
import * as dynamic from './dynamic.js';
import { EFFICIENTNET_KEYS, type EfficientNetOptions, efficientnetB0 } from './efficientnet.js';
import { MOBILENET_V2_KEYS, type MobileNetV2Options, mobilenetV2 } from './mobilenet-v2.js';
import {
  MOBILENET_V3_KEYS,
  MOBILENET_V3_SMALL_KEYS,
  type MobileNetV3SmallOptions,
  mobilenetV3Large,
  mobilenetV3Small,
} from './mobilenet-v3.js';
import type { ModelName } from './names.js';
import * as resnet from './resnet.js';
import { squeezenet1_0, squeezenet1_1 } from './squeezenet.js';
import * as vgg from './vgg.js';
import { VIT_KEYS, type VisionTransformerOptions, vitB_16 } from './vision-transformer.js';

/** Options of {@link create}: those of all networks. Each network's own options are documented at its function. */
export interface ModelOptions
  extends AlexNetDyOptions,
    resnet.ResNetOptions,
    MobileNetV2Options,
    MobileNetV3SmallOptions,
    vgg.VGGOptions,
    DenseNetOptions,
    EfficientNetOptions,
    ConvNeXtOptions,
    VisionTransformerOptions,
    dynamic.DynamicOptions {}

/** How to make a network, and the names of its options. */
export interface Entry {
  readonly create: (options: ModelOptions) => Module;
  readonly keys: ReadonlySet<string>;
}

const resNet = (create: (options: resnet.ResNetOptions) => Module): Entry => ({
  create,
  keys: resnet.RESNET_KEYS,
});

const vggLike = (create: (options: vgg.VGGOptions) => Module): Entry => ({ create, keys: vgg.VGG_KEYS });

/** All networks by name. */
export const REGISTRY: Readonly<Record<ModelName, Entry>> = {
  alexnet: { create: alexnet, keys: ALEX_NET_KEYS },
  'alexnet-dy': { create: alexnetDy, keys: ALEX_NET_DY_KEYS },
  'alexnet-wide': { create: alexnetWide, keys: ALEX_NET_KEYS },
  resnet10: resNet(resnet.resnet10),
  resnet18: resNet(resnet.resnet18),
  resnet34: resNet(resnet.resnet34),
  resnet50: resNet(resnet.resnet50),
  resnet101: resNet(resnet.resnet101),
  resnet152: resNet(resnet.resnet152),
  resnext50_32x4d: resNet(resnet.resnext50_32x4d),
  resnext101_32x8d: resNet(resnet.resnext101_32x8d),
  resnext101_64x4d: resNet(resnet.resnext101_64x4d),
  wide_resnet50_2: resNet(resnet.wideResnet50_2),
  wide_resnet101_2: resNet(resnet.wideResnet101_2),
  mobilenet_v2: { create: mobilenetV2, keys: MOBILENET_V2_KEYS },
  mobilenet_v3_small: { create: mobilenetV3Small, keys: MOBILENET_V3_SMALL_KEYS },
  mobilenet_v3_large: { create: mobilenetV3Large, keys: MOBILENET_V3_KEYS },
  torchvision_alexnet: vggLike(vgg.torchvisionAlexnet),
  vgg11: vggLike(vgg.vgg11),
  vgg11_bn: vggLike(vgg.vgg11Bn),
  vgg13: vggLike(vgg.vgg13),
  vgg13_bn: vggLike(vgg.vgg13Bn),
  vgg16: vggLike(vgg.vgg16),
  vgg16_bn: vggLike(vgg.vgg16Bn),
  vgg19: vggLike(vgg.vgg19),
  vgg19_bn: vggLike(vgg.vgg19Bn),
  squeezenet1_0: vggLike(squeezenet1_0),
  squeezenet1_1: vggLike(squeezenet1_1),
  densenet121: { create: densenet121, keys: DENSENET_KEYS },
  efficientnet_b0: { create: efficientnetB0, keys: EFFICIENTNET_KEYS },
  convnext_tiny: { create: convnextTiny, keys: CONVNEXT_KEYS },
  vit_b_16: { create: vitB_16, keys: VIT_KEYS },
  resnet10_dy: { create: dynamic.resnet10Dy, keys: dynamic.RESNET_DY_KEYS },
  resnet18_dy: { create: dynamic.resnet18Dy, keys: dynamic.RESNET_DY_KEYS },
  mobilenet_v2_dy: { create: dynamic.mobilenetV2Dy, keys: dynamic.MOBILENET_V2_DY_KEYS },
  mobilenet_v3_small_dy: { create: dynamic.mobilenetV3SmallDy, keys: dynamic.MOBILENET_V3_DY_KEYS },
};

/** @internal The options of all networks. */
export const MODEL_KEYS = optionKeys(
  'numClasses',
  'inChannels',
  'dropout',
  'numExperts',
  'temperature',
  'initGain',
  'middleChannels',
  'classifierGain',
  'initialWeights',
  'reduction',
  'zeroInitResidual',
  'groups',
  'widthPerGroup',
  'replaceStrideWithDilation',
  'widthMult',
  'roundNearest',
  'reducedTail',
  'dilated',
  'variant',
  'filter',
  'bnSize',
  'dropRate',
  'stochasticDepthProb',
  'layerScale',
  'imageSize',
  'patchSize',
  'attentionDropout',
  'representationSize',
);

/** Options of dynamic convolutions, which networks without them ignore. */
const DYNAMIC: ReadonlySet<string> = new Set([...dynamic.DYNAMIC_KEYS, 'initGain']);

/**
 * @internal The options that a network has; those of dynamic convolutions are left out for other networks.
 * @throws ArgumentError for another option, with the names of those of the network.
 */
export function ownOptions(name: ModelName, options: ModelOptions): ModelOptions {
  const { keys } = REGISTRY[name];
  const own = Object.entries(options).filter(
    ([key, value]) => value !== undefined && (keys.has(key) || !DYNAMIC.has(key)),
  );
  const foreign = own.find(([key]) => !keys.has(key));
  if (foreign !== undefined) {
    throw new ArgumentError(
      `Expected the keys ${[...keys].join(', ')} for options of ${name} but received '${foreign[0]}'`,
    );
  }
  return Object.fromEntries(own);
}
