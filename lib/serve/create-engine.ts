/**
 * Makes the engine of a pool and warms it up.
 * @module
 */
import { untilAborted } from '../check/signal.js';
import { DisposedError, invalidArgument, WorkerError } from '../errors.js';
import type { AnyModule } from '../nn/module.js';
import { isTensor } from '../tensor/tensor.js';
import { Cancellation } from './cancellation.js';
import { COLLATIONS } from './collation.js';
import {
  type BatchFunction,
  type BatchSizes,
  type Engine,
  FunctionEngine,
  type PoolProgram,
  type StateDict,
} from './engine.js';
import {
  hasMethod,
  type ModuleFile,
  type PoolSource,
  type ResolvedPoolOptions,
  resolveModule,
} from './pool-options.js';
import { ProgramEngine } from './program-engine.js';
import { WorkerDied, WorkerEngine } from './worker-engine.js';

/** What {@link Pool.swap} takes. */
export type Replacement = PoolProgram | BatchFunction | AnyModule | ModuleFile | StateDict;

/** Settings of an engine. */
export interface EngineSettings
  extends Pick<
    ResolvedPoolOptions,
    'inputs' | 'replicas' | 'threads' | 'maxBatch' | 'isMaxBatchGiven' | 'warmup'
  > {
  /** Called when a worker ended unexpectedly, or was ended because its function did not return. */
  onExit: () => void;
}

/**
 * The warm-up input for the life of a pool: the caller can dispose its own, and a later network is warmed up too.
 * @throws ArgumentError when it is not an input; ShapeError when it has no rows.
 */
export function holdWarmup({ inputs, warmup }: Pick<ResolvedPoolOptions, 'inputs' | 'warmup'>): unknown {
  if (warmup === undefined) return undefined;
  const tensors: readonly unknown[] = Array.isArray(warmup) ? warmup : [warmup];
  if (inputs === 'tensors' && (tensors.length === 0 || !tensors.every(isTensor)))
    throw invalidArgument('warmup', 'a Tensor or an array of tensors', warmup);
  COLLATIONS[inputs].describe(warmup);
  return COLLATIONS[inputs].hold(warmup);
}

/**
 * Makes an engine and runs the warm-up input on each replica.
 * @param signal - Gives it up: code of the user may never end.
 * @throws what the network throws; the reason of the signal.
 */
