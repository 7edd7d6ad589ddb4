/**
 * Freezes parts of a network for fine-tuning.
 * @module
 */
import { checkIterable } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { checkModel } from './checks.js';

/** Result of {@link freeze}. */
export interface FrozenParts {
  /** Names of the parameters that no longer have gradients. */
  parameters: string[];
  /** The frozen modules, for the option `frozen` of {@link Trainer}. */
  modules: Module[];
}

/**
 * Freezes parts of a network: their parameters have `requiresGrad` false, so that no gradient is computed for them and an
 * optimizer leaves them unchanged. The option `frozen` of {@link Trainer} also keeps their batch-norm statistics.
 * @param parts - Names of modules or parameters, such as `layer1` or `layer2.0.conv1.weight`; `*` matches any characters. A
 *   module includes all below it. `features` means, for a network without a module of this name, all but its last part
 *   ({@link headOf}), so that it can be used for every network.
 * @throws ArgumentError for a name that the network does not have, with those of its parts.
 * @example
 * const { modules } = train.freeze(model, ['features']);
 * const parameters = [...model.parameters()].filter((parameter) => parameter.requiresGrad);
 * const optimizer = new optim.AdamW(parameters, { lr: 1e-3 });
 * const trainer = new train.Trainer({ model, optimizer, trainLoader, epochs: 5, frozen: modules });
 */
export function freeze(model: Module, parts: readonly string[]): FrozenParts {
  checkModel(model);
  checkIterable(parts, 'parts', 'an array of names');
  const children = new Set([...model.namedParameters()].map(([name]) => name.split('.')[0]!));
  const head = headOf(model);
  const patterns = [...parts].flatMap((part) => {
    if (typeof part !== 'string' || part === '') throw invalidArgument('parts', 'names of modules', part);
    const isFeatures = part === 'features' && !children.has('features');
    return (isFeatures ? [...children].filter((name) => name !== head) : [part]).map((name) => ({
      part,
      matches: matcher(name),
    }));
  });
  const frozen = new Set<string>();
  for (const { part, matches } of patterns) {
    const names = [...model.namedParameters()].map(([name]) => name).filter(matches);
    if (names.length === 0) {
      throw new ArgumentError(
        `Expected the names of parts of the network (${[...children].join(', ')}, or below them) but received '${part}'`,
      );
    }
    for (const name of names) frozen.add(name);
  }
  for (const [name, parameter] of model.namedParameters())
    if (frozen.has(name)) parameter.requiresGrad = false;
  const modules = [...model.namedModules()]
    .filter(([name]) => name !== '' && patterns.some(({ matches }) => matches(name)))
    .map(([, module]) => module as Module);
  return { parameters: [...frozen], modules };
}

/** Whether a name is that of the pattern or below it. */
function matcher(pattern: string): (name: string) => boolean {
  const source = pattern
    .split('*')
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  const expression = new RegExp(`^${source}(\\.|$)`);
  return (name) => expression.test(name);
}

/**
 * The name of the last part of a network: the direct child with its last parameter, which computes the logits, such as `fc` of a
 * ResNet and `classifier` of a MobileNet.
 */
export function headOf(model: Module): string {
  checkModel(model);
  const [last] = [...model.namedParameters()].slice(-1);
  return last?.[0].split('.')[0] ?? '';
}
