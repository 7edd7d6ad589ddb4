/**
 * What runs the batches of a pool: a program on native threads, or a function on the calling thread.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { untilAborted } from '../check/signal.js';
import { ArgumentError } from '../errors.js';
import type { AnyModule } from '../nn/module.js';
import { ForeignProgram } from '../program/foreign.js';
import { fixedBatchOf, zeroInputsOf } from '../program/inputs.js';
import { Program } from '../program/program.js';
import { Runnable } from '../program/runner.js';
import { noGrad, tidy, untidy } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Cancellation } from './cancellation.js';
import {
  disposeAll,
  joinInputs,
  ownOutputs,
  type TensorInput,
  type TensorOutput,
  type WaitingInputs,
} from './rows.js';

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

/** A handle to a program, and its batches that have not ended. */
interface Replica {
  readonly program: PoolProgram;
  batches: number;
}

/** Batches of a program. Each replica runs one batch at a time; a Program takes the next one before. */
export class ProgramEngine implements Engine {
  readonly queues: boolean;
  readonly mayHang: boolean;
  readonly batchRows: number | undefined;
  readonly sizes: BatchSizes | undefined;
  readonly #program: PoolProgram;
  readonly #replicas: readonly Replica[];
  readonly #threads: number;
  #isClosed = false;

  /** @throws DisposedError for a disposed program. */
  constructor(program: PoolProgram, replicas: number, threads: number) {
    if (program instanceof Runnable) program.replicate().dispose(); // Fails for a disposed one.
    this.batchRows = program instanceof Program ? fixedBatchOf(program) : undefined;
    this.sizes = program instanceof ForeignProgram ? { most: undefined, reason: undefined } : undefined;
    this.#program = program;
    this.#threads = threads;
    const more = Array.from({ length: replicas - 1 }, () => program.replicate?.() ?? program);
    this.#replicas = [program, ...more].map((handle) => ({ program: handle, batches: 0 }));
    this.queues = program instanceof Runnable;
    this.mayHang = !(program instanceof Runnable);
  }

  run(input: unknown, { signal }: Cancellation): Promise<unknown> {
    return this.#with((program) => program.run(input as TensorInput, { signal, threads: this.#threads }));
  }

  get runBatch(): Engine['runBatch'] {
    if (this.#program.runBatch === undefined) return undefined;
    return (inputs, cancellation) =>
      this.#with((program) =>
        program instanceof Runnable
          ? runRunnable(program, inputs as TensorInput[], this.#threads, cancellation)
          : runForeign(program, inputs as TensorInput[], this.#threads, cancellation),
      );
  }

  get runWaiting(): Engine['runWaiting'] {
    if (!(this.#program instanceof Program)) return undefined;
    return ({ held, numbers }, cancellation) =>
      this.#with((program) =>
        outputsOf((program as Program).startWaiting(held, numbers, this.#threads), cancellation),
      );
  }

  /** Calls the replica with the fewest batches. */
  async #with<T>(call: (program: PoolProgram) => Promise<T>): Promise<T> {
    const replica = this.#replicas.reduce((best, other) => (other.batches < best.batches ? other : best));
    replica.batches++;
    try {
      // The tidy block must not stay open while the program runs: that makes every promise of the process slower.
      let output: Promise<T> | undefined;
      untidy(() => {
        output = call(replica.program);
      });
      return await output!;
    } finally {
      replica.batches--;
      if (this.#isClosed) this.#dispose(replica);
    }
  }

  async loadStateDict(state: StateDict, signal: AbortSignal): Promise<void> {
    if (this.#program.loadStateDict === undefined)
      throw new ArgumentError(
        'Expected a program that can load a state dict for swap, but that of the pool cannot',
      );
    if (this.#program instanceof Program) await loadAndProve(this.#program, state, signal);
    else await untilAborted(Promise.resolve(this.#program.loadStateDict(state)), signal);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const replica of this.#replicas) this.#dispose(replica);
  }

  /** The program itself belongs to the user. */
  #dispose({ program, batches }: Replica): void {
    if (batches === 0 && program !== this.#program) program.dispose?.();
  }
}

/**
 * Replaces the weights of a program, which computes with them once: values that are not finite cannot be converted to int8, for
 * example.
 * @throws what the program throws, and the reason of the signal; it has the weights from before then.
 */
async function loadAndProve(program: Program<unknown>, state: StateDict, signal: AbortSignal): Promise<void> {
  const shared = program.stateDict();
  const before: Record<string, Tensor> = {};
  try {
    for (const [name, tensor] of Object.entries(shared)) {
      before[name] = untidy(() => noGrad(() => tensor.clone()));
      await nextTurn(); // Other requests are served while large weights are copied.
      signal.throwIfAborted();
    }
    program.loadStateDict(state);
    const error = await failureOf(program);
    if (error === undefined) return;
    program.loadStateDict(before);
    // Zeros may be no input of this network: then they say nothing about the weights.
    if ((await failureOf(program)) === undefined) throw error;
    program.loadStateDict(state);
  } finally {
    disposeAll([...Object.values(shared), ...Object.values(before)]);
  }
}

/** What a program throws for inputs of zeros; undefined if it computes. */
async function failureOf(program: Program<unknown>): Promise<unknown> {
  const inputs = zeroInputsOf(program);
  try {
    const output = untidy(() => program.run(inputs));
    disposeAll(await output);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    disposeAll(inputs);
  }
}

/** The outputs of a run, which can be canceled. */
async function outputsOf(
  { outputs, cancel }: ReturnType<Runnable<TensorOutput>['startBatch']>,
  cancellation: Cancellation,
): Promise<TensorOutput[]> {
  cancellation.onCancel = cancel;
  const results = await outputs;
  if (results === undefined) throw cancellation.signal.reason;
  return results;
}

/** A program that was compiled or loaded. */
async function runRunnable(
  program: Runnable<TensorOutput>,
  inputs: readonly TensorInput[],
  threads: number,
  cancellation: Cancellation,
): Promise<TensorOutput[]> {
  // Steps of a TorchScript module may change its input in place, or return a view of it. Several inputs are joined, and so copied.
  const isChanged = inputs.length === 1 && program instanceof ForeignProgram;
  const copy = isChanged ? joinInputs(inputs) : undefined;
  try {
    const own = copy === undefined ? inputs : [copy.input];
    return await outputsOf(program.startBatch(own as TensorInput[], threads), cancellation);
  } finally {
    copy?.release();
  }
}

/** A program of the user, which may record its operations. */
async function runForeign(
  program: PoolProgram,
  inputs: readonly TensorInput[],
  threads: number,
  { signal }: Cancellation,
): Promise<TensorOutput[]> {
  return ownOutputs(await program.runBatch!(inputs, { signal, threads }), inputs);
}

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
