/**
 * Options of the trainer.
 * @module
 */

import { integer, number, oneOf } from '../check/arguments.js';
import {
  checkFunction,
  checkIterable,
  checkObject,
  checkOptions,
  checkRecord,
  optionKeys,
  type RequiredOptions,
} from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { crossEntropy } from '../ops/loss.js';
import type { EmaOptions } from '../optim/ema.js';
import type { Optimizer } from '../optim/optimizer.js';
import type { LRScheduler } from '../optim/scheduler.js';
import { checkGroup, type ProcessGroup } from '../process-group/group.js';
import type { Device } from '../tensor/dtype.js';
import { type Callback, checkCallbacks } from './callbacks.js';
import { checkMetrics, checkModel, checkOptimizer, checkSource } from './checks.js';
import type { EarlyStoppingOptions, MonitoredMetric } from './early-stopping.js';
import type { AutocastDType } from './forward-backward.js';
import type { Metric } from './metrics/metric.js';
import type { TemperatureSchedule } from './temperature.js';
import type { BatchSource, Loss } from './types.js';

const CLIP_KEYS = optionKeys('norm', 'value');
const EARLY_STOPPING_KEYS = optionKeys('patience', 'minDelta', 'metric');

/** Gradient clipping, at least one of the two. If both are given, values are clipped first. */
export interface ClipOptions {
  /** Maximum 2-norm of all gradients together; they are scaled down to it. Above 0. */
  norm?: number | undefined;
  /** Maximum absolute value of every element. Above 0. */
  value?: number | undefined;
}

/** Options of {@link Trainer}. */
export interface TrainerOptions {
  /** Maps images [B, C, H, W] to logits [B, classes]. */
  model: Module;
  /** Optimizer of the parameters of `model`. */
  optimizer: Optimizer;
  /** Default: cross entropy without label smoothing. */
  loss?: Loss | undefined;
  /** Training batches; one pass is an epoch. */
  trainLoader: BatchSource;
  /** Default: no validation; `best` then follows the training metrics. */
  valLoader?: BatchSource | undefined;
  /** Number of epochs between validations; the last epoch is always validated. Default 1. */
  validateEvery?: number | undefined;
  /** Changes the learning rate after every step or epoch. Default: none. */
  scheduler?: LRScheduler | undefined;
  /** When the scheduler's `step()` is called: after every epoch or every step of the optimizer. Default 'epoch'. */
  schedulerInterval?: 'epoch' | 'step' | undefined;
  /** Passes over the training set. */
  epochs: number;
  /**
   * Temperature of the dynamic layers, set at the start of each epoch: a function of the epoch, counted from 0, and the key of the layer.
   * Default: temperatures are not changed.
   */
  temperature?: TemperatureSchedule | undefined;
  /**
   * Gradient accumulation: number of batches whose gradients are averaged for one optimizer step. The last step of an epoch may have fewer.
   * Default 1.
   */
  accumulate?: number | undefined;
  /** Clips gradients before every step of the optimizer. Default: no clipping. */
  clip?: ClipOptions | undefined;
  /**
   * Averages the weights over the steps; validation, and so the choice of the best epoch, uses the averages. See
   * {@link Trainer.withEvaluationWeights}. Default: no averaging.
   */
  ema?: EmaOptions | undefined;
  /**
   * Mixed precision: 16-bit dtype of forward passes, see {@link autocast}. With float16, losses are scaled by a
   * {@link amp.GradScaler}, and steps with non-finite gradients are skipped. Default: none.
   */
  autocast?: AutocastDType | undefined;
  /**
   * On CUDA, captures the step as a graph and replays it: see {@link CapturedStep}. Not with `accumulate` or `clip`, and only
   * for optimizers that can be captured. The use of experts is not counted. Default: false.
   */
  capture?: boolean | undefined;
  /** Metrics of every validation, by name, for the record of the epoch: those of {@link metrics} or custom ones. Default: none. */
  metrics?: Readonly<Record<string, Metric>> | undefined;
  /** The metric that chooses the best epoch. Default 'accuracy'. */
  monitor?: MonitoredMetric | undefined;
  /** Ends the training if the metric does not improve. Default: none. */
  earlyStopping?: EarlyStoppingOptions | undefined;
  /**
   * Modules of `model` that stay in evaluation mode: their batch norm keeps its statistics, their dropout does nothing. For
   * those of {@link freeze}. Default: none.
   */
  frozen?: readonly Module[] | undefined;
  /** Device to which batches are moved. Default: the device of the loader. */
  device?: Device | undefined;
  /**
   * Number of steps between readings of the loss. Reading waits for the device, which costs nothing on a CPU (default 1) but
   * prevents overlapping work on CUDA (default 10).
   */
  readEvery?: number | undefined;
  /** Objects that log, save or stop, called in their order; see {@link Callback}. Default: none. */
  callbacks?: readonly Callback[] | undefined;
  /** Stops after the current step; {@link Trainer.fit} then returns with `stopped: true`. */
  signal?: AbortSignal | undefined;
  /**
   * The processes that train together: each passes its part of each batch (`rank` and `worldSize` of the loader) and of the validation set (also
   * `dropRemainder: false`), all take the same steps, and all stop if one does. Losses of steps are those of this process, metrics of epochs those over the
   * images of all. Not with `capture`. The trainer makes a {@link distributed.DistributedDataParallel} of `model`. Default: only this process.
   */
  group?: ProcessGroup | undefined;
}

