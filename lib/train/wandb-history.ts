/**
 * Logs for Weights & Biases.
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { checkPath } from '../files/error.js';
import type { EpochRecord } from '../run/records.js';
import { AppendFile } from './append-file.js';
import type { Callback, TrainerControl } from './callbacks.js';
import type { StepEvent } from './events.js';
import { epochScalars, type Scalar, stepScalars } from './scalars.js';

/** Options of {@link WandbHistory}. */
export interface WandbHistoryOptions {
  /** Number of steps between logged steps. Default: 1. */
  logEvery?: number | undefined;
}

const WANDB_KEYS = optionKeys('logEvery');

/**
 * A callback that writes the history of a training as JSON lines with the keys of Weights & Biases: `_step`, `_timestamp`, `_runtime`, and the
 * numbers of {@link TensorBoard}. wandb uploads the file with a few lines of Python:
 * `for line in open(file): row = json.loads(line); run.log(row, step=row['_step'])`.
 * @see https://docs.wandb.ai/ref/python/log
 * @example
 * const callbacks = [new train.WandbHistory('runs/dy/wandb-history.jsonl')]
 */
export class WandbHistory implements Callback {
  /** The file. */
  readonly path: string;
  readonly #file: AppendFile;
  readonly #logEvery: number;
  readonly #start = Date.now();

  /**
   * @param file - Lines are appended; its folder is created if necessary.
   * @throws ArgumentError naming the option.
   */
  constructor(file: string, options: WandbHistoryOptions = {}) {
    checkPath(file, 'the path of a file', 'file');
    const { logEvery = 1 } = checkOptions(options, WANDB_KEYS);
    this.path = file;
    this.#logEvery = integer('logEvery', logEvery, 1);
    this.#file = new AppendFile(file);
  }

  /** Logs a step. */
  onStep(event: StepEvent): void {
    if (event.step % this.#logEvery === 0) this.#add(event.step, stepScalars(event));
  }

  /** Logs an epoch. */
  async onEpoch(record: EpochRecord, { trainer }: { trainer: TrainerControl }): Promise<void> {
    this.#add(trainer.position.step, [['epoch', record.epoch], ...epochScalars(record)]);
    await this.#file.flush();
  }

  /** Writes what is left and closes the file. @throws CheckpointError if something could not be written. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  #add(step: number, scalars: readonly Scalar[]): void {
    const now = Date.now();
    const row = {
      ...Object.fromEntries(scalars),
      _step: step,
      _timestamp: now / 1000,
      _runtime: (now - this.#start) / 1000,
    };
    this.#file.add(Buffer.from(`${JSON.stringify(row)}\n`));
  }
}
