/**
 * The part of a training step that ordinary and captured steps share.
 * @module
 */

import type { Module } from '../nn/module.js';
import type { GradScaler } from '../optim/grad-scaler.js';
import { autocast, tidy } from '../tensor/context.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Batch, Loss } from './types.js';

/** The dtypes forward passes can be computed in where that is safe: see {@link autocast}. */
export type AutocastDType = 'bfloat16' | 'float16';

/** What {@link forwardBackward} needs to know. */
export interface ForwardBackwardOptions {
  model: Module;
  loss: Loss;
  /** Device the batch is moved to. Default: it stays where it is. */
  device?: Device | undefined;
  autocast?: AutocastDType | undefined;
  /** Scales the loss before the backward pass. */
  scaler?: GradScaler | undefined;
}

/** What a step tells; tensors without dimensions on the device, the caller's. */
export interface StepResult {
  /** Mean over the batch. */
  loss: Tensor;
  /** Images classified correctly, int64. */
  correct: Tensor;
}

/**
 * Adds the gradients of one batch to those of the parameters.
 * @param batch - Stays the caller's.
 * @param share - Of this batch in the step. Default 1.
 */
export function forwardBackward(
  { model, loss: lossOf, device, autocast: dtype, scaler }: ForwardBackwardOptions,
  { images, labels }: Batch,
  share = 1,
): StepResult {
  return tidy(() => {
    const target = device ? labels.to({ device }) : labels;
    const forward = (): [logits: Tensor, loss: Tensor] => {
      const logits = model.forward(device ? images.to({ device }) : images);
      return [logits, lossOf(logits, target)];
    };
    const [logits, loss] = dtype ? autocast(forward, { dtype }) : forward();
    const shared = share === 1 ? loss : loss.mul(share);
    (scaler?.scale(shared) ?? shared).backward();
    // Probabilities (mixup, cutmix): right is the class with the greatest share.
    const classes = target.ndim === 2 ? target.argmax({ dim: 1 }) : target;
    return { loss: loss.detach(), correct: logits.detach().argmax({ dim: 1 }).eq(classes).sum() };
  });
}
