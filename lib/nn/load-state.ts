/**
 * Copies a state into a module: matches keys with tensors and reports differences.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { noGrad, tidy } from '../tensor/context.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { otherSpellings } from './state-key.js';

/** Result of {@link Module.loadStateDict}: keys that do not match. */
export interface LoadResult {
  /** Keys of the module that the state lacks. */
  missing: string[];
  /** Keys of the state that the module lacks. */
  unexpected: string[];
}

/** A {@link LoadResult} with the tensors that were left out because of their shapes. */
export interface MismatchResult extends LoadResult {
  /** Keys whose shapes differ. */
  mismatched: string[];
}

/** Options of {@link Module.loadStateDict}. */
export interface LoadStateDictOptions {
  /** Throw when keys are missing or unexpected. Default true. */
  strict?: boolean | undefined;
  /** Leave out tensors with a different shape, such as a last layer for other classes, instead of throwing. Default false. */
  ignoreMismatched?: boolean | undefined;
}

const LOAD_KEYS = optionKeys('strict', 'ignoreMismatched');

/** The parts of a module that are used here. */
interface Tree {
  namedChildren(): Iterable<[string, Tree]>;
}

/** One tensor of a module, for {@link loadState}. */
export interface StateEntry {
  readonly key: string;
  readonly tensor: Tensor;
  /** Whether a strict load requires it if the state has other tensors of its module or those below. */
  readonly required: boolean;
}

/** A tensor of the module and the corresponding one of the state. */
interface Match {
  readonly key: string;
  readonly tensor: Tensor;
  /** The key in the state, which may be spelled differently. */
  readonly given: string;
}

/** Checks everything, then copies. @param entries - The module's tensors. See {@link Module.loadStateDict}. */
export function loadState(
  module: Tree,
  entries: readonly StateEntry[],
  state: Readonly<Record<string, Tensor>>,
  options: LoadStateDictOptions,
): LoadResult | MismatchResult {
  const { strict = true, ignoreMismatched = false } = checkOptions(options, LOAD_KEYS);
  if (typeof strict !== 'boolean') throw invalidArgument('strict', 'a boolean', strict);
  if (typeof ignoreMismatched !== 'boolean')
    throw invalidArgument('ignoreMismatched', 'a boolean', ignoreMismatched);
  if (typeof state !== 'object' || state === null)
    throw invalidArgument('state', 'an object of Tensors by key', state);
  const own = new Map(entries.map((entry) => [entry.key, entry]));
  const given = new Map<string, string>();
  const unexpected: string[] = [];
  const spellings = new Spellings();
  for (const key of Object.keys(state)) {
    const name = own.has(key) ? key : spellings.keyOf(module, key);
    const taken = given.has(name) || (name !== key && Object.hasOwn(state, name));
    if (own.has(name) && !taken) given.set(name, key);
    else unexpected.push(key);
  }
  // Only if the state has other tensors of the module or those below it.
  const known = new Set([...given.keys()].flatMap(modulesOf));
  const missing = entries
    .filter(({ key, required }) => !given.has(key) && (required || !known.has(moduleOf(key))))
    .map(({ key }) => key);
  if (strict && missing.length + unexpected.length > 0) {
    throw new CheckpointError(
      `Expected the keys of ${module.constructor.name} for state but received others: missing ${list(missing)}; ` +
        `unexpected ${list(unexpected)}${prefixHint(own, missing, unexpected)}`,
    );
  }
  const matches = [...given].map(([key, name]) => ({ key, tensor: own.get(key)!.tensor, given: name }));
  const mismatched = checkShapes(module, matches, state, ignoreMismatched);
  const left = new Set(mismatched);
  tidy(() =>
    noGrad(() => {
      for (const { key, tensor, given } of matches) {
        if (left.has(key)) continue;
        const value = state[given]!;
        tensor.copy_(tensor.ndim === value.ndim ? value : value.reshape([]));
      }
    }),
  );
  return ignoreMismatched ? { missing, unexpected, mismatched } : { missing, unexpected };
}

