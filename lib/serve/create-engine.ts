/**
 * Makes the engine of a pool and warms it up.
 * @module
 */
import { untilAborted } from '../check/signal.js';
import { invalidArgument, WorkerError } from '../errors.js';
import type { AnyModule } from '../nn/module.js';
import { isTensor } from '../tensor/tensor.js';
import { Cancellation } from './cancellation.js';
import { COLLATIONS } from './collation.js';
import {
  type BatchFunction,
  type Engine,
  FunctionEngine,
  type PoolProgram,
  ProgramEngine,
  type StateDict,
} from './engine.js';
import {
  hasMethod,
  type ModuleFile,
  type PoolSource,
  type ResolvedPoolOptions,
  resolveModule,
} from './pool-options.js';
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
 * @throws ArgumentError for an option above the batch size of a program with a fixed one.
 */
export function maxBatchOf(
  { batchRows }: Engine,
  { maxBatch, isMaxBatchGiven }: Pick<ResolvedPoolOptions, 'maxBatch' | 'isMaxBatchGiven'>,
): number {
  if (batchRows === undefined) return maxBatch;
  if (isMaxBatchGiven && maxBatch > batchRows)
    throw invalidArgument(
      'batching.maxBatch',
      `at most ${batchRows}, the fixed batch size of the program (nn.compile with dynamicBatch leaves it free)`,
      maxBatch,
    );
  return Math.min(maxBatch, batchRows);
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

async function warmUp(engine: Engine, { inputs, replicas, maxBatch, warmup }: EngineSettings): Promise<void> {
  const collation = COLLATIONS[inputs];
  const { rows } = collation.describe(warmup);
  const full = Math.min(MAX_WARMUP, Math.max(1, Math.floor(maxBatch / rows)));
  for (const requests of new Set([1, full])) {
    const run = async (): Promise<void> => {
      const inputs = new Array(requests).fill(warmup);
      const cancellation = new Cancellation();
      if (engine.runBatch) {
        for (const output of await engine.runBatch(inputs, cancellation)) collation.dispose(output);
        return;
      }
      const joined = collation.join(inputs);
      try {
        const output = await engine.run(joined.input, cancellation);
        const counts = Array.from({ length: requests }, () => ({ count: rows, wanted: false }));
        collation.split(output, counts, joined.input);
      } finally {
        joined.release();
      }
    };
    await Promise.all(Array.from({ length: replicas }, run));
  }
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
