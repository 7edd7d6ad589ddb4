import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { type Batchable, Batcher } from '../../lib/serve/batcher.js';

interface Item extends Batchable {
  id: number;
}

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

function batcherOf(
  options: { maxBatch?: number; maxDelayMs?: number; slots?: number; ahead?: () => number } = {},
) {
  const started: Item[][] = [];
  const batcher = new Batcher<Item>({
    ...{ maxBatch: 4, maxDelayMs: 10, slots: 1, ...options },
    start: (batch) => void started.push(batch),
  });
  let id = 0;
  const add = (changes: Partial<Item> = {}) => {
    const item = { id: id++, key: 'a', rows: 1, queuedAt: performance.now(), alone: false, ...changes };
    batcher.add(item);
    return item;
  };
  const ids = () => started.map((batch) => batch.map((item) => item.id));
  return { batcher, add, ids, started };
}

describe('Batcher', () => {
  it('starts a full batch at once', () => {
    const { add, ids, batcher } = batcherOf();
    for (let i = 0; i < 3; i++) add();
    expect(ids()).toEqual([]);
    add();
    expect(ids()).toEqual([[0, 1, 2, 3]]);
    expect([batcher.length, batcher.running]).toEqual([0, 1]);
  });

  it('starts a batch that is not full when its oldest request has waited for maxDelayMs', () => {
    const { add, ids } = batcherOf();
    add();
    vi.advanceTimersByTime(6);
    add();
    vi.advanceTimersByTime(3);
    expect(ids()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ids()).toEqual([[0, 1]]);
  });

  it('waits from the next request on when the oldest one is removed', () => {
    const { add, ids, batcher } = batcherOf();
    const first = add();
    vi.advanceTimersByTime(6);
    add();
    expect(batcher.remove(first)).toBe(true);
    expect(batcher.remove(first)).toBe(false);
    vi.advanceTimersByTime(9);
    expect(ids()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ids()).toEqual([[1]]);
  });

  it('puts requests of one turn in one batch without a delay', () => {
    const { add, ids } = batcherOf({ maxDelayMs: 0 });
    add();
    add();
    expect(ids()).toEqual([]);
    vi.advanceTimersByTime(0);
    expect(ids()).toEqual([[0, 1]]);
  });

  it('collects requests while all slots are in use, and starts them when one is free', () => {
    const { add, ids, batcher } = batcherOf({ maxDelayMs: 0, maxBatch: 2 });
    for (let i = 0; i < 5; i++) add();
    expect(ids()).toEqual([[0, 1]]);
    batcher.release();
    expect(ids()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    batcher.release();
    expect(ids()[2]).toEqual([4]);
  });

  it('starts a full batch ahead of a free slot, and no other', () => {
    let ahead = 1;
    const { add, ids, batcher } = batcherOf({ maxDelayMs: 0, maxBatch: 2, ahead: () => ahead });
    for (let i = 0; i < 5; i++) add();
    expect(ids()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect([batcher.length, batcher.running, batcher.freeSlots]).toEqual([1, 2, 0]);
    batcher.release();
    vi.advanceTimersByTime(5);
    expect(ids()).toHaveLength(2);
    add();
    expect(ids()[2]).toEqual([4, 5]);
    ahead = 0;
    add();
    add();
    batcher.release();
    expect(ids()).toHaveLength(3);
    batcher.release();
    expect(ids()[3]).toEqual([6, 7]);
  });

  it('lets full batches of one key not get ahead of a request of another one for ever', () => {
    const { add, started, batcher } = batcherOf({ maxDelayMs: 0, maxBatch: 2, ahead: () => 1 });
    const keys = () => started.map((batch) => batch.map(({ key }) => key).join(''));
    for (let i = 0; i < 4; i++) add();
    add({ key: 'b' });
    for (let i = 0; i < 4; i++) {
      vi.advanceTimersByTime(1);
      batcher.release();
      add();
      add();
    }
    expect(keys()).toEqual(['aa', 'aa', 'b', 'aa', 'aa', 'aa']);
  });

  it('starts a request that has to be alone ahead of a free slot', () => {
    const { add, ids } = batcherOf({ maxDelayMs: 0, maxBatch: 2, ahead: () => 1 });
    for (let i = 0; i < 2; i++) add();
    add({ alone: true });
    expect(ids()).toEqual([[0, 1], [2]]);
  });

  it('starts batches that a smaller maxBatch makes full', () => {
    const { add, ids, batcher } = batcherOf();
    add();
    add();
    batcher.maxBatch = 2;
    expect(ids()).toEqual([[0, 1]]);
  });

  it('uses every slot', () => {
    const { add, ids, batcher } = batcherOf({ maxBatch: 1, slots: 3 });
    for (let i = 0; i < 4; i++) add();
    expect(ids()).toEqual([[0], [1], [2]]);
    expect(batcher.running).toBe(3);
  });

  it('never mixes keys, and starts the group with the oldest request first', () => {
    const { add, ids, batcher } = batcherOf({ maxBatch: 2, maxDelayMs: 0 });
    add({ key: 'a' });
    vi.advanceTimersByTime(1);
    add({ key: 'b' });
    vi.advanceTimersByTime(1);
    add({ key: 'a' });
    add({ key: 'b' });
    for (let i = 0; i < 3; i++) batcher.release();
    expect(ids()).toEqual([[0], [1, 3], [2]]);
  });

  it('counts rows, keeps the order, and gives a request with too many rows a separate batch', () => {
    const { add, ids, batcher } = batcherOf({ maxBatch: 4 });
    batcher.pause();
    for (const rows of [2, 3, 9, 1, 2]) add({ rows });
    batcher.flush();
    batcher.resume();
    for (let i = 0; i < 3; i++) batcher.release();
    expect(ids()).toEqual([[0], [1], [2], [3, 4]]);
  });

  it('runs a request alone that has to be', () => {
    const { add, ids, batcher } = batcherOf({ maxDelayMs: 0 });
    batcher.pause();
    for (const alone of [false, true, true, false, false]) add({ alone });
    batcher.resume();
    for (let i = 0; i < 3; i++) batcher.release();
    expect(ids()).toEqual([[0], [1], [2], [3, 4]]);
  });

  it('starts nothing while it is paused', () => {
    const { add, ids, batcher } = batcherOf({ maxBatch: 1 });
    batcher.pause();
    add();
    batcher.flush();
    vi.advanceTimersByTime(100);
    expect(ids()).toEqual([]);
    batcher.resume();
    expect(ids()).toEqual([[0]]);
  });

  it('waits for nothing after flush', () => {
    const { add, ids, batcher } = batcherOf({ maxDelayMs: 1e6 });
    add();
    batcher.flush();
    expect(ids()).toEqual([[0]]);
  });

  it('leaves no timer behind', () => {
    const { add, batcher } = batcherOf();
    batcher.remove(add());
    add();
    vi.advanceTimersByTime(10);
    expect(vi.getTimerCount()).toBe(0);
  });

  // Against a model: what must hold after every event of a random sequence.
  it.each(Array.from({ length: 15 }, (_, seed) => seed))(
    'keeps its promises in random sequences: %i',
    (seed) => {
      const random = new Random(seed, 0);
      const pick = (limit: number) => random.below(limit);
      const options = { maxBatch: 1 + pick(5), maxDelayMs: pick(3) * 5, slots: 1 + pick(3) };
      const { batcher, started } = batcherOf(options);
      const waiting = new Set<Item>();
      let running = 0;
      let seen = 0;
      const check = () => {
        for (; seen < started.length; seen++) {
          const batch = started[seen]!;
          running++;
          expect(new Set(batch.map(({ key }) => key)).size).toBe(1);
          const rows = batch.reduce((sum, item) => sum + item.rows, 0);
          expect(batch.length === 1 || rows <= options.maxBatch).toBe(true);
          expect(batch.length === 1 || !batch.some(({ alone }) => alone)).toBe(true);
          for (const item of batch) expect(waiting.delete(item)).toBe(true);
          // First come, first served among requests that can share a batch.
          const last = batch.at(-1)!;
          for (const item of waiting) expect(item.key !== last.key || item.id > last.id).toBe(true);
        }
        expect(batcher.running).toBe(running);
        expect(running).toBeLessThanOrEqual(options.slots);
        expect(batcher.length).toBe(waiting.size);
        if (running < options.slots)
          for (const { queuedAt } of waiting)
            expect(performance.now() - queuedAt).toBeLessThanOrEqual(options.maxDelayMs + 1);
      };
      for (let event = 0; event < 200; event++) {
        const what = pick(10);
        if (what < 5) {
          const item = { id: event, key: 'abc'[pick(3)]!, rows: 1 + pick(3), alone: pick(10) === 0 };
          const queued = { ...item, queuedAt: performance.now() };
          waiting.add(queued); // It may start within the call.
          batcher.add(queued);
        } else if (what < 7) vi.advanceTimersByTime(pick(8));
        else if (what < 8 && waiting.size > 0) {
          const item = [...waiting][pick(waiting.size)]!;
          expect(batcher.remove(item)).toBe(true);
          waiting.delete(item);
        } else if (running > 0) {
          running--;
          batcher.release();
        }
        check();
      }
      batcher.flush();
      while (waiting.size > 0 || running > 0) {
        check();
        if (running > 0) {
          running--;
          batcher.release();
        }
      }
      expect(batcher.length).toBe(0);
    },
  );
});
