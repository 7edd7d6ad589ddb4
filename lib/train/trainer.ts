/**
 * The training loop. It does not depend on a model or on the file system: progress is reported by events, and the state to
 * save is in {@link Trainer.stateDict}.
 * @module
 */
import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { checkOptions, dropUndefined } from '../check/index.js';
import { CheckpointError, DatasetError, TrainingError } from '../errors.js';
import { checkPath } from '../files/error.js';
import { ExponentialMovingAverage } from '../optim/ema.js';
import { GradScaler } from '../optim/grad-scaler.js';
import type { Optimizer } from '../optim/optimizer.js';
import type { LRScheduler } from '../optim/scheduler.js';
import type { EpochRecord } from '../run/records.js';
import { getRngState, setRngState } from '../runtime/settings.js';
import type { Device } from '../tensor/dtype.js';
import type { Callback, TrainerControl } from './callbacks.js';
import { EarlyStopping, isBetter } from './early-stopping.js';
import { type Evaluation, evaluate } from './evaluate.js';
import type { BestEpoch, Position, TrainerEvents, TrainerState, TrainingResult } from './events.js';
import { readExpertUsage, resetExpertUsage } from './expert-usage.js';
import { isLeftover, warnOfLeftover } from './leftover.js';
import { Meter } from './meter.js';
import { Parallel } from './parallel.js';
import { FIT_KEYS, type FitOptions, runWriterOf } from './run-writer.js';
import { type FinishedStep, StepRunner } from './step-runner.js';
import { getTemperature, setTemperature } from './temperature.js';
import { type ResolvedOptions, resolveOptions, type TrainerOptions } from './trainer-options.js';

/**
 * Trains a classifier: fetch, forward, loss, backward, step, events. It yields to the event loop between steps,
 * so timers and signals work.
 * @example
 * const trainer = new train.Trainer({ model, optimizer, trainLoader, valLoader, epochs: 10 })
 * trainer.on('epoch', (record) => console.log(record.epoch, record.val?.accuracy))
 * await trainer.fit()
 */
export class Trainer extends EventEmitter<TrainerEvents> implements TrainerControl {
  readonly #options: ResolvedOptions;
  readonly #steps: StepRunner;
  readonly #ema: ExponentialMovingAverage | null;
  readonly #scaler: GradScaler | undefined;
  /** Device of the losses. */
  readonly #device: Device;
  readonly #earlyStopping: EarlyStopping | null;
  readonly #parallel: Parallel | undefined;
  #epoch = 0;
  #batch = 0;
  #step = 0;
  #meter = new Meter();
  #best: BestEpoch | null = null;
  #running = false;
  #stopRequested = false;
  /** The callbacks of the options, and the writer of the run directory. */
  #callbacks: readonly Callback[];
  #warnedOfLeftover = false;
  #mark = 0;

