/**
 * Machines on which libtorch cannot run. They are refused before anything is downloaded or built.
 * @module
 */
import { DyconvError } from '../errors.js';
import { type LibtorchLock, readLock } from '../libtorch/lock.js';
import { type Libc, libcFix, libcProblem } from './libc.js';

/** `<platform>-<arch>` of this Node.js. */
export const TARGET = `${process.platform}-${process.arch}`;

/** A machine, as far as it decides whether libtorch runs there. */
export interface Machine {
  /** `<platform>-<arch>` of its Node.js. */
  target: string;
  /** Its C library; undefined where it is not known, and on other systems than Linux. */
  libc: Libc | undefined;
}

/** What keeps libtorch from running on a machine. */
export interface Obstacle {
  subject: 'platform' | 'C library';
  /** A sentence. */
  problem: string;
  /** What to do. */
  fix: string;
}

/** The architectures of Node.js with 32 bits. */
const ARCHITECTURES_32 = ['arm', 'ia32', 'mips', 'mipsel', 'ppc', 's390'];

/** Whether the user provides libtorch: it may be built for a C library for which none is published. */
export function bringsLibtorch(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.LIBTORCH) || env.LIBTORCH_USE_PYTORCH === '1';
}

/**
 * Why libtorch cannot run on a machine; undefined if nothing is known against it. A version of Node.js that is too old is
 * reported earlier, by scripts/cli/start.js: packages may not load with it.
 */
export function obstacleOf(machine: Machine, lock: LibtorchLock = readLock()): Obstacle | undefined {
  const { target, libc } = machine;
  const arch = target.split('-')[1] ?? '';
  if (ARCHITECTURES_32.includes(arch)) {
    return {
      subject: 'platform',
      problem: `libtorch needs a 64-bit process, and this Node.js is for ${target}`,
      fix: 'install the 64-bit Node.js on a 64-bit system: https://nodejs.org/en/download',
    };
  }
  const problem = libcProblem(lock.artifacts[`${target}-cpu`]?.file ?? '', libc);
  if (problem === undefined || libc === undefined) return undefined;
  return { subject: 'C library', problem, fix: libcFix(libc) };
}

/** @throws DyconvError if libtorch cannot run on the machine, with what to do. */
export function requirePlatform(machine: Machine, lock: LibtorchLock, env: NodeJS.ProcessEnv): void {
  const obstacle = obstacleOf(machine, lock);
  if (obstacle === undefined || (obstacle.subject === 'C library' && bringsLibtorch(env))) return;
  throw new DyconvError(`${obstacle.problem}: ${obstacle.fix}`);
}
