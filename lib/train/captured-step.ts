/**
 * A training step as one CUDA graph.
 * @module
 */

import { checkFunction, checkOptions, checkRecord, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { crossEntropy } from '../ops/loss.js';
import type { GradScaler } from '../optim/grad-scaler.js';
import type { Optimizer } from '../optim/optimizer.js';
import { Graph } from '../runtime/cuda.js';
import { keep, noGrad } from '../tensor/context.js';
import { checkBatch, checkModel, checkOptimizer } from './checks.js';
import { type AutocastDType, forwardBackward, type StepResult } from './forward-backward.js';
import type { Batch, Loss } from './types.js';

/** Options of {@link CapturedStep}. */
export interface CapturedStepOptions {
  /** Maps images [B, C, H, W] to logits [B, classes]; all its parameters must be on one device. */
  model: Module;
  /** Optimizer of the parameters of `model`: SGD, Adam or AdamW. */
  optimizer: Optimizer;
  /** Default: cross entropy without label smoothing. */
  loss?: Loss | undefined;
  /** Mixed precision: 16-bit dtype of forward passes, see {@link autocast}. Default: none. */
  autocast?: AutocastDType | undefined;
  /** Loss scaling for float16. Default: none. */
  scaler?: GradScaler | undefined;
  /** Number of ordinary steps before the capture, in which cuDNN chooses algorithms and the optimizer creates its state. Default 3. */
  warmup?: number | undefined;
}

const CAPTURED_STEP_KEYS = optionKeys('model', 'optimizer', 'loss', 'autocast', 'scaler', 'warmup');

/**
 * A whole training step (zero gradients, forward, loss, backward, optimizer, scaler) that is captured once as a `cuda.Graph`
 * and then replayed. The learning rate and the temperatures of dynamic layers are read on the device, so schedules take effect.
 * Results are those of ordinary steps; replays do not count the use of experts.
 *
 * On the CPU, in the first steps, and for a batch of a different shape, ordinary steps are run. The model must stay in training
 * mode, and no other code may replace its parameters or their gradients.
 * @example
 * const step = new train.CapturedStep({ model, optimizer });
 * for await (const batch of loader) {
 *   const { loss, correct } = step.run(batch);
 *   // read them rarely: reading waits for the device
 * }
 */
export class CapturedStep {
  readonly #options: CapturedStepOptions & { loss: Loss; warmup: number };
  #steps = 0;
  /** Shapes of the previous batch. */
  #shape = '';
  #captured: { graph: Graph; batch: Batch; result: StepResult } | undefined;

  /** @throws DyconvError for an optimizer that cannot be captured; ArgumentError for `warmup` below 1. */
  constructor(options: CapturedStepOptions) {
    const {
      model,
      optimizer,
      loss = crossEntropy,
      scaler,
      warmup = 3,
    } = checkOptions(options, CAPTURED_STEP_KEYS);
    checkModel(model);
    checkOptimizer(optimizer);
    checkFunction(loss, 'loss');
    if (scaler !== undefined)
      checkRecord(scaler, 'scaler', 'a GradScaler', { step: 'function', update: 'function' });
    if (!Number.isSafeInteger(warmup) || warmup < 1)
      throw invalidArgument('warmup', 'an integer from 1', warmup);
    this.#options = { ...options, loss, warmup };
    optimizer.keepLrOnDevice();
  }

  /** Whether the graph has been captured. */
  get isCaptured(): boolean {
    return this.#captured !== undefined;
  }

  /** One step. It does not dispose the batch. @param batch - On the device of the model. */
  run(batch: Batch): StepResult {
    checkBatch(batch);
    this.#options.optimizer.writeLr();
    this.#steps += 1;
    const shape = shapeOf(batch);
    const isUsual = shape === this.#shape;
    this.#shape = shape;
    if (!batch.images.device.startsWith('cuda') || this.#steps <= this.#options.warmup)
      return this.#step(batch);
    // Do not capture a smaller batch at the end of an epoch.
    if (!this.#captured && !isUsual) return this.#step(batch);
    this.#captured ??= this.#capture(batch);
    const { graph, batch: fixed, result } = this.#captured;
    if (shapeOf(fixed) !== shape) return this.#step(batch);
    return noGrad(() => {
      fixed.images.copy_(batch.images);
      fixed.labels.copy_(batch.labels);
      graph.replay();
      return { loss: result.loss.clone(), correct: result.correct.clone() };
    });
  }

  /** Frees the graph; the next {@link run} captures a new one. */
  dispose(): void {
    if (this.#captured) {
      const { graph, batch, result } = this.#captured;
      graph.dispose();
      for (const tensor of [batch.images, batch.labels, result.loss, result.correct]) tensor.dispose();
    }
    this.#captured = undefined;
  }

  /** The same as `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #capture(example: Batch): { graph: Graph; batch: Batch; result: StepResult } {
    const batch = { images: keep(example.images.detach().clone()), labels: keep(example.labels.clone()) };
    const graph = new Graph();
    const result = graph.capture(() => this.#step(batch), { device: batch.images.device });
    keep(result.loss);
    keep(result.correct);
    return { graph, batch, result };
  }

  #step(batch: Batch): StepResult {
    const { optimizer, scaler } = this.#options;
    optimizer.zeroGrad();
    const result = forwardBackward(this.#options, batch);
    if (scaler) {
      scaler.step(optimizer);
      scaler.update();
    } else optimizer.step();
    return result;
  }
}

/** Shapes of images and labels; labels are classes or probabilities. */
function shapeOf({ images, labels }: Batch): string {
  return `${images.shape} ${labels.shape}`;
}