const TRAINER_KEYS = optionKeys(
  'model',
  'optimizer',
  'loss',
  'trainLoader',
  'valLoader',
  'validateEvery',
  'scheduler',
  'schedulerInterval',
  'epochs',
  'temperature',
  'accumulate',
  'clip',
  'ema',
  'autocast',
  'capture',
  'metrics',
  'monitor',
  'earlyStopping',
  'frozen',
  'device',
  'readEvery',
  'callbacks',
  'signal',
  'group',
);

/** Options with their defaults. */
export type ResolvedOptions = TrainerOptions &
  RequiredOptions<
    Pick<
      TrainerOptions,
      'loss' | 'validateEvery' | 'schedulerInterval' | 'accumulate' | 'monitor' | 'readEvery'
    >
  >;

/** Checks options and fills in defaults. @throws ArgumentError naming the option. */
export function resolveOptions(options: TrainerOptions): ResolvedOptions {
  const { device = 'cpu', clip, autocast } = checkOptions(options, TRAINER_KEYS);
  checkParts(options);
  const resolved: ResolvedOptions = {
    ...options,
    loss: options.loss ?? crossEntropy,
    validateEvery: options.validateEvery ?? 1,
    schedulerInterval: oneOf('schedulerInterval', ['epoch', 'step'], options.schedulerInterval ?? 'epoch'),
    accumulate: options.accumulate ?? 1,
    monitor: oneOf('monitor', ['accuracy', 'loss'], options.monitor ?? 'accuracy'),
    readEvery: options.readEvery ?? (device.startsWith('cuda') ? 10 : 1),
  };
  const { epochs, readEvery, accumulate, validateEvery } = resolved;
  for (const [name, value] of Object.entries({ epochs, readEvery, accumulate, validateEvery })) {
    if (!Number.isSafeInteger(value) || value < 1) throw invalidArgument(name, 'a positive integer', value);
  }
  if (autocast !== undefined) oneOf('autocast', ['bfloat16', 'float16'], autocast);
  if (options.capture && (accumulate > 1 || clip !== undefined)) {
    throw new ArgumentError(
      'Expected capture without accumulate and clip: a captured step is one batch, its gradient and the step of the optimizer',
    );
  }
  if (options.group !== undefined) {
    checkGroup('group', options.group);
    if (options.metrics !== undefined) checkMetrics(options.metrics, true);
    if (options.capture)
      throw new ArgumentError(
        'Expected capture without group: a captured step cannot wait for other processes',
      );
  }
  if (clip !== undefined) checkClip(clip);
  if (options.metrics !== undefined) checkMetrics(options.metrics);
  if (options.callbacks !== undefined) checkCallbacks(options.callbacks);
  if (options.earlyStopping) integer('earlyStopping.patience', options.earlyStopping.patience, 1);
  return resolved;
}

/** Objects and functions among the options. */
function checkParts({
  model,
  optimizer,
  trainLoader,
  valLoader,
  scheduler,
  ...options
}: TrainerOptions): void {
  checkModel(model);
  checkOptimizer(optimizer);
  checkSource('trainLoader', trainLoader);
  if (valLoader !== undefined) checkSource('valLoader', valLoader);
  if (scheduler !== undefined)
    checkRecord(scheduler, 'scheduler', 'an LRScheduler', { step: 'function', stateDict: 'function' });
  for (const name of ['loss', 'temperature'] as const)
    if (options[name] !== undefined) checkFunction(options[name], name);
  if (options.frozen !== undefined) {
    checkIterable(options.frozen, 'frozen', 'an array of Modules');
    for (const module of options.frozen) checkRecord(module, 'frozen', 'Modules', { eval: 'function' });
  }
  if (options.device !== undefined && typeof options.device !== 'string')
    throw invalidArgument('device', 'the name of a device', options.device);
  for (const name of ['clip', 'ema', 'earlyStopping'] as const)
    if (options[name] !== undefined) checkObject(options[name], name);
  if (options.clip !== undefined) checkOptions(options.clip, CLIP_KEYS, 'clip');
  if (options.earlyStopping !== undefined)
    checkOptions(options.earlyStopping, EARLY_STOPPING_KEYS, 'earlyStopping');
}

function checkClip({ norm, value }: ClipOptions): void {
  if (norm === undefined && value === undefined) throw new ArgumentError('Expected norm or value for clip');
  const bounds = { min: Number.MIN_VALUE };
  if (norm !== undefined) number('clip.norm', norm, bounds);
  if (value !== undefined) number('clip.value', value, bounds);
}
