/**
 * Runs the parts of `gpu-check` within a time and writes every result as soon as there is one.
 * @module
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DyconvError } from '../../dist/errors.js';
import { writeFileAtomic } from '../../dist/files/atomic.js';
import { runCommands } from './child.js';
import { limitOf, neededBy, planParts } from './plan.js';
import { sourceOf } from './source.js';
import { summaryOf } from './summary.js';

/** @import { Command } from './child.js' */
/** @import { Machine } from './machine.js' */
/** @import { Timed } from './plan.js' */
/** @import { Source } from './source.js' */

/**
 * What a part is given. `out`: the folder of the results, absolute; `folder`: that of this part; `seconds`: the time that it gets;
 * `figures`: those of the parts before it.
 * @typedef {{ machine: Machine, out: string, folder: string, dataDir: string, seconds: number, figures: Readonly<Record<string, Figures>> }} Context
 * @typedef {Record<string, unknown>} Figures
 */

/**
 * One part. `problem`: why it cannot run on this machine, if so. `read`: figures from the JSON lines of its output and from its folder;
 * it may be called for a part that was cut. `failure`: what the figures show to be wrong, if anything.
 * @typedef {Timed & { title: string, commands: (context: Context) => Command[], problem?: (context: Context) => string | undefined,
 *   read?: (lines: Record<string, unknown>[], context: Context) => Figures | Promise<Figures>, failure?: (figures: Figures) => string | undefined }} Part
 */

/** `kept`: passed in an earlier call with the same folder. @typedef {'passed' | 'failed' | 'cut' | 'skipped' | 'planned'} Status */
/**
 * `complete`: a later call with the same folder has nothing left to do.
 * @typedef {{ title: string, status: Status, complete: boolean, seconds: number | null, planned: number, reason: string | null,
 *   commands: string[], log: string | null, figures: Figures }} PartResult
 */
/** @typedef {{ format: 1, key: string, source: Source, started: string, ended: string | null, minutes: number, machine: Machine, parts: Record<string, PartResult> }} Results */

/** Kept for writing the last results, in seconds. */
const RESERVE = 2;

/**
 * @param {{ parts: readonly Part[], machine: Machine, minutes: number, out: string, dataDir: string, root: string, dryRun?: boolean,
 *   signal?: AbortSignal | undefined, say?: (line: string) => void }} options - `root`: folder of the package, in which the commands run.
 *   `dryRun`: the commands are recorded in `plan.json` and not run.
 * @returns {Promise<Results>}
 */
export async function runParts(options) {
  const { parts, machine, minutes, out, signal, say = () => {} } = options;
  await mkdir(join(out, 'logs'), { recursive: true });
  const results = await startResults(options);
  const end = performance.now() + 60_000 * minutes - 1000 * RESERVE;
  const secondsLeft = () => (end - performance.now()) / 1000;
  const passed = new Set(Object.keys(results.parts));
  for (const name of passed) say(`${name}: passed before`);
  let left = parts.filter(({ name }) => !passed.has(name));
  /** @param {Part} part @param {PartResult} result */
  const settle = async (part, result) => {
    results.parts[part.name] = result;
    left = left.filter((other) => other !== part);
    if (result.status === 'passed' || result.status === 'planned') passed.add(part.name);
    say(lineOf(part.name, result));
    await write(options, results);
  };
  const figures = () =>
    Object.fromEntries(Object.entries(results.parts).map(([name, own]) => [name, own.figures]));
  const contextOf = (/** @type {Part} */ { name }, /** @type {number} */ seconds) => ({
    ...{ machine, out, folder: join(out, name), dataDir: options.dataDir, seconds, figures: figures() },
  });
  for (const part of left) {
    const reason = part.problem?.(contextOf(part, part.seconds));
    if (reason !== undefined) await settle(part, resultOf(part, { status: 'skipped', reason }));
  }
  // In a dry run no time passes: that of the plan is subtracted.
  let spent = 0;
  while (!signal?.aborted) {
    const time = secondsLeft() - spent;
    const plan = planParts(left, time, passed);
    const part = left.find(({ name }) => plan.has(name));
    if (!part) break;
    const seconds = limitOf(part, plan, left, time);
    const planned = plan.get(part.name) ?? part.seconds;
    const context = contextOf(part, part.least === undefined ? seconds : planned);
    if (options.dryRun) {
      spent += planned;
      await settle(part, {
        ...resultOf(part, { status: 'planned', reason: null }),
        planned,
        commands: part.commands(context).map(textOf),
      });
    } else {
      say(`${part.name}: ${part.title}, about ${Math.round(planned)} s, at most ${Math.round(seconds)} s`);
      await settle(part, await runPart(part, context, { ...options, seconds, planned }));
    }
  }
  for (const part of left) {
    const missing = part.needs.filter((name) => !passed.has(name));
    const time = `it needs ${neededBy(part)} s, and ${Math.max(0, Math.round(secondsLeft() - spent))} s are left`;
    const reason = signal?.aborted ? 'stopped' : missing.length > 0 ? `without ${missing.join(', ')}` : time;
    await settle(part, resultOf(part, { status: 'skipped', reason }));
  }
  results.ended = new Date().toISOString();
  await write(options, results);
  return results;
}

