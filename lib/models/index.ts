/**
 * Networks by name: `import { models } from 'dyconv'`.
 * @module
 */
import { checkOptions, optionKeys, probablyMeant } from '../check/index.js';
import { ArgumentError, CheckpointError, invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { MODEL_NAMES, type ModelName } from './names.js';
import { loadPretrained } from './pretrained.js';
import { MODEL_KEYS, type ModelOptions, ownOptions, REGISTRY } from './registry.js';

export {
  AlexNet,
  type AlexNetDyOptions,
  type AlexNetOptions,
  alexnet,
  alexnetDy,
  alexnetWide,
  type InitialWeights,
} from './alexnet.js';
export type { ClassifierOptions } from './blocks/options.js';
export { ConvNeXt, type ConvNeXtOptions, convnextTiny } from './convnext.js';
export { DenseNet, type DenseNetOptions, densenet121 } from './densenet.js';
export {
  type DynamicOptions,
  type MobileNetV2DyOptions,
  type MobileNetV3DyOptions,
  mobilenetV2Dy,
  mobilenetV3SmallDy,
  type ResNetDyOptions,
  resnet10Dy,
  resnet18Dy,
} from './dynamic.js';
export { EfficientNet, type EfficientNetOptions, efficientnetB0 } from './efficientnet.js';
export { MobileNetV2, type MobileNetV2Options, mobilenetV2 } from './mobilenet-v2.js';
export {
  MobileNetV3,
  type MobileNetV3Options,
  type MobileNetV3SmallOptions,
  type MobileNetV3SmallVariant,
  mobilenetV3Large,
  mobilenetV3Small,
} from './mobilenet-v3.js';
export type { ModelName } from './names.js';
export { loadPretrained, type PretrainedOptions, type PretrainedResult } from './pretrained.js';
export type { ModelOptions } from './registry.js';
export {
  ResNet,
  type ResNetOptions,
  resnet10,
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnet152,
  resnext50_32x4d,
  resnext101_32x8d,
  resnext101_64x4d,
  wideResnet50_2,
  wideResnet101_2,
} from './resnet.js';
export { SqueezeNet, type SqueezeNetOptions, squeezenet1_0, squeezenet1_1 } from './squeezenet.js';
export {
  TorchvisionAlexNet,
  torchvisionAlexnet,
  VGG,
  type VGGOptions,
  vgg11,
  vgg11Bn,
  vgg13,
  vgg13Bn,
  vgg16,
  vgg16Bn,
  vgg19,
  vgg19Bn,
} from './vgg.js';
export { VisionTransformer, type VisionTransformerOptions, vitB_16 } from './vision-transformer.js';
export type { WeightsSourceOptions } from './weights-source.js';

const CREATE_KEYS = optionKeys(...MODEL_KEYS, 'pretrained');

/** Names for {@link create}. */
export function list(): ModelName[] {
  return [...MODEL_NAMES];
}

/** Options of {@link create} with trained weights. */
export interface PretrainedModelOptions extends ModelOptions {
  /** Where the weights are: see {@link loadPretrained}. */
  pretrained: string | URL;
}

/**
 * Creates a network by name. Networks without dynamic convolutions ignore `numExperts`, `reduction`, `temperature` and
 * `initGain`, so that the same options serve a network and its dynamic form.
 *
 * With `pretrained`, the result is a promise of the network with these weights. If `numClasses` is given and the weights are for
 * another number, the last layer keeps its initial weights; all other keys and shapes must agree. {@link loadPretrained}
 * has more options and returns what was left out.
 * @throws ArgumentError for an unknown name, listing the known ones, and for an option that the network does not have.
 * @throws CheckpointError, DownloadError of {@link loadPretrained}.
 * @example models.create('resnet18', { numClasses: 10 })
 * @example await models.create('resnet18', { numClasses: 10, pretrained: 'resnet18-f37072fd.pth' })
 */
export function create(name: string, options: PretrainedModelOptions): Promise<Module>;
export function create(name: string, options?: ModelOptions): Module;
export function create(
  name: string,
  options: ModelOptions & { pretrained?: string | URL | undefined } = {},
): Module | Promise<Module> {
  const known = MODEL_NAMES.find((candidate) => candidate === name);
  if (known === undefined) throw unknownModel(name);
  const { pretrained, ...rest } = checkOptions(options, CREATE_KEYS);
  const model = REGISTRY[known].create(ownOptions(known, rest));
  if (pretrained === undefined) return model;
  return withWeights(model, pretrained, rest.numClasses !== undefined);
}

function unknownModel(name: unknown): ArgumentError {
  const error = invalidArgument('model', `one of ${MODEL_NAMES.join(', ')}`, name);
  const meant = typeof name === 'string' ? probablyMeant(name, MODEL_NAMES) : undefined;
  return meant === undefined ? error : new ArgumentError(`${error.message}: did you mean '${meant}'?`);
}

/** @param otherClasses - Whether the last layer may have another number of classes than the weights. */
async function withWeights(model: Module, source: string | URL, otherClasses: boolean): Promise<Module> {
  const { mismatched, file } = await loadPretrained(model, source, { ignoreMismatched: otherClasses });
  const [weight, bias] = [...model.namedParameters()].slice(-2).map(([key]) => key);
  const others = mismatched.filter((key) => key !== weight && key !== bias);
  if (others.length === 0) return model;
  throw new CheckpointError(
    `Expected weights of this network in ${file} but the shapes of ${others.slice(0, 6).join(', ')} differ`,
  );
}
