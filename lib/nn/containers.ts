/**
 * Lists and dictionaries of modules, for custom networks that call the modules themselves. State keys are positions or names.
 * @module
 */

import { integer } from '../check/arguments.js';
import { checkIterable, checkObject } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { type AnyModule, checkModule, Module } from './module.js';

/** The error of a container without a forward method. */
function noForward(container: object): never {
  throw invalidArgument('module', 'a module with a forward: call those in the container', container);
}

/**
 * Modules by position; their keys are `0`, `1`, …
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
 * @example blocks = new nn.ModuleList([new nn.Linear(4, 4), new nn.Linear(4, 4)]);
 */
export class ModuleList<M extends AnyModule = Module> extends Module<never[], never> {
  [index: number]: M;
  #length = 0;

  constructor(modules: Iterable<M> = []) {
    super();
    this.extend(modules);
  }

  /** The number of modules. */
  get length(): number {
    return this.#length;
  }

  /** The module at a position; negative counts from the end. */
  at(index: number): M | undefined {
    integer('index', index, Number.MIN_SAFE_INTEGER);
    return this[index < 0 ? this.#length + index : index];
  }

  /** Adds modules at the end. */
  push(...modules: M[]): this {
    return this.extend(modules);
  }

  /** Adds modules at the end. */
  extend(modules: Iterable<M>): this {
    for (const module of checkIterable(modules, 'modules', 'Modules')) {
      this[this.#length] = checkModule(`modules[${this.#length}]`, module);
      this.#length++;
    }
    return this;
  }

  /** Replaces the module at a position. */
  replace(index: number, module: M): void {
    integer('index', index, 0);
    if (index >= this.#length) throw invalidArgument('index', `an integer below ${this.#length}`, index);
    this[index] = checkModule('module', module);
  }

  /** The modules, in their order. */
  *[Symbol.iterator](): Generator<M> {
    for (let i = 0; i < this.#length; i++) yield this[i]!;
  }

  forward(): never {
    return noForward(this);
  }
}

/**
 * Modules by name; the names are their keys, unchanged.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ModuleDict.html
 * @example heads = new nn.ModuleDict({ classes: new nn.Linear(8, 10), box: new nn.Linear(8, 4) });
 */
export class ModuleDict<M extends AnyModule = Module> extends Module<never[], never> {
  readonly #modules = new Map<string, M>();

  constructor(modules: Readonly<Record<string, M>> = {}) {
    super();
    for (const [key, module] of Object.entries(checkObject(modules, 'modules'))) this.set(key, module);
  }

  /** The number of modules. */
  get size(): number {
    return this.#modules.size;
  }

  /** The module of a name. */
  get(key: string): M | undefined {
    return this.#modules.get(key);
  }

  /** Whether there is a module of this name. */
  has(key: string): boolean {
    return this.#modules.has(key);
  }

  /** Adds or replaces a module. @param key - Not empty, without a dot. */
  set(key: string, module: M): this {
    if (typeof key !== 'string' || key === '' || key.includes('.'))
      throw invalidArgument('key', 'a name without dots', key);
    this.#modules.set(key, checkModule(`modules['${key}']`, module));
    return this;
  }

  /** Removes a module. */
  delete(key: string): boolean {
    return this.#modules.delete(key);
  }

  /** The names, in their order. */
  keys(): IterableIterator<string> {
    return this.#modules.keys();
  }

  /** The modules, in the order of their names. */
  values(): IterableIterator<M> {
    return this.#modules.values();
  }

  /** Pairs of name and module, in their order. */
  entries(): IterableIterator<[string, M]> {
    return this.#modules.entries();
  }

  /** Pairs of name and module, in their order. */
  [Symbol.iterator](): IterableIterator<[string, M]> {
    return this.#modules.entries();
  }

  override *namedChildren(): Generator<[string, AnyModule]> {
    yield* this.#modules.entries();
  }

  forward(): never {
    return noForward(this);
  }
}
