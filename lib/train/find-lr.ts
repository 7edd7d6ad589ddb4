/**
 * The learning-rate range test, which suggests an initial learning rate.
 * @see https://arxiv.org/abs/1506.01186
 * @module
 */
import { number } from '../check/arguments.js';
import { checkFunction, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument, TrainingError } from '../errors.js';
import type { Module } from '../nn/module.js';
import { crossEntropy } from '../ops/loss.js';
import type { Optimizer } from '../optim/optimizer.js';
import { getRngState, setRngState } from '../runtime/settings.js';
import type { Device } from '../tensor/dtype.js';
import { checkModel, checkOptimizer, checkSource } from './checks.js';
import { type AutocastDType, forwardBackward } from './forward-backward.js';
import type { Batch, BatchSource, Loss } from './types.js';

/** Options of {@link findLearningRate}. */
export interface FindLearningRateOptions {
  /** Maps images [B, C, H, W] to logits [B, classes]. */
  model: Module;
  /** Optimizer of the parameters of `model`, with the options of the training. */
  optimizer: Optimizer;
  /** Training batches; it is read again from the start if it has fewer batches than `steps`. */
  trainLoader: BatchSource;
  /** Default: cross entropy without label smoothing. */
  loss?: Loss | undefined;
  /** Learning rate of the first step. Default 1e-6. */
  minLr?: number | undefined;
  /** Learning rate of the last step. Default 1. */
  maxLr?: number | undefined;
  /** Number of steps; at least 10. Default 100. */
  steps?: number | undefined;
  /** The test ends when the smoothed loss exceeds its smallest value this many times. Default 4. */
  divergence?: number | undefined;
  /** Modules that stay in evaluation mode, as in {@link Trainer}. Default: none. */
  frozen?: readonly Module[] | undefined;
  /** Device to which batches are moved. Default: the device of the loader. */
  device?: Device | undefined;
  /** Mixed precision: dtype of forward passes. Default: none. */
  autocast?: Exclude<AutocastDType, 'float16'> | undefined;
  /** Stops after the current step; the result is then that of the steps so far. */
  signal?: AbortSignal | undefined;
}

/** Result of {@link findLearningRate}. */
export interface LearningRateCurve {
  /** Suggestion: the learning rate at which the smoothed loss falls fastest. */
  lr: number;
  /** Learning rate of every step. */
  lrs: number[];
  /** Smoothed loss of every step. */
  losses: number[];
}

const KEYS = optionKeys(
  'model',
  'optimizer',
  'trainLoader',
  'loss',
  'minLr',
  'maxLr',
  'steps',
  'divergence',
  'frozen',
  'device',
  'autocast',
  'signal',
);

/** Share of the newest loss in the smoothed one. */
const NEWEST = 0.1;

/** Steps at the start that are not suggested: their smoothed losses are those of one or two batches. */
const SKIPPED = 5;

/**
 * Trains with a learning rate that grows exponentially from step to step, and suggests the one at which the loss falls fastest.
 * Afterwards weights, buffers, the state of the optimizer and of the random generator are as before.
 * @throws ArgumentError for an option out of range, naming it.
 * @throws TrainingError if the loss is not finite from the start, or never falls.
 * @example
 * const { lr } = await train.findLearningRate({ model, optimizer, trainLoader });
 * optimizer.lr = lr;
 */
export async function findLearningRate(options: FindLearningRateOptions): Promise<LearningRateCurve> {
  const resolved = resolve(options);
  const { model, optimizer, trainLoader } = resolved;
  const restore = snapshot(model, optimizer);
  const mode = [...model.modules()].map((module) => [module, module.training] as const);
  try {
    const curve = await test(resolved);
    return { ...curve, lr: steepest(curve) };
  } finally {
    for (const [module, training] of mode) module.training = training;
    restore();
    trainLoader.seek?.({ epoch: 0, batch: 0 });
  }
}

interface Resolved extends FindLearningRateOptions {
  loss: Loss;
  minLr: number;
  maxLr: number;
  steps: number;
  divergence: number;
}

