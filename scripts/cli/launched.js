/**
 * A training in several processes: how a command finds out that it is one of them.
 * @module
 */
import { ArgumentError, distributed } from '../../dist/index.js';

/** @typedef {InstanceType<typeof distributed.ProcessGroup>} ProcessGroup */

/**
 * Joins the other processes, if a launcher has started several.
 * @returns {Promise<ProcessGroup | undefined>} Undefined for a single process.
 * @throws {ArgumentError} if only a part of the environment of a launcher is there: each process would train by itself, and write
 *   the same files.
 */
export async function joinLaunched() {
  const { RANK: rank = '', WORLD_SIZE: worldSize = '' } = process.env;
  const isAlone = worldSize === '1' || (worldSize === '' && (rank === '' || rank === '0'));
  return isAlone ? undefined : distributed.initProcessGroup();
}

/** Whether a launcher has started the processes again, after a failure. */
export function isRestart() {
  return Number(process.env.TORCHELASTIC_RESTART_COUNT ?? 0) > 0;
}

/**
 * The loader's options for the part of a process: `batchSize` is that of all processes together.
 * @param {number} batchSize
 * @param {ProcessGroup | undefined} group
 * @throws {ArgumentError} if it cannot be divided.
 */
export function partOf(batchSize, group) {
  if (!group) return { batchSize };
  if (batchSize % group.size !== 0)
    throw new ArgumentError(
      `Expected a multiple of the number of processes, ${group.size}, for --batch-size but received ${batchSize}`,
    );
  return { batchSize: batchSize / group.size, rank: group.rank, worldSize: group.size };
}
