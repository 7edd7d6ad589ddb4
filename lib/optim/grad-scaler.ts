/**
 * Loss scaling, which prevents underflow of float16 gradients.
 * @module
 */
import { inspect } from 'node:util';

import { number } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { CheckpointError, DyconvError } from '../errors.js';
import { noGrad, untidy } from '../tensor/context.js';
import { full, zeros } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';
import type { Optimizer } from './optimizer.js';

/** Options of {@link GradScaler}. */
export interface GradScalerOptions {
  /** Device of the losses. Default `'cuda'`. */
  device?: Device | undefined;
  /** Default 65536. */
  initScale?: number | undefined;
  /** Factor of the scale after `growthInterval` successful steps. Default 2. */
  growthFactor?: number | undefined;
  /** Factor of the scale after a step with non-finite gradients. Default 0.5. */
  backoffFactor?: number | undefined;
  /** Default 2000. */
  growthInterval?: number | undefined;
  /** False disables scaling. Default true. */
  enabled?: boolean | undefined;
}

const GRAD_SCALER_KEYS = optionKeys(
  'device',
  'initScale',
  'growthFactor',
  'backoffFactor',
  'growthInterval',
  'enabled',
);

/** State of {@link GradScaler}. */
export interface GradScalerState {
  /** Factor of the losses. */
  scale: number;
  /** Steps since the scale last changed. */
  growthTracker: number;
}

/**
 * Multiplies the loss by a factor before the backward pass and divides the gradients by it before the step; a step whose
 * gradients are not finite is skipped, and reduces the factor. The factor stays on the device, so that steps do not wait for it.
 * @see https://pytorch.org/docs/stable/amp.html#gradient-scaling
 * @example
 * const scaler = new amp.GradScaler();
 * scaler.scale(loss).backward();
 * scaler.step(optimizer);
 * scaler.update();
 */
export class GradScaler {
  readonly #options: RequiredOptions<GradScalerOptions>;
  readonly #scale: Tensor;
  readonly #tracker: Tensor;
  /** For each optimizer whose gradients were unscaled since the last update: whether a gradient was not finite. */
  readonly #found = new Map<Optimizer, Tensor>();
  readonly #stepped = new Set<Optimizer>();

  constructor(options: GradScalerOptions = {}) {
    const {
      device = 'cuda',
      initScale = 65536,
      growthFactor = 2,
      backoffFactor = 0.5,
    } = checkOptions(options, GRAD_SCALER_KEYS);
    const { growthInterval = 2000, enabled = true } = options;
    number('initScale', initScale, { min: Number.MIN_VALUE });
    number('growthFactor', growthFactor, { min: 1 + Number.EPSILON });
    number('backoffFactor', backoffFactor, { min: Number.MIN_VALUE, max: 1 - Number.EPSILON });
    number('growthInterval', growthInterval, { min: 1 });
    this.#options = { device, initScale, growthFactor, backoffFactor, growthInterval, enabled };
    const where = { device: enabled ? device : ('cpu' as const) };
    this.#scale = untidy(() => full([1], initScale, where));
    this.#tracker = untidy(() => zeros([1], { ...where, dtype: 'int32' }));
  }

  /** The loss times the scale. */
  scale(loss: Tensor): Tensor {
    return this.#options.enabled ? loss.mul(this.#scale.view([])) : loss;
  }

  /**
   * Divides the gradients of an optimizer's parameters by the scale, to inspect or clip them before {@link step}.
   * @throws DyconvError the second time between two updates.
   */
  unscale(optimizer: Optimizer): void {
    if (!this.#options.enabled) return;
    if (this.#found.has(optimizer)) {
      throw new DyconvError('Expected unscale() at most once for an optimizer between two calls of update()');
    }
    const found = untidy(() => zeros([1], { device: this.#options.device }));
    noGrad(() => {
      const inverse = this.#scale.to({ dtype: 'float64' }).reciprocal().to({ dtype: 'float32' });
      native.ampUnscale(
        optimizer.paramGroups.flatMap(({ params }) => params),
        found,
        inverse,
      );
      inverse.dispose();
    });
    this.#found.set(optimizer, found);
  }

  /** Steps the optimizer, unless a gradient is not finite. @throws DyconvError the second time between updates. */
  step(optimizer: Optimizer): void {
    if (!this.#options.enabled) {
      optimizer.step();
      return;
    }
    if (this.#stepped.has(optimizer)) {
      throw new DyconvError('Expected step() once for an optimizer between two calls of update()');
    }
    if (!this.#found.has(optimizer)) this.unscale(optimizer);
    optimizer.step({ found: this.#found.get(optimizer)! });
    this.#stepped.add(optimizer);
  }

  /** Updates the scale. Call it once per step, after all optimizers. */
  update(): void {
    if (!this.#options.enabled) return;
    if (this.#found.size === 0) throw new DyconvError('Expected step() or unscale() before update()');
    const { growthFactor, backoffFactor, growthInterval } = this.#options;
    const all = [...this.#found.values()];
    noGrad(() => {
      const found = all[0]!;
      for (const other of all.slice(1)) found.add_(other);
      native.ampUpdateScale(this.#scale, this.#tracker, found, growthFactor, backoffFactor, growthInterval);
    });
    for (const one of all) one.dispose();
    this.#found.clear();
    this.#stepped.clear();
  }

  /** The scale. Reading it waits for the device. */
  getScale(): number {
    return this.#options.enabled ? Number(this.#scale.item()) : 1;
  }

  /** Whether scaling is enabled. */
  get enabled(): boolean {
    return this.#options.enabled;
  }

  /** The state to save. */
  stateDict(): GradScalerState {
    return { scale: Number(this.#scale.item()), growthTracker: Number(this.#tracker.item()) };
  }

  /** Restores a state. @throws CheckpointError for an invalid state. */
  loadStateDict(state: GradScalerState): void {
    if (!(state?.scale > 0) || !Number.isSafeInteger(state.growthTracker)) {
      throw new CheckpointError(`Expected the state of a GradScaler but received ${JSON.stringify(state)}`);
    }
    noGrad(() => {
      this.#scale.fill_(state.scale);
      this.#tracker.fill_(state.growthTracker);
    });
  }

  /** A description without the scale, which is on the device. */
  toString(): string {
    const options = Object.entries(this.#options).map(([name, value]) => `${name}=${value}`);
    return `GradScaler(${options.join(', ')})`;
  }

  /** For `console.log`. */
  [inspect.custom](): string {
    return this.toString();
  }
}
