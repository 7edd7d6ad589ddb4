/**
 * What every program has in common: runs on native threads, and synchronous ones.
 * @module
 */
import { integer, MAX_THREADS } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { checkSignal, onAbort } from '../check/signal.js';
import { invalidArgument } from '../errors.js';
import { native as handles } from '../native/index.js';
import type { ProgramsTable, ProgramValue, WaitingInputs } from '../native/programs.js';
import type { Tensor } from '../tensor/tensor.js';

const native = handles as unknown as ProgramsTable<Tensor>;

/** One input of a program. Networks take tensors; TorchScript takes the other types as well. */
export type ProgramInput = ProgramValue<Tensor>;

/** Options of {@link Runnable.run}. */
export interface RunOptions {
  /** If it is aborted before the run starts, the run is canceled and its promise rejected with the reason of the signal. */
  signal?: AbortSignal | undefined;
  /**
   * Threads for the parallel loops of this run, from 1 to 1,024; at most `getNumThreads()` are used. Default: `getNumThreads()` divided by the
   * number of programs that are running when it starts.
   */
  threads?: number | undefined;
}

const RUN_KEYS = optionKeys('signal', 'threads');

const unused = new FinalizationRegistry<number>((id) => native.disposeProgram(id));

let tickets = 0;

/** The inputs of a run: one input, or an array of them. */
export function inputsOf(x: ProgramInput): readonly ProgramInput[] {
  return Array.isArray(x) ? (x as readonly ProgramInput[]) : [x as ProgramInput];
}

/** A program: computes outputs from inputs without JavaScript. `Out` is the type of its output. */
export abstract class Runnable<Out = Tensor> {
  readonly #id: number;

  /** @internal @param id - The add-on's number of the program, which this object owns. */
  constructor(id: number) {
    this.#id = id;
    unused.register(this, id, this);
  }

  /** @internal From now on only {@link dispose} frees the program, not the end of this object. */
  protected keepUntilDisposed(): void {
    unused.unregister(this);
  }

  /** @internal The add-on's number. A worker thread of the process can open the program by it. */
  get id(): number {
    return this.#id;
  }

  /**
   * Computes on a native thread without blocking the event loop. Runs of one program are executed one after another in the
   * order of the calls; several programs run at the same time and share the cores evenly. Nothing is recorded for autograd.
   *
   * The inputs may be disposed after the call; their elements must not be changed until the promise settles. The outputs belong
   * to the `tidy` block that the call was made in.
   * @param x - The input, or an array of inputs.
   * @returns The output: a tensor, or an array or object with tensors if the network returns several.
   * @throws The signal's reason, if it is aborted before the run starts.
   * @throws DisposedError for a disposed program or input.
   * @throws ArgumentError, ShapeError or DTypeError for inputs that do not fit.
   * @example const logits = await program.run(images, { signal: AbortSignal.timeout(100) });
   */
  async run(x: ProgramInput, options: RunOptions = {}): Promise<Out> {
    return this.unpack(
      await this.#start(options, (ticket, threads) =>
        native.runProgramAsync(this.#id, this.pack(inputsOf(x)), ticket, threads),
      ),
    );
  }

  /**
   * Computes several requests as one batch. The native thread concatenates their inputs along the first dimension and splits
   * the output into the rows of each request. Otherwise like {@link run}.
   * @param requests - The input of each, or an array of its inputs: tensors [rows, ...] that agree in the other sizes, dtype
   *   and device.
   * @returns The output of each request. Outputs are copies that do not share memory.
   * @throws ShapeError when an output does not have a row for each input row; see also {@link run}.
   * @example const [first, second] = await program.runBatch([image, otherImage]);
   */
  async runBatch(requests: readonly ProgramInput[], options: RunOptions = {}): Promise<Out[]> {
    const outputs = await this.#start(options, (ticket, threads) => {
      if (!Array.isArray(requests) || requests.length === 0)
        throw invalidArgument('requests', 'an array of at least one input', requests);
      return native.runBatchAsync(this.#id, this.packBatch(requests), ticket, threads);
    });
    return outputs.map((output) => this.unpack(output));
  }

  /** @internal {@link runBatch} of one request or more, which `cancel` withdraws unless it has started: the outputs are then undefined. */
  startBatch(
    requests: readonly ProgramInput[],
    threads: number,
  ): { outputs: Promise<Out[] | undefined>; cancel: () => void } {
    const ticket = ++tickets;
    const outputs = native.runBatchAsync(this.#id, this.packBatch(requests), ticket, threads);
    return { outputs: this.#unpackBatch(outputs), cancel: () => native.cancelRun(ticket) };
  }

  /** @internal {@link startBatch} of tensors that the add-on holds. Only for programs whose input is a single tensor. */
  startWaiting(
    inputs: WaitingInputs,
    numbers: readonly number[],
    threads: number,
  ): { outputs: Promise<Out[] | undefined>; cancel: () => void } {
    const ticket = ++tickets;
    const outputs = native.runWaitingAsync(this.#id, inputs, numbers, ticket, threads);
    return { outputs: this.#unpackBatch(outputs), cancel: () => native.cancelRun(ticket) };
  }

  /**
   * Computes at once on the calling thread, before calls of {@link run} that have not started.
   * @param x - See {@link run}.
   * @returns See {@link run}.
   */
  runSync(x: ProgramInput): Out {
    return this.unpack(native.runProgram(this.#id, this.pack(inputsOf(x))));
  }

  /**
   * Returns another object for the same program and the same weights in memory, with its own queue: runs of the two can be
   * executed at the same time.
   */
  replicate(): this {
    return this.open(native.openProgram(this.#id));
  }

  /** Frees the program. Runs that were requested before still complete. Further calls have no effect. */
  dispose(): void {
    unused.unregister(this);
    native.disposeProgram(this.#id);
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** @internal An object like this one for another number of the program. */
  protected abstract open(id: number): this;

  /** @internal The inputs as the add-on takes them. */
  protected pack(inputs: readonly ProgramInput[]): readonly ProgramInput[] {
    return inputs;
  }

  /** @internal The input of each request, or an array of its inputs, as the add-on takes them. */
  protected packBatch(requests: readonly ProgramInput[]): readonly ProgramInput[] {
    if (!Array.isArray(requests)) throw invalidArgument('requests', 'an array of inputs', requests);
    return (requests as readonly ProgramInput[]).map((request) => this.pack(inputsOf(request)));
  }

  /** @internal The output, from what the add-on returned. */
  protected unpack(output: ProgramValue<Tensor>): Out {
    return output as Out;
  }

  /** A run that was withdrawn has no outputs. */
  #unpackBatch(outputs: Promise<readonly ProgramValue<Tensor>[] | undefined>): Promise<Out[] | undefined> {
    return outputs.then((each) => each?.map((output) => this.unpack(output)));
  }

  /** Checks the options and starts a run. */
  #start<T>(options: RunOptions, start: (ticket: number, threads: number) => Promise<T>): Promise<T> {
    const { signal, threads } = checkOptions(options, RUN_KEYS);
    checkSignal(signal);
    const limit = threads === undefined ? 0 : integer('threads', threads, 1, MAX_THREADS);
    signal?.throwIfAborted();
    const ticket = ++tickets;
    const result = start(ticket, limit);
    return signal ? this.#until(signal, ticket, result) : result;
  }

  #until<T>(signal: AbortSignal, ticket: number, result: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const remove = onAbort(signal, () => {
        if (native.cancelRun(ticket)) reject(signal.reason);
      });
      result.then(resolve, reject).finally(remove);
    });
  }
}
