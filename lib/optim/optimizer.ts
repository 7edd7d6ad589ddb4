/**
 * The base of optimizers: parameter groups with their own options, and a state that can be saved.
 * @module
 */
import { checkIterable, checkOptions } from '../check/index.js';
import { ArgumentError, CheckpointError, DyconvError, invalidArgument } from '../errors.js';
import { native } from '../native/index.js';
import { noGrad, untidy } from '../tensor/context.js';
import { full } from '../tensor/create.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';

/** Parameters that share options; options left out are the optimizer's. */
export type ParamGroup<Options> = { params: Iterable<Tensor> } & Partial<Options>;

/** Parameters, or groups of them. */
export type Params<Options> = Iterable<Tensor> | Iterable<ParamGroup<Options>>;

/** A group as the optimizer keeps it. `initialLr` is what schedulers work from. */
export type OptimizerGroup<Options> = Options & { params: Tensor[]; initialLr: number };

/** What {@link Optimizer.stateDict} gives: options a group, and tensors by `<parameter>.<name>`. */
export interface OptimizerState {
  /** Options and parameter numbers of every group. */
  groups: Record<string, unknown>[];
  /** State of the parameters, by number and name. */
  tensors: Record<string, Tensor>;
}

/** A list of state tensors, one a parameter of a group, by name. */
export type Slots = Record<string, (Tensor | null)[]>;

/** Options of {@link Optimizer.step}. */
export interface StepOptions {
  /** float32, one number: not 0 if a gradient is not finite, and the step is to change nothing. Stays on its device. */
  found?: Tensor | null;
}

/** Base class of optimizers. A new one says how a group is stepped and what it keeps. */
export abstract class Optimizer<Options extends { lr: number } = { lr: number }> {
  /** Groups with their options, which may be changed between steps. */
  readonly paramGroups: OptimizerGroup<Options>[];
  /** What each group keeps, beside {@link paramGroups}. */
  protected readonly slots: Slots[];
  /** During a step: one float32 number, not 0 if the step is to change nothing. */
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
    checkOptions(options);
    const tensors = given.filter((item): item is Tensor => isTensor(item));
    const groups = tensors.length > 0 ? [{ params: given as Tensor[] }] : (given as ParamGroup<Options>[]);
    this.#defaults = options;
    this.paramGroups = [];
    this.slots = [];
    for (const group of groups) this.#add(group as ParamGroup<Options>);
    if (this.#seen.size === 0) throw invalidArgument('params', 'at least one Tensor', params);
    for (const group of this.paramGroups) this.slots.push(this.newSlots(group));
  }

