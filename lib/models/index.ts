/**
 * Networks by name: `import { models } from 'dyconv'`.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { type AlexNetDyOptions, alexnet, alexnetDy } from './alexnet.js';
import { MODEL_NAMES } from './names.js';

const CREATE = optionKeys('numExperts', 'temperature', 'numClasses', 'inChannels', 'dropout');

export { AlexNet, type AlexNetDyOptions, type AlexNetOptions, alexnet, alexnetDy } from './alexnet.js';

/** Options of {@link create}: those of all models; a model ignores options of others. */
export type ModelOptions = AlexNetDyOptions;

const registry: Readonly<Record<(typeof MODEL_NAMES)[number], (options: ModelOptions) => Module>> = {
  alexnet: ({ numExperts: _, temperature: __, ...options }) => alexnet(options),
  'alexnet-dy': alexnetDy,
};

/** Names for {@link create}. */
export function list(): string[] {
  return [...MODEL_NAMES];
}

/**
 * Creates a model by name. @throws ArgumentError listing the known names.
 * @example models.create('alexnet-dy', { numClasses: 100, numExperts: 4 })
 */
export function create(name: string, options: ModelOptions = {}): Module {
  const known = MODEL_NAMES.find((candidate) => candidate === name);
  if (known === undefined) throw invalidArgument('model', `one of ${list().join(', ')}`, name);
  return registry[known](checkOptions(options, CREATE));
}
