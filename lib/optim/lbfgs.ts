/**
 * L-BFGS, which evaluates the function several times in a step.
 * @module
 */
import { integer, number, oneOf } from '../check/arguments.js';
import { checkObject, type PartialOptions, withDefaults } from '../check/index.js';
import { ArgumentError, CheckpointError, invalidArgument } from '../errors.js';
import { enableGrad, noGrad, tidy, untidy } from '../tensor/context.js';
import { zeros } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import { cat } from '../tensor/join.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { NON_NEGATIVE } from './checks.js';
import { strongWolfe, type Trial } from './line-search.js';
import {
  type Closure,
  Optimizer,
  type OptimizerState,
  type Params,
  type SlotName,
  type StepOptions,
} from './optimizer.js';

/** Options of {@link LBFGS}. */
export interface LBFGSOptions {
  /** Learning rate: the first step size of every iteration but the first. Default 1. */
  lr: number;
  /** Iterations in a step. Default 20. */
  maxIter: number;
  /** Evaluations in a step; null: maxIter * 1.25. Default null. */
  maxEval: number | null;
  /** A step ends where no element of the gradient is larger. Default 1e-7. */
  toleranceGrad: number;
  /** A step ends where the loss, or every parameter, changes by no more. Default 1e-9. */
  toleranceChange: number;
  /** Changes of parameters and gradients that are kept. Default 100. */
  historySize: number;
  /** Search for a step size that meets the strong Wolfe conditions. Default null: the step size is `lr`. */
  lineSearchFn: 'strongWolfe' | null;
}

const LBFGS_DEFAULTS: LBFGSOptions = {
  lr: 1,
  maxIter: 20,
  maxEval: null,
  toleranceGrad: 1e-7,
  toleranceChange: 1e-9,
  historySize: 100,
  lineSearchFn: null,
};

/** The state between iterations and steps. */
interface Memory {
  iterations: number;
  t: number;
  scale: number;
  direction: Tensor;
  gradient: Tensor;
  /** Changes of the gradient and of the parameters, the oldest first. */
  changes: { y: Tensor; s: Tensor; rho: number }[];
}

/**
 * L-BFGS: an approximation of Newton's method from the last gradients, for functions without noise. A step needs a closure
 * that computes the loss and its gradients again. All parameters are in one group, of one dtype and device.
 * @see https://pytorch.org/docs/stable/generated/torch.optim.LBFGS.html
 * @example
 * const optimizer = new optim.LBFGS([x], { lineSearchFn: 'strongWolfe' });
 * optimizer.step(() => {
 *   optimizer.zeroGrad();
 *   const loss = x.square().sum();
 *   loss.backward();
 *   return loss;
 * });
 */
export class LBFGS extends Optimizer<LBFGSOptions> {
  #memory: Memory | null = null;

  constructor(params: Params<LBFGSOptions>, options: PartialOptions<LBFGSOptions> = {}) {
    super(params, withDefaults(LBFGS_DEFAULTS, options));
    if (this.paramGroups.length !== 1)
      throw new ArgumentError(
        `Expected one parameter group for LBFGS but received ${this.paramGroups.length}`,
      );
  }

  protected check(options: LBFGSOptions): void {
    number('lr', options.lr, NON_NEGATIVE);
    integer('maxIter', options.maxIter, 1);
    if (options.maxEval !== null) integer('maxEval', options.maxEval, 1);
    number('toleranceGrad', options.toleranceGrad, NON_NEGATIVE);
    number('toleranceChange', options.toleranceChange, NON_NEGATIVE);
    integer('historySize', options.historySize, 1);
    if (options.lineSearchFn !== null) oneOf('lineSearchFn', ['strongWolfe'], options.lineSearchFn);
  }

  protected get slotNames(): readonly SlotName[] {
    return [];
  }

  protected slotsOf(): readonly SlotName[] {
    return [];
  }

  protected stepGroup(): void {}

