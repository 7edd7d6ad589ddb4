/**
 * Runs the batches of a pool on native threads.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { untilAborted } from '../check/signal.js';
import { ArgumentError } from '../errors.js';
import { ForeignProgram } from '../program/foreign.js';
import { fixedBatchOf, zeroInputsOf } from '../program/inputs.js';
import { Program } from '../program/program.js';
import { type ProgramInput, Runnable } from '../program/runner.js';
import { noGrad, untidy } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import { ProgramHandles, type Run, type StartRun } from './batch-parts.js';
import type { Cancellation } from './cancellation.js';
import type { BatchSizes, Engine, PoolProgram, StateDict } from './engine.js';
import { disposeAll, joinInputs, ownOutputs, type TensorInput, type TensorOutput } from './rows.js';

/** A handle to a program, and its batches that have not ended. */
interface Replica {
  readonly program: PoolProgram;
  /** For the parts of a batch; undefined for a program that cannot divide one. */
  readonly handles: ProgramHandles | undefined;
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
    this.#replicas = [program, ...more].map((handle) => ({
      program: handle,
      handles: handle instanceof Program ? new ProgramHandles(handle, threads) : undefined,
      batches: 0,
    }));
    this.queues = program instanceof Runnable;
    this.mayHang = !(program instanceof Runnable);
  }

  run(input: unknown, { signal }: Cancellation): Promise<unknown> {
    return this.#with(({ program }) => program.run(input as TensorInput, { signal, threads: this.#threads }));
  }

  get runBatch(): Engine['runBatch'] {
    if (this.#program.runBatch === undefined) return undefined;
    return (inputs, cancellation) =>
      this.#with((replica) => this.#runBatch(replica, inputs as TensorInput[], cancellation));
  }

  get runWaiting(): Engine['runWaiting'] {
    if (!(this.#program instanceof Program)) return undefined;
    return ({ held, numbers }, cancellation) =>
      this.#with((replica) =>
        inParts(replica, numbers.length, cancellation, (program, from, to, threads) =>
          program.startWaiting(held, numbers.slice(from, to), threads),
        ),
      );
  }

  #runBatch(
    replica: Replica,
    inputs: readonly TensorInput[],
    cancellation: Cancellation,
  ): Promise<TensorOutput[]> {
    if (replica.handles !== undefined)
      return inParts(replica, inputs.length, cancellation, (handle, from, to, threads) =>
        handle.startBatch(inputs.slice(from, to) as ProgramInput[], threads),
      );
    const { program } = replica;
    return program instanceof Runnable
      ? runRunnable(program, inputs, this.#threads, cancellation)
      : runForeign(program, inputs, this.#threads, cancellation);
  }

  /** Calls the replica with the fewest batches. */
  async #with<T>(call: (replica: Replica) => Promise<T>): Promise<T> {
    const replica = this.#replicas.reduce((best, other) => (other.batches < best.batches ? other : best));
    replica.batches++;
    try {
      // The tidy block must not stay open while the program runs: that makes every promise of the process slower.
      let output: Promise<T> | undefined;
      untidy(() => {
        output = call(replica);
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
  #dispose({ program, handles, batches }: Replica): void {
    if (batches > 0) return;
    handles?.dispose();
    if (program !== this.#program) program.dispose?.();
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

/** The outputs of a batch of `count` requests of a Program. */
function inParts(
  { handles, batches }: Replica,
  count: number,
  cancellation: Cancellation,
  start: StartRun,
): Promise<TensorOutput[]> {
  return outputsOf(handles!.start(count, batches > 1, start), cancellation);
}

/** The outputs of a run, which can be canceled. */
async function outputsOf({ outputs, cancel }: Run, cancellation: Cancellation): Promise<TensorOutput[]> {
  cancellation.onCancel = cancel;
  const results = await outputs;
  if (results === undefined) throw cancellation.signal.reason;
  return results;
}

/** A program that was loaded from a file of Python. */
async function runRunnable(
  program: Runnable<TensorOutput>,
  inputs: readonly TensorInput[],
  threads: number,
  cancellation: Cancellation,
): Promise<TensorOutput[]> {
  // Steps of a TorchScript module may change its input in place, or return a view of it. Several inputs are joined, and so copied.
  const copy = inputs.length === 1 ? joinInputs(inputs) : undefined;
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
