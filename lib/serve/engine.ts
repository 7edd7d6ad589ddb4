import { ArgumentError } from '../errors.js';
import type { AnyModule } from '../nn/module.js';
import { noGrad, tidy, untidy } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Cancellation } from './cancellation.js';
import type { TensorInput, TensorOutput, WaitingInputs } from './rows.js';

/** Tensors by name, as `module.stateDict()` returns them. */
export type StateDict = Readonly<Record<string, Tensor>>;

/** Runs batches, several at once. */
export interface Engine {
  /**
   * Runs a batch.
   * @throws WorkerDied (as a rejection) when its thread ended: the batch can be repeated.
   */
  run(input: unknown, cancellation: Cancellation): Promise<unknown>;
  /**
   * Runs requests as one batch and returns the result of each: instead of {@link run}, for an engine that concatenates inputs and splits outputs itself.
   * @param inputs - Of each request.
   */
  readonly runBatch?:
    | ((inputs: readonly unknown[], cancellation: Cancellation) => Promise<unknown[]>)
    | undefined;
  /** The same for tensors that the add-on holds, which the engine frees. */
  readonly runWaiting?:
    | ((inputs: WaitingInputs, cancellation: Cancellation) => Promise<unknown[]>)
    | undefined;
  /** Whether it takes more batches than it runs at once, and runs them in their order. */
  readonly queues?: boolean | undefined;
  /** Whether a batch may never end, because a function of the user computes it: a canceled one is then abandoned after some time. */
  readonly mayHang?: boolean | undefined;
  /** The number of rows of every batch, for a program with a fixed batch size. */
  readonly batchRows?: number | undefined;
  /** For a program that does not say which batch sizes it takes: what is known of them. */
  readonly sizes?: BatchSizes | undefined;
  /**
   * Replaces the weights. No batch runs meanwhile.
   * @param signal - Gives it up: code of the user may never end.
   */
  loadStateDict(state: StateDict, signal: AbortSignal): Promise<void>;
  /** Frees threads. No batch runs any more. */
  close(): Promise<void>;
}

/** What batches of an engine have shown. */
export interface BatchSizes {
  /** Most rows that it takes; undefined: any number, as far as is known. */
  most: number | undefined;
  /** The error of a batch with more rows. */
  reason: unknown;
}

/** A network that runs on native threads: a Program. */
export interface PoolProgram {
  /** Computes a batch. `threads` limits the CPU threads of this run. */
  run(
    input: TensorInput,
    options?: { signal?: AbortSignal | undefined; threads?: number | undefined },
  ): Promise<TensorOutput>;
  /**
   * Computes several requests as one batch: an array with the output of each, which the pool owns. Default: the pool joins the
   * inputs and splits the output by itself.
   */
  runBatch?:
    | ((
        requests: readonly TensorInput[],
        options?: { signal?: AbortSignal | undefined; threads?: number | undefined },
      ) => Promise<TensorOutput[]>)
    | undefined;
  /** Another handle to the same network and weights, which runs in parallel to this one. */
  replicate?: (() => PoolProgram) | undefined;
  /** Frees the handle; called for the handles that `replicate` returned. */
  dispose?: (() => void) | undefined;
  /** Replaces the weights; called by `swap` while nothing runs. */
  loadStateDict?: ((state: StateDict) => unknown) | undefined;
}

/** A function of a batch; it can be asynchronous. */
export type BatchFunction = (input: never, options: { signal: AbortSignal }) => unknown;

/** Batches of a function or module on the calling thread. */
export class FunctionEngine implements Engine {
  readonly mayHang = true;
  readonly #run: BatchFunction | AnyModule;

  constructor(run: BatchFunction | AnyModule) {
    this.#run = run;
  }

  async run(input: unknown, { signal }: Cancellation): Promise<unknown> {
    const run = this.#run;
    if (typeof run === 'function') return callBatchFunction(run, input, { signal });
    return callBatchFunction((batch) => run.forward(batch as never), input, { signal });
  }

  async loadStateDict(state: StateDict): Promise<void> {
    if (typeof this.#run === 'function')
      throw new ArgumentError(
        'Expected a function for swap but received an object: a state dict needs a pool of a program or a Module',
      );
    this.#run.loadStateDict(state);
  }

  async close(): Promise<void> {}
}

/** Calls a function of a batch without autograd; disposes the tensors that it creates and does not return. */
export function callBatchFunction<O>(
  fn: (input: never, options: O) => unknown,
  input: unknown,
  options: O,
): unknown {
  return untidy(() => tidy(() => noGrad(() => fn(input as never, options))));
}
