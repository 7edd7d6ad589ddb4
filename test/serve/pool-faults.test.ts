import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, it } from 'vitest';
import { Random } from '../../lib/data/random.js';
import {
  memory,
  OverloadedError,
  PoolClosedError,
  RequestTimeoutError,
  serve,
  type Tensor,
  tensor,
  tidy,
} from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';

beforeEach(settleGarbage);

// Random requests and faults: whatever happens, each accepted request settles exactly once, with its own rows or a
// typed error, and nothing is left.
it.each(Array.from({ length: 8 }, (_, seed) => seed))(
  'answers every request once, whatever fails: %i',
  async (seed) => {
    const random = new Random(seed, 7);
    const pick = (count: number) => random.below(count);
    const before = memory().numTensors;
    class Broken extends Error {}
    class Gone extends Error {}
    let factor = 1;
    const program = (own: number): serve.PoolProgram => ({
      async run(input, { signal } = {}) {
        using x = (input as Tensor).detach();
        await sleep(pick(6));
        signal?.throwIfAborted();
        if (pick(8) === 0) throw new Broken();
        return tidy(() => x.sum({ dim: 1, keepdim: true }).mul(own));
      },
      replicate: () => program(own),
    });
    const batching = { maxBatch: 1 + pick(6), maxDelayMs: pick(3), maxQueue: 4 + pick(10) };
    const pool = await serve.createPool({ program: program(1), replicas: 1 + pick(3), batching });
    const counts: Record<string, number> = {};
    const settles: number[] = [];
    const requests: Promise<void>[] = [];
    const swaps: Promise<void>[] = [];
    for (let i = 0; i < 150; i++) {
      const controller = new AbortController();
      const options = {
        ...(pick(4) === 0 && { timeoutMs: 1 + pick(8) }),
        ...(pick(4) === 0 && { signal: controller.signal }),
      };
      if (options.signal) setTimeout(() => controller.abort(new Gone()), pick(8));
      const rows = 1 + pick(3);
      const make = () => tensor(Array.from({ length: rows }, (_, r) => [i, r]));
      const allowed = [factor, factor + 1];
      const check = (y: Tensor) => {
        using own = y;
        const values = own.arraySync() as number[][];
        expect(values).toHaveLength(rows);
        const used = i === 0 ? factor : values[0]![0]! / i;
        if (i > 0) expect(used).toBeGreaterThanOrEqual(allowed[0]!);
        for (const [r, value] of values.entries()) if (i > 0) expect(value[0]).toBe(used * (i + r));
        return 'answered';
      };
      const refused = (error: unknown) => {
        for (const type of [OverloadedError, RequestTimeoutError, Broken, Gone])
          if (error instanceof type) return type.name;
        throw error;
      };
      let request: Promise<Tensor>;
      if (pick(3) === 0)
        request = pool.run(async () => {
          await sleep(pick(4));
          return make();
        }, options);
      else {
        using x = make();
        request = pool.run(x, options);
      }
      requests.push(
        request.then(check, refused).then((outcome) => {
          counts[outcome] = (counts[outcome] ?? 0) + 1;
          settles[i] = (settles[i] ?? 0) + 1;
        }),
      );
      if (pick(40) === 0) {
        const next = factor + 1;
        swaps.push(
          pool.swap(program(next)).then(
            () => {
              factor = next;
            },
            // One that waits for an earlier one when the pool closes is refused.
            (error: unknown) => {
              if (!(error instanceof PoolClosedError)) throw error;
            },
          ),
        );
      }
      if (pick(3) === 0) await sleep(pick(4));
    }
    const closed = pool.close();
    await Promise.all([...requests, ...swaps]);
    await closed;
    expect(settles).toEqual(new Array(150).fill(1));
    const metrics = pool.metrics();
    expect(metrics).toMatchObject({
      ...{ queued: 0, running: 0, runningBatches: 0, crashed: 0 },
      answered: counts.answered,
      failed: counts.Broken ?? 0,
      timedOut: counts.RequestTimeoutError ?? 0,
      aborted: counts.Gone ?? 0,
      refused: { overloaded: counts.OverloadedError ?? 0, closed: 0, invalid: 0 },
    });
    const { answered, failed, timedOut, aborted, crashed } = metrics;
    expect(answered + failed + timedOut + aborted + crashed).toBe(metrics.accepted);
    await sleep(20); // Inputs whose requests ended while they were prepared.
    expect(memory().numTensors).toBe(before);
  },
);
