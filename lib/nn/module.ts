/**
 * The base class of layers and networks: a tree of parameters, buffers and modules in the fields of the object.
 * @module
 */
import { inspect } from 'node:util';
import { checkFunction, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { keep, noGrad, tidy } from '../tensor/context.js';
import { isFloatingPoint } from '../tensor/dtype.js';
import { isTensor, native, type Tensor, TO_KEYS, type ToOptions } from '../tensor/tensor.js';
import { nameLayerInErrors } from './error-path.js';
import {
  type LoadResult,
  type LoadStateDictOptions,
  loadState,
  type MismatchResult,
  type StateEntry,
} from './load-state.js';
import { keyOf } from './state-key.js';

const PARAMETER_KEYS = optionKeys('requiresGrad');
const BUFFER_KEYS = optionKeys('persistent', 'required');

/** A module with any inputs and outputs. */
export type AnyModule = Module<never[], unknown>;

/** A function of a module. Its parameter may also be declared as a class of modules, such as `nn.Module`. */
export type ModuleFunction = { call(module: AnyModule): void }['call'];

/** Called after a module's forward; if it returns a Tensor or an array of tensors, this replaces the output. */
export type ForwardHook = (module: AnyModule, inputs: unknown[], output: unknown) => unknown;

/** Called before a module's forward; if it returns an array, this replaces the inputs. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook need not return anything
export type ForwardPreHook = (module: AnyModule, inputs: unknown[]) => unknown[] | void;

/** Removes a hook. */
export interface HookHandle {
  /** Removes the hook; a second call does nothing. */
  remove(): void;
}

/** Tensors of a model by key: PyTorch's `state_dict`. */
export type StateDict = Record<string, Tensor>;

const parameters = new WeakSet<Tensor>();

/** A trained tensor of a module: {@link Module} finds it in its fields. */
export interface Parameter extends Tensor {}

/**
 * Marks a tensor as a parameter and returns it.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
 * @example scale = new nn.Parameter(ones([8]));
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor returns a Tensor, which the interface declares
export class Parameter {
  constructor(data: Tensor, options: { requiresGrad?: boolean | undefined } = {}) {
    const { requiresGrad = true } = checkOptions(options, PARAMETER_KEYS);
    if (!isTensor(data)) throw invalidArgument('data', 'a Tensor', data);
    parameters.add(keep(data));
    data.requiresGrad = requiresGrad;
    // biome-ignore lint/correctness/noConstructorReturn: a parameter is the tensor itself, as in PyTorch
    return data as Parameter;
  }
}

/**
 * Base class of layers and networks. Fields that hold a {@link Parameter}, a Module, or a buffer registered with
 * {@link registerBuffer} become part of the module; their names, in snake_case and joined by dots, are the state's keys.
 * A field in snake_case or with an initial capital (`LayerNorm`) is its own key; {@link Module.stateKeys} sets others.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Module.html
 * @example
 * class Net extends nn.Module {
 *   conv = new nn.Conv2d(3, 8, 3);
 *   forward(x: Tensor) { return this.conv.forward(x).relu(); }
 * }
 */
export abstract class Module<Args extends unknown[] = [Tensor], Out = Tensor> {
  /** Training mode (batch statistics, dropout) or evaluation mode. Set by {@link train} and {@link eval}. */
  training = true;
  /**
   * Keys of fields that differ from the default, such as those of a PyTorch network with camelCase names.
   * @example class Block extends nn.Module { static override stateKeys = { conv3X3: 'conv3X3' }; … }
   */
  static readonly stateKeys: Readonly<Record<string, string>> = {};
  readonly #buffers = new Map<string, { persistent: boolean; required: boolean }>();
  readonly #hooks = new Set<{ hook: ForwardHook }>();
  readonly #preHooks = new Set<{ hook: ForwardPreHook }>();

  constructor() {
    nameLayerInErrors(this, Module.prototype);
  }

  /**
   * Computes the module's output. Errors of the package that it throws get the path of the layer they come from, such as
   * `features.3 (Conv2d): Expected ...`.
   */
  abstract forward(...args: Args): Out;

  /**
   * Adds a tensor to the state without training it, as the field `name`.
   * @param options.persistent - Whether {@link stateDict} contains it. Default true.
   * @param options.required - Whether a strict {@link loadStateDict} requires it; otherwise it is not changed if the state
   *   lacks it. Default true.
   */
  protected registerBuffer(
    name: string,
    tensor: Tensor | null,
    options: { persistent?: boolean | undefined; required?: boolean | undefined } = {},
  ): void {
    const { persistent = true, required = true } = checkOptions(options, BUFFER_KEYS);
    this.#buffers.set(name, { persistent, required });
    (this as Record<string, unknown>)[name] = tensor && keep(tensor);
  }

  /** Modules in the fields of this one, with their keys. */
  *namedChildren(): Generator<[string, AnyModule]> {
    for (const [field, value] of Object.entries(this)) {
      if (value instanceof Module) yield [keyOf(this, field), value as unknown as AnyModule];
    }
  }

  /** This module (key `''`) and all below it, depth first. @throws ArgumentError when a module contains itself. */
  *namedModules(prefix = ''): Generator<[string, AnyModule]> {
    yield* walk(this as unknown as AnyModule, prefix, []);
  }

  #checkTree(): void {
    for (const _ of this.namedModules());
  }

  /** All modules, this one first. */
  *modules(): Generator<AnyModule> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** All parameters with their keys, in the order of the fields; a shared one once. */
  *namedParameters(): Generator<[string, Tensor]> {
    const seen = new Set<Tensor>();
    for (const [key, parameter] of this.#allParameters()) {
      if (seen.has(parameter)) continue;
      seen.add(parameter);
      yield [key, parameter];
    }
  }

  /** All parameters, a shared one under each of its keys. */
  *#allParameters(): Generator<[string, Tensor]> {
    for (const [prefix, module] of this.namedModules()) {
      for (const [field, value] of Object.entries(module)) {
        if (isParameter(value)) yield [join(prefix, keyOf(module, field)), value];
      }
    }
  }

  /** All parameters. @example new optim.SGD(model.parameters(), { lr: 0.1 }) */
  *parameters(): Generator<Tensor> {
    for (const [, parameter] of this.namedParameters()) yield parameter;
  }

  /** All buffers with their keys. */
  *namedBuffers(): Generator<[string, Tensor]> {
    for (const { key, tensor } of this.#allBuffers()) yield [key, tensor];
  }

  *#allBuffers(): Generator<StateEntry & { persistent: boolean }> {
    for (const [prefix, module] of this.namedModules()) {
      for (const [field, options] of (module as unknown as this).#buffers) {
        const tensor = (module as unknown as Record<string, unknown>)[field];
        if (isTensor(tensor)) yield { key: join(prefix, keyOf(module, field)), tensor, ...options };
      }
    }
  }

  /** The tensors of the state. @throws ArgumentError when two have the same key. */
  #stateEntries(): StateEntry[] {
    const entries: StateEntry[] = [...this.#allParameters()].map(([key, tensor]) => ({
      key,
      tensor,
      required: true,
    }));
    for (const buffer of this.#allBuffers()) if (buffer.persistent) entries.push(buffer);
    const keys = new Set<string>();
    for (const { key } of entries) {
      if (keys.has(key)) {
        throw new ArgumentError(
          `Expected a unique key for each tensor of ${this.constructor.name} but two have ${key}: rename a field, or name it in stateKeys`,
        );
      }
      keys.add(key);
    }
    return entries;
  }

  /** Puts the module and all below it into training mode (or, with false, evaluation mode). */
  train(mode = true): this {
    if (typeof mode !== 'boolean') throw invalidArgument('mode', 'a boolean', mode);
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Puts the module and all below it into evaluation mode. */
  eval(): this {
    return this.train(false);
  }

  /** Sets `requiresGrad` of all parameters: false freezes them. */
  requiresGrad_(value = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = value;
    return this;
  }

  /** Removes the gradients of all parameters. */
  zeroGrad(): void {
    native.zeroGrad([...this.parameters()]);
  }

  /**
   * Moves parameters, their gradients and buffers in place, so that optimizers keep working. The dtype applies to
   * floating-point ones only.
   * @throws DeviceError when the device is not available; the module is then unchanged.
   */
  to(options: ToOptions): this {
    const { device, dtype } = checkOptions(options, TO_KEYS);
    const parameters = [...this.parameters()];
    const tensors = [...parameters, ...[...this.namedBuffers()].map(([, tensor]) => tensor)];
    const move = (tensor: Tensor) =>
      tensor.to({ device, dtype: isFloatingPoint(tensor.dtype) ? dtype : undefined });
    tidy(() =>
      noGrad(() => {
        const moved = tensors.map(move);
        const grads = parameters.map((parameter) => parameter.grad && move(parameter.grad));
        tensors.forEach((tensor, i) => {
          native.setData(tensor, moved[i]!);
        });
        parameters.forEach((parameter, i) => {
          if (grads[i]) native.setGrad(parameter, grads[i]);
        });
      }),
    );
    return this;
  }

  /** Calls `fn` on every module, children first, and returns this module. */
  apply(fn: ModuleFunction): this {
    checkFunction(fn);
    this.#checkTree();
    for (const [, child] of this.namedChildren()) child.apply(fn);
    fn(this as unknown as AnyModule);
    return this;
  }

  /**
   * Parameters and persistent buffers by PyTorch's keys: detached tensors that share memory, not copies.
   * @throws ArgumentError when two fields have the same key.
   * @see https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.state_dict
   */
  stateDict(): StateDict {
    return Object.fromEntries(this.#stateEntries().map(({ key, tensor }) => [key, tensor.detach()]));
  }

  /**
   * Copies a state into the parameters and buffers of the same keys. Everything is checked before anything is copied. A
   * key may also be spelled like the field (`convBlock.weight` for `conv_block.weight`). `num_batches_tracked` of batch
   * norms may be missing, as in files of PyTorch before 0.4.1; the counter is then not changed.
   * @param options.strict - Throw when keys are missing or unexpected. Default true.
   * @param options.ignoreMismatched - Leave out tensors with a different shape instead of throwing. Default false.
   * @returns The missing and unexpected keys, and those left out because of their shape.
   * @throws CheckpointError naming the keys, or the key and both shapes.
   * @see https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict
   */
  loadStateDict(state: StateDict, options: LoadStateDictOptions & { ignoreMismatched: true }): MismatchResult;
  loadStateDict(state: StateDict, options?: LoadStateDictOptions): LoadResult;
  loadStateDict(state: StateDict, options: LoadStateDictOptions = {}): LoadResult {
    return loadState(this as unknown as AnyModule, this.#stateEntries(), state, options);
  }

  /**
   * Calls `hook` after every forward of this module, with its inputs and output.
   * @returns `remove()` removes the hook.
   * @see https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_forward_hook
   */
  registerForwardHook(hook: ForwardHook): HookHandle {
    return this.#addHook(this.#hooks, hook);
  }

  /**
   * Calls `hook` before every forward of this module, with its inputs.
   * @returns `remove()` removes the hook.
   */
  registerForwardPreHook(hook: ForwardPreHook): HookHandle {
    return this.#addHook(this.#preHooks, hook);
  }

  #addHook<Hook>(hooks: Set<{ hook: Hook }>, hook: Hook): HookHandle {
    if (typeof hook !== 'function') throw invalidArgument('hook', 'a function', hook);
    const entry = { hook };
    if (this.#hooks.size + this.#preHooks.size === 0) this.#installHooks();
    hooks.add(entry);
    return {
      remove: () => {
        const removed = hooks.delete(entry);
        // Without the instance property, the forward method of the class is used again.
        if (removed && this.#hooks.size + this.#preHooks.size === 0)
          delete (this as { forward?: unknown }).forward;
      },
    };
  }

  #installHooks(): void {
    const forward = this.forward;
    if (Object.hasOwn(this, 'forward')) {
      throw new ArgumentError(
        `Expected forward of ${this.constructor.name} to be a method, not a field, for hooks`,
      );
    }
    Object.defineProperty(this, 'forward', {
      configurable: true,
      enumerable: false,
      value: (...args: Args): Out => {
        const self = this as unknown as AnyModule;
        let inputs: unknown[] = args;
        for (const { hook } of [...this.#preHooks]) {
          const replaced = hook(self, inputs);
          if (Array.isArray(replaced)) inputs = replaced;
        }
        let output: unknown = forward.apply(this, inputs as Args);
        for (const { hook } of [...this.#hooks]) {
          const replaced = hook(self, inputs, output);
          // Ignore other results of short arrow functions.
          if (isTensor(replaced) || (Array.isArray(replaced) && replaced.every(isTensor))) output = replaced;
        }
        return output as Out;
      },
    });
  }

  /** The constructor's arguments, for {@link toString}; layers override it. */
  protected extraRepr(): string {
    return '';
  }

  /** The tree of modules, as PyTorch prints it. */
  toString(): string {
    this.#checkTree();
    const children = [...this.namedChildren()].map(
      ([key, child]) => `  (${key}): ${child.toString().replaceAll('\n', '\n  ')}`,
    );
    const extra = this.extraRepr();
    if (children.length === 0) return `${this.constructor.name}(${extra})`;
    return `${this.constructor.name}(${extra}\n${children.join('\n')}\n)`;
  }

  /** For `console.log`: the tree of layers with their settings. */
  [inspect.custom](): string {
    return this.toString();
  }
}

function* walk(module: AnyModule, key: string, above: readonly AnyModule[]): Generator<[string, AnyModule]> {
  if (above.includes(module)) {
    throw new ArgumentError(
      `Expected a tree of modules but ${module.constructor.name} contains itself as ${key}: a #private field may refer to a module above`,
    );
  }
  yield [key, module];
  for (const [field, child] of module.namedChildren())
    yield* walk(child, join(key, field), [...above, module]);
}

/** @internal Checks that a container was given a module. */
export function checkModule<M extends AnyModule>(name: string, value: M): M {
  if (!((value as unknown) instanceof Module)) throw invalidArgument(name, 'a Module', value);
  return value;
}

function isParameter(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && parameters.has(value as Tensor);
}

function join(prefix: string, key: string): string {
  return prefix === '' ? key : `${prefix}.${key}`;
}
