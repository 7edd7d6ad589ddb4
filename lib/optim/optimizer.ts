/**
 * The base class of optimizers: parameter groups with their own options, and a state that can be saved.
 * @module
 */
import { inspect } from 'node:util';
import {
  checkIterable,
  checkKeys,
  checkObject,
  checkOptions,
  dropUndefined,
  optionKeys,
  type PartialOptions,
} from '../check/index.js';
import { ArgumentError, CheckpointError, DyconvError, invalidArgument } from '../errors.js';
import { enableGrad, noGrad, untidy } from '../tensor/context.js';
import { full } from '../tensor/create.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { checkSaved, copied, isNumber, type SlotName, type Slots } from './slots.js';

export type { SlotName, Slots };

const FOUND = optionKeys('found');

/** Parameters that share options; the default options are the optimizer's. */
export type ParamGroup<Options> = { params: Iterable<Tensor> } & PartialOptions<Options>;

/** Parameters, or groups of them. */
export type Params<Options> = Iterable<Tensor> | Iterable<ParamGroup<Options>>;

/**
 * A group of the optimizer. `initialLr` is the initial rate of schedules: the first scheduler of the group sets it
 * to the group's rate at that moment.
 */
export type OptimizerGroup<Options> = Options & { params: Tensor[]; initialLr?: number | undefined };

/** State of an optimizer: options per group, and tensors by `<parameter>.<name>`. */
export interface OptimizerState {
  /** Options and parameter numbers of every group. */
  groups: Record<string, unknown>[];
  /** State of the parameters, by number and name. */
  tensors: Record<string, Tensor>;
}

/** Options of {@link Optimizer.step}. */
export interface StepOptions {
  /** float32, one number: not 0 if a gradient is not finite, in which case the step changes nothing. It is read on its device. */
  found?: Tensor | null | undefined;
}

/** Computes the loss and its gradients. */
export type Closure<T> = () => T;

/** Base class of optimizers. A subclass defines the step of a group and its state. */
export abstract class Optimizer<Options extends { lr: number } = { lr: number }> {
  /** Groups with their options, which may be changed between steps. */
  readonly paramGroups: OptimizerGroup<Options>[];
  /** State of each group, in the order of {@link paramGroups}. */
  readonly #slots: Slots[] = [];
  /** During a step: one float32 number, not 0 if the step must not change anything. */
  protected found: Tensor | null = null;
  readonly #rates = new Map<OptimizerGroup<Options>, { rate: Tensor; others: string }>();
  readonly #defaults: Options;
  readonly #seen = new Set<Tensor>();

