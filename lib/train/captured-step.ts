/**
 * One training step as one launch on a GPU.
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
  /** Takes images [B, C, H, W] and returns logits [B, classes]; all its parameters on one device. */
  model: Module;
  /** Over the parameters of `model`: SGD, Adam or AdamW. */
  optimizer: Optimizer;
  /** Default: cross entropy without label smoothing. */
  loss?: Loss | undefined;
  /** Computes forward passes in a 16-bit dtype where that is safe: see {@link autocast}. Default: none. */
  autocast?: AutocastDType | undefined;
  /** Scales losses and leaves steps out, as float16 needs it. Default: none. */
  scaler?: GradScaler | undefined;
  /** Ordinary steps before the capture, in which cuDNN chooses its algorithms and the optimizer makes its state. Default 3. */
  warmup?: number | undefined;
}

const CAPTURED_STEP_KEYS = optionKeys('model', 'optimizer', 'loss', 'autocast', 'scaler', 'warmup');

/**
 * A whole training step (gradients to nothing, forward, loss, backward, optimizer, scaler) that is captured once as a
 * `cuda.Graph` and then replayed. The learning rate and the temperatures of dynamic layers are read on the device,
 * so schedules go on working. Steps compute what ordinary ones do; expert usage is not counted in replays.
 *
 * On the CPU, in the first steps, and for a batch of another shape than the captured one, an ordinary step is done.
 * The model must stay in training mode, and nothing else may replace its parameters or their gradients.
 * @example
 * const step = new train.CapturedStep({ model, optimizer });
 * for await (const batch of loader) {
 *   const { loss, correct } = step.run(batch);
 *   // read them once in a while: reading waits for the device
 * }
 */
export class CapturedStep {
  readonly #options: CapturedStepOptions & { loss: Loss; warmup: number };
  #steps = 0;
  /** Of the batch before. */
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

  /** Whether the graph is there. */
  get isCaptured(): boolean {
    return this.#captured !== undefined;
  }

  /** One step. The batch stays the caller's. @param batch - On the device of the model. */
  run(batch: Batch): StepResult {
    checkBatch(batch);
    this.#options.optimizer.writeLr();
    this.#steps += 1;
    const shape = shapeOf(batch);
    const isUsual = shape === this.#shape;
    this.#shape = shape;
    if (!batch.images.device.startsWith('cuda') || this.#steps <= this.#options.warmup)
      return this.#step(batch);
    // Not a batch that is smaller because an epoch ends with it.
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

  /** Frees the graph; {@link run} captures a new one when it is called again. */
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

/** Labels too: classes or probabilities. */
function shapeOf({ images, labels }: Batch): string {
  return `${images.shape} ${labels.shape}`;
}