  /** @throws ArgumentError without a closure. */
  override step(options?: StepOptions): void;
  /**
   * Up to `maxIter` iterations.
   * @param closure - Computes the loss, a number or a Tensor of one, and its gradients; called up to `maxEval` times.
   * @returns The result of the first call of the closure.
   */
  override step<T>(closure: Closure<T>): T;
  override step<T>(closure?: StepOptions | Closure<T>): T {
    if (typeof closure !== 'function')
      throw invalidArgument('closure', 'a function that computes the loss and its gradients', closure);
    return noGrad(() => this.#step(() => enableGrad(closure)));
  }

  #step<T>(closure: Closure<T>): T {
    const group = this.paramGroups[0]!;
    const { maxIter, maxEval, toleranceGrad, toleranceChange } = group;
    const most = maxEval ?? Math.floor((maxIter * 5) / 4);
    const value = closure();
    let evaluations = 1;
    let loss = lossOf(value);
    let gradient = flatGradient(group.params);
    if (largest(gradient) <= toleranceGrad) return value;
    for (let i = 1; ; i++) {
      const memory = this.#advance(gradient, group.historySize);
      const { direction } = memory;
      const isFirst = memory.iterations === 1;
      memory.t = (isFirst ? Math.min(1, 1 / sumOf(gradient.abs())) : 1) * group.lr;
      const slope = dot(gradient, direction);
      if (slope > -toleranceChange) break;
      const before = loss;
      const start: Trial = { t: 0, loss, gradient, slope };
      const moved = this.#move(memory, start, closure, i === maxIter, most - evaluations);
      memory.t = moved.t;
      ({ loss, gradient } = moved);
      evaluations += moved.evaluations;
      if (i === maxIter || evaluations >= most || largest(gradient) <= toleranceGrad) break;
      if (largest(direction) * Math.abs(memory.t) <= toleranceChange) break;
      if (Math.abs(loss - before) < toleranceChange) break;
    }
    return value;
  }

  /** The next direction, from the changes so far. What is kept outlives the scopes of the caller. */
  #advance(gradient: Tensor, historySize: number): Memory {
    const old = this.#memory;
    const memory = untidy(() => tidy(() => nextMemory(old, gradient, historySize)));
    if (old !== null) {
      const kept = new Set(memory.changes);
      for (const { y, s } of old.changes.filter((change) => !kept.has(change))) dispose(y, s);
      dispose(old.direction, old.gradient);
    }
    this.#memory = memory;
    return memory;
  }

  /** Moves the parameters along the direction: by the step size, or by what the line search finds. */
  #move(
    { direction, t }: Memory,
    start: Trial,
    closure: Closure<unknown>,
    isLast: boolean,
    maxTrials: number,
  ): Pick<Trial, 't' | 'loss' | 'gradient'> & { evaluations: number } {
    const { params, lineSearchFn, toleranceChange } = this.paramGroups[0]!;
    const evaluate = () => ({ loss: lossOf(closure()), gradient: flatGradient(params) });
    if (lineSearchFn === null) {
      moveBy(params, direction, t);
      // Nothing reads what an evaluation after the last iteration would give.
      return isLast ? { ...start, t, evaluations: 0 } : { ...evaluate(), t, evaluations: 1 };
    }
    const copies = params.map((parameter) => parameter.clone());
    const restore = () => params.forEach((parameter, i) => void parameter.copy_(copies[i]!));
    const evaluateAt = (size: number): Trial => {
      try {
        moveBy(params, direction, size);
        const { loss, gradient } = evaluate();
        return { t: size, loss, gradient, slope: dot(gradient, direction) };
      } finally {
        restore();
      }
    };
    const directionSize = largest(direction);
    const found = strongWolfe({ start, t, directionSize, evaluate: evaluateAt, toleranceChange, maxTrials });
    moveBy(params, direction, found.trial.t);
    dispose(...copies);
    return { ...found.trial, evaluations: found.evaluations };
  }

  /** Everything needed to go on, with the names of PyTorch's state. */
  override stateDict(): OptimizerState {
    const { groups, tensors } = super.stateDict();
    const memory = this.#memory;
    if (memory === null) return { groups, tensors };
    const { iterations, t, scale, direction, gradient, changes } = memory;
    const numbers = { n_iter: iterations, t, H_diag: scale, ro: changes.map(({ rho }) => rho) };
    const named = { d: direction, prev_flat_grad: gradient };
    for (const [name, tensor] of Object.entries(named)) tensors[`0.${name}`] = tensor.detach();
    changes.forEach(({ y, s }, i) => {
      tensors[`0.old_dirs.${i}`] = y.detach();
      tensors[`0.old_stps.${i}`] = s.detach();
    });
    return { groups: [{ ...groups[0], state: numbers }], tensors };
  }

  override loadStateDict(state: OptimizerState): void {
    const { groups, tensors } = checkObject(state, 'state');
    const { state: numbers, ...group } = { ...checkObject(groups, 'groups')[0] } as Record<string, unknown>;
    const memory = numbers === undefined ? null : this.#memoryOf(numbers, checkObject(tensors, 'tensors'));
    super.loadStateDict({
      groups: [group, ...groups.slice(1)],
      tensors: numbers === undefined ? tensors : {},
    });
    this.#memory = memory;
  }

  #memoryOf(numbers: unknown, tensors: Record<string, Tensor>): Memory {
    const { n_iter, t, H_diag, ro } = checkObject(numbers, 'state') as Record<string, unknown>;
    const isNumbers =
      [n_iter, t, H_diag].every(Number.isFinite) && Array.isArray(ro) && ro.every(Number.isFinite);
    if (!isNumbers)
      throw new CheckpointError('Expected numbers n_iter, t, H_diag and ro in the state of LBFGS');
    const [first] = this.paramGroups[0]!.params;
    const size = this.paramGroups[0]!.params.reduce((sum, parameter) => sum + parameter.numel, 0);
    const of = (name: string) => {
      const tensor = tensors[`0.${name}`];
      if (!isTensor(tensor) || String(tensor.shape) !== String(size))
        throw new CheckpointError(`Expected shape [${size}] for 0.${name} of the optimizer state`);
      return tensor.to({ dtype: first!.dtype, device: first!.device }).clone();
    };
    return untidy(() => ({
      iterations: n_iter as number,
      t: t as number,
      scale: H_diag as number,
      direction: of('d'),
      gradient: of('prev_flat_grad'),
      changes: (ro as number[]).map((rho, i) => ({ y: of(`old_dirs.${i}`), s: of(`old_stps.${i}`), rho })),
    }));
  }
}

