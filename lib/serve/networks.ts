/**
 * The network of a pool, and its replacement while requests are answered.
 * @module
 */
import { untilAborted } from '../check/signal.js';
import { PoolClosedError, WorkerError } from '../errors.js';
import type { Batcher } from './batcher.js';
import { GRACE_MS } from './cancellation.js';
import {
  createEngine,
  type EngineSettings,
  maxBatchOf,
  parseReplacement,
  type Replacement,
} from './create-engine.js';
import type { Engine, StateDict } from './engine.js';
import { Generation } from './generation.js';
import type { PoolMetrics } from './pool-metrics.js';
import type { PoolSource } from './pool-options.js';
import type { PoolRequest } from './pool-request.js';
import { Swap } from './swap.js';
import { WorkerDied } from './worker-engine.js';

/** What the networks of a pool need of it. */
export interface NetworksOptions {
  /** That of the first network; later ones are of the same kind. */
  kind: PoolSource['kind'];
  settings: EngineSettings;
  metrics: PoolMetrics;
  /** Starts the batches. */
  batcher: Batcher<PoolRequest>;
}

/** The network of a pool, and those that it replaced and that have not ended. */
export class Networks {
  readonly #options: NetworksOptions;
  #current: Generation;
  readonly #replaced = new Map<Generation, Promise<void>>();
  /** Swaps that have not ended; they run one after another. */
  readonly #swaps = new Set<Swap>();
  /** Settles when all swaps so far have ended. */
  #last: Promise<unknown> = Promise.resolve();
  #isClosing = false;
  #closing: NodeJS.Timeout | undefined;

  constructor(engine: Engine, options: NetworksOptions) {
    this.#current = new Generation(engine);
    this.#options = options;
  }

  /** For batches that start now. */
  get current(): Generation {
    return this.#current;
  }

  /** See {@link Pool.swap}. */
  async swap(replacement: Replacement, timeoutMs: number): Promise<void> {
    this.#checkOpen();
    const swap = new Swap(timeoutMs);
    const earlier = this.#last;
    const done = untilAborted(earlier, swap.signal).then(() => this.#replace(replacement, swap));
    this.#last = Promise.allSettled([earlier, done]);
    this.#swaps.add(swap);
    const { metrics } = this.#options;
    try {
      await done;
      metrics.swap(swap.ms, undefined);
    } catch (error) {
      metrics.swap(swap.ms, error);
      throw error instanceof WorkerDied ? new WorkerError(error.message, { cause: error }) : error;
    } finally {
      swap.end();
      this.#swaps.delete(swap);
    }
  }

  /** No swap starts any more; one that waits for code of the user is abandoned after some time. */
  beginClosing(): void {
    this.#isClosing = true;
    this.#closing = setTimeout(() => {
      const error = new PoolClosedError('The swap was given up, because the pool was closed');
      for (const swap of this.#swaps) if (!swap.hasReplaced) swap.giveUp(error);
    }, GRACE_MS);
  }

  /** Frees all networks. No request waits for a result any more. */
  async close(): Promise<void> {
    // A batch that no request waits for ends soon, except in a worker, which is ended instead.
    const isModule = this.#options.kind === 'module';
    if (isModule) for (const generation of this.#replaced.keys()) await generation.engine.close();
    await this.#last;
    await Promise.all(this.#replaced.values());
    clearTimeout(this.#closing);
    if (!isModule) await this.#current.idle();
    await this.#current.engine.close();
  }

  #checkOpen(): void {
    if (this.#isClosing) throw new PoolClosedError('Expected an open pool for swap, but it was closed');
  }

  async #replace(replacement: Replacement, swap: Swap): Promise<void> {
    this.#checkOpen();
    swap.begin();
    const { kind, settings, batcher } = this.#options;
    const { source, state } = parseReplacement(kind, replacement);
    if (source === undefined) {
      batcher.pause();
      try {
        await this.#loadWeights(state, swap);
      } finally {
        batcher.resume();
      }
      return;
    }
    swap.phase = 'creating';
    const engine = await createEngine(source, settings, swap.signal);
    const old = this.#current;
    this.#current = new Generation(engine);
    batcher.maxBatch = maxBatchOf(engine, settings);
    swap.phase = 'ending';
    await untilAborted(this.#retire(old), swap.signal);
  }

  async #loadWeights(state: StateDict, swap: Swap): Promise<void> {
    swap.phase = 'emptying';
    await untilAborted(this.#current.idle(), swap.signal);
    swap.phase = 'loading';
    await this.#current.engine.loadStateDict(state, swap.signal);
  }

  /** Closes an engine when its batches have ended. */
  #retire(generation: Generation): Promise<void> {
    const closed = generation.idle().then(() => generation.engine.close());
    const ended = closed.finally(() => this.#replaced.delete(generation));
    this.#replaced.set(
      generation,
      ended.catch(() => {}),
    );
    return ended;
  }
}
