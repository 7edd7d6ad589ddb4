/**
 * Process groups and their operations.
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { DisposedError, invalidArgument } from '../errors.js';
import type { ReduceOp } from '../native/collective.js';
import type { GroupHandle } from '../native/distributed.js';
import { checkTensor } from '../tensor/check.js';
import type { DType } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';
import type { Store } from './store.js';

/** Options of operations that combine tensors. */
export interface ReduceOptions {
  /**
   * The reduction: `'sum'`, `'avg'`, `'product'`, `'min'`, `'max'`, or, for integers, `'band'`, `'bor'`, `'bxor'`. Default
   * `'sum'`.
   */
  op?: ReduceOp | undefined;
}

/** Options of {@link ProcessGroup.reduce}. */
export interface ReduceToOptions extends ReduceOptions {
  /** Rank of the process that gets the result. Default 0. */
  dst?: number | undefined;
}

/** Options of operations whose values come from one process. */
export interface SourceOptions {
  /** Its rank. Default 0. */
  src?: number | undefined;
}

/** Options of operations whose result one process gets. */
export interface DestinationOptions {
  /** Its rank. Default 0. */
  dst?: number | undefined;
}

/** Options of {@link ProcessGroup.send}. */
export interface SendOptions {
  /** Rank of the receiver. */
  dst: number;
  /** Distinguishes messages between the same processes: an integer from 0 to 2^30 - 1. Default 0. */
  tag?: number | undefined;
}

/** Options of {@link ProcessGroup.recv}. */
export interface RecvOptions {
  /** Rank of the sender. Default: any. */
  src?: number | undefined;
  /** The tag of the message. Default 0. */
  tag?: number | undefined;
}

/** One collective call of this process: see {@link ProcessGroup.recentCalls}. Times are milliseconds on the clock of `performance.now()`. */
export interface CollectiveCall {
  /** Number of the call on the group, from 1. */
  number: number;
  /** Name of the operation: `'allReduce'`, `'broadcast'`, .... Buckets of {@link DistributedDataParallel} are `'allReduce'`. */
  operation: string;
  /** dtype of the tensors; null for an operation without a tensor. */
  dtype: DType | null;
  /** Elements of the tensors of this process. */
  elements: number;
  /** When the call was made. */
  made: number;
  /** When all processes had made the call and the transfer began; null: not yet. */
  begun: number | null;
  /** When it ended on this process; null: not yet. */
  ended: number | null;
  /** Whether it ended with an error. */
  failed: boolean;
}

const REDUCE = optionKeys('op');
const REDUCE_TO = optionKeys('op', 'dst');
const SOURCE = optionKeys('src');
const DESTINATION = optionKeys('dst');
const SEND = optionKeys('dst', 'tag');
const RECV = optionKeys('src', 'tag');

/** @internal The object of the add-on, for modules that train with a group. */
export const handleOf = Symbol('handleOf');

/**
 * A group of processes that communicate. All methods except {@link send} and {@link recv} are collective: all processes must
 * call them in the same order. Each method returns a promise and starts at once; several calls may be in progress, and none
 * blocks the event loop. Tensors must be contiguous and on the CPU, must have the same shape and dtype in all processes
 * (float32, float64, float16, bfloat16, int64, int32, int8 or uint8), and must not be changed before the promise resolves. The
 * operations are not recorded by autograd. Ranks are those of the world, also in a group of some of its processes.
 *
 * Each method throws a {@link DistributedError} if a process does not answer within the timeout of the group, has ended, or
 * makes another call; `ranks` lists these processes. The group cannot be used after an error: end the process and start the
 * group again.
 * @see https://docs.pytorch.org/docs/stable/distributed.html
 */
