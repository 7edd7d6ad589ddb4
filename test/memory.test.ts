import { afterEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  empty,
  emptyCache,
  leakReport,
  memory,
  NativeError,
  ones,
  setMemoryOptions,
  zeros,
} from '../lib/index.js';
import { collectGarbage } from './support/garbage.js';

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

describe('a memory limit', () => {
  afterEach(() => setMemoryOptions({ memoryLimit: Number.POSITIVE_INFINITY }));

  it('refuses what goes beyond it as out of memory', () => {
    collectGarbage();
    setMemoryOptions({ memoryLimit: memory().allocatedBytes + 16 * MB });
    const kept = empty([8 * MB], { dtype: 'uint8' });
    expect(() => empty([12 * MB], { dtype: 'uint8' })).toThrow(NativeError);
    expect(() => empty([12 * MB], { dtype: 'uint8' })).toThrow('out of memory');
    kept.dispose();
    empty([12 * MB], { dtype: 'uint8' }).dispose();
  });

  it('has garbage collected, and the operation tried again', () => {
    collectGarbage();
    setMemoryOptions({ memoryLimit: memory().allocatedBytes + 64 * MB });
    // Each fits only after the previous one has been collected; none is disposed.
    for (let i = 0; i < 20; i++) expect(zeros([12 * MB], { dtype: 'uint8' }).add(i).shape).toEqual([12 * MB]);
  });

  it('has garbage collected for work on other threads as well', async () => {
    collectGarbage();
    const wide = ones([3 * MB]).reshape([3, MB]);
    setMemoryOptions({ memoryLimit: memory().allocatedBytes + 16 * MB });
    for (let i = 0; i < 5; i++) {
      zeros([3 * MB]);
      // Reading a transposed tensor copies it, on the compute thread.
      expect((await wide.t().data()).length).toBe(3 * MB);
    }
  });

  it.each([-1, 0.5, '1', Number.NaN])('is no %s', (memoryLimit) => {
    expect(() => setMemoryOptions({ memoryLimit: memoryLimit as number })).toThrow('for memoryLimit');
  });
});

describe('leakReport', () => {
  afterEach(() => setMemoryOptions({ trackCreation: false }));

  it('groups live tensors by the call that created them', () => {
    setMemoryOptions({ trackCreation: true });
    function leak() {
      return zeros([256]);
    }
    const leaked = Array.from({ length: 3 }, () => leak());
    const views = leaked.map((x) => x.reshape([2, 128]));
    const report = leakReport();
    const group = report.groups.find(({ stack }) => stack.includes('leak'));
    expect(group).toMatchObject({ numTensors: 3, numBytes: 3 * 1024 });
    expect(group?.stack.split('\n')[0]).toMatch(/at leak .*memory\.test\.ts/);
    expect(String(report)).toContain('3 tensors, 3072 bytes, made\n    at leak');
    for (const x of [...leaked, ...views]) x.dispose();
    expect(leakReport().groups.some(({ stack }) => stack.includes('leak'))).toBe(false);
  });

  it('reports tensors that were created earlier', () => {
    const early = zeros([10]);
    setMemoryOptions({ trackCreation: true });
    expect(leakReport().groups.find(({ stack }) => stack === '')?.numTensors).toBeGreaterThan(0);
    expect(String(leakReport())).toContain('before creations were tracked');
    early.dispose();
  });

  it.each([1, 'yes', null])('is not switched by %s', (trackCreation) => {
    expect(() => setMemoryOptions({ trackCreation: trackCreation as never })).toThrow('for trackCreation');
  });
});
