/**
 * Options of a pool and their checks.
 * @module
 */
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Registry, RegistryContentType } from 'prom-client';
import { integer, MAX_THREADS, number, oneOf } from '../check/arguments.js';
import { checkOptions, checkRecord, checkString, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import type { AnyModule } from '../nn/module.js';
import { getNumThreads } from '../runtime/settings.js';
import type { BatchFunction, PoolProgram } from './engine.js';
import type { WorkerModule } from './worker-protocol.js';

/** How requests become batches. */
export interface BatchingOptions {
  /**
   * Maximum number of rows of a batch: the first dimension of its tensors, or the number of values. A request with more rows is
   * a separate batch. Default 32, or the batch size of a program with a fixed one (`nn.compile` with `{ dynamicBatch: false }`):
   * a request to it must have exactly as many rows and is a separate batch. A larger number is then an ArgumentError. Programs of
   * `loadTorchScript` and `loadPackage` do not say which batch sizes they take: the option `warmup` finds it out.
   */
  maxBatch?: number | undefined;
  /**
   * Maximum time in milliseconds that the oldest request of a batch waits for others while a replica is free. With 0, requests
   * wait only while all replicas are busy; requests of one iteration of the event loop still share a batch. Default 0.
   */
  maxDelayMs?: number | undefined;
  /**
   * Maximum number of requests that wait while all replicas are busy, including those whose input is being prepared. Further
   * requests are rejected with an OverloadedError. Default 256.
   */
  maxQueue?: number | undefined;
}

/** A function in a file that worker threads run. */
export interface ModuleFile {
  /** Absolute path or URL of an ECMAScript module. If it exports a function `loadStateDict(state)`, its weights can be swapped. */
  file: string | URL;
  /** Name of the exported function of a batch; it can be asynchronous. Default `'default'`. */
  export?: string | undefined;
}

/** Options of {@link createPool}. Exactly one of `program`, `run` and `module` is required. */
export interface PoolOptions {
  /** A program, the result of `nn.compile`: it runs on native threads and does not block the event loop. */
  program?: PoolProgram | undefined;
  /**
   * A module, or a function of a batch, that runs on the calling thread and blocks the event loop. It runs without autograd.
   * Tensors that it creates and does not return are disposed, and the pool owns its result.
   */
  run?: BatchFunction | AnyModule | undefined;
  /** A function of a batch that runs in worker threads, for time-consuming JavaScript such as decoding. */
  module?: ModuleFile | undefined;
  /**
   * The type of the requests. `'tensors'`: a tensor or an array of tensors. Requests of equal dtype and shape, except for the
   * first dimension, are concatenated, and every output must have as many rows as the batch. `'values'`: any values. The
   * function gets an array of them and returns an array of the same length with the results, and an Error for each failed
   * request. Default `'tensors'`.
   */
  inputs?: 'tensors' | 'values' | undefined;
  /** Number of batches that run at once; for `module`, the number of worker threads. From 1 to 65,536; default 1. */
  replicas?: number | undefined;
  /**
   * Threads of an operation in each replica, from 1 to 1,024; not for `run`. For `module`, a number other than `getNumThreads()` also applies to
   * the matrix products of MKL in other threads of the process. Default: those of `getNumThreads()`, divided by `replicas`.
   */
  threadsPerReplica?: number | undefined;
  /** Batching and the limit of the queue. */
  batching?: BatchingOptions | undefined;
  /** Default for requests: milliseconds until a RequestTimeoutError. Default Infinity. */
  timeoutMs?: number | undefined;
  /**
   * An input. Before `createPool` resolves, each replica runs it as a batch of one and as a batch of `maxBatch` rows, of at most
   * 4,096 inputs. Of a program from Python that does not compute so many rows, the largest batch that it computes is found, and the
   * pool makes no larger ones. Default: none.
   */
  warmup?: unknown;
  /** Value of the label `pool` of all metrics. Open pools with one registry need different names. Default `'default'`. */
  name?: string | undefined;
  /**
   * A registry of prom-client for the metrics, such as its `register`. Pools can share one. Default: a new one for each pool.
   */
  registry?: Registry<RegistryContentType> | undefined;
}

/** Timers of Node.js cannot wait for longer. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Every replica of a program is a handle, and every worker a thread. */
const MAX_REPLICAS = 65_536;

const BATCHING_KEYS = optionKeys('maxBatch', 'maxDelayMs', 'maxQueue');
const MODULE_KEYS = optionKeys('file', 'export');
const POOL_KEYS = optionKeys(
  ...(['program', 'run', 'module', 'inputs', 'replicas', 'threadsPerReplica'] as const),
  ...(['batching', 'timeoutMs', 'warmup', 'name', 'registry'] as const),
);

/** Options of a pool, checked, with defaults. */
export interface ResolvedPoolOptions {
  source: PoolSource;
  inputs: 'tensors' | 'values';
  replicas: number;
  threads: number;
  maxBatch: number;
  /** Whether `maxBatch` is not the default. */
  isMaxBatchGiven: boolean;
  maxDelayMs: number;
  maxQueue: number;
  timeoutMs: number;
  warmup: unknown;
  name: string;
  registry: Registry<RegistryContentType> | undefined;
}

/** What runs the batches. */
export type PoolSource =
  | { kind: 'program'; program: PoolProgram }
  | { kind: 'run'; run: BatchFunction | AnyModule }
  | { kind: 'module'; module: WorkerModule };

/** @throws ArgumentError naming the option. */
export function resolvePoolOptions(options: PoolOptions): ResolvedPoolOptions {
  const {
    inputs = 'tensors',
    replicas = 1,
    batching = {},
    timeoutMs = Number.POSITIVE_INFINITY,
    name = 'default',
  } = checkOptions(options, POOL_KEYS);
  const { maxBatch = 32, maxDelayMs = 0, maxQueue = 256 } = checkOptions(batching, BATCHING_KEYS, 'batching');
  integer('replicas', replicas, 1, MAX_REPLICAS);
  const { threadsPerReplica = Math.max(1, Math.floor(getNumThreads() / replicas)) } = options;
  const source = resolveSource(options);
  if (source.kind === 'program' && inputs === 'values')
    throw new ArgumentError(
      "Expected 'tensors' for inputs of a pool with a program but received 'values' (string)",
    );
  return {
    source,
    inputs: oneOf('inputs', ['tensors', 'values'], inputs),
    replicas,
    threads: integer('threadsPerReplica', threadsPerReplica, 1, MAX_THREADS),
    maxBatch: integer('batching.maxBatch', maxBatch, 1),
    isMaxBatchGiven: batching.maxBatch !== undefined,
    maxDelayMs: number('batching.maxDelayMs', maxDelayMs, { min: 0, max: MAX_TIMER_MS }),
    maxQueue: integer('batching.maxQueue', maxQueue, 1),
    timeoutMs: checkTimeout(timeoutMs),
    warmup: options.warmup,
    name: checkString(name, 'name'),
    registry: checkRegistry(options.registry),
  };
}

/** Options of one request. */
export const REQUEST_KEYS = optionKeys('signal', 'timeoutMs');

/** Options of a swap. */
export const SWAP_KEYS = optionKeys('timeoutMs');

/** A number of milliseconds above 0; Infinity is none. */
export function checkTimeout(timeoutMs: number): number {
  if (timeoutMs === Number.POSITIVE_INFINITY) return timeoutMs;
  if (typeof timeoutMs === 'number' && timeoutMs > 0) return timeoutMs;
  throw invalidArgument('timeoutMs', 'a number above 0', timeoutMs);
}

function checkRegistry(registry: PoolOptions['registry']): PoolOptions['registry'] {
  if (registry === undefined) return undefined;
  const methods = { registerMetric: 'function', getSingleMetric: 'function' } as const;
  return checkRecord(registry, 'registry', 'a Registry of prom-client', methods);
}

function resolveSource({ program, run, module }: PoolOptions): PoolSource {
  const given = Object.entries({ program, run, module }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    const names = given.map(([name]) => name).join(' and ') || 'none of them';
    throw new ArgumentError(
      `Expected exactly one of program, run and module for options but received ${names}`,
    );
  }
  if (program !== undefined) return { kind: 'program', program: checkProgram(program) };
  if (run !== undefined) return { kind: 'run', run: checkRun(run) };
  return { kind: 'module', module: resolveModule(module!) };
}

/** Whether a value has a method of this name. */
export function hasMethod(value: unknown, name: string): boolean {
  return typeof (value as Record<string, unknown> | null | undefined)?.[name] === 'function';
}

function checkProgram(program: PoolProgram): PoolProgram {
  if (typeof program === 'object' && hasMethod(program, 'run')) return program;
  throw invalidArgument('program', 'a Program, the result of nn.compile', program);
}

/** Checks a function or module. */
export function checkRun(run: BatchFunction | AnyModule): BatchFunction | AnyModule {
  if (typeof run === 'function' || hasMethod(run, 'forward')) return run;
  throw invalidArgument('run', 'a function or a Module', run);
}

/** Checks the file of a function. */
export function resolveModule(module: ModuleFile): WorkerModule {
  const { file, export: name = 'default' } = checkOptions(module, MODULE_KEYS, 'module');
  checkString(name, 'module.export');
  const url = urlOf(file);
  if (url === undefined) throw invalidArgument('module.file', 'a URL or an absolute path', file);
  if (url.protocol === 'file:' && !existsSync(url))
    throw invalidArgument('module.file', 'a file that exists', String(file));
  return { url: url.href, name };
}

function urlOf(file: unknown): URL | undefined {
  if (file instanceof URL) return file;
  if (typeof file !== 'string') return undefined;
  if (isAbsolute(file)) return pathToFileURL(file);
  return URL.canParse(file) ? new URL(file) : undefined;
}
