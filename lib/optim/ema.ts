/**
 * Exponential moving average of weights, which often generalizes better than the last weights.
 * @module
 */
import { inspect } from 'node:util';
import { integer, number } from '../check/arguments.js';
import { checkIterable, checkObject, checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { keep, noGrad, untidy } from '../tensor/context.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';

/** Options of {@link ExponentialMovingAverage}. */
export interface EmaOptions {
  /** Decay: weight of the old average at a step, from 0 to below 1. Default 0.999. */
  decay?: number | undefined;
  /**
   * Warm-up: the decay of update n (from 0) is at most (1 + n) / (10 + n). Without it the average
   * stays near the weights of the first step for about 1 / (1 - decay) steps. Default true.
   */
  warmup?: boolean | undefined;
}

const EMA_KEYS = optionKeys('decay', 'warmup');

/** State of {@link ExponentialMovingAverage}. */
export interface EmaState {
  /** Updates so far. */
  updates: number;
  /** The averages, in the order of the parameters. */
  averages: Tensor[];
}

/**
 * An exponential moving average of parameters: `average = decay * average + (1 - decay) * parameter` at every
 * {@link update}, starting with the parameters at the first. Averages of bfloat16 and float16 parameters are kept in float32, where
 * small steps are not lost by rounding. Buffers, such as the statistics of batch norm, are not averaged.
 * @see https://pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
 * @example
 * const ema = new optim.ExponentialMovingAverage(model.parameters(), { decay: 0.999 });
 * optimizer.step();
 * ema.update();
 * const { accuracy } = await ema.apply(() => train.evaluate(model, loader));
 */
export class ExponentialMovingAverage {
  readonly #parameters: readonly Tensor[];
  readonly #averages: readonly Tensor[];
  readonly #decay: number;
  readonly #warmup: boolean;
  #updates = 0;
  #applied = false;

  /** @throws ArgumentError for a decay out of range, or without parameters. */
  constructor(parameters: Iterable<Tensor>, options: EmaOptions = {}) {
    const { decay = 0.999, warmup = true } = checkOptions(options, EMA_KEYS);
    number('decay', decay, { min: 0 });
    if (decay >= 1) throw invalidArgument('decay', 'a number of at least 0 and below 1', decay);
    this.#parameters = checkIterable(parameters, 'parameters', 'at least one Tensor');
    if (this.#parameters.length === 0 || !this.#parameters.every(isTensor))
      throw invalidArgument('parameters', 'at least one Tensor', this.#parameters);
    this.#decay = decay;
    this.#warmup = warmup;
    this.#averages = untidy(() => noGrad(() => this.#parameters.map(master)));
  }

  /** Updates so far. */
  get updates(): number {
    return this.#updates;
  }

  /** Updates the average with the current parameters. Call it after every optimizer step. */
  update(): void {
    const n = this.#updates;
    const decay = this.#warmup ? Math.min(this.#decay, (1 + n) / (10 + n)) : this.#decay;
    native.emaStep(this.#averages, this.#parameters, n === 0 ? 0 : decay);
    this.#updates += 1;
  }

  /**
   * Runs `fn`, which may be async, with the averages in place of the parameters, and then restores the parameters. Nothing
   * is copied except for 16-bit parameters: changing a parameter in `fn` changes its average. Before the first update it runs
   * with the parameters.
   * @returns The result of `fn`.
   */
  apply<T>(fn: () => T): T {
    if (this.#applied || this.#updates === 0) return fn();
    const originals = this.#parameters.map((parameter) => keep(parameter.detach()));
    const averages = this.#averages.map((average, i) => {
      const { dtype } = this.#parameters[i]!;
      return dtype === average.dtype ? average : untidy(() => noGrad(() => average.to({ dtype })));
    });
    const put = (values: readonly Tensor[]) => {
      this.#parameters.forEach((parameter, i) => {
        native.setData(parameter, values[i]!);
      });
    };
    const restore = () => {
      put(originals);
      for (const original of originals) original.dispose();
      averages.forEach((average, i) => {
        if (average !== this.#averages[i]) average.dispose();
      });
      this.#applied = false;
    };
    put(averages);
    this.#applied = true;
    let result: T;
    try {
      result = fn();
    } catch (error) {
      restore();
      throw error;
    }
    if (!(result instanceof Promise)) {
      restore();
      return result;
    }
    return result.finally(restore) as T;
  }

  /** The state to save. Its tensors are new handles that share memory with the averages. */
  stateDict(): EmaState {
    return { updates: this.#updates, averages: this.#averages.map((average) => average.detach()) };
  }

  /** Restores a state for the same parameters. @throws CheckpointError when it does not fit; nothing is changed then. */
  loadStateDict(state: EmaState): void {
    const { updates, averages } = checkObject(state, 'state');
    integer('updates', updates, 0);
    const received = checkIterable(averages, 'averages', 'Tensors');
    if (!received.every(isTensor)) throw invalidArgument('averages', 'Tensors', received);
    const shapes = (tensors: readonly Tensor[]) => tensors.map(({ shape }) => `[${shape.join(', ')}]`);
    const [own, other] = [shapes(this.#averages), shapes(received)];
    const different = own.findIndex((shape, i) => shape !== other[i]);
    if (own.length !== other.length || different >= 0) {
      throw new CheckpointError(
        own.length !== other.length
          ? `Expected averages of ${own.length} parameters but received ${other.length}`
          : `Expected shape ${own[different]} for the average of parameter ${different} but received ${other[different]}`,
      );
    }
    noGrad(() => {
      this.#averages.forEach((average, i) => {
        average.copy_(received[i]!);
      });
    });
    this.#updates = updates;
  }

  /** A description. */
  toString(): string {
    return `ExponentialMovingAverage(parameters=${this.#parameters.length}, decay=${this.#decay}, warmup=${this.#warmup}, updates=${this.#updates})`;
  }

  /** For `console.log`. */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** A copy of a parameter for the average: in float32 if the parameter has 16 bits. */
function master(parameter: Tensor): Tensor {
  const value = parameter.detach();
  const is16Bit = value.dtype === 'bfloat16' || value.dtype === 'float16';
  return keep(is16Bit ? value.to({ dtype: 'float32' }) : value.clone());
}
