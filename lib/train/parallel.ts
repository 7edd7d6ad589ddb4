/**
 * Training in several processes: what a trainer exchanges with the others, besides gradients.
 * @module
 */
import { DistributedDataParallel } from '../distributed/data-parallel.js';
import type { Module } from '../nn/module.js';
import type { ProcessGroup } from '../process-group/group.js';
import { manualSeed } from '../runtime/settings.js';
import { randint, tensor } from '../tensor/create.js';
import type { MeterState } from './meter.js';
import { sumOverProcesses } from './metrics/gather.js';

const SEEDS = 2 ** 31;

/** The processes of a training. All make the same calls in the same order. */
export class Parallel {
  readonly group: ProcessGroup;
  /** The network, whose backward passes average the gradients. */
  readonly model: DistributedDataParallel;

  /** Compares the models of the processes, and copies that of rank 0. @throws DistributedError */
  constructor(model: Module, group: ProcessGroup) {
    this.group = group;
    this.model = new DistributedDataParallel(model, { group });
  }

  /** Whether the condition holds in any process. */
  async any(condition: boolean): Promise<boolean> {
    using flag = tensor([condition ? 1 : 0], { dtype: 'int32' });
    await this.group.allReduce(flag, { op: 'max' });
    return Number(flag.item()) === 1;
  }

  /** The sums of all processes; the times are those of this one. */
  async total(state: MeterState): Promise<MeterState> {
    const sums = await sumOverProcesses(this.group, [state.loss, state.correct, state.images]);
    const [loss, correct, images] = sums as [number, number, number];
    return { ...state, loss, correct, images };
  }

  /**
   * Divides sums of all processes, as a checkpoint has them, again: the number of processes may have changed, so that of rank 0 gets them
   * all.
   */
  part(total: MeterState): MeterState {
    return this.group.rank === 0 ? total : { ...total, loss: 0, correct: 0, images: 0 };
  }

  /**
   * Gives each process its own random numbers, for dropout, which follow from the generator of rank 0: a training that is resumed with
   * the generator of rank 0 draws the same ones.
   */
  async seed(): Promise<void> {
    using drawn = randint(0, SEEDS, [1], { dtype: 'int64' });
    await this.group.broadcast(drawn);
    manualSeed(Number(drawn.item()) + this.group.rank);
  }
}
