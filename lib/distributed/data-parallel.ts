/**
 * Training one network in several processes, each on its part of the batch.
 * @module
 */
import { boolean, number, oneOf } from '../check/arguments.js';
import { checkFunction, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import type { DataParallelHandle } from '../native/data-parallel.js';
import { Module } from '../nn/module.js';
import { handleOf, type ProcessGroup } from '../process-group/group.js';
import { groupOf } from '../process-group/world.js';
import { isGradEnabled, tensorsIn } from '../tensor/context.js';
import { native, type Tensor } from '../tensor/tensor.js';

/** How gradients are sent: unchanged, or as bfloat16 with half the number of bytes. */
export type CommHook = 'allreduce' | 'bf16-compress';

/** Options of {@link DistributedDataParallel}. */
export interface DistributedDataParallelOptions {
  /** The processes. Default: the group of {@link initProcessGroup}. */
  group?: ProcessGroup | undefined;
  /** Size of the buckets of gradients that are sent together, in MiB, from 1e-6 to 2^20. Default 25, and 1 for the first bucket. */
  bucketCapMb?: number | undefined;
  /**
   * Search in every pass for parameters on which the outputs do not depend. Default false: every parameter must get a gradient.
   */
  findUnusedParameters?: boolean | undefined;
  /**
   * Copy the buffers of rank 0, such as running statistics, to all processes before each forward pass, unless the last one was under
   * {@link DistributedDataParallel.noSync} or without gradients. Default true.
   */
  broadcastBuffers?: boolean | undefined;
  /** Whether the gradients are views of the memory that is sent, which saves a copy. Default false. */
  gradientAsBucketView?: boolean | undefined;
  /** How gradients are sent. Default `'allreduce'`. */
  commHook?: CommHook | undefined;
}

const KEYS = optionKeys(
  'group',
  'bucketCapMb',
  'findUnusedParameters',
  'broadcastBuffers',
  'gradientAsBucketView',
  'commHook',
);

const BYTES_PER_MB = 2 ** 20;
const MIN_BUCKET_MB = 1e-6; // one byte: each gradient by itself
const MAX_BUCKET_MB = 2 ** 20;

/**
 * A network that several processes train together (data parallelism). Each process computes the gradients of its own part of
 * the batch. libtorch's Reducer averages them over all processes during `backward`, overlapping with the rest of the pass. All
 * processes start with the parameters and buffers of rank 0 and make the same steps. To evaluate in a single process, use
 * `ddp.module`. The constructor and the passes block the event loop while they wait for other processes; passes inside
 * `background` do not.
 *
 * The keys of its state begin with `module.`, as in PyTorch: save and load the state of `ddp.module`.
 * @throws DistributedError from the constructor if the processes have different models, and from `backward` if a process fails.
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
 * @example
 * const group = await distributed.initProcessGroup();
 * const ddp = new distributed.DistributedDataParallel(model, { group });
 * F.crossEntropy(ddp.forward(images), labels).backward();
 * optimizer.step();
 */
export class DistributedDataParallel<Args extends unknown[] = [Tensor], Out = Tensor> extends Module<
  Args,
  Out
> {
  /** The network. */
  readonly module: Module<Args, Out>;
  /** The processes. */
  readonly group: ProcessGroup;
  readonly #model: DataParallelHandle;
  readonly #findUnused: boolean;
  readonly #broadcastBuffers: boolean;
  #synchronize = true;
  #copyBuffers = true;

  constructor(module: Module<Args, Out>, options: DistributedDataParallelOptions = {}) {
    super();
    const {
      group,
      bucketCapMb,
      findUnusedParameters = false,
      broadcastBuffers = true,
      gradientAsBucketView = false,
      commHook = 'allreduce',
    } = checkOptions(options, KEYS);
    if (!(module instanceof Module)) throw invalidArgument('module', 'a Module', module);
    this.module = module;
    this.group = groupOf(group);
    const trained = [...module.namedParameters()].filter(([, parameter]) => parameter.requiresGrad);
    if (trained.length === 0)
      throw new ArgumentError('Expected a network with parameters that require gradients for module');
    this.#findUnused = boolean('findUnusedParameters', findUnusedParameters);
    this.#broadcastBuffers = boolean('broadcastBuffers', broadcastBuffers);
    this.#model = native.dataParallel(
      this.group[handleOf](),
      trained.map(([, parameter]) => parameter),
      trained.map(([name]) => name),
      bucketCapMb === undefined
        ? null
        : Math.round(
            number('bucketCapMb', bucketCapMb, { min: MIN_BUCKET_MB, max: MAX_BUCKET_MB }) * BYTES_PER_MB,
          ),
      this.#findUnused,
      boolean('gradientAsBucketView', gradientAsBucketView),
      oneOf('commHook', ['allreduce', 'bf16-compress'], commHook) === 'bf16-compress',
    );
    native.dataParallelBroadcast(this.#model, [...module.parameters(), ...this.#buffers()]);
  }

  #buffers(): Tensor[] {
    return [...this.module.namedBuffers()].map(([, buffer]) => buffer);
  }

  /** Computes the network's output; while gradients are recorded, the next `backward` averages them. */
  forward(...args: Args): Out {
    this.group[handleOf](); // a DisposedError after destroy()
    const synchronize = this.#synchronize && isGradEnabled();
    const buffers = this.#broadcastBuffers && this.#copyBuffers ? this.#buffers() : [];
    native.dataParallelForward(this.#model, synchronize, buffers);
    const output = this.module.forward(...args);
    this.#copyBuffers = synchronize;
    if (synchronize) native.dataParallelBackward(this.#model, this.#findUnused ? tensorsIn(output) : []);
    return output;
  }

  /**
   * Runs `fn` without averaging gradients: each process sums its own. The first pass after it averages the sums. Use it for
   * gradient accumulation.
   * @example
   * ddp.noSync(() => F.crossEntropy(ddp.forward(first), labels).backward());
   * F.crossEntropy(ddp.forward(second), moreLabels).backward();
   */
  noSync<T>(fn: () => T): T {
    checkFunction(fn);
    const before = this.#synchronize;
    this.#synchronize = false;
    try {
      return fn();
    } finally {
      this.#synchronize = before;
    }
  }
}