function nextMemory(old: Memory | null, gradient: Tensor, historySize: number): Memory {
  const common = { gradient: gradient.clone(), t: 0 };
  if (old === null) return { ...common, iterations: 1, scale: 1, direction: gradient.neg(), changes: [] };
  const y = gradient.sub(old.gradient);
  const s = old.direction.mul(old.t);
  const ys = dot(y, s);
  const isConvex = ys > 1e-10;
  const changes = isConvex ? [...old.changes, { y, s, rho: 1 / ys }].slice(-historySize) : old.changes;
  const scale = isConvex ? ys / dot(y, y) : old.scale;
  // The two loops of L-BFGS: the inverse Hessian times the gradient.
  const direction = gradient.neg();
  const alphas = [...changes].reverse().map((change) => {
    const alpha = dot(change.s, direction) * change.rho;
    direction.sub_(change.y.mul(alpha));
    return alpha;
  });
  direction.mul_(scale);
  for (const change of changes) {
    const beta = dot(change.y, direction) * change.rho;
    direction.add_(change.s.mul(alphas.pop()! - beta));
  }
  return { ...common, iterations: old.iterations + 1, scale, direction, changes };
}

const dot = (a: Tensor, b: Tensor): number => tidy(() => Number(a.dot(b).item()));
const sumOf = (x: Tensor): number => tidy(() => Number(x.sum().item()));
const largest = (x: Tensor): number => tidy(() => Number(x.abs().max().item()));

function dispose(...tensors: Tensor[]): void {
  for (const tensor of tensors) tensor.dispose();
}

function lossOf(value: unknown): number {
  const loss = isTensor(value) ? Number(value.item()) : value;
  if (typeof loss !== 'number') throw invalidArgument('the result of closure', 'the loss', value);
  return loss;
}

/** The gradients of all parameters one after the other, zeros where there is none. */
function flatGradient(params: readonly Tensor[]): Tensor {
  const flat = ({ grad, numel, dtype, device }: Tensor) =>
    grad === null ? zeros([numel], { dtype, device: device as Device }) : grad.flatten();
  return tidy(() => cat(params.map(flat)));
}

/** Adds a multiple of a direction to the parameters. */
function moveBy(params: readonly Tensor[], direction: Tensor, t: number): void {
  let offset = 0;
  tidy(() => {
    for (const parameter of params) {
      const part = direction.narrow(0, offset, parameter.numel).reshape(parameter.shape);
      parameter.add_(part.mul(t));
      offset += parameter.numel;
    }
  });
}
