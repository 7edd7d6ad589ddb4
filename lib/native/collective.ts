/**
 * The table of cpp/bindings/collective.cc.
 * @module
 */
import type { GroupHandle } from './distributed.js';
import type { Handle, Optional } from './types.js';

/** How the tensors of a group's processes are combined. */
export type ReduceOp = 'sum' | 'avg' | 'product' | 'min' | 'max' | 'band' | 'bor' | 'bxor';

/** One collective call of a process. Times are milliseconds of the monotonic clock; NaN: not yet. `dtype` is empty without a tensor. */
export type CallRow = readonly [
  number: number,
  operation: string,
  dtype: string,
  elements: number,
  made: number,
  begun: number,
  ended: number,
  failed: boolean,
];

/** Collectives and messages of process groups. Ranks are those of the world. */
export interface CollectiveTable<T extends Handle> {
  collectiveAllReduce(group: GroupHandle, input: T, op: ReduceOp): Promise<void>;
  /** Blocks the calling thread. */
  collectiveAllReduceSync(group: GroupHandle, input: T, op: ReduceOp): void;
  collectiveReduce(group: GroupHandle, input: T, dst: number, op: ReduceOp): Promise<void>;
  collectiveBroadcast(group: GroupHandle, input: T, src: number): Promise<void>;
  collectiveAllGather(group: GroupHandle, input: T): Promise<T[]>;
  /** Null on processes other than `dst`. */
  collectiveGather(group: GroupHandle, input: T, dst: number): Promise<T[] | null>;
  collectiveScatter(
    group: GroupHandle,
    output: T,
    inputs: Optional<readonly T[]>,
    src: number,
  ): Promise<void>;
  collectiveReduceScatter(group: GroupHandle, inputs: readonly T[], op: ReduceOp): Promise<T>;
  collectiveAllToAll(group: GroupHandle, input: T): Promise<T>;
  collectiveBarrier(group: GroupHandle): Promise<void>;
  collectiveSend(group: GroupHandle, input: T, dst: number, tag: number): Promise<void>;
  /** `src` null: from any process. Resolves to the rank of the sender. */
  collectiveRecv(group: GroupHandle, output: T, src: number | null, tag: number): Promise<number>;
  /** The last 1000 collective calls, in their order. */
  collectiveRecentCalls(group: GroupHandle): CallRow[];
}
