/**
 * Networks by name: `import { models } from 'dyconv'`.
 * @module
 */
import { checkOptions } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { DYNAMIC_KEYS } from './dynamic.js';
import { MODEL_NAMES, type ModelName } from './names.js';
import { MODEL_KEYS, type ModelOptions, REGISTRY } from './registry.js';

export {
  AlexNet,
  type AlexNetDyOptions,
  type AlexNetOptions,
  alexnet,
  alexnetDy,
  alexnetWide,
} from './alexnet.js';
export type { ClassifierOptions } from './blocks/options.js';
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
export { MobileNetV2, type MobileNetV2Options, mobilenetV2 } from './mobilenet-v2.js';
export {
  MobileNetV3,
  type MobileNetV3Options,
  mobilenetV3Large,
  mobilenetV3Small,
} from './mobilenet-v3.js';
export type { ModelName } from './names.js';
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

/** Options of dynamic convolutions, which networks without them ignore. */
const DYNAMIC: ReadonlySet<string> = new Set([...DYNAMIC_KEYS, 'initGain']);

/** Names for {@link create}. */
export function list(): ModelName[] {
  return [...MODEL_NAMES];
}

/**
 * Creates a network by name. Networks without dynamic convolutions ignore `numExperts`, `reduction`, `temperature` and
 * `initGain`, so that the same options serve a network and its dynamic form.
 * @throws ArgumentError for an unknown name, listing the known ones, and for an option that the network does not have.
 * @example models.create('resnet18', { numClasses: 10 })
 */
export function create(name: string, options: ModelOptions = {}): Module {
  const known = MODEL_NAMES.find((candidate) => candidate === name);
  if (known === undefined) throw invalidArgument('model', `one of ${list().join(', ')}`, name);
  const { create, keys } = REGISTRY[known];
  const own = Object.entries(checkOptions(options, MODEL_KEYS)).filter(
    ([key, value]) => value !== undefined && (keys.has(key) || !DYNAMIC.has(key)),
  );
  const foreign = own.find(([key]) => !keys.has(key));
  if (foreign !== undefined) {
    throw new ArgumentError(
      `Expected the keys ${[...keys].join(', ')} for options of ${name} but received '${foreign[0]}'`,
    );
  }
  return create(Object.fromEntries(own));
}