export class ProcessGroup {
  /** Number of this process in the group, from 0. */
  readonly rank: number;
  /** The ranks in the world of the group's processes. */
  readonly ranks: readonly number[];
  /** The backend. */
  readonly backend: 'gloo';
  /** The key-value store of all processes of the world. */
  readonly store: Store;
  readonly #handle: GroupHandle;
  readonly #pending = new Set<Promise<unknown>>();
  #destroyed: Promise<void> | undefined;
  readonly #onDestroy: () => void;

  /** @internal */
  constructor(
    handle: GroupHandle,
    rank: number,
    ranks: readonly number[],
    store: Store,
    onDestroy: () => void,
  ) {
    this.#handle = handle;
    this.rank = ranks.indexOf(rank);
    this.ranks = Object.freeze([...ranks]);
    this.backend = 'gloo';
    this.store = store;
    this.#onDestroy = onDestroy;
  }

  /** Number of processes. */
  get size(): number {
    return this.ranks.length;
  }

  /** Whether {@link destroy} was called. */
  get destroyed(): boolean {
    return this.#destroyed !== undefined;
  }

  /** Combines the tensors of all processes and writes the result to the tensor of each. @returns the tensor */
  async allReduce(tensor: Tensor, options: ReduceOptions = {}): Promise<Tensor> {
    const { op = 'sum' } = checkOptions(options, REDUCE);
    await this.#run(native.collectiveAllReduce(this[handleOf](), checkTensor('tensor', tensor), op));
    return tensor;
  }

