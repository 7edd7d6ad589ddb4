/**
 * Forward and backward pass, for ordinary and captured steps.
 * @module
 */

import type { Module } from '../nn/module.js';
import type { GradScaler } from '../optim/grad-scaler.js';
import { autocast, tidy } from '../tensor/context.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Batch, Loss } from './types.js';

/** Dtypes for mixed precision: see {@link autocast}. */
export type AutocastDType = 'bfloat16' | 'float16';

/** Options of {@link forwardBackward}. */
export interface ForwardBackwardOptions {
  model: Module;
  loss: Loss;
  /** Device to which the batch is moved. Default: it is not moved. */
  device?: Device | undefined;
  autocast?: AutocastDType | undefined;
  /** Scales the loss before the backward pass. */
  scaler?: GradScaler | undefined;
}

/** Results of a step: tensors without dimensions on the device; the caller must dispose them. */
export interface StepResult {
  /** Mean over the batch. */
  loss: Tensor;
  /** Images classified correctly, int64. */
  correct: Tensor;
}

/**
 * Adds the gradients of one batch to those of the parameters.
 * @param batch - Not disposed.
 * @param share - Weight of this batch in the step. Default 1.
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
    // Probabilities (MixUp, CutMix): the correct class is the one with the largest share.
    const classes = target.ndim === 2 ? target.argmax({ dim: 1 }) : target;
    return { loss: loss.detach(), correct: logits.detach().argmax({ dim: 1 }).eq(classes).sum() };
  });
}
