/**
 * The group of all processes that were started together, and groups of some of them.
 * @module
 */
import { integer } from '../check/arguments.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import type { WorldHandle } from '../native/distributed.js';
import { native } from '../tensor/tensor.js';
import { type InitProcessGroupOptions, type Membership, membership } from './environment.js';
import { checkGroup, ProcessGroup } from './group.js';
import { Store } from './store.js';

interface World {
  readonly handle: WorldHandle;
  readonly member: Membership;
  readonly group: ProcessGroup;
  /** Groups made so far: the name of the next one, as in PyTorch. */
  groups: number;
}

let world: World | undefined;
let starting = false;

/**
 * Connects this process with the others of the training, and creates the default group of all processes. Rank, number of
 * processes and address come from the environment (`RANK`, `WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`), as launchers set it, or
 * from the options. Python processes with the same version of libtorch can take part.
 * @returns The group. It is also the default of the functions here.
 * @throws ArgumentError if it has been called before, or if rank or number of processes are in neither environment nor options.
 * @throws DistributedError if not all processes connect within the timeout, or if their versions or world sizes differ.
 * @example
 * const group = await distributed.initProcessGroup();
 * await group.allReduce(x, { op: 'avg' });
 * await group.destroy();
 * @see https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.init_process_group
 */
export async function initProcessGroup(options: InitProcessGroupOptions = {}): Promise<ProcessGroup> {
  const member = membership(options);
  if (world !== undefined || starting)
    throw new ArgumentError('Expected no default process group for initProcessGroup, but there is one');
  starting = true;
  try {
    const { masterAddr, masterPort, serve, rank, worldSize, timeoutMs, networkInterface } = member;
    const handle = await native.openWorld(
      masterAddr,
      masterPort,
      serve,
      rank,
      worldSize,
      timeoutMs,
      networkInterface,
    );
    const ranks = Array.from({ length: worldSize }, (_, i) => i);
    const group = await join(handle, member, '0', ranks, () => {
      if (world?.handle === handle) world = undefined;
    });
    world = { handle, member, group, groups: 1 };
    return group;
  } finally {
    starting = false;
  }
}

async function join(
  handle: WorldHandle,
  { rank, timeoutMs }: Membership,
  name: string,
  ranks: readonly number[],
  onDestroy: () => void,
): Promise<ProcessGroup> {
  const store = new Store(handle, timeoutMs);
  return new ProcessGroup(await native.joinGroup(handle, name, ranks), rank, ranks, store, onDestroy);
}

function current(): World {
  if (world === undefined)
    throw new ArgumentError('Expected a default process group: call initProcessGroup first');
  return world;
}

/** The default group, of all processes. @throws ArgumentError before {@link initProcessGroup} */
export function defaultGroup(): ProcessGroup {
  return current().group;
}

/** Whether there is a default group: {@link initProcessGroup} has resolved, and it was not destroyed. */
export function isInitialized(): boolean {
  return world !== undefined;
}

/**
 * Creates a group of some of the processes. All processes of the world must call it with the same ranks, in the same order.
 * @param ranks - Ranks of the world, each once. Their numbers in the group are in ascending order, as in PyTorch. Default: all.
 * @returns The group; null on processes that are not in it.
 * @see https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.new_group
 */
export async function newGroup(ranks?: readonly number[]): Promise<ProcessGroup | null> {
  const all = current();
  const { rank, worldSize } = all.member;
  const members = ranks ?? all.group.ranks;
  if (!Array.isArray(members) || members.length === 0)
    throw invalidArgument('ranks', 'an array of ranks', ranks);
  for (const one of members) {
    if (integer('ranks', one, 0) >= worldSize)
      throw new ArgumentError(
        `Expected ranks below the world size, ${worldSize}, for ranks but received ${one}`,
      );
  }
  if (new Set(members).size !== members.length)
    throw invalidArgument('ranks', 'an array with each rank once', ranks);
  const name = String(all.groups++);
  if (!members.includes(rank)) return null;
  const sorted = [...members].sort((a, b) => a - b);
  return join(all.handle, all.member, name, sorted, () => {});
}

/** Destroys a group; without an argument the default group. @see {@link ProcessGroup.destroy} */
export async function destroyProcessGroup(group?: ProcessGroup): Promise<void> {
  await groupOf(group).destroy();
}

/** @internal The group of an optional argument. */
export function groupOf(group: ProcessGroup | undefined): ProcessGroup {
  return group === undefined ? defaultGroup() : checkGroup('group', group);
}

/** The number of this process in a group, from 0; without an argument in the default group. */
export function getRank(group?: ProcessGroup): number {
  return groupOf(group).rank;
}

/** The number of processes of a group; without an argument of the default group. */
export function getWorldSize(group?: ProcessGroup): number {
  return groupOf(group).size;
}

/** The backend of a group; without an argument of the default group. */
export function getBackend(group?: ProcessGroup): 'gloo' {
  return groupOf(group).backend;
}
