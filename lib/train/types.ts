/**
 * What trainer and evaluation ask of the objects they are given. Everything in dyconv fits, and so does a class of
 * your own.
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';

/** Images and their classes. Whoever iterates owns both tensors and disposes them. */
export interface Batch {
  /** [B, C, H, W], any floating dtype. */
  images: Tensor;
  /** [B] int64. */
  labels: Tensor;
}

/** Gives the batches of one pass over a data set, such as `data.loader(...)`. */
export interface BatchSource extends AsyncIterable<Batch> {
  /** Batches of a full pass. */
  readonly length: number;
  /**
   * Called before every pass of a training: the next pass is that of `epoch` (0-based) and starts at `batch`.
   * A source whose order depends on the epoch needs it for a resumed run to see the same batches; a source without it
   * is read from the start, and batches that were already done are skipped.
   */
  seek?: ((position: { epoch: number; batch: number }) => void) | undefined;
}

/** Mean loss of a batch: logits [B, classes] and labels [B] to a tensor without dimensions. */
export type Loss = (logits: Tensor, labels: Tensor) => Tensor;
