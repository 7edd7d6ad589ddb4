/**
 * The training loop. It knows no model and no file system: what happens is told through events, and what has to
 * survive is in {@link Trainer.stateDict}.
 * @module
 */
import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CheckpointError, checkOptions, DatasetError, invalidArgument, TrainingError } from '../errors.js';
import type { Module } from '../nn/module.js';
import { crossEntropy } from '../ops/loss.js';
import type { LRScheduler } from '../optim/lr.js';
import type { Optimizer } from '../optim/optimizer.js';
import { getRngState, setRngState } from '../runtime.js';
import { tidy } from '../tensor/context.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { type Evaluation, evaluate } from './evaluate.js';
import type { BestEpoch, StepEvent, TrainerEvents, TrainerState, TrainingResult } from './events.js';
import { readExpertUsage, resetExpertUsage } from './expert-usage.js';
import { Meter } from './meter.js';
import type { EpochRecord } from './records.js';
import { getTemperature, setTemperature, type TemperatureSchedule } from './temperature.js';
import type { Batch, BatchSource, Loss } from './types.js';

/** Options of {@link Trainer}. */
export interface TrainerOptions {
  /** Takes images [B, C, H, W] and returns logits [B, classes]. */
  model: Module;
  /** Over the parameters of `model`. */
  optimizer: Optimizer;
  /** Default: cross entropy without label smoothing. */
  loss?: Loss;
  trainLoader: BatchSource;
  /** Default: no validation; `best` then follows the training accuracy. */
  valLoader?: BatchSource;
  /** Its `step()` is called after every epoch. */
  scheduler?: LRScheduler;
  /** Passes over the training set. */
  epochs: number;
  /** Set on every dynamic layer at the start of each epoch. Default: temperatures stay as they are. */
  temperature?: TemperatureSchedule;
  /** Device the batches are moved to. Default: wherever the loader puts them. */
  device?: Device;
  /**
   * Steps between two looks at the loss. Reading waits for the device, which costs nothing on a CPU (default 1) and
   * the overlap of work on CUDA (default 10).
   */
  readEvery?: number;
  /** Stops after the step under way; {@link Trainer.fit} then returns with `stopped: true`. */
  signal?: AbortSignal;
}

/** A step whose loss has not been read yet. */
interface PendingStep {
  event: Omit<StepEvent, 'loss' | 'accuracy' | 'imagesPerSecond'>;
  loss: Tensor;
  correct: Tensor;
}

/**
 * Trains a classifier: fetch, forward, loss, backward, step, events. Between two steps the event loop gets its turn,
 * so timers run and signals arrive.
 * @example
 * const trainer = new train.Trainer({ model, optimizer, trainLoader, valLoader, epochs: 10 })
 * trainer.on('epoch', (record) => console.log(record.epoch, record.val?.accuracy))
 * await trainer.fit()
 */
export class Trainer extends EventEmitter<TrainerEvents> {
  readonly #options: TrainerOptions & { loss: Loss };
  readonly #readEvery: number;
  #epoch = 0;
  #batch = 0;
  #step = 0;
  #meter = new Meter();
  #best: BestEpoch | null = null;
  #pending: PendingStep[] = [];
  #running = false;
  #mark = 0;

  /** @throws {ArgumentError} for numbers that are not positive integers. */
  constructor(options: TrainerOptions) {
    super();
    const { epochs, device = 'cpu', readEvery = device.startsWith('cuda') ? 10 : 1 } = checkOptions(options);
    for (const [name, value] of Object.entries({ epochs, readEvery })) {
      if (!Number.isSafeInteger(value) || value < 1) throw invalidArgument(name, 'a positive integer', value);
    }
    this.#options = { ...options, loss: options.loss ?? crossEntropy };
    this.#readEvery = readEvery;
  }

  /** Finished epochs. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The best epoch so far. */
  get best(): BestEpoch | null {
    return this.#best;
  }

