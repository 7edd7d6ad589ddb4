/**
 * Running sums over the batches of an epoch.
 * @module
 */
import type { LossAndAccuracy } from '../run/records.js';

/** Sums over the images seen so far; plain data for checkpoints. */
export interface MeterState {
  /** Sum of the loss over images. */
  loss: number;
  correct: number;
  images: number;
  /** Wall time in seconds. */
  seconds: number;
  /** Part of `seconds` spent waiting for data. */
  dataSeconds: number;
}

/** Collects loss, accuracy and speed of an epoch. */
export class Meter {
  #state: MeterState;

  constructor(state: MeterState = { loss: 0, correct: 0, images: 0, seconds: 0, dataSeconds: 0 }) {
    this.#state = { ...state };
  }

  get state(): MeterState {
    return { ...this.#state };
  }

  /** Adds a batch of `images` images with mean loss `loss`. */
  addBatch(batch: { loss: number; correct: number; images: number }): void {
    this.#state.loss += batch.loss * batch.images;
    this.#state.correct += batch.correct;
    this.#state.images += batch.images;
  }

  /** Adds wall time. */
  addTime(time: { seconds: number; dataSeconds: number }): void {
    this.#state.seconds += time.seconds;
    this.#state.dataSeconds += time.dataSeconds;
  }

  /** Means over the images. */
  mean(): LossAndAccuracy {
    const { loss, correct, images } = this.#state;
    return { loss: loss / images, accuracy: correct / images };
  }

  get imagesPerSecond(): number {
    return this.#state.images / this.#state.seconds;
  }
}
