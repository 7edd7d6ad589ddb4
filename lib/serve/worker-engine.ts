/**
 * Runs the batches of a pool in worker threads, for functions whose JavaScript takes long. Workers that end are replaced.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Piscina } from 'piscina';
import { untilAborted } from '../check/signal.js';
import { untidy } from '../tensor/context.js';
import { releaseHandle, type TensorHandle } from '../tensor/handle.js';
import type { Cancellation } from './cancellation.js';
import type { Engine, StateDict } from './engine.js';
import {
  packValue,
  UnpostableError,
  unpackError,
  unpackValue,
  type WorkerAnswer,
  type WorkerModule,
  type WorkerTask,
  type WorkerWeights,
} from './worker-protocol.js';

/** A batch whose worker ended before it answered. */
export class WorkerDied extends Error {}

/** Handles of weights are claimed by every worker that is started, until the weights are replaced. */
const MANY_CLAIMS = 2 ** 31;

/** Options of {@link WorkerEngine.start}. */
export interface WorkerEngineOptions {
  module: WorkerModule;
  replicas: number;
  /** Threads of an operation in each worker. */
  threads: number;
  /** Called when a worker ended unexpectedly, or was ended because its function did not return. */
  onExit: () => void;
}

/** An engine of worker threads. */
export class WorkerEngine implements Engine {
  readonly #options: WorkerEngineOptions;
  #workers: Piscina<WorkerTask, WorkerAnswer>;
  #weights: WorkerWeights | undefined;
  #version = 0;

  private constructor(options: WorkerEngineOptions, workers: Piscina<WorkerTask, WorkerAnswer>) {
    this.#options = options;
    this.#workers = workers;
  }

  /** Starts the workers. @throws what the module throws while it is loaded; the reason of the signal. */
  static async start(options: WorkerEngineOptions, signal?: AbortSignal): Promise<WorkerEngine> {
    const engine = new WorkerEngine(options, await startWorkers(options));
    try {
      const loaded = Array.from({ length: options.replicas }, () => engine.#ask(undefined));
      await untilAborted(Promise.all(loaded), signal);
    } catch (error) {
      await engine.close();
      throw error;
    }
    return engine;
  }

  async run(input: unknown, cancellation: Cancellation): Promise<unknown> {
    const handles: TensorHandle[] = [];
    const abandoned = new AbortController();
    cancellation.onGiveUp = () => abandoned.abort();
    try {
      const packed = untidy(() => packValue(input, handles));
      const output = await this.#ask(packed, abandoned.signal);
      return untidy(() => unpackValue(output));
    } catch (error) {
      // A worker that ended may not have claimed all of them.
      for (const handle of handles) releaseHandle(handle);
      throw error;
    }
  }

  async loadStateDict(state: StateDict, signal: AbortSignal): Promise<void> {
    const before = this.#weights;
    this.#weights = await this.#share(state);
    try {
      await untilAborted(this.#ask(undefined), signal);
      release(before);
    } catch (error) {
      // The state of the worker is unknown: a part of the weights may be loaded.
      release(this.#weights);
      this.#weights = before;
      await this.#workers.destroy();
      this.#workers = await startWorkers(this.#options);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#workers.destroy();
    release(this.#weights);
    this.#weights = undefined;
  }

  /** Copies of the weights for the workers, which load them before their next batch. */
  async #share(state: StateDict): Promise<WorkerWeights> {
    const handles: Record<string, TensorHandle> = {};
    for (const [name, tensor] of Object.entries(state)) {
      using copy = untidy(() => tensor.detach().clone());
      handles[name] = copy.share({ claims: MANY_CLAIMS });
      await nextTurn(); // Other requests are served while large weights are copied.
    }
    this.#version += 1;
    return { version: this.#version, state: handles };
  }

  /** @param abandoned - Ends the worker of the task, which is replaced. */
  async #ask(input: unknown, abandoned?: AbortSignal): Promise<unknown> {
    const { module, threads } = this.#options;
    let answer: WorkerAnswer;
    try {
      const task = { module, threads, weights: this.#weights, input };
      answer = await this.#workers.run(task, abandoned && { signal: abandoned });
    } catch (error) {
      // The input could not be copied to the worker, such as an array whose memory was transferred.
      if (error instanceof DOMException && error.name === 'DataCloneError')
        throw new UnpostableError(input, error.message);
      this.#options.onExit();
      if (abandoned?.aborted) throw abandoned.reason;
      throw new WorkerDied(`A worker of the pool ended: ${(error as Error).message}`, { cause: error });
    }
    if ('error' in answer) throw unpackError(answer.error);
    return answer.output;
  }
}

function release(weights: WorkerWeights | undefined): void {
  for (const handle of Object.values(weights?.state ?? {})) releaseHandle(handle);
}

async function startWorkers({
  replicas,
  onExit,
}: WorkerEngineOptions): Promise<Piscina<WorkerTask, WorkerAnswer>> {
  const { Piscina } = await import('piscina');
  const workers = new Piscina<WorkerTask, WorkerAnswer>({
    filename: new URL('./pool-worker.js', import.meta.url).href,
    minThreads: replicas,
    maxThreads: replicas,
    idleTimeout: Number.POSITIVE_INFINITY,
    // Between tasks a worker runs its event loop, so that finalizers free tensors and timers of the module fire.
    atomics: 'disabled',
    recordTiming: false,
  });
  // A worker that ends while it has no task; piscina starts another.
  workers.on('error', onExit);
  return workers;
}
