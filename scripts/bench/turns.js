/**
 * Fair timing: all contestants take turns in one run, so that slow moments of the machine affect all of them.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { cpuCapability, cuda, getNumThreads, version } from '../../dist/index.js';

/**
 * A contestant. `infer` and `train` do one step and may return its milliseconds, if another process measures
 * them; `release` ends it.
 * @typedef {{ infer: () => unknown, train: () => unknown, release?: () => void }} Contestant
 * @typedef {{ infer_ms: number, train_ms: number, peak_rss_mb?: number, turns: number }} Result
 */

/** The middle value; NaN of none. @param {readonly number[]} [values] */
export function median(values = []) {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** @param {() => unknown} step */
async function time(step) {
  const start = performance.now();
  const measured = await step();
  return typeof measured === 'number' ? measured : performance.now() - start;
}

/**
 * Medians over interleaved turns. The first turn of each warms up. A contestant that has used up its budget of seconds
 * takes no more turns, so that the slow reference does not delay the others.
 * @param {Record<string, Contestant>} contestants
 * @param {{ turns: number, budget?: number, onFailure?: (name: string, error: Error) => void }} options - `onFailure`: gets the error of a
 *   contestant, which takes no more turns and has no result. Default: the error ends the measurement.
 * @returns {Promise<Record<string, Result>>}
 */
export async function takeTurns(contestants, { turns, budget = 30, onFailure }) {
  /** @type {Set<string>} */
  const failed = new Set();
  /** @type {{ name: string, contestant: Contestant, infer: number[], train: number[], spent: number }[]} */
  const times = Object.entries(contestants).map(([name, contestant]) => ({
    ...{ name, contestant, spent: 0 },
    ...{ infer: [], train: [] },
  }));
  for (let turn = 0; turn <= turns; turn++) {
    for (const own of times) {
      const { name, contestant } = own;
      if (failed.has(name) || (own.spent > budget * 1000 && own.train.length > 0)) continue;
      try {
        for (const what of /** @type {const} */ (['infer', 'train'])) {
          const ms = await time(contestant[what]);
          own.spent += ms;
          // For very slow contestants, the first step counts.
          if (turn > 0 || ms > (budget * 1000) / 4) own[what].push(ms);
        }
      } catch (error) {
        if (!onFailure) throw error;
        onFailure(name, /** @type {Error} */ (error));
        failed.add(name);
      }
    }
  }
  const round = (/** @type {number} */ ms) => Number(ms.toFixed(3));
  const measured = times.filter(({ name }) => !failed.has(name));
  return Object.fromEntries(
    measured.map(({ name, infer, train }) => [
      name,
      { infer_ms: round(median(infer)), train_ms: round(median(train)), turns: train.length },
    ]),
  );
}

/**
 * Peak memory of one contestant: the same command in a separate process, with `--peak-of <name>`, which does one
 * inference and two training steps and prints its largest resident size.
 * @param {string[]} args - Arguments of bench.js. @param {string} name
 */
export function peakMemoryOf(args, name) {
  const script = fileURLToPath(new URL('../bench.js', import.meta.url));
  const output = execFileSync(process.execPath, [script, ...args, '--peak-of', name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return Number(output.trim());
}

/** The child's side of {@link peakMemoryOf}. @param {Contestant} contestant */
export async function printPeakMemory({ infer, train }) {
  await infer();
  await train();
  await train();
  console.log((memoryOfProcess().peak / 1024).toFixed(1));
}

/** Adds a measurement to those of its name. @param {Record<string, number[]>} all @param {string} name @param {number} value */
export function record(all, name, value) {
  const own = all[name] ?? [];
  own.push(value);
  all[name] = own;
}

/**
 * Kilobytes of this process. Linux's maxRSS starts at the parent's size when a process is forked; VmHWM is its own.
 * @returns {{ resident: number, peak: number }}
 */
export function memoryOfProcess() {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    const of = (/** @type {string} */ field) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
    const [resident, peak] = [of('VmRSS'), of('VmHWM')];
    if (resident > 0 && peak > 0) return { resident, peak };
  } catch {
    // Not Linux.
  }
  return { resident: process.memoryUsage.rss() / 1024, peak: process.resourceUsage().maxRSS };
}

/** What the figures were measured on. @param {string} [device] */
export function machine(device = 'cpu') {
  return {
    ...(device.startsWith('cuda') && {
      gpu: cuda.deviceProperties(/** @type {import('../../dist/index.js').Device} */ (device)).name,
      kernels: cuda.hasKernels(),
    }),
    cpu: cpus()[0]?.model ?? 'unknown',
    capability: cpuCapability(),
    threads: getNumThreads(),
    node: process.version,
    ...version,
  };
}

/** What was measured, a line each. @param {object} about */
export function printAbout(about) {
  console.log(
    Object.entries(about)
      .map(([key, value]) => `${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`)
      .join('\n'),
  );
}

/**
 * Prints results as JSON, or as a table with the ratio to the first row.
 * @param {{ json?: boolean }} options
 * @param {Record<string, unknown> & { results: Record<string, Result> }} report
 * @param {number} [images] - Images a step, for a column of images per second.
 */
export function print({ json }, report, images) {
  if (json) {
    console.log(JSON.stringify(report));
    return;
  }
  const { results, ...about } = report;
  printAbout(about);
  const { infer_ms: firstInfer = Number.NaN, train_ms: firstTrain = Number.NaN } =
    Object.values(results)[0] ?? {};
  const rows = Object.entries(results).map(([name, { infer_ms, train_ms, peak_rss_mb }]) => ({
    name,
    'infer ms': infer_ms.toFixed(2),
    ratio: (infer_ms / firstInfer).toFixed(2),
    'train ms': train_ms.toFixed(2),
    'ratio ': (train_ms / firstTrain).toFixed(2),
    ...(images && {
      'infer images/s': ((images * 1000) / infer_ms).toFixed(0),
      'train images/s': ((images * 1000) / train_ms).toFixed(0),
    }),
    ...(peak_rss_mb !== undefined && { 'peak MB': peak_rss_mb.toFixed(0) }),
  }));
  printRows(rows);
}

/** Aligned columns of the first row; the first is text, the others numbers. @param {Record<string, string>[]} rows */
export function printRows(rows) {
  const columns = Object.keys(rows[0] ?? {});
  const cell = (/** @type {Record<string, string>} */ row, /** @type {string} */ column) => row[column] ?? '';
  const widths = columns.map((column) =>
    Math.max(column.length, ...rows.map((row) => cell(row, column).length)),
  );
  const line = (/** @type {string[]} */ cells) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ');
  console.log(`\n${line(columns)}`);
  for (const row of rows) console.log(line(columns.map((column) => cell(row, column))));
}