export async function createEngine(
  source: PoolSource,
  settings: EngineSettings,
  signal?: AbortSignal,
): Promise<Engine> {
  try {
    const engine = await startEngine(source, settings, signal);
    try {
      const maxBatch = maxBatchOf(engine, settings);
      if (settings.warmup !== undefined)
        await untilAborted(warmUp(engine, { ...settings, maxBatch }), signal);
      maxBatchOf(engine, settings); // The warm-up may have found a limit.
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  } catch (error) {
    throw error instanceof WorkerDied ? new WorkerError(error.message, { cause: error }) : error;
  }
}

/**
 * Most rows of a batch of an engine.
 * @throws ArgumentError for an option above those that the program takes.
 */
export function maxBatchOf(
  { batchRows, sizes }: Engine,
  { maxBatch, isMaxBatchGiven }: Pick<ResolvedPoolOptions, 'maxBatch' | 'isMaxBatchGiven'>,
): number {
  const most = batchRows ?? sizes?.most;
  if (most === undefined) return maxBatch;
  if (isMaxBatchGiven && maxBatch > most) {
    const why =
      batchRows === undefined
        ? 'the most rows of the warm-up input that the program computes at once (its file was exported with a limit)'
        : 'the fixed batch size of the program (nn.compile with dynamicBatch leaves it free)';
    const error = invalidArgument('batching.maxBatch', `at most ${most}, ${why}`, maxBatch);
    error.cause = sizes?.reason;
    throw error;
  }
  return Math.min(maxBatch, most);
}

async function startEngine(
  source: PoolSource,
  settings: EngineSettings,
  signal: AbortSignal | undefined,
): Promise<Engine> {
  const { replicas, threads } = settings;
  if (source.kind === 'program') return new ProgramEngine(source.program, replicas, threads);
  if (source.kind === 'run') return new FunctionEngine(source.run);
  return WorkerEngine.start({ ...settings, module: source.module }, signal);
}

/** Requests of the warm-up at most: `maxBatch` may be larger than any batch of the service. */
const MAX_WARMUP = 4096;

/** Runs the input alone and in a full batch, on each replica. Finds the most rows of a batch where the program does not say it. */
async function warmUp(engine: Engine, settings: EngineSettings): Promise<void> {
  const { inputs, replicas, maxBatch, warmup } = settings;
  const { rows } = COLLATIONS[inputs].describe(warmup);
  const full = Math.min(MAX_WARMUP, Math.max(1, Math.floor(maxBatch / rows)));
  const run = (requests: number, times = replicas) =>
    Promise.all(Array.from({ length: times }, () => runBatch(engine, settings, requests)));
  await run(1);
  if (full === 1) return;
  if (engine.sizes !== undefined) await findMost(engine.sizes, rows, full, (requests) => run(requests, 1));
  const most = Math.floor((engine.sizes?.most ?? full * rows) / rows);
  if (most > 1) await run(most);
}

/** One batch of several times the warm-up input. */
async function runBatch(engine: Engine, { inputs, warmup }: EngineSettings, requests: number): Promise<void> {
  const collation = COLLATIONS[inputs];
  const { rows } = collation.describe(warmup);
  const all = new Array(requests).fill(warmup);
  const cancellation = new Cancellation();
  if (engine.runBatch) {
    for (const output of await engine.runBatch(all, cancellation)) collation.dispose(output);
    return;
  }
  const joined = collation.join(all);
  try {
    const output = await engine.run(joined.input, cancellation);
    const counts = Array.from({ length: requests }, () => ({ count: rows, wanted: false }));
    collation.split(output, counts, joined.input);
  } finally {
    joined.release();
  }
}

/**
 * Finds the largest batch that a program computes, by bisection: an export may fix the batch size, or limit it.
 * @param full - More requests are not needed. One is known to work.
 */
async function findMost(
  sizes: BatchSizes,
  rows: number,
  full: number,
  run: (requests: number) => Promise<unknown>,
): Promise<void> {
  let most = 1;
  let tooMany = full + 1;
  let next = full;
  while (tooMany - most > 1) {
    try {
      await run(next);
      most = next;
    } catch (error) {
      if (error instanceof DisposedError) throw error;
      sizes.reason = error;
      tooMany = next;
    }
    next = Math.floor((most + tooMany) / 2);
  }
  if (most < full) sizes.most = most * rows;
}

/** What a pool of a kind can be changed to. @throws ArgumentError for something else. */
export function parseReplacement(
  kind: PoolSource['kind'],
  value: Replacement,
): { source: PoolSource; state?: undefined } | { source?: undefined; state: StateDict } {
  if (kind === 'program' && hasMethod(value, 'run'))
    return { source: { kind, program: value as PoolProgram } };
  if (kind === 'run' && (typeof value === 'function' || hasMethod(value, 'forward')))
    return { source: { kind, run: value as BatchFunction } };
  if (typeof value === 'object' && value !== null && !isTensor(value)) {
    const { file } = value as Partial<ModuleFile>;
    if (kind === 'module' && file !== undefined && !isTensor(file))
      return { source: { kind, module: resolveModule(value as ModuleFile) } };
    const tensors = Object.values(value);
    if (tensors.length > 0 && tensors.every(isTensor)) return { state: value as StateDict };
  }
  const same = { program: 'a program', run: 'a function or Module', module: 'a module file' }[kind];
  throw invalidArgument('replacement', `${same} or a state dict`, value);
}