/**
 * @param {Part} part @param {Context} context
 * @param {{ out: string, root: string, machine: Machine, seconds: number, planned: number, signal?: AbortSignal | undefined }} options
 * @returns {Promise<PartResult>}
 */
async function runPart(part, context, { out, root, machine, seconds, planned, signal }) {
  await mkdir(context.folder, { recursive: true });
  const log = join('logs', `${part.name}.log`);
  const start = performance.now();
  const env = { ...process.env, ...machine.env, NO_COLOR: '1' };
  const commands = part.commands(context);
  const ended = await runCommands(commands, { seconds, log: join(out, log), cwd: root, env, signal });
  const took = Number(((performance.now() - start) / 1000).toFixed(1));
  const figures = (await part.read?.(ended.lines, context)) ?? {};
  const common = {
    ...resultOf(part, { status: 'passed', reason: null }),
    planned,
    seconds: took,
    log,
    figures,
  };
  const result = { ...common, commands: commands.map(textOf) };
  const wrong = part.failure?.(figures);
  if (wrong !== undefined) return { ...result, status: 'failed', complete: false, reason: wrong };
  if (ended.status === 'stopped') return { ...result, status: 'cut', complete: false, reason: 'stopped' };
  if (ended.status === 'cut') {
    const reason = `not finished after ${Math.round(seconds)} s`;
    // A part that can use any time has done its work when the time is over.
    return { ...result, status: part.least === undefined ? 'cut' : 'passed', complete: false, reason };
  }
  if (ended.status === 'ended' && ended.code !== 0)
    return {
      ...result,
      status: 'failed',
      complete: false,
      reason: ended.problem ?? `ended with ${ended.code ?? 'a signal'}`,
    };
  return result;
}

/** @param {Part} part @param {{ status: Status, reason: string | null }} state @returns {PartResult} */
function resultOf({ title, seconds, least }, state) {
  const complete = state.status === 'passed';
  return {
    title,
    ...state,
    complete,
    seconds: null,
    planned: least ?? seconds,
    commands: [],
    log: null,
    figures: {},
  };
}

/** @param {Command} command */
const textOf = ({ file, args }) => [file, ...args].join(' ');

/**
 * The results of an earlier call with the same folder on the same machine and of the same commit, of the parts that need not be done again.
 * @param {Parameters<typeof runParts>[0]} options
 * @returns {Promise<Results>}
 * @throws {DyconvError} If the folder has other results.
 */
async function startResults({ machine, minutes, out, root }) {
  const source = sourceOf(root);
  const key = [
    machine.gpu.name,
    machine.gpu.driver,
    machine.libtorch?.version,
    machine.nvcc,
    source.commit,
  ].join(' | ');
  const earlier = await readResults(join(out, 'results.json'));
  if (earlier && earlier.key !== key)
    throw new DyconvError(
      `Expected a folder without results of another machine or commit for --out but ${out} has those of ${earlier.key}`,
    );
  const kept = Object.entries(earlier?.parts ?? {}).filter(([, { complete }]) => complete);
  const started = new Date().toISOString();
  return { format: 1, key, source, started, ended: null, minutes, machine, parts: Object.fromEntries(kept) };
}

/** @param {string} file @returns {Promise<Results | undefined>} */
async function readResults(file) {
  if (!existsSync(file)) return undefined;
  const text = await readFile(file, 'utf8');
  try {
    const results = JSON.parse(text);
    if (results.format === 1) return results;
  } catch {
    // Not JSON.
  }
  throw new DyconvError(`Expected results of this command in ${file} but found another file`);
}

/** @param {{ out: string, dryRun?: boolean }} options @param {Results} results */
async function write({ out, dryRun }, results) {
  await writeFileAtomic(
    join(out, dryRun ? 'plan.json' : 'results.json'),
    `${JSON.stringify(results, null, 2)}\n`,
  );
  await writeFileAtomic(join(out, dryRun ? 'plan.md' : 'summary.md'), summaryOf(results));
}

/** @param {string} name @param {PartResult} result */
function lineOf(name, { status, seconds, planned, reason }) {
  const time =
    seconds === null ? (status === 'planned' ? ` for ${Math.round(planned)} s` : '') : ` in ${seconds} s`;
  return `${name}: ${status}${time}${reason === null ? '' : `: ${reason}`}`;
}