  /**
   * Trains until the last epoch or until the signal is aborted; can be called again after the latter.
   * @throws {TrainingError} if a loss is no longer finite: the weights are then those before that step (on CUDA, those
   *   of up to `readEvery` steps later).
   * @throws {DatasetError} if the training loader gives no batch.
   */
  async fit(): Promise<TrainingResult> {
    if (this.#running) throw new TrainingError('fit() is already running on this trainer');
    this.#running = true;
    try {
      let stopped = this.#aborted;
      while (!stopped && this.#epoch < this.#options.epochs) stopped = !(await this.#runEpoch());
      const result = { stopped, epochs: this.#epoch, steps: this.#step, best: this.#best };
      await this.#tell('end', result);
      return result;
    } finally {
      this.#running = false;
      for (const { loss, correct } of this.#pending.splice(0)) disposeAll(loss, correct);
    }
  }

  /**
   * Everything beside the model's weights that a resumed training needs. Valid between steps: in listeners, and after
   * {@link fit} returned. Its tensors are handles of their own: dispose them when done.
   */
  stateDict(): TrainerState {
    return {
      epoch: this.#epoch,
      batch: this.#batch,
      step: this.#step,
      meter: this.#meter.state,
      best: this.#best,
      optimizer: this.#options.optimizer.stateDict(),
      scheduler: this.#options.scheduler?.stateDict() ?? null,
      generator: getRngState(),
    };
  }

  /**
   * Continues where {@link stateDict} was taken; the model's weights are loaded separately.
   * @throws {CheckpointError} if the state was taken from a training with other parts.
   */
  loadStateDict(state: TrainerState): void {
    const { optimizer, scheduler } = this.#options;
    if ((scheduler === undefined) !== (state.scheduler === null)) {
      throw new CheckpointError(
        `Expected training state ${scheduler ? 'with' : 'without'} a scheduler, but it was saved ${scheduler ? 'without' : 'with'} one`,
      );
    }
    optimizer.loadStateDict(state.optimizer as Parameters<Optimizer['loadStateDict']>[0]);
    scheduler?.loadStateDict(state.scheduler as Parameters<LRScheduler['loadStateDict']>[0]);
    setRngState(state.generator);
    this.#epoch = state.epoch;
    this.#batch = state.batch;
    this.#step = state.step;
    this.#meter = new Meter(state.meter);
    this.#best = state.best;
  }

  /** Seconds since the last call. */
  #lap(): number {
    const before = this.#mark;
    this.#mark = performance.now();
    return (this.#mark - before) / 1000;
  }

  get #aborted(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  /** One epoch, or the rest of it. False if the signal stopped it. */
  async #runEpoch(): Promise<boolean> {
    const { model, optimizer, scheduler, temperature } = this.#options;
    if (temperature) setTemperature(model, temperature(this.#epoch));
    const lr = optimizer.lr;
    resetExpertUsage(model);
    if (!(await this.#trainPass())) return false;
    const experts = readExpertUsage(model);
    const val = await this.#validate();
    if (val === 'stopped') return false;

    const { seconds, dataSeconds } = this.#meter.state;
    const record: EpochRecord = {
      type: 'epoch',
      epoch: this.#epoch + 1,
      lr,
      temperature: getTemperature(model),
      train: this.#meter.mean(),
      val: val && { loss: val.loss, accuracy: val.accuracy },
      seconds,
      imagesPerSecond: this.#meter.imagesPerSecond,
      dataSeconds,
      time: new Date().toISOString(),
      ...(experts.length > 0 && { experts }),
    };
    const { accuracy } = record.val ?? record.train;
    const improved = this.#best === null || accuracy > this.#best.accuracy;
    if (improved) this.#best = { epoch: record.epoch, accuracy };
    scheduler?.step();
    this.#epoch += 1;
    this.#batch = 0;
    this.#meter = new Meter();
    await this.#tell('epoch', record, { improved });
    return !this.#aborted || this.#epoch === this.#options.epochs;
  }

  /** The training batches that are left of this epoch. False if the signal stopped it. */
  async #trainPass(): Promise<boolean> {
    const { model, trainLoader } = this.#options;
    if (this.#batch > 0 && this.#batch >= trainLoader.length) return true;
    model.train();
    let skip = trainLoader.seek ? 0 : this.#batch;
    trainLoader.seek?.({ epoch: this.#epoch, batch: this.#batch });
    const batches = trainLoader[Symbol.asyncIterator]();
    this.#lap();
    try {
      for (;;) {
        const next = await batches.next();
        if (next.done) break;
        if (skip-- > 0) {
          disposeAll(next.value.images, next.value.labels);
          continue;
        }
        this.#trainStep(next.value, this.#lap());
        await nextTurn();
        this.#meter.addTime({ seconds: this.#lap(), dataSeconds: 0 });
        if (this.#aborted) {
          this.#read();
          return false;
        }
      }
    } finally {
      await batches.return?.();
    }
    this.#read();
    if (this.#batch === 0) {
      throw new DatasetError(
        'Expected batches to train on, but the loader gave none: is the batch larger than the training set?',
      );
    }
    return true;
  }

  #trainStep({ images, labels }: Batch, dataSeconds: number): void {
    const { optimizer, trainLoader } = this.#options;
    const event = {
      step: this.#step + 1,
      epoch: this.#epoch + 1,
      batch: this.#batch + 1,
      batches: trainLoader.length,
      images: labels.shape[0]!,
      lr: optimizer.lr,
      dataSeconds,
    };
    try {
      optimizer.zeroGrad();
      const [loss, correct] = this.#forwardBackward(images, labels);
      this.#pending.push({ event, loss, correct });
    } finally {
      disposeAll(images, labels);
    }
    const due = this.#pending.length >= this.#readEvery;
    const told = due ? this.#collect() : [];
    optimizer.step();
    this.#step += 1;
    this.#batch += 1;
    this.#meter.addTime({ seconds: dataSeconds + this.#lap(), dataSeconds });
    for (const one of told) this.emit('step', { ...one, imagesPerSecond: this.#meter.imagesPerSecond });
  }

  #forwardBackward(images: Tensor, labels: Tensor): [loss: Tensor, correct: Tensor] {
    const { model, loss: lossOf, device } = this.#options;
    return tidy(() => {
      const target = device ? labels.to({ device }) : labels;
      const logits = model.forward(device ? images.to({ device }) : images);
      const loss = lossOf(logits, target);
      loss.backward();
      return [loss.detach(), logits.detach().argmax({ dim: 1 }).eq(target).sum()];
    });
  }

  /** Reads the losses that are still on the device and tells about their steps. */
  #read(): void {
    for (const one of this.#collect())
      this.emit('step', { ...one, imagesPerSecond: this.#meter.imagesPerSecond });
  }

  #collect(): Omit<StepEvent, 'imagesPerSecond'>[] {
    return this.#pending.splice(0).map(({ event, loss, correct }) => {
      const { images } = event;
      const batch = { loss: Number(loss.item()), correct: Number(correct.item()), images };
      disposeAll(loss, correct);
      if (!Number.isFinite(batch.loss)) {
        throw new TrainingError(
          `Expected a finite loss but received ${batch.loss} in epoch ${event.epoch}, step ${event.step} ` +
            `(batch ${event.batch} of ${event.batches}, learning rate ${event.lr})`,
        );
      }
      this.#meter.addBatch(batch);
      return { ...event, loss: batch.loss, accuracy: batch.correct / images };
    });
  }

  async #validate(): Promise<Evaluation | null | 'stopped'> {
    const { model, valLoader, loss, device, signal } = this.#options;
    if (!valLoader) return null;
    const result = await evaluate(model, valLoader, { loss, device, signal });
    if (this.#aborted) return 'stopped'; // the pass may be incomplete
    if (!Number.isFinite(result.loss)) {
      throw new TrainingError(
        `Expected a finite validation loss but received ${result.loss} after epoch ${this.#epoch + 1}`,
      );
    }
    this.emit('validation', { epoch: this.#epoch + 1, ...result });
    return result;
  }

  /** Emits an event and waits for the listeners, one after the other. */
  async #tell<K extends 'epoch' | 'end'>(name: K, ...args: TrainerEvents[K]): Promise<void> {
    for (const listener of this.rawListeners(name)) {
      await (listener as (...args: TrainerEvents[K]) => unknown).apply(this, args);
    }
  }
}

function disposeAll(...tensors: Tensor[]): void {
  for (const tensor of tensors) tensor.dispose();
}
