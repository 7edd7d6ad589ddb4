/**
 * Interfaces of the objects that trainer and evaluation use. The classes of dyconv implement them, and so can custom
 * classes.
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';

/** Images and their classes. The consumer owns both tensors and disposes them. */
export interface Batch {
  /** [B, C, H, W], any floating dtype. */
  images: Tensor;
  /** [B] int64. */
  labels: Tensor;
}

/** The batches of one pass over a data set, such as `data.loader(...)`. */
export interface BatchSource extends AsyncIterable<Batch> {
  /** Batches of a full pass. */
  readonly length: number;
  /**
   * Called before every pass of a training: the next pass is that of `epoch` (0-based) and starts at `batch`.
   * A source whose order depends on the epoch needs this so that a resumed run gets the same batches; a source without it
   * is read from the start, and finished batches are skipped.
   */
  seek?: ((position: { epoch: number; batch: number }) => void) | undefined;
}

/** Mean loss of a batch: logits [B, classes] and labels [B] to a tensor without dimensions. */
export type Loss = (logits: Tensor, labels: Tensor) => Tensor;