function resolve(options: FindLearningRateOptions): Resolved {
  const { model, optimizer, trainLoader, loss, ...rest } = checkOptions(options, KEYS);
  checkModel(model);
  checkOptimizer(optimizer);
  checkSource('trainLoader', trainLoader);
  if (loss !== undefined) checkFunction(loss, 'loss');
  const { minLr = 1e-6, maxLr = 1, steps = 100, divergence = 4 } = rest;
  number('minLr', minLr, { min: Number.MIN_VALUE });
  number('maxLr', maxLr, { min: Number.MIN_VALUE });
  number('divergence', divergence, { min: 1 });
  if (maxLr <= minLr)
    throw new ArgumentError(`Expected a number above ${minLr}, minLr, for maxLr but received ${maxLr}`);
  if (!Number.isSafeInteger(steps) || steps < 10) throw invalidArgument('steps', 'an integer from 10', steps);
  return {
    ...rest,
    model,
    optimizer,
    trainLoader,
    loss: loss ?? crossEntropy,
    minLr,
    maxLr,
    steps,
    divergence,
  };
}

/** Copies what training changes. Returns what restores it. */
function snapshot(model: Module, optimizer: Optimizer): () => void {
  const state = Object.entries(model.stateDict()).map(([key, value]) => [key, value.clone()] as const);
  const generator = getRngState();
  const { groups, tensors } = optimizer.stateDict();
  // The tensors of a state share the memory of the optimizer.
  const slots = Object.entries(tensors).map(([key, value]) => [key, value.clone()] as const);
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return () => {
    optimizer.zeroGrad();
    model.loadStateDict(Object.fromEntries(state));
    optimizer.loadStateDict({ groups, tensors: Object.fromEntries(slots) });
    setRngState(generator);
    for (const [, copy] of [...state, ...slots]) copy.dispose();
  };
}

/** The steps of the test. */
async function test(options: Resolved): Promise<Omit<LearningRateCurve, 'lr'>> {
  const { model, optimizer, minLr, maxLr, steps, divergence, frozen = [], signal } = options;
  model.train();
  for (const module of frozen) module.eval();
  const lrs: number[] = [];
  const losses: number[] = [];
  let average = 0;
  for await (const batch of repeated(options)) {
    const step = lrs.length;
    const lr = minLr * (maxLr / minLr) ** (step / (steps - 1));
    const loss = lossOfStep(options, batch, lr);
    average = (1 - NEWEST) * average + NEWEST * loss;
    // The average starts at 0: divided by the sum of its weights.
    const smooth = average / (1 - (1 - NEWEST) ** (step + 1));
    if (!Number.isFinite(smooth)) break;
    lrs.push(lr);
    losses.push(smooth);
    if (smooth > divergence * Math.min(...losses) || lrs.length === steps || signal?.aborted) break;
  }
  optimizer.zeroGrad();
  return { lrs, losses };
}

/** Steps the optimizer with one batch. Returns the loss before the step. */
function lossOfStep(options: Resolved, batch: Batch, lr: number): number {
  const { optimizer } = options;
  optimizer.lr = lr;
  optimizer.zeroGrad();
  try {
    const { loss, correct } = forwardBackward(options, batch);
    const value = Number(loss.item());
    loss.dispose();
    correct.dispose();
    if (Number.isFinite(value)) optimizer.step();
    return value;
  } finally {
    batch.images.dispose();
    batch.labels.dispose();
  }
}

/** Batches of as many epochs as are needed. */
async function* repeated({ trainLoader }: Resolved): AsyncGenerator<Batch> {
  for (let epoch = 0; ; epoch++) {
    trainLoader.seek?.({ epoch, batch: 0 });
    let count = 0;
    for await (const batch of trainLoader) {
      count += 1;
      yield batch;
    }
    if (count === 0) throw new TrainingError('Expected batches to train on, but the loader yielded none');
  }
}

/** The learning rate at which the loss falls fastest, per factor of the learning rate. */
function steepest({ lrs, losses }: Omit<LearningRateCurve, 'lr'>): number {
  let best = { slope: 0, lr: Number.NaN };
  for (let i = SKIPPED; i + 1 < losses.length; i++) {
    const slope = (losses[i + 1]! - losses[i - 1]!) / Math.log(lrs[i + 1]! / lrs[i - 1]!);
    if (slope < best.slope) best = { slope, lr: lrs[i]! };
  }
  if (Number.isNaN(best.lr)) {
    throw new TrainingError(
      `Expected a loss that decreases, to find a learning rate, but it did not in ${losses.length} steps`,
    );
  }
  return best.lr;
}
