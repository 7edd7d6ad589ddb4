/**
 * Times of the steps of a program.
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { saveFile } from '../files/atomic.js';
import { checkPath } from '../files/error.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { alignColumns } from '../text.js';
import { formatFlops, resultShape, stepFlops, stepsOfRun } from './listing.js';

/** Options of {@link Program.profile}. */
export interface ProfileOptions {
  /** Number of measured runs, from 1 to 100,000; default 10. */
  runs?: number | undefined;
  /** A file for a trace of one run, in Chrome's format. Default: none. */
  trace?: string | undefined;
}

/** One step. */
export interface ProfileRow {
  /** Number of the step in the program. */
  step: number;
  operation: string;
  /** Shape of its result, with B for the batch size. */
  shape: string;
  /** Floating-point operations for this batch, a multiply-add counted as two; 0 if they are not counted. */
  flops: number;
  /** Median of the runs. */
  milliseconds: number;
  /** Share of the total time, from 0 to 1. */
  share: number;
}

/** The times of a program; `String(profile)` is a table. */
export interface Profile {
  /** In the order in which the steps run. */
  rows: ProfileRow[];
  /** Sum of the steps. */
  milliseconds: number;
  /** Sum of the steps. */
  flops: number;
  /** The table. */
  toString(): string;
}

/** The times of all runs are kept. */
const MAX_RUNS = 100_000;

const PROFILE_KEYS = optionKeys('runs', 'trace');

const median = (values: number[]) => {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** @internal See `Program.profile`. */
export async function profileProgram(
  id: number,
  inputs: readonly Tensor[],
  options: ProfileOptions,
): Promise<Profile> {
  const { runs = 10, trace } = checkOptions(options, PROFILE_KEYS);
  integer('runs', runs, 1, MAX_RUNS);
  if (trace !== undefined) checkPath(trace);
  native.profileCompiled(id, inputs);
  const times = Array.from({ length: runs }, () => native.profileCompiled(id, inputs));
  const listing = native.compiledListing(id);
  const batch = inputs[0]!.shape[0] ?? 1;
  const rows = stepsOfRun(listing).map(({ step, number }, i) => ({
    step: number,
    operation: step.operation,
    shape: resultShape(step, listing),
    flops: stepFlops(step, listing, batch),
    milliseconds: median(times.map((run) => run[i]![2])) / 1000,
    share: 0,
  }));
  const milliseconds = rows.reduce((sum, row) => sum + row.milliseconds, 0);
  for (const row of rows) row.share = milliseconds > 0 ? row.milliseconds / milliseconds : 0;
  if (trace !== undefined) await writeTrace(trace, rows, times.at(-1)!);
  const profile = { rows, milliseconds, flops: rows.reduce((sum, { flops }) => sum + flops, 0) };
  return { ...profile, toString: () => table(profile) };
}

/** @see https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU */
async function writeTrace(
  path: string,
  rows: readonly ProfileRow[],
  run: readonly (readonly [step: number, start: number, duration: number])[],
): Promise<void> {
  const traceEvents = run.map(([step, start, duration], i) => ({
    name: rows[i]!.operation,
    cat: 'step',
    ph: 'X',
    ts: start,
    dur: duration,
    pid: process.pid,
    tid: 0,
    args: { step, shape: rows[i]!.shape, flops: rows[i]!.flops },
  }));
  await saveFile(path, JSON.stringify({ traceEvents, displayTimeUnit: 'ms' }));
}

function table({ rows, milliseconds, flops }: Omit<Profile, 'toString'>): string {
  const rate = (count: number, ms: number) => (count > 0 && ms > 0 ? (count / ms / 1e6).toFixed(1) : '-');
  const cells = rows.map((row) => [
    String(row.step),
    row.operation,
    row.shape,
    row.flops > 0 ? formatFlops(row.flops) : '-',
    row.milliseconds.toFixed(3),
    `${(100 * row.share).toFixed(1)} %`,
    rate(row.flops, row.milliseconds),
  ]);
  const total = ['', 'total', '', formatFlops(flops), milliseconds.toFixed(3), '', rate(flops, milliseconds)];
  const heads = ['step', 'operation', 'shape', 'FLOPs', 'ms', 'share', 'GFLOP/s'];
  return alignColumns([heads, ...cells, total], (column) => column === 0 || column >= 3).join('\n');
}
