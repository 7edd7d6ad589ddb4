/**
 * A batch of a program in parts, each on a thread of its own. A thread that has finished its part takes one of the next batch
 * and does not wait for the other threads, which the event loop may have delayed.
 * @module
 */
import type { Program } from '../program/program.js';
import type { Runnable } from '../program/runner.js';
import { getNumThreads } from '../runtime/settings.js';
import { disposeAll, type TensorOutput } from './rows.js';

/** A run of requests, which can be withdrawn until it starts: the outputs are then undefined. */
export type Run = ReturnType<Runnable<TensorOutput>['startBatch']>;

/** Starts a run of some of the requests of a batch on a handle of the program. */
export type StartRun = (program: Program<TensorOutput>, from: number, to: number, threads: number) => Run;

/** A batch that every program with independent rows divides. */
const MANY_ROWS = 2 ** 30;

/** The handles of a program. Each has its own queue, so that runs of several are executed at the same time. */
export class ProgramHandles {
  readonly #handles: [Program<TensorOutput>, ...Program<TensorOutput>[]];
  readonly #threads: number;

  /** @param threads - Threads of a run at most. */
  constructor(program: Program<TensorOutput>, threads: number) {
    this.#handles = [program];
    this.#threads = threads;
  }

  /**
   * Starts the run of a batch of `count` requests, in as many parts as are fastest.
   * @param isBusy - Whether another batch has not ended: the threads then have work whenever their part ends, and parts are faster
   *   for small batches too, although each of them reads all weights.
   */
  start(count: number, isBusy: boolean, start: StartRun): Run {
    const [program] = this.#handles;
    const threads = Math.min(this.#threads, getNumThreads());
    // Requests of several rows make more parts possible; the program divides their batch by itself.
    const parts = Math.min(count, program.partsOf(isBusy ? MANY_ROWS : count, threads));
    if (parts === 1) return start(program, 0, count, this.#threads);
    const runs = Array.from({ length: parts }, (_, part) =>
      startOrFail(
        start,
        this.#handle(part),
        Math.floor((count * part) / parts),
        Math.floor((count * (part + 1)) / parts),
      ),
    );
    return {
      outputs: outputsOf(runs),
      cancel: () => {
        for (const run of runs) run.cancel();
      },
    };
  }

  /** Frees the handles that were added. No run is waiting. */
  dispose(): void {
    for (const handle of this.#handles.splice(1)) handle.dispose();
  }

  #handle(part: number): Program<TensorOutput> {
    for (let more = this.#handles.length; more <= part; more++)
      this.#handles.push(this.#handles[0].replicate());
    return this.#handles[part]!;
  }
}

/** A part that cannot start fails as one that cannot run does: others may be running. */
function startOrFail(start: StartRun, program: Program<TensorOutput>, from: number, to: number): Run {
  try {
    return start(program, from, to, 1);
  } catch (error) {
    return { outputs: Promise.reject(error), cancel: () => {} };
  }
}

/** The outputs of all parts, once all have ended; undefined if one was withdrawn. @throws the error of the first part that failed. */
async function outputsOf(runs: readonly Run[]): Promise<TensorOutput[] | undefined> {
  const results = await Promise.allSettled(runs.map(({ outputs }) => outputs));
  const outputs = results.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
  if (outputs.every((part) => part !== undefined)) return outputs.flat();
  disposeAll(outputs);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return undefined;
}
