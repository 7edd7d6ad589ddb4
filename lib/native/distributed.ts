/**
 * The table of cpp/bindings/distributed.cc.
 * @module
 */
declare const WORLD: unique symbol;
declare const GROUP: unique symbol;

/** The processes that were started together: an object of the add-on. */
export interface WorldHandle {
  readonly [WORLD]: true;
}

/** A process group: an object of the add-on. */
export interface GroupHandle {
  readonly [GROUP]: true;
}

/** Starting process groups, and their store. Ranks are those of the world; timeouts are in milliseconds. */
export interface DistributedTable {
  openWorld(
    host: string,
    port: number,
    serve: boolean,
    rank: number,
    size: number,
    timeout: number,
    networkInterface: string,
  ): Promise<WorldHandle>;
  worldPort(world: WorldHandle): number;
  joinGroup(world: WorldHandle, name: string, ranks: readonly number[]): Promise<GroupHandle>;
  leaveGroup(group: GroupHandle): Promise<void>;

  storeSet(world: WorldHandle, key: string, value: Uint8Array): Promise<void>;
  storeGet(world: WorldHandle, key: string, timeout: number): Promise<Buffer>;
  storeWait(world: WorldHandle, keys: readonly string[], timeout: number): Promise<void>;
  storeCompareSet(
    world: WorldHandle,
    key: string,
    expected: Uint8Array,
    desired: Uint8Array,
  ): Promise<Buffer>;
  storeAdd(world: WorldHandle, key: string, amount: number): Promise<number>;
  storeCheck(world: WorldHandle, keys: readonly string[]): Promise<boolean>;
  storeDeleteKey(world: WorldHandle, key: string): Promise<boolean>;
}
