/**
 * Computing in several processes, on one machine or on many: libtorch's process groups.
 * @module
 */

export type { ReduceOp } from '../native/collective.js';
export { type InitProcessGroupOptions, isLaunched } from '../process-group/environment.js';
export {
  allGather,
  allReduce,
  allToAllSingle,
  barrier,
  broadcast,
  type GroupOption,
  gather,
  recv,
  reduce,
  reduceScatter,
  scatter,
  send,
} from '../process-group/functions.js';
export {
  type CollectiveCall,
  type DestinationOptions,
  ProcessGroup,
  type RecvOptions,
  type ReduceOptions,
  type ReduceToOptions,
  type SendOptions,
  type SourceOptions,
} from '../process-group/group.js';
export { Store, type StoreWaitOptions } from '../process-group/store.js';
export {
  destroyProcessGroup,
  getBackend,
  getRank,
  getWorldSize,
  initProcessGroup,
  isInitialized,
  newGroup,
} from '../process-group/world.js';
export {
  type CommHook,
  DistributedDataParallel,
  type DistributedDataParallelOptions,
} from './data-parallel.js';
