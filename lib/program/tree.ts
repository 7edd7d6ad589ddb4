/**
 * The nesting of inputs and outputs in packages of AOTInductor: PyTorch stores it as JSON.
 * @see https://github.com/pytorch/pytorch/blob/main/torch/utils/_pytree.py
 * @module
 */
import { ArgumentError, CheckpointError } from '../errors.js';
import type { ProgramInput } from './runner.js';

/** One level of nesting. */
export interface Tree {
  /** Name of the Python type; null for a leaf, which is a tensor. */
  readonly type: string | null;
  /** Keys of a dictionary; field names of a named tuple. */
  readonly keys: readonly string[];
  readonly children: readonly Tree[];
}

interface StoredTree {
  type: string | null;
  context: unknown;
  children_spec: StoredTree[];
}

const DICTIONARIES = ['builtins.dict', 'collections.OrderedDict', 'collections.defaultdict'];
const LISTS = ['builtins.tuple', 'builtins.list', 'collections.deque'];

/** Parses the JSON of a tree. @throws CheckpointError for types that are neither lists nor dictionaries. */
export function parseTree(json: string, file: string): Tree {
  let stored: unknown;
  try {
    stored = JSON.parse(json);
  } catch (cause) {
    throw new CheckpointError(`${file} is damaged: its call specification is not JSON`, { cause });
  }
  const [, root] = Array.isArray(stored) ? (stored as unknown[]) : [];
  return treeOf(root as StoredTree, file);
}

function treeOf(stored: StoredTree, file: string): Tree {
  if (typeof stored !== 'object' || stored === null || !Array.isArray(stored.children_spec))
    throw new CheckpointError(`${file} is damaged: its call specification is not a tree`);
  const { type } = stored;
  const children = stored.children_spec.map((child) => treeOf(child, file));
  if (type === null || LISTS.includes(type)) return { type, keys: [], children };
  if (!DICTIONARIES.includes(type))
    throw new CheckpointError(
      `Expected lists and dictionaries as inputs and outputs of ${file} but received ${type}`,
    );
  return { type, keys: keysOf(stored.context, children.length, file), children };
}

function keysOf(context: unknown, count: number, file: string): string[] {
  const parsed: unknown = typeof context === 'string' ? JSON.parse(context) : context;
  // A defaultdict has its factory first.
  const keys = Array.isArray(parsed) && Array.isArray(parsed.at(-1)) ? (parsed.at(-1) as unknown) : parsed;
  if (!Array.isArray(keys) || keys.length !== count)
    throw new CheckpointError(`${file} is damaged: the keys of a dictionary are missing`);
  return keys.map(String);
}

/** A tree as a type: `Tensor`, `[Tensor, Tensor]`, `{ logits: Tensor }`. */
export function describeTree({ type, keys, children }: Tree): string {
  if (type === null) return 'Tensor';
  const parts = children.map((child, i) => (keys.length > 0 ? `${keys[i]}: ` : '') + describeTree(child));
  return DICTIONARIES.includes(type) ? `{ ${parts.join(', ')} }` : `[${parts.join(', ')}]`;
}

/** The leaves of a value of the tree's nesting. @throws ArgumentError for a value of another nesting. */
export function flatten(tree: Tree, value: ProgramInput | undefined, name: string): ProgramInput[] {
  if (tree.type === null) {
    if (value === undefined) throw new ArgumentError(`Expected a Tensor for ${name} of run`);
    return [value];
  }
  const list = DICTIONARIES.includes(tree.type)
    ? tree.keys.map((key) => (value as Record<string, ProgramInput> | null | undefined)?.[key])
    : value;
  if (!Array.isArray(list) || list.length !== tree.children.length)
    throw new ArgumentError(
      `Expected ${describeTree(tree)} for ${name} of run but received ${Array.isArray(value) ? `an array of ${value.length}` : typeof value}`,
    );
  return tree.children.flatMap((child, i) =>
    flatten(
      child,
      list[i] as ProgramInput,
      `${name}${tree.keys[i] === undefined ? `[${i}]` : `.${tree.keys[i]}`}`,
    ),
  );
}

/** The value of the tree's nesting from its leaves, which are taken from the list. */
export function unflatten<T>(tree: Tree, leaves: T[]): unknown {
  if (tree.type === null) return leaves.shift();
  const values = tree.children.map((child) => unflatten(child, leaves));
  if (!DICTIONARIES.includes(tree.type)) return values;
  return Object.fromEntries(tree.keys.map((key, i) => [key, values[i]]));
}
