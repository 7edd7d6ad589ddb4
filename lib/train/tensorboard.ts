/**
 * Logs for TensorBoard.
 * @module
 */
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { integer, number } from '../check/arguments.js';
import { checkOptions, checkString, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkPath } from '../files/error.js';
import { type EventContent, eventRecord, histogramOf } from '../formats/event-file.js';
import type { Module } from '../nn/module.js';
import type { EpochRecord } from '../run/records.js';
import { noGrad } from '../tensor/context.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { AppendFile } from './append-file.js';
import type { Callback, TrainerControl } from './callbacks.js';
import { checkModel } from './checks.js';
import type { StepEvent } from './events.js';
import { epochScalars, stepScalars } from './scalars.js';

/** Options of {@link TensorBoard}. */
export interface TensorBoardOptions {
  /** As a callback: number of steps between logged steps. Default: 1. */
  logEvery?: number | undefined;
  /** As a callback: the model whose gradients and parameters are logged as histograms. Default: none. */
  model?: Module | undefined;
  /** With `model`: number of steps between histograms. Default: 100. */
  histogramEvery?: number | undefined;
}

/** Options of the `add` methods of {@link TensorBoard}. */
export interface EventOptions {
  /** Seconds since 1970. Default: now. */
  wallTime?: number | undefined;
}

const TENSOR_BOARD_KEYS = optionKeys('logEvery', 'model', 'histogramEvery');
const EVENT_KEYS = optionKeys('wallTime');

/** The beginning of the names of event files. */
const EVENT_FILE = 'events.out.tfevents.';

/** Whether there are other event files in the folder of one. A folder that cannot be read is an error when the file is written. */
async function hasOthers(path: string): Promise<boolean> {
  const names = await readdir(dirname(path)).catch(() => []);
  return names.some((name) => name.startsWith(EVENT_FILE) && name !== basename(path));
}

/** Distinguishes files that this process starts in one second. */
let files = 0;

/**
 * Writes an event file that TensorBoard reads: by its methods, or as a callback of a trainer. Values are written in the background; {@link flush} and
 * {@link close} report errors.
 *
 * As a callback it logs loss, accuracy and learning rate of the steps (`train/…`), and means, validation and metrics of the epochs (`epoch/…`,
 * `val/…`, with the number of finished steps).
 * @see https://www.tensorflow.org/tensorboard
 * @example
 * const trainer = new train.Trainer({ ...parts, callbacks: [new train.TensorBoard('runs/dy/tensorboard')] })
 */
export class TensorBoard implements Callback {
  /** The event file. It is created with the first value. */
  readonly path: string;
  readonly #file: AppendFile;
  readonly #options: { logEvery: number; histogramEvery: number; model: Module | undefined };
  #started = false;

  /**
   * @param folder - Created if it does not exist. Every `TensorBoard` writes a new file in it.
   * @throws ArgumentError naming the option.
   */
  constructor(folder: string, options: TensorBoardOptions = {}) {
    checkPath(folder, 'the path of a folder', 'folder');
    const { logEvery = 1, model, histogramEvery = 100 } = checkOptions(options, TENSOR_BOARD_KEYS);
    if (model !== undefined) checkModel(model);
    this.#options = {
      logEvery: integer('logEvery', logEvery, 1),
      histogramEvery: integer('histogramEvery', histogramEvery, 1),
      model,
    };
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0');
    this.path = join(folder, `${EVENT_FILE}${seconds}.${hostname()}.${process.pid}.${files++}`);
    this.#file = new AppendFile(this.path);
  }

  /** Adds a number. */
  addScalar(tag: string, value: number, step: number, options: EventOptions = {}): void {
    if (typeof value !== 'number') throw invalidArgument('value', 'a number', value);
    this.#add(tag, step, options, (name) => ({ tag: name, scalar: value }));
  }

  /** Adds the distribution of numbers; NaN is left out. */
  addHistogram(
    tag: string,
    values: Tensor | ArrayLike<number>,
    step: number,
    options: EventOptions = {},
  ): void {
    const numbers = isTensor(values) ? noGrad(() => values.detach().dataSync({ dtype: 'float32' })) : values;
    if (typeof numbers !== 'object' || numbers === null || typeof numbers.length !== 'number')
      throw invalidArgument('values', 'a Tensor or an array of numbers', values);
    this.#add(tag, step, options, (name) => ({ tag: name, histogram: histogramOf(numbers) }));
  }

  /** Adds a text in Markdown. */
  addText(tag: string, text: string, step: number, options: EventOptions = {}): void {
    checkString(text, 'text');
    this.#add(tag, step, options, (name) => ({ tag: name, text }));
  }

  /** Waits until everything is written. @throws CheckpointError if something could not be written. */
  async flush(): Promise<void> {
    await this.#file.flush();
  }

  /** Writes what is left and closes the file; a later value opens it again. @throws CheckpointError as {@link flush}. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  /**
   * Steps that a resumed training repeats replace the earlier ones in the folder; all of them if it begins again, as after an interruption before the
   * first checkpoint.
   */
  async onStart({ trainer }: { trainer: TrainerControl }): Promise<void> {
    const { step } = trainer.position;
    if (step > 0 || (await hasOthers(this.path))) this.#write(step + 1, undefined, { sessionStart: true });
  }

  /** Logs a step, and histograms. */
  onStep(event: StepEvent): void {
    const { logEvery, histogramEvery, model } = this.#options;
    const { step } = event;
    if (step % logEvery === 0)
      for (const [tag, value] of stepScalars(event)) this.addScalar(tag, value, step);
    if (model === undefined || step % histogramEvery !== 0) return;
    for (const [name, parameter] of model.namedParameters()) {
      this.addHistogram(`parameters/${name}`, parameter, step);
      const { grad } = parameter;
      if (grad) this.addHistogram(`gradients/${name}`, grad, step);
    }
  }

  /** Logs an epoch. */
  async onEpoch(record: EpochRecord, { trainer }: { trainer: TrainerControl }): Promise<void> {
    for (const [tag, value] of epochScalars(record)) this.addScalar(tag, value, trainer.position.step);
    await this.flush();
  }

  #add(tag: string, step: number, options: EventOptions, content: (tag: string) => EventContent): void {
    checkString(tag, 'tag', 'a name');
    if (!Number.isSafeInteger(step)) throw invalidArgument('step', 'an integer', step);
    const { wallTime } = checkOptions(options, EVENT_KEYS);
    if (wallTime !== undefined) number('wallTime', wallTime);
    this.#write(step, wallTime, content(tag));
  }

  #write(step: number, wallTime: number | undefined, content: EventContent): void {
    const time = wallTime ?? Date.now() / 1000;
    if (!this.#started) {
      this.#started = true;
      this.#file.add(eventRecord({ step: 0, wallTime: time, content: { fileVersion: 'brain.Event:2' } }));
    }
    this.#file.add(eventRecord({ step, wallTime: time, content }));
  }
}
