/**
 * What memory dyconv holds, how much of it may be kept for reuse, and where it was made.
 * @module
 */

import { fileURLToPath } from 'node:url';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native } from '../native/index.js';

const MEMORY_KEYS = optionKeys('cacheLimit', 'memoryLimit', 'trackCreation');

/** Figures of {@link memory}. */
export interface MemoryStats {
  /** Tensors of this thread neither disposed nor collected. */
  numTensors: number;
  /** Bytes of their storages, each counted once however many views share it. */
  numBytes: number;
  /** Bytes of CPU memory in use by libtorch in this process, intermediate results of autograd included. */
  allocatedBytes: number;
  /** Bytes of CPU memory kept for reuse. */
  cachedBytes: number;
  /** Largest `allocatedBytes` so far. */
  peakBytes: number;
  /** Handles of {@link Tensor.share} in this process that wait to be claimed. */
  sharedTensors: number;
  /** Bytes of the tensors behind them. */
  sharedBytes: number;
}

/** What the package holds: tensors of this thread, CPU memory and shared tensors of the process. */
export function memory(): MemoryStats {
  const [allocatedBytes, cachedBytes, peakBytes] = native.allocatorStats();
  const [sharedTensors, sharedBytes] = native.sharedStats();
  return {
    numTensors: native.liveTensors(),
    numBytes: native.liveBytes(),
    allocatedBytes,
    cachedBytes,
    peakBytes,
    sharedTensors,
    sharedBytes,
  };
}

/** Gives the CPU memory kept for reuse back to the system. */
export function emptyCache(): void {
  native.emptyCache();
}

/** Options of {@link setMemoryOptions}; what is left out stays as it is. */
export interface MemoryOptions {
  /**
   * Bytes of freed CPU memory that may be kept for reuse; 0 keeps none, as libtorch by itself does. Reuse is what makes
   * training steps quick: a fresh page costs more than the arithmetic done in it. Default: an eighth of the machine's
   * memory.
   */
  cacheLimit?: number | undefined;
  /**
   * The most bytes of CPU memory that tensors of the process may take. An operation that needs more has garbage collected
   * and tries once again; then it throws a NativeError ("out of memory"). Default: Infinity, as far as the machine goes.
   */
  memoryLimit?: number | undefined;
  /**
   * Remember for every tensor of this thread the call that made it, for {@link leakReport}. For finding leaks: it takes
   * some 10 microseconds a tensor. Default false.
   */
  trackCreation?: boolean | undefined;
}

/** Changes how CPU memory is kept and limited (in the process), and whether creations are tracked (on this thread). */
export function setMemoryOptions(options: MemoryOptions): void {
  const { cacheLimit, memoryLimit, trackCreation } = checkOptions(options, MEMORY_KEYS);
  if (cacheLimit !== undefined) checkBytes('cacheLimit', cacheLimit);
  if (memoryLimit !== undefined && memoryLimit !== Number.POSITIVE_INFINITY)
    checkBytes('memoryLimit', memoryLimit);
  if (trackCreation !== undefined && typeof trackCreation !== 'boolean')
    throw invalidArgument('trackCreation', 'a boolean', trackCreation);
  if (cacheLimit !== undefined) native.setCacheLimit(cacheLimit);
  if (memoryLimit !== undefined) native.setMemoryLimit(Math.min(memoryLimit, Number.MAX_SAFE_INTEGER));
  if (trackCreation !== undefined) native.setTracer(trackCreation ? placeOfCall : null);
}

function checkBytes(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw invalidArgument(name, 'a number of bytes, at least 0', value);
}

// ---- Creations ----

/** Places by number; 0 is "not tracked". They stay for the life of the thread: a program has few. */
const places: string[] = [''];
const numbers = new Map<string, number>();
// Stacks name modules by address; tools that compile while loading name them by path.
const PACKAGE = new URL('..', import.meta.url);
const OWN_FOLDERS = [PACKAGE.href, fileURLToPath(PACKAGE)];
const FRAMES = 12;

/** The number of the place that is making a tensor: the stack without the package's own frames. */
function placeOfCall(): number {
  const limit = Error.stackTraceLimit;
  // Frames of the package come first, and layers of modules take several.
  Error.stackTraceLimit = 4 * FRAMES;
  const stack = String(new Error().stack);
  Error.stackTraceLimit = limit;
  const frames = stack.split('\n').slice(1);
  const theirs = frames.filter((frame) => !OWN_FOLDERS.some((folder) => frame.includes(folder)));
  const place = (theirs.length > 0 ? theirs : frames).slice(0, FRAMES).join('\n');
  let number = numbers.get(place);
  if (number === undefined) {
    number = places.push(place) - 1;
    numbers.set(place, number);
  }
  return number;
}

/** Tensors that were made by the same call. */
export interface LeakGroup {
  /** The call, as the lines of a stack without the package's own; empty for tensors made while nothing was tracked. */
  stack: string;
  /** Living tensors that were made there. */
  numTensors: number;
  /** Bytes of their storages, each counted once. */
  numBytes: number;
}

/** What {@link leakReport} returns; as a string, it is a readable list. */
export interface LeakReport {
  /** Living tensors of this thread. */
  numTensors: number;
  /** Bytes of their data, shared ones counted once. */
  numBytes: number;
  /** Largest first, by bytes, then by tensors. */
  groups: LeakGroup[];
  /** The report as text, a place a paragraph. */
  toString(): string;
}

/**
 * The tensors of this thread that are alive, by the call that made them. `setMemoryOptions({ trackCreation: true })`
 * comes first.
 * @example
 * setMemoryOptions({ trackCreation: true });
 * await serveSomeRequests();
 * console.log(String(leakReport()));
 */
export function leakReport(): LeakReport {
  const groups = native.creations().map(([creation, numTensors, numBytes]) => ({
    stack: places[creation] ?? '',
    numTensors,
    numBytes,
  }));
  groups.sort((a, b) => b.numBytes - a.numBytes || b.numTensors - a.numTensors);
  const numTensors = native.liveTensors();
  const numBytes = native.liveBytes();
  return {
    numTensors,
    numBytes,
    groups,
    toString: () =>
      [
        `${numTensors} tensors, ${numBytes} bytes`,
        ...groups.map(
          (group) =>
            `${group.numTensors} tensors, ${group.numBytes} bytes, made\n${group.stack || '    before creations were tracked'}`,
        ),
      ].join('\n'),
  };
}