  constructor(params: Params<Options>, options: Options) {
    const given = checkIterable(
      params as Iterable<Tensor | ParamGroup<Options>>,
      'params',
      'Tensors or groups of them',
    );
    checkObject(options, 'options');
    const tensors = given.filter((item): item is Tensor => isTensor(item));
    const groups = tensors.length > 0 ? [{ params: given as Tensor[] }] : (given as ParamGroup<Options>[]);
    this.#defaults = options;
    this.paramGroups = [];
    for (const group of groups) this.#add(group as ParamGroup<Options>);
    if (this.#seen.size === 0) throw invalidArgument('params', 'at least one Tensor', params);
  }

  /**
   * Adds parameters, such as layers that are no longer frozen.
   * @see https://pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
   */
  addParamGroup(group: ParamGroup<Options>): void {
    this.#add(group);
  }

  #checkGroup(group: ParamGroup<Options>): ParamGroup<Options> {
    const keys = new Set(['params', 'initialLr', ...Object.keys(this.#defaults)]);
    checkKeys(checkObject(group, 'params'), keys, 'params');
    return group;
  }

  #add(group: ParamGroup<Options>): void {
    const list = checkIterable(this.#checkGroup(group).params, 'params', 'Tensors or groups of them');
    for (const parameter of list) {
      if (!isTensor(parameter)) throw invalidArgument('params', 'Tensors or groups of them', parameter);
      if (!parameter.isDisposed && !parameter.isLeaf) {
        throw new ArgumentError(
          'Expected leaves for params but received a result of an operation: only leaves keep a gradient',
        );
      }
      if (this.#seen.has(parameter) || list.indexOf(parameter) !== list.lastIndexOf(parameter))
        throw new ArgumentError('Expected each parameter once for params but received one twice');
    }
    const merged = {
      ...this.#defaults,
      ...dropUndefined(group),
      params: list,
    } as OptimizerGroup<Options>;
    this.check(merged);
    native.checkTrainable(list);
    for (const parameter of list) this.#seen.add(parameter);
    this.paramGroups.push(merged);
    this.#slots.push(Object.fromEntries(this.slotNames.map((name) => [name, list.map(() => null)])));
  }

  /** Checks a group's options. @throws ArgumentError naming the option. */
  protected abstract check(options: Options): void;

  /** Names of all state tensors that a parameter may have. */
  protected abstract get slotNames(): readonly SlotName[];

  /** Names of the state tensors that a parameter of a group needs in a step; initially zeros. */
  protected abstract slotsOf(group: OptimizerGroup<Options>): readonly SlotName[];

  /** Initial values of the state tensors. */
  protected initialValue(_name: SlotName, _group: OptimizerGroup<Options>): number {
    return 0;
  }

  /** Updates the parameters of a group. */
  protected abstract stepGroup(group: OptimizerGroup<Options>, slots: Slots): void;

  /** Updates every parameter that has a gradient. @param options - The result of the gradient scaler. */
  step(options?: StepOptions): void;
  /**
   * Calls a closure, then updates every parameter that has a gradient.
   * @param closure - A function that computes the loss and its gradients (`zeroGrad()`, forward, `backward()`) and
   * returns the loss; it is called once, before the step, with gradients recorded.
   * @returns The result of the closure.
   * @throws ShapeError, DTypeError or DeviceError for a gradient or state that does not fit its parameter; nothing of its group
   * is changed then.
   */
  step<T>(closure: Closure<T>): T;
  step<T>(closureOrOptions: StepOptions | Closure<T> = {}): T | undefined {
    const isClosure = typeof closureOrOptions === 'function';
    const { found = null } = isClosure ? {} : checkOptions(closureOrOptions, FOUND);
    const result = isClosure ? enableGrad(closureOrOptions) : undefined;
    if (result instanceof Promise)
      throw new ArgumentError(
        'Expected a closure that returns the loss for step but received one that is async',
      );
    // An optimizer whose step does not read `found` on the device reads it here, which waits for the device.
    if (found !== null && !this.capturable && found.item() !== 0) return undefined;
    this.found = found;
    try {
      this.paramGroups.forEach((group, i) => {
        this.#makeSlots(group, this.#slots[i]!);
        this.stepGroup(group, this.#slots[i]!);
      });
    } finally {
      this.found = null;
    }
    return result;
  }

  /** Creates the state of parameters with their first gradient. */
  #makeSlots(group: OptimizerGroup<Options>, slots: Slots): void {
    const missing = this.slotsOf(group).filter((name) => slots[name]!.includes(null));
    if (missing.length === 0) return;
    const present = native.withGradient(group.params);
    for (const name of missing) {
      const list = slots[name]!;
      for (const i of present) {
        const parameter = group.params[i]!;
        list[i] ??= untidy(() =>
          isNumber(name)
            ? full([], this.initialValue(name, group), { device: parameter.device })
            : native.filledState(parameter, this.initialValue(name, group)),
        );
      }
    }
  }

  /**
   * From now on, learning rates are read from tensors on the device of the parameters, so that a step captured by
   * `cuda.Graph` follows a schedule. {@link writeLr} updates them.
   * @throws DyconvError if the optimizer cannot be captured.
   */
  keepLrOnDevice(): void {
    if (!this.capturable) throw new DyconvError(`${this.constructor.name} cannot be captured in a graph`);
    for (const group of this.paramGroups) {
      if (this.#rates.has(group)) continue;
      const { device } = group.params[0]!;
      const rate = untidy(() => full([], group.lr, { device }));
      this.#rates.set(group, { rate, others: otherOptions(group) });
    }
  }

  /**
   * Writes the groups' learning rates into the tensors of {@link keepLrOnDevice}.
   * @throws DyconvError when other options have changed since, which a captured step would not see.
   */
  writeLr(): void {
    noGrad(() => {
      for (const [group, { rate, others }] of this.#rates) {
        const now = otherOptions(group);
        if (now !== others)
          throw new DyconvError(
            `Expected the options of a captured step, lr excepted, to stay ${others} but they are ${now}`,
          );
        rate.fill_(group.lr);
      }
    });
  }

  /** Whether {@link step} does not wait for the device and reads its learning rate from a tensor. */
  protected get capturable(): boolean {
    return false;
  }

  /** The learning rate of a group for the native step. */
  protected rateOf(group: OptimizerGroup<Options>): number | Tensor {
    return this.#rates.get(group)?.rate ?? group.lr;
  }

  /** Removes all gradients. */
  zeroGrad(): void {
    for (const group of this.paramGroups) native.zeroGrad(group.params);
  }

  /** The learning rate of the first group; setting it sets all groups'. */
  get lr(): number {
    return this.paramGroups[0]!.lr;
  }

  set lr(value: number) {
    for (const group of this.paramGroups) group.lr = value;
  }

  /** The state to save, without the parameters. */
  stateDict(): OptimizerState {
    const tensors: Record<string, Tensor> = {};
    let index = 0;
    this.paramGroups.forEach((group, i) => {
      group.params.forEach((_, j) => {
        for (const [name, list] of Object.entries(this.#slots[i]!)) {
          const tensor = list[j];
          if (tensor) tensors[`${index}.${name}`] = tensor.detach();
        }
        index++;
      });
    });
    const groups = this.paramGroups.map(({ params, ...options }) => ({
      ...options,
      numParams: params.length,
    }));
    return { groups, tensors };
  }

  /**
   * Restores a state of the same optimizer with the same parameters; nothing is changed if it does not fit. Tensors
   * are copied to the dtype, the device and the memory layout of their parameters.
   * @throws CheckpointError for other groups, parameters, shapes or names.
   */
  loadStateDict(state: OptimizerState): void {
    const { groups, tensors } = checkObject(state, 'state');
    const sizes = this.paramGroups.map((group) => group.params.length);
    const received = checkIterable(groups, 'groups').map((group) => checkObject(group, 'groups').numParams);
    checkObject(tensors, 'tensors');
    if (String(sizes) !== String(received)) {
      throw new CheckpointError(
        `Expected groups of ${sizes.join(', ')} parameters for the optimizer state but received ${received.join(', ')}`,
      );
    }
    const merged = this.paramGroups.map((group, i) => {
      const { numParams: _, params: __, ...options } = groups[i]!;
      return { ...group, ...options } as OptimizerGroup<Options>;
    });
    // Multiplying schedules may have made a rate negative, which is rejected as an argument.
    for (const group of merged) this.check({ ...group, lr: group.lr < 0 ? -group.lr : group.lr });
    const saved = this.#savedSlots(tensors, merged);
    // From here on, no call can fail.
    this.paramGroups.forEach((group, i) => {
      Object.assign(group, merged[i]);
      for (const name of this.slotNames) {
        const list = this.#slots[i]![name]!;
        for (const old of list) old?.dispose();
        list.splice(0, list.length, ...saved[i]![name]!);
      }
    });
  }

  /** The state tensors of a saved state, checked and copied. */
  #savedSlots(tensors: Record<string, Tensor>, groups: OptimizerGroup<Options>[]): Slots[] {
    const names = this.slotNames;
    const parameters = groups.flatMap((group) => group.params);
    for (const [key, tensor] of Object.entries(tensors)) checkSaved(key, tensor, parameters, names);
    let index = 0;
    const own = groups.map((group) =>
      group.params.map((parameter) => {
        const of = (name: string) => tensors[`${index}.${name}`];
        const required = this.slotsOf(group);
        const lacking = required.filter((name) => of(name) === undefined);
        if (lacking.length > 0 && names.some((name) => of(name) !== undefined)) {
          throw new CheckpointError(
            `Expected ${required.join(', ')} of parameter ${index} in the optimizer state but ${lacking.join(', ')} is missing`,
          );
        }
        const pairs = names.map((name) => [name, of(name)] as const);
        index++;
        return { parameter, pairs };
      }),
    );
    return untidy(() =>
      own.map((list) =>
        Object.fromEntries(
          names.map((name, n) => [
            name,
            list.map(({ parameter, pairs }) => {
              const tensor = pairs[n]![1];
              return tensor === undefined ? null : copied(name, parameter, tensor);
            }),
          ]),
        ),
      ),
    );
  }

  /** A description: the options of every group, in PyTorch's format. */
  toString(): string {
    const groups = this.paramGroups.map(({ params, ...options }, i) => {
      const count = params.reduce((sum, parameter) => sum + (parameter.isDisposed ? 0 : parameter.numel), 0);
      const lines = Object.keys(options)
        .sort()
        .map(
          (key) =>
            `    ${key}: ${inspect((options as Record<string, unknown>)[key], { breakLength: Infinity })}`,
        );
      const tensors = `${params.length} ${params.length === 1 ? 'tensor' : 'tensors'}`;
      return [
        `Parameter Group ${i}`,
        ...lines,
        `    params: ${tensors}, ${count.toLocaleString('en-US')} values`,
      ];
    });
    return `${this.constructor.name} (\n${groups.flat().join('\n')}\n)`;
  }

  /** For `console.log`. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** Options that a captured step cannot change. */
function otherOptions({ params, lr, initialLr, ...others }: OptimizerGroup<{ lr: number }>): string {
  return JSON.stringify(others);
}
