/**
 * The requests of a batch: their results, and their answers.
 * @module
 */
import type { Collation, Holder } from './collation.js';
import type { Engine } from './engine.js';
import type { PoolBatch } from './pool-request.js';

/**
 * Runs a batch.
 * @returns a result for each request: undefined if it is not wanted, an Error for a request that failed.
 * @throws The reason of the cancellation for a batch that was abandoned.
 */
export function computeBatch(
  batch: PoolBatch,
  engine: Engine,
  holder: Holder,
  collation: Collation,
): Promise<unknown[]> {
  const results = startBatch(batch, engine, holder, collation);
  return engine.mayHang ? untilGivenUp(results, batch, holder, collation) : results;
}

/** The results of a batch whose function may never return. An abandoned one keeps its inputs until it ends. */
function untilGivenUp(
  results: Promise<unknown[]>,
  { requests, cancellation }: PoolBatch,
  holder: Holder,
  collation: Collation,
): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    results.then(resolve, reject);
    cancellation.onGiveUp = () => {
      const inputs = requests.map(({ input }) => input);
      for (const request of requests) request.input = undefined;
      const release = () => {
        for (const input of inputs) holder.release(input);
      };
      results.then(collation.dispose).then(release, release);
      reject(cancellation.signal.reason);
    };
  });
}

function startBatch(
  batch: PoolBatch,
  engine: Engine,
  holder: Holder,
  collation: Collation,
): Promise<unknown[]> {
  const { requests, cancellation } = batch;
  const held = requests.map(({ input }) => input);
  const waiting = engine.runWaiting && holder.waiting(held);
  if (waiting) {
    for (const [i, request] of requests.entries()) request.input = waiting.spares[i];
    return engine.runWaiting!(waiting, cancellation);
  }
  const inputs = holder.take(held);
  for (const [i, request] of requests.entries()) request.input = inputs[i];
  if (engine.runBatch) return engine.runBatch(inputs, cancellation);
  return computeJoined(batch, inputs, engine, collation);
}

/** The same where the engine does not join and split. */
async function computeJoined(
  { requests, cancellation }: PoolBatch,
  inputs: readonly unknown[],
  engine: Engine,
  collation: Collation,
): Promise<unknown[]> {
  const { input, release } = collation.join(inputs);
  try {
    const output = await engine.run(input, cancellation);
    const rows = requests.map(({ rows, isSettled }) => ({ count: rows, wanted: !isSettled }));
    return collation.split(output, rows, input);
  } finally {
    release();
  }
}

/** Gives each request its result, in the tidy block that it was made in. */
export function answerBatch(
  { requests }: PoolBatch,
  results: readonly unknown[],
  collation: Collation,
): void {
  const now = performance.now();
  for (const [i, request] of requests.entries()) {
    const result = results[i];
    if (result instanceof Error) request.reject('failed', result);
    else if (request.isSettled) collation.dispose(result);
    else {
      try {
        request.resolve(request.block ? collation.adopt(result, request.block) : result, now);
      } catch (error) {
        request.reject('failed', error);
      }
    }
  }
}