  /** @throws {ArgumentError} for an option out of range, naming it. */
  constructor(options: TrainerOptions) {
    super();
    this.#options = resolveOptions(options);
    this.#callbacks = this.#options.callbacks ?? [];
    const { model, ema, earlyStopping, monitor, autocast, group } = this.#options;
    this.#parallel = group && new Parallel(model, group);
    this.#ema = ema ? new ExponentialMovingAverage(model.parameters(), ema) : null;
    this.#earlyStopping = earlyStopping
      ? new EarlyStopping({ minDelta: 0, metric: monitor, ...dropUndefined(earlyStopping) })
      : null;
    this.#device = deviceOf(this.#options);
    this.#scaler = autocast === 'float16' ? new GradScaler({ device: this.#device }) : undefined;
    this.#steps = new StepRunner(this.#options, {
      ema: this.#ema,
      scaler: this.#scaler,
      parallel: this.#parallel,
    });
  }

  /** Finished epochs. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Finished epochs, finished batches of the current epoch, and steps. */
  get position(): Position {
    return { epoch: this.#epoch, batch: this.#batch, step: this.#step };
  }

  /** The best epoch so far. */
  get best(): BestEpoch | null {
    return this.#best;
  }

  /**
   * Runs `fn` with the weights for validation in the model: the averages if weights are averaged, else the
   * model's own. For saving and evaluating in a listener of 'epoch'.
   */
  withEvaluationWeights<T>(fn: () => T): T {
    return this.#ema ? this.#ema.apply(fn) : fn();
  }

  /** Ends the training after the current step, as the signal does; {@link fit} can be called again. */
  stop(): void {
    this.#stopRequested = true;
  }

  /**
   * Trains until the last epoch, until early stopping, or until it is stopped; can be called again after
   * the latter.
   * @param options - `out` creates a run directory; with `resume: true` an existing one is continued.
   * @throws {TrainingError} if a loss (or, with clipping, a gradient) is no longer finite: the weights are then those
   *   before that step (on CUDA, those of up to `readEvery` steps later). Also if `out` already contains a run.
   * @throws {DatasetError} if the training loader yields no batch, or one cannot be read; with `out`, after a checkpoint from which
   *   the training can be continued.
   * @example
   * const trainer = new train.Trainer({ model, optimizer, trainLoader, valLoader, epochs: 10 })
   * await trainer.fit({ out: 'runs/mine' })
   */
  async fit(options: FitOptions = {}): Promise<TrainingResult> {
    const { out } = checkOptions(options, FIT_KEYS);
    if (out !== undefined) checkPath(out, 'the path of a folder', 'out');
    if (this.#running) throw new TrainingError('fit() is already running on this trainer');
    this.#running = true;
    this.#stopRequested = false;
    const own = this.#options.callbacks ?? [];
    // The checkpoint is restored before other callbacks see the position, and saved before they see the epoch.
    const writer = out === undefined ? null : runWriterOf(out, options, this.#options, this.#parallel);
    this.#callbacks = writer ? [writer, ...own] : own;
    try {
      for (const callback of this.#callbacks) await callback.onStart?.({ trainer: this });
      let stopped = await this.#stopping();
      while (!stopped && !this.#isDone) stopped = !(await this.#runEpoch());
      // A checkpoint has the sums of all processes for the epoch under way.
      if (this.#parallel && stopped)
        this.#meter = new Meter(this.#parallel.part(await this.#parallel.total(this.#meter.state)));
      const earlyStopped = !stopped && this.#epoch < this.#options.epochs;
      const result = { ...this.#progress, stopped, earlyStopped };
      for (const callback of this.#callbacks) await callback.onEnd?.(result, { trainer: this });
      await this.#tell('end', result);
      return result;
    } catch (error) {
      // The steps before the batch that cannot be read are not lost. The other processes of a group are not informed.
      if (error instanceof DatasetError && !this.#parallel)
        await writer?.onEnd?.({ ...this.#progress, stopped: true, earlyStopped: false }, { trainer: this });
      throw error;
    } finally {
      this.#running = false;
      this.#steps.discard();
      await closeAll(this.#callbacks);
    }
  }

  /**
   * Everything that a resumed training needs, except the model's weights. Valid between steps: in listeners, and after
   * {@link fit} returned. Its tensors are new handles; dispose them after use.
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
      ...(this.#scaler && { scaler: this.#scaler.stateDict() }),
      ...(this.#ema && { ema: this.#ema.stateDict() }),
      ...(this.#earlyStopping && { earlyStopping: this.#earlyStopping.state }),
      generator: getRngState(),
      ...(this.#device !== 'cpu' && { deviceGenerator: getRngState({ device: this.#device }) }),
    };
  }

  /**
   * Restores the state of {@link stateDict}; the model's weights are loaded separately.
   * @throws {CheckpointError} if the state is from a training with other parts.
   */
  loadStateDict(state: TrainerState): void {
    const { optimizer, scheduler } = this.#options;
    checkParts('a scheduler', scheduler !== undefined, state.scheduler !== null);
    checkParts('a scaled loss', this.#scaler !== undefined, state.scaler !== undefined);
    checkParts('averaged weights', this.#ema !== null, state.ema !== undefined);
    checkParts('early stopping', this.#earlyStopping !== null, state.earlyStopping !== undefined);
    optimizer.loadStateDict(state.optimizer as Parameters<Optimizer['loadStateDict']>[0]);
    scheduler?.loadStateDict(state.scheduler as Parameters<LRScheduler['loadStateDict']>[0]);
    if (state.scaler) this.#scaler?.loadStateDict(state.scaler);
    if (state.ema) this.#ema?.loadStateDict(state.ema);
    if (this.#earlyStopping && state.earlyStopping) this.#earlyStopping.state = state.earlyStopping;
    setRngState(state.generator);
    // A run may be resumed on another device; then there is no generator state to restore.
    if (state.deviceGenerator && this.#device !== 'cpu')
      setRngState(state.deviceGenerator, { device: this.#device });
    this.#epoch = state.epoch;
    this.#batch = state.batch;
    this.#step = state.step;
    this.#meter = new Meter(this.#parallel?.part(state.meter) ?? state.meter);
    this.#best = state.best;
  }

  /** Seconds since the last call. */
  #lap(): number {
    const before = this.#mark;
    this.#mark = performance.now();
    return (this.#mark - before) / 1000;
  }

  get #aborted(): boolean {
    return this.#stopRequested || (this.#options.signal?.aborted ?? false);
  }

  /** Whether to stop: if one of several processes stops, all do. */
  async #stopping(): Promise<boolean> {
    return this.#parallel ? this.#parallel.any(this.#aborted) : this.#aborted;
  }

  get #progress(): Pick<TrainingResult, 'epochs' | 'steps' | 'best'> {
    return { epochs: this.#epoch, steps: this.#step, best: this.#best };
  }

  get #isDone(): boolean {
    return this.#epoch >= this.#options.epochs || (this.#earlyStopping?.isDone ?? false);
  }

  /** One epoch, or its remaining part. False if the signal stopped it. */
  async #runEpoch(): Promise<boolean> {
    const { model, optimizer, scheduler, schedulerInterval, temperature } = this.#options;
    if (temperature) setTemperature(model, (layer) => temperature(this.#epoch, layer));
    const lr = optimizer.lr;
    resetExpertUsage(model);
    await this.#parallel?.seed();
    if (!(await this.#trainPass())) return false;
    const experts = readExpertUsage(model);
    const val = await this.#validate();
    if (val === 'stopped') return false;

    if (this.#parallel) this.#meter = new Meter(await this.#parallel.total(this.#meter.state));
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
      ...(val?.metrics && { metrics: val.metrics }),
    };
    const improved = this.#judge(record);
    if (schedulerInterval === 'epoch') scheduler?.step();
    this.#epoch += 1;
    this.#batch = 0;
    this.#meter = new Meter();
    for (const callback of this.#callbacks) await callback.onEpoch?.(record, { improved, trainer: this });
    await this.#tell('epoch', record, { improved });
    return this.#isDone || !(await this.#stopping());
  }

  /** Whether an epoch is the best so far. An epoch without validation does not count if there is a validation set. */
  #judge({ epoch, train, val }: EpochRecord): boolean {
    const { monitor, valLoader } = this.#options;
    if (valLoader && !val) return false;
    const metrics = val ?? train;
    this.#earlyStopping?.update(metrics);
    if (this.#best !== null && !isBetter(monitor, metrics[monitor], this.#best[monitor])) return false;
    this.#best = { epoch, accuracy: metrics.accuracy, loss: metrics.loss };
    return true;
  }

  /** The remaining training batches of this epoch. False if the signal stopped it. */
  async #trainPass(): Promise<boolean> {
    const { model, trainLoader, frozen = [] } = this.#options;
    if (this.#batch > 0 && this.#batch >= trainLoader.length) return true;
    model.train();
    for (const module of frozen) module.eval();
    let skip = trainLoader.seek ? 0 : this.#batch;
    let index = this.#batch;
    trainLoader.seek?.({ epoch: this.#epoch, batch: this.#batch });
    const batches = trainLoader[Symbol.asyncIterator]();
    this.#lap();
    try {
      for (;;) {
        const next = await batches.next();
        if (next.done) break;
        if (skip-- > 0) {
          next.value.images.dispose();
          next.value.labels.dispose();
          continue;
        }
        if (isLeftover(next.value, index++, trainLoader.length, model)) {
          next.value.images.dispose();
          next.value.labels.dispose();
          if (!this.#warnedOfLeftover) warnOfLeftover();
          this.#warnedOfLeftover = true;
          continue;
        }
        const dataSeconds = this.#lap();
        this.#meter.addTime({ seconds: dataSeconds, dataSeconds });
        const stepped = this.#steps.add(next.value, this.position, dataSeconds);
        if (stepped) this.#finish(stepped);
        await nextTurn();
        this.#meter.addTime({ seconds: this.#lap(), dataSeconds: 0 });
        // Only between optimizer steps, because a checkpoint does not contain accumulated gradients.
        if (stepped && (await this.#stopping())) {
          this.#tellSteps(this.#steps.read());
          return false;
        }
      }
    } catch (error) {
      // The training may be saved and continued from here.
      if (error instanceof DatasetError) this.#tellSteps(this.#steps.read());
      throw error;
    } finally {
      await batches.return?.();
    }
    const rest = this.#steps.flush();
    if (rest) this.#finish(rest);
    this.#tellSteps(this.#steps.read());
    if (this.#batch === 0) {
      throw new DatasetError(
        'Expected batches to train on, but the loader yielded none: is the batch larger than the training set?',
      );
    }
    return true;
  }

  /** After an optimizer step: counts it and emits events for the steps whose losses were read. */
  #finish({ accumulated, read }: { accumulated: number; read: FinishedStep[] }): void {
    this.#step += 1;
    this.#batch += accumulated;
    this.#meter.addTime({ seconds: this.#lap(), dataSeconds: 0 });
    this.#tellSteps(read);
  }

  #tellSteps(steps: readonly FinishedStep[]): void {
    for (const { event, batches } of steps) {
      for (const batch of batches) this.#meter.addBatch(batch);
      const step = { ...event, imagesPerSecond: this.#meter.imagesPerSecond };
      for (const callback of this.#callbacks) callback.onStep?.(step, { trainer: this });
      this.emit('step', step);
    }
  }

  /** The metrics of the validation set; null without one, or in an epoch without validation. */
  async #validate(): Promise<Evaluation | null | 'stopped'> {
    const { valLoader, validateEvery, epochs, loss, device, signal, autocast, model, metrics } =
      this.#options;
    const epoch = this.#epoch + 1;
    if (!valLoader || (epoch % validateEvery !== 0 && epoch !== epochs)) return null;
    // Several processes validate to the end: they stop together, after the epoch.
    const group = this.#parallel?.group;
    const options = { loss, device, signal: group ? undefined : signal, autocast, metrics, group };
    // Shuffling and augmentation depend on the epoch, not on the number of validations of this process.
    valLoader.seek?.({ epoch: this.#epoch, batch: 0 });
    const result = await this.withEvaluationWeights(() => evaluate(model, valLoader, options));
    if (this.#aborted && !this.#parallel) return 'stopped'; // an aborted validation may be incomplete
    if (!Number.isFinite(result.loss)) {
      throw new TrainingError(
        `Expected a finite validation loss but received ${result.loss} after epoch ${epoch}`,
      );
    }
    for (const callback of this.#callbacks) callback.onValidation?.({ epoch, ...result }, { trainer: this });
    this.emit('validation', { epoch, ...result });
    return result;
  }

  /** Emits an event and awaits the listeners one after another. */
  async #tell<K extends 'epoch' | 'end'>(name: K, ...args: TrainerEvents[K]): Promise<void> {
    for (const listener of this.rawListeners(name)) {
      await (listener as (...args: TrainerEvents[K]) => unknown).apply(this, args);
    }
  }
}

/** Closes all callbacks, also if one fails; the first error is thrown. */
async function closeAll(callbacks: readonly Callback[]): Promise<void> {
  const results = await Promise.allSettled(callbacks.map(async (callback) => callback.close?.()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Device of the losses. */
function deviceOf({ device, model }: ResolvedOptions): Device {
  const [parameter] = model.parameters();
  return device ?? parameter?.device ?? 'cpu';
}

function checkParts(what: string, wanted: boolean, saved: boolean): void {
  if (wanted === saved) return;
  throw new CheckpointError(
    `Expected training state ${wanted ? 'with' : 'without'} ${what}, but it was saved ${saved ? 'with' : 'without'}`,
  );
}