  /**
   * Combines the tensors of all processes and writes the result to that of `dst`. The values of the other tensors are undefined
   * afterwards.
   * @returns the tensor
   */
  async reduce(tensor: Tensor, options: ReduceToOptions = {}): Promise<Tensor> {
    const { op = 'sum', dst = 0 } = checkOptions(options, REDUCE_TO);
    await this.#run(
      native.collectiveReduce(this[handleOf](), checkTensor('tensor', tensor), rankOf('dst', dst), op),
    );
    return tensor;
  }

  /** Copies the tensor of `src` to those of all processes. @returns the tensor */
  async broadcast(tensor: Tensor, options: SourceOptions = {}): Promise<Tensor> {
    const { src = 0 } = checkOptions(options, SOURCE);
    await this.#run(
      native.collectiveBroadcast(this[handleOf](), checkTensor('tensor', tensor), rankOf('src', src)),
    );
    return tensor;
  }

  /** Collects the tensors of all processes on every process. @returns The tensors by rank. */
  async allGather(tensor: Tensor): Promise<Tensor[]> {
    return this.#run(native.collectiveAllGather(this[handleOf](), checkTensor('tensor', tensor)));
  }

  /** Collects the tensors of all processes. @returns On `dst`, the tensors by rank; null on the others. */
  async gather(tensor: Tensor, options: DestinationOptions = {}): Promise<Tensor[] | null> {
    const { dst = 0 } = checkOptions(options, DESTINATION);
    return this.#run(
      native.collectiveGather(this[handleOf](), checkTensor('tensor', tensor), rankOf('dst', dst)),
    );
  }

  /**
   * Sends one of the tensors of `src` to each process.
   * @param output - The received values are written to it.
   * @param inputs - On `src`: a tensor for each process, by rank. Null on the others.
   * @returns output
   */
  async scatter(
    output: Tensor,
    inputs: readonly Tensor[] | null,
    options: SourceOptions = {},
  ): Promise<Tensor> {
    const { src = 0 } = checkOptions(options, SOURCE);
    await this.#run(
      native.collectiveScatter(
        this[handleOf](),
        checkTensor('output', output),
        inputs === null ? null : tensorsOf(inputs),
        rankOf('src', src),
      ),
    );
    return output;
  }

  /**
   * Combines the lists of tensors of all processes element by element.
   * @param inputs - A tensor for each rank.
   * @returns The result for the rank of this process.
   */
  async reduceScatter(inputs: readonly Tensor[], options: ReduceOptions = {}): Promise<Tensor> {
    const { op = 'sum' } = checkOptions(options, REDUCE);
    return this.#run(native.collectiveReduceScatter(this[handleOf](), tensorsOf(inputs), op));
  }

  /**
   * Splits the tensor of each process along its first dimension into equal parts, one for each process, and exchanges them.
   * @returns A tensor of the same shape: the parts for this process, by rank.
   */
  async allToAllSingle(tensor: Tensor): Promise<Tensor> {
    return this.#run(native.collectiveAllToAll(this[handleOf](), checkTensor('tensor', tensor)));
  }

  /** Waits until all processes have called it. */
  async barrier(): Promise<void> {
    await this.#run(native.collectiveBarrier(this[handleOf]()));
  }

  /** Sends a tensor to a process, which calls {@link recv}. */
  async send(tensor: Tensor, options: SendOptions): Promise<void> {
    const { dst, tag = 0 } = checkOptions(options, SEND);
    await this.#run(
      native.collectiveSend(
        this[handleOf](),
        checkTensor('tensor', tensor),
        rankOf('dst', dst),
        integer('tag', tag, 0, MAX_TAG),
      ),
    );
  }

  /**
   * Receives a tensor of the same dtype and number of elements from a process, which calls {@link send}.
   * @returns The rank of the sender.
   */
  async recv(tensor: Tensor, options: RecvOptions = {}): Promise<number> {
    const { src, tag = 0 } = checkOptions(options, RECV);
    return this.#run(
      native.collectiveRecv(
        this[handleOf](),
        checkTensor('tensor', tensor),
        src === undefined ? null : rankOf('src', src),
        integer('tag', tag, 0, MAX_TAG),
      ),
    );
  }

  /**
   * The last 1000 collective calls of this process on the group, oldest first, including those of
   * {@link DistributedDataParallel}. A call without `begun` waits for other processes. Use it for traces, and to find out where
   * a group hangs.
   * @throws DisposedError after {@link destroy}.
   */
  recentCalls(): CollectiveCall[] {
    const rows = native.collectiveRecentCalls(this[handleOf]());
    // Both clocks are monotonic; performance.now() begins with the process.
    const offset = performance.now() - Number(process.hrtime.bigint()) / NANOSECONDS_PER_MS;
    const time = (ms: number) => (Number.isNaN(ms) ? null : ms + offset);
    return rows.map(([number, operation, dtype, elements, made, begun, ended, failed]) => ({
      number,
      operation,
      dtype: dtype === '' ? null : (dtype as DType),
      elements,
      made: made + offset,
      begun: time(begun),
      ended: time(ended),
      failed,
    }));
  }

  /** Closes the connections after the calls in progress have ended. Later calls fail. */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#close();
    return this.#destroyed;
  }

  /** {@link destroy} */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#pending);
    await native.leaveGroup(this.#handle);
    this.#onDestroy();
  }

  async #run<T>(call: Promise<T>): Promise<T> {
    this.#pending.add(call);
    try {
      return await call;
    } finally {
      this.#pending.delete(call);
    }
  }

  /** @internal */
  [handleOf](): GroupHandle {
    if (this.#destroyed !== undefined)
      throw new DisposedError('Expected a live process group but received one that was destroyed');
    return this.#handle;
  }
}

const NANOSECONDS_PER_MS = 1e6;
/** Tags above it are reserved. */
const MAX_TAG = 2 ** 30 - 1;

const rankOf = (name: string, rank: number) => integer(name, rank, 0);

function tensorsOf(inputs: readonly Tensor[]): readonly Tensor[] {
  if (!Array.isArray(inputs)) throw invalidArgument('inputs', 'an array of Tensors', inputs);
  return inputs.map((input, i) => checkTensor(`inputs[${i}]`, input));
}

/** Checks that an argument is a process group. */
export function checkGroup(name: string, value: ProcessGroup): ProcessGroup {
  if (value instanceof ProcessGroup) return value;
  throw invalidArgument(name, 'a ProcessGroup', value);
}