/** @returns The keys with different shapes. @throws CheckpointError for them, unless they are ignored. */
function checkShapes(
  module: Tree,
  matches: readonly Match[],
  state: Readonly<Record<string, Tensor>>,
  ignore: boolean,
): string[] {
  const wrong: string[] = [];
  let first = '';
  for (const { key, tensor, given } of matches) {
    const value = state[given];
    if (!isTensor(value)) throw invalidArgument(`state['${given}']`, 'a Tensor', value);
    const [expected, received] = [tensor.shape, value.shape];
    // PyTorch before 0.4 had no tensors without dimensions, and saved counters as [1].
    const scalar = expected.length === 0 && received.length === 1 && received[0] === 1;
    if (scalar || String(expected) === String(received)) continue;
    first ||= `Expected shape [${expected.join(', ')}] for ${key} of ${module.constructor.name} but received [${received.join(', ')}]`;
    wrong.push(key);
  }
  if (wrong.length > 0 && !ignore) {
    const others = wrong.length === 1 ? '' : `; ${wrong.length - 1} more differ: ${list(wrong.slice(1))}`;
    throw new CheckpointError(first + others);
  }
  return wrong;
}

/** The key of a module for an alternative spelling; the same key if there is none. */
class Spellings {
  readonly #levels = new Map<Tree, { names: Map<string, string>; children: Map<string, Tree> }>();

  keyOf(module: Tree, given: string): string {
    let at: Tree | undefined = module;
    const parts = given.split('.').map((part) => {
      if (at === undefined) return part;
      const { names, children } = this.#level(at);
      const name = children.has(part) ? part : (names.get(part) ?? part);
      at = children.get(name);
      return name;
    });
    return parts.join('.');
  }

  #level(module: Tree) {
    let level = this.#levels.get(module);
    if (level === undefined) {
      level = { names: otherSpellings(module), children: new Map(module.namedChildren()) };
      this.#levels.set(module, level);
    }
    return level;
  }
}

/** A hint if all keys of the state have an additional prefix, or lack one. */
function prefixHint(
  own: ReadonlyMap<string, unknown>,
  missing: readonly string[],
  unexpected: readonly string[],
): string {
  const [lacking, extra] = [missing[0], unexpected[0]];
  if (lacking === undefined || extra === undefined) return '';
  const surplus = unexpected.map((key) => key.slice(0, key.indexOf('.') + 1));
  const [prefix] = surplus;
  if (prefix && surplus.every((one, i) => one === prefix && own.has(unexpected[i]!.slice(prefix.length)))) {
    const origin = prefix === 'module.' ? ', which torch.nn.DataParallel adds' : '';
    return (
      `. The keys of the state begin with '${prefix}'${origin}; without it they fit: ` +
      `Object.fromEntries(Object.entries(state).map(([key, value]) => [key.slice(${prefix.length}), value]))`
    );
  }
  const given = new Set(unexpected);
  const start = lacking.slice(0, lacking.indexOf('.') + 1);
  if (start && missing.every((key) => key.startsWith(start) && given.has(key.slice(start.length))))
    return `. The keys of the state lack '${start}' in front`;
  return '';
}

/** The key of the module that contains a tensor. */
function moduleOf(key: string): string {
  return key.slice(0, key.lastIndexOf('.') + 1);
}

/** The keys of all modules that contain a tensor, at any depth. */
function modulesOf(key: string): string[] {
  const ends = [...key].flatMap((letter, i) => (letter === '.' ? [i + 1] : []));
  return ['', ...ends.map((end) => key.slice(0, end))];
}

function list(keys: readonly string[]): string {
  if (keys.length === 0) return 'none';
  const shown = keys.slice(0, 6).join(', ');
  return keys.length > 6 ? `${shown} and ${keys.length - 6} more` : shown;
}