  /**
   * Adds parameters to those being trained, such as layers that are no longer frozen.
   * @see https://pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
   */
  addParamGroup(group: ParamGroup<Options>): void {
    this.slots.push(this.newSlots(this.#add(group)));
  }

  #add(group: ParamGroup<Options>): OptimizerGroup<Options> {
    const list = checkIterable(checkOptions(group, 'params').params, 'params', 'Tensors or groups of them');
    for (const parameter of list) {
      if (!isTensor(parameter)) throw invalidArgument('params', 'Tensors or groups of them', parameter);
      if (!parameter.isDisposed && !parameter.isLeaf) {
        throw new ArgumentError(
          'Expected leaves for params but received a result of an operation: its gradient goes to what it was made from',
        );
      }
      if (this.#seen.has(parameter) || list.indexOf(parameter) !== list.lastIndexOf(parameter))
        throw new ArgumentError('Expected each parameter once for params but received one twice');
    }
    const merged = { ...this.#defaults, ...group, params: list } as OptimizerGroup<Options>;
    merged.initialLr = merged.lr;
    this.check(merged);
    for (const parameter of list) this.#seen.add(parameter);
    this.paramGroups.push(merged);
    return merged;
  }

  /** Checks a group's options. @throws ArgumentError naming the option. */
  protected abstract check(options: Options): void;

  /** The state of a group before its first step. */
  protected abstract newSlots(group: OptimizerGroup<Options>): Slots;

  /** Changes a group's parameters by their gradients. */
  protected abstract stepGroup(group: OptimizerGroup<Options>, slots: Slots): void;

  /** Changes every parameter that has a gradient. */
  step(options: StepOptions = {}): void {
    const { found = null } = checkOptions(options);
    // A step that does not know of `found` is told here, which waits for the device.
    if (found !== null && !this.capturable && found.item() !== 0) return;
    this.found = found;
    try {
      this.paramGroups.forEach((group, i) => {
        this.stepGroup(group, this.slots[i]!);
      });
    } finally {
      this.found = null;
    }
  }

  /**
   * From here on the learning rates are read from tensors beside the parameters, so that a step captured by
   * `cuda.Graph` follows a schedule. {@link writeLr} brings them up to date.
   * @throws DyconvError by an optimizer that cannot be captured.
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

  /** Whether {@link step} reads nothing back and takes its learning rate from a tensor. */
  protected get capturable(): boolean {
    return false;
  }

  /** The learning rate of a group as the native step takes it. */
  protected rateOf(group: OptimizerGroup<Options>): number | Tensor {
    return this.#rates.get(group)?.rate ?? group.lr;
  }

  /** Drops all gradients. */
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

  /** Everything needed to go on from here, parameters themselves excepted. */
  stateDict(): OptimizerState {
    const tensors: Record<string, Tensor> = {};
    let index = 0;
    this.paramGroups.forEach((group, i) => {
      group.params.forEach((_, j) => {
        for (const [name, list] of Object.entries(this.slots[i]!)) {
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

  /** Puts back a state of the same optimizer over the same parameters. @throws CheckpointError when it does not fit. */
  loadStateDict(state: OptimizerState): void {
    const { groups, tensors } = checkOptions(state, 'state');
    const sizes = this.paramGroups.map((group) => group.params.length);
    const received = checkIterable(groups, 'groups').map((group) => checkOptions(group, 'groups').numParams);
    checkOptions(tensors, 'tensors');
    if (String(sizes) !== String(received)) {
      throw new CheckpointError(
        `Expected groups of ${sizes.join(', ')} parameters for the optimizer state but received ${received.join(', ')}`,
      );
    }
    this.#checkTensors(tensors);
    const options = groups.map(({ numParams: _, ...rest }) => rest as Partial<Options>);
    // All of them before the first is changed.
    this.paramGroups.forEach((group, i) => {
      this.check({ ...group, ...options[i] });
    });
    let index = 0;
    this.paramGroups.forEach((group, i) => {
      Object.assign(group, options[i]);
      group.params.forEach((parameter, j) => {
        for (const [name, list] of Object.entries(this.slots[i]!)) {
          list[j]?.dispose();
          const saved = tensors[`${index}.${name}`];
          list[j] = saved === undefined ? null : noGrad(() => saved.to({ device: parameter.device }).clone());
        }
        index++;
      });
    });
  }

  #checkTensors(tensors: Record<string, Tensor>): void {
    const parameters = this.paramGroups.flatMap((group) => group.params);
    for (const [key, tensor] of Object.entries(tensors)) {
      if (!isTensor(tensor)) throw invalidArgument(`tensors['${key}']`, 'a Tensor', tensor);
      const parameter = parameters[Number.parseInt(key, 10)];
      if (parameter === undefined || (tensor.ndim > 0 && String(tensor.shape) !== String(parameter.shape))) {
        throw new CheckpointError(
          `Expected shape [${parameter?.shape.join(', ') ?? 'none'}] for ${key} of the optimizer state but received [${tensor.shape.join(', ')}]`,
        );
      }
    }
  }
}

/** What a captured step has in it for good. */
function otherOptions({ params, lr, initialLr, ...others }: OptimizerGroup<{ lr: number }>): string {
  return JSON.stringify(others);
}
