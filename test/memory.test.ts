import { afterEach, describe, expect, it } from 'vitest';
import { ArgumentError, empty, emptyCache, memory, setMemoryOptions, zeros } from '../lib/index.js';

const MB = 2 ** 20;
const UNLIMITED = 2 ** 40;

describe('CPU memory', () => {
  afterEach(() => {
    setMemoryOptions({ cacheLimit: UNLIMITED });
    emptyCache();
  });

  it.each([-1, 1.5, Number.NaN, '1'])('refuses a cacheLimit of %s', (cacheLimit) => {
    expect(() => setMemoryOptions({ cacheLimit: cacheLimit as number })).toThrow(ArgumentError);
    expect(() => setMemoryOptions({ cacheLimit: cacheLimit as number })).toThrow('for cacheLimit');
  });

  it('is counted while in use, and kept afterwards', () => {
    emptyCache();
    const before = memory();
    const x = empty([8 * MB], { dtype: 'uint8' });
    const during = memory();
    expect(during.allocatedBytes - before.allocatedBytes).toBeGreaterThanOrEqual(8 * MB);
    expect(during.allocatedBytes - before.allocatedBytes).toBeLessThan(9.1 * MB);
    expect(during.peakBytes).toBeGreaterThanOrEqual(during.allocatedBytes);
    x.dispose();
    expect(memory().allocatedBytes).toBe(before.allocatedBytes);
    expect(memory().cachedBytes - before.cachedBytes).toBe(during.allocatedBytes - before.allocatedBytes);
  });

  it('is used again for the same size', () => {
    emptyCache();
    empty([8 * MB], { dtype: 'uint8' }).dispose();
    const kept = memory().cachedBytes;
    expect(kept).toBeGreaterThan(0);
    const again = empty([8 * MB], { dtype: 'uint8' });
    expect(memory().cachedBytes).toBe(0);
    again.dispose();
    expect(memory().cachedBytes).toBe(kept);
  });

  it('goes back to the system on emptyCache', () => {
    empty([8 * MB], { dtype: 'uint8' }).dispose();
    expect(memory().cachedBytes).toBeGreaterThan(0);
    emptyCache();
    expect(memory().cachedBytes).toBe(0);
  });

  it('keeps no more than the limit', () => {
    setMemoryOptions({ cacheLimit: 0 });
    empty([8 * MB], { dtype: 'uint8' }).dispose();
    expect(memory().cachedBytes).toBe(0);
    setMemoryOptions({ cacheLimit: 12 * MB });
    const both = [empty([8 * MB], { dtype: 'uint8' }), empty([8 * MB], { dtype: 'uint8' })];
    for (const x of both) x.dispose();
    expect(memory().cachedBytes).toBeGreaterThan(0);
    expect(memory().cachedBytes).toBeLessThanOrEqual(12 * MB);
  });

  it('holds right values in blocks of every kind, used again', () => {
    for (const size of [1, 100, 20_000, 300_000, 3_000_000]) {
      for (let turn = 0; turn < 3; turn++) {
        const x = zeros([size]).add(turn);
        expect(x.sum().item()).toBe(turn * size);
        x.dispose();
      }
    }
  });
});
