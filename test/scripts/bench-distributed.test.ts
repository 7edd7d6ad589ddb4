import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const bench = (name: string) => import(`../../scripts/bench/distributed/${name}.js`);
const { allReduceMs, fitLink, floorOf, stepMs } = await bench('model');
const { chromeTrace, overlapOf } = await bench('trace');

const ideal = { efficiency: 1, latencyMs: 0, ceilingGbits: 1000 };

describe('allReduceMs()', () => {
  it('is the time of the data on a fast link, and of the messages on a slow one', () => {
    // Each host sends 2 (n - 1) / n of the bytes.
    const large = { gbits: 1, delayMs: 0, bytes: 32e6 };
    expect(allReduceMs(ideal, { ...large, hosts: 2 })).toBeCloseTo(256);
    expect(allReduceMs(ideal, { ...large, hosts: 4 })).toBeCloseTo(384);
    // Two segments for each host, two under way; and the comparison of the calls.
    expect(allReduceMs(ideal, { hosts: 2, gbits: 1e6, delayMs: 10, bytes: 4 })).toBeCloseTo(30);
    expect(allReduceMs(ideal, { hosts: 4, gbits: 1e6, delayMs: 10, bytes: 4 })).toBeCloseTo(90);
    expect(allReduceMs(ideal, { hosts: 1, gbits: 1, delayMs: 1, bytes: 4 })).toBe(0);
  });
});

describe('fitLink()', () => {
  it('finds the parameters that made the measurements', () => {
    const model = { efficiency: 0.8, latencyMs: 0.2, ceilingGbits: 6 };
    const measured = [2, 4].flatMap((hosts) =>
      [1, 10].flatMap((gbits) =>
        [0.1, 1, 10].flatMap((delayMs) =>
          [1024, 2 ** 20, 32e6].map((bytes) => {
            const call = { hosts, gbits, delayMs, bytes };
            return { ...call, ms: allReduceMs(model, call) };
          }),
        ),
      ),
    );
    const { model: found, meanError, worstError } = fitLink(measured);
    expect(worstError).toBeLessThan(0.03);
    expect(meanError).toBeLessThanOrEqual(worstError);
    for (const [key, value] of Object.entries(model))
      expect(found[key as keyof typeof model] / value).toBeCloseTo(1, 1);
    expect(() => fitLink([])).toThrow('Expected measurements');
  });
});

describe('stepMs()', () => {
  const link = { hosts: 2, gbits: 1, delayMs: 0 };
  const step = { forwardMs: 10, backwardMs: 20, optimizerMs: 5 };
  it('hides what is sent before the backward pass ends', () => {
    const bucket = { bytes: 1e6, readyMs: 4 }; // 8 ms
    expect(stepMs({ ...step, buckets: [bucket] }, ideal, link)).toBeCloseTo(35);
    const late = { bytes: 1e6, readyMs: 20 };
    expect(stepMs({ ...step, buckets: [bucket, late] }, ideal, link)).toBeCloseTo(43);
    const waiting = { bytes: 2.5e6, readyMs: 4 }; // 20 ms, after which the last begins
    expect(stepMs({ ...step, buckets: [waiting, late] }, ideal, link)).toBeCloseTo(47);
  });
});

describe('floorOf()', () => {
  it('is the share of a step that the all-reduce leaves', () => {
    const parts = {
      'step without exchange': { userMs: 80, systemMs: 10 },
      'all-reduce of the gradients': { userMs: 4, systemMs: 6 },
    };
    expect(floorOf(parts)).toBeCloseTo(0.9);
    expect(() => floorOf({})).toThrow('Expected step without exchange among the parts');
  });
});

describe('a trace of a step', () => {
  const call = (made: number, begun: number, ended: number) => ({
    ...{ number: 1, operation: 'allReduce', dtype: 'float32' as const, elements: 7 },
    ...{ made, begun, ended, failed: false },
  });
  const trace = (calls: ReturnType<typeof call>[], origin = 1000) => ({
    passes: [
      { name: 'forward', start: 0, end: 10 },
      { name: 'backward', start: 10, end: 40 },
    ],
    calls,
    origin,
  });

  it('says how much of the communication the backward pass hides', () => {
    const { buckets, backwardMs, communicationMs, exposedMs, hiddenShare } = overlapOf(
      trace([call(15, 16, 26), call(20, 22, 28), call(30, 31, 40)]),
    );
    expect({ buckets, backwardMs }).toEqual({ buckets: 3, backwardMs: 30 });
    expect(communicationMs).toBeCloseTo(12 + 9);
    expect(exposedMs).toBeCloseTo(10);
    expect(hiddenShare).toBeCloseTo(1 - 10 / 21);
    expect(() => overlapOf(trace([]))).toThrow('reduced no gradients');
  });

  interface Span {
    name: string;
    ph: string;
    pid: number;
    tid: number;
    ts: number;
    dur: number;
  }

  it('has a process for each rank on one clock', () => {
    const { traceEvents } = chromeTrace([trace([call(15, 16, 26)]), trace([call(15, 16, 26)], 1002)]);
    const spans = (traceEvents as Span[]).filter(({ ph }) => ph === 'X');
    expect(spans.map(({ pid, tid, name }) => [pid, tid, name])).toEqual(
      [0, 1].flatMap((rank) => [
        [rank, 0, 'forward'],
        [rank, 0, 'backward'],
        [rank, 1, 'allReduce'],
      ]),
    );
    expect(spans.map(({ ts, dur }) => [ts, dur])).toEqual([
      ...[[0, 10_000] as const, [10_000, 30_000] as const, [16_000, 10_000] as const],
      ...[[2000, 10_000] as const, [12_000, 30_000] as const, [18_000, 10_000] as const],
    ]);
  });
});

it(
  'bench.js distributed measures two processes against one',
  async () => {
    const script = fileURLToPath(new URL('../../scripts/bench.js', import.meta.url));
    const options = [
      '--models',
      'resnet10',
      '--image-size',
      '32',
      '--batch',
      '2',
      '--steps',
      '1',
      '--turns',
      '1',
    ];
    const args = [script, 'distributed', ...options, '--elements', '1000', '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => {
      throw new Error(error.stderr);
    });
    const { training, allReduce } = JSON.parse(stdout);
    expect(training).toHaveLength(1);
    const [{ model, singleImagesPerSecond, apartImagesPerSecond, pairImagesPerSecond, ratio, overlap }] =
      training;
    expect(model).toBe('resnet10');
    expect(ratio).toBeCloseTo(pairImagesPerSecond / singleImagesPerSecond);
    expect(apartImagesPerSecond).toBeGreaterThan(0);
    expect(overlap.buckets).toBeGreaterThan(1);
    expect(allReduce.elements).toBe(1000);
    expect(allReduce.ms).toBeGreaterThan(0);
  },
  limit(60_000),
);
