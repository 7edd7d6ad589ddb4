/**
 * Memory statistics, limits, and leak reports.
 * @module
 */

import { fileURLToPath } from 'node:url';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { native } from '../native/index.js';

const MEMORY_KEYS = optionKeys('cacheLimit', 'memoryLimit', 'trackCreation');

/** Result of {@link memory}. */
export interface MemoryStats {
  /** Number of live tensors of this thread (neither disposed nor collected). */
  numTensors: number;
  /** Bytes of their storages; a shared storage is counted once. */
  numBytes: number;
  /** Bytes of CPU memory in use by libtorch in this process, including saved tensors of autograd. */
  allocatedBytes: number;
  /** Bytes of CPU memory kept for reuse. */
  cachedBytes: number;
  /** Largest `allocatedBytes` so far. */
  peakBytes: number;
  /** Blocks of CPU memory that were allocated so far, by any thread. A program that runs again allocates those of its outputs only. */
  allocations: number;
  /** Unclaimed handles of {@link Tensor.share} in this process. */
  sharedTensors: number;
  /** Bytes of their tensors. */
  sharedBytes: number;
}

/** Memory statistics: tensors of this thread, CPU memory and shared tensors of the process. */
export function memory(): MemoryStats {
  const [allocatedBytes, cachedBytes, peakBytes, allocations] = native.allocatorStats();
  const [sharedTensors, sharedBytes] = native.sharedStats();
  return {
    numTensors: native.liveTensors(),
    numBytes: native.liveBytes(),
    allocatedBytes,
    cachedBytes,
    peakBytes,
    allocations,
    sharedTensors,
    sharedBytes,
  };
}

/** Returns the cached CPU memory to the system. */
export function emptyCache(): void {
  native.emptyCache();
}

/** Options of {@link setMemoryOptions}; settings that are left out are unchanged. */
export interface MemoryOptions {
  /**
   * Maximum bytes of freed CPU memory that are kept for reuse; 0 keeps none, like libtorch itself. Reuse makes
   * training steps faster: a new page costs more than the arithmetic on it. Default: an eighth of the memory of the
   * machine or container; 256 MB at least, in a container a quarter at most.
   */
  cacheLimit?: number | undefined;
  /**
   * Maximum bytes of CPU memory for the tensors of the process. If an operation needs more, garbage is collected
   * and the allocation is tried again; then it throws a NativeError ("out of memory"). Cached memory is returned to the system before
   * both together exceed the limit. Default: Infinity; in a container with a memory limit that limit less 256 MB, or less a quarter
   * if that is smaller.
   */
  memoryLimit?: number | undefined;
  /**
   * Record the call that created each tensor of this thread, for {@link leakReport}. For debugging: it takes
   * some 10 microseconds per tensor. Default false.
   */
  trackCreation?: boolean | undefined;
}

/** Sets cache and limit of CPU memory (for the process), and tracking of creations (for this thread). */
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

/** Places by number; 0 is "not tracked". They are kept for the lifetime of the thread, as a program has few. */
const places: string[] = [''];
const numbers = new Map<string, number>();
// Stacks name modules by address; tools that compile while loading name them by path.
const PACKAGE = new URL('..', import.meta.url);
const OWN_FOLDERS = [PACKAGE.href, fileURLToPath(PACKAGE)];
const FRAMES = 12;

/** The number of the place that creates a tensor: the stack without the package's own frames. */
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

/** Tensors that were created by the same call. */
export interface LeakGroup {
  /** The call as a stack without the package's own frames; empty for tensors created without tracking. */
  stack: string;
  /** Number of its live tensors. */
  numTensors: number;
  /** Bytes of their storages; a shared storage is counted once. */
  numBytes: number;
}

/** Result of {@link leakReport}; as a string, a readable list. */
export interface LeakReport {
  /** Number of live tensors of this thread. */
  numTensors: number;
  /** Bytes of their storages; a shared storage is counted once. */
  numBytes: number;
  /** Largest first, by bytes, then by tensors. */
  groups: LeakGroup[];
  /** The report as text, one paragraph per group. */
  toString(): string;
}

/**
 * The live tensors of this thread, grouped by the call that created them. Call `setMemoryOptions({ trackCreation: true })`
 * first.
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
