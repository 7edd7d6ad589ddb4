/**
 * Runs optimizer steps: forward and backward of the batches, clipping, and the step.
 * @module
 */

import { TrainingError } from '../errors.js';
import { clipGradNorm_, clipGradValue_ } from '../ops/clip-grad.js';
import type { ExponentialMovingAverage } from '../optim/ema.js';
import type { GradScaler } from '../optim/grad-scaler.js';
import { noGrad, tidy } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import { CapturedStep } from './captured-step.js';
import type { Position, StepEvent } from './events.js';
import { forwardBackward, type StepResult } from './forward-backward.js';
import type { Parallel } from './parallel.js';
import type { ResolvedOptions } from './trainer-options.js';
import type { Batch } from './types.js';

/** A step whose losses have been read. */
export interface FinishedStep {
  event: Omit<StepEvent, 'imagesPerSecond'>;
  /** The sums of its batches. */
  batches: { loss: number; correct: number; images: number }[];
}

/** A batch whose loss is still on the device. */
interface PendingBatch extends StepResult {
  images: number;
}

/** A step whose losses have not been read. */
interface PendingStep {
  event: Omit<StepEvent, 'imagesPerSecond' | 'loss' | 'accuracy'>;
  batches: PendingBatch[];
}

/** A step that waits for more batches. */
interface OpenStep extends PendingStep {
  /** Total number of batches. */
  size: number;
}

/** Combines batches to steps. */
export class StepRunner {
  readonly #options: ResolvedOptions;
  readonly #ema: ExponentialMovingAverage | null;
  readonly #scaler: GradScaler | undefined;
  readonly #captured: CapturedStep | undefined;
  readonly #parallel: Parallel | undefined;
  #open: OpenStep | null = null;
  #pending: PendingStep[] = [];

  constructor(
    options: ResolvedOptions,
    {
      ema,
      scaler,
      parallel,
    }: {
      ema: ExponentialMovingAverage | null;
      scaler: GradScaler | undefined;
      parallel: Parallel | undefined;
    },
  ) {
    this.#parallel = parallel;
    this.#options = options;
    this.#ema = ema;
    this.#scaler = scaler;
    const { model, optimizer, loss, autocast } = options;
    if (options.capture) this.#captured = new CapturedStep({ model, optimizer, loss, autocast, scaler });
  }

  /**
   * Processes a batch and disposes it; steps the optimizer when the batches of a step are complete.
   * @param position - Position before this step.
   * @param dataSeconds - Time spent waiting for the batch.
   * @returns Null before the step; after it, the steps whose losses have been read.
   */
  add(
    batch: Batch,
    position: Position,
    dataSeconds: number,
  ): { accumulated: number; read: FinishedStep[] } | null {
    this.#open ??= this.#openStep(position);
    const { event, batches, size } = this.#open;
    const images = batch.labels.shape[0]!;
    try {
      batches.push({ ...this.#run(batch, 1 / size, batches.length === size - 1), images });
    } finally {
      batch.images.dispose();
      batch.labels.dispose();
    }
    event.images += images;
    event.dataSeconds += dataSeconds;
    event.batch += 1;
    return batches.length === size ? this.flush() : null;
  }

  /** Steps the optimizer with the batches so far, if there are any. */
  flush(): { accumulated: number; read: FinishedStep[] } | null {
    if (this.#open === null) return null;
    const { event, batches, size } = this.#open;
    const { scheduler, schedulerInterval, readEvery } = this.#options;
    this.#open = null;
    if (batches.length < size) {
      if (this.#parallel)
        throw new TrainingError(
          `Expected ${event.batches} batches, the length of trainLoader, but received ${event.batch}: the last gradients were not averaged`,
        );
      this.#rescale(size / batches.length);
    }
    event.accumulated = batches.length;
    event.gradNorm = this.#clip();
    this.#pending.push({ event, batches });
    // Before the optimizer's step, so that a non-finite loss does not change the weights.
    const read = this.#pending.length >= readEvery ? this.read() : [];
    // A scaler skips such a step and continues with a smaller scale.
    if (event.gradNorm !== null && !Number.isFinite(event.gradNorm) && !this.#scaler) {
      throw new TrainingError(
        `Expected finite gradients but their norm is ${event.gradNorm} ${where(event)}`,
      );
    }
    if (!this.#captured) this.#step();
    this.#ema?.update();
    if (schedulerInterval === 'step') scheduler?.step();
    return { accumulated: batches.length, read };
  }

  /** Reads the losses that are still on the device. @throws {TrainingError} for one that is not finite. */
  read(): FinishedStep[] {
    return this.#pending.splice(0).map(({ event, batches: pending }) => {
      const batches = pending.map(({ loss, correct, images }) => {
        const values = { loss: Number(loss.item()), correct: Number(correct.item()), images };
        dispose(loss, correct);
        return values;
      });
      const sum = (key: 'loss' | 'correct') =>
        batches.reduce((total, batch) => total + batch[key] * (key === 'loss' ? batch.images : 1), 0);
      const { images } = event;
      const loss = batches.length === 1 ? batches[0]!.loss : sum('loss') / images;
      if (!Number.isFinite(loss)) {
        throw new TrainingError(`Expected a finite loss but received ${loss} ${where(event)}`);
      }
      return { event: { ...event, loss, accuracy: sum('correct') / images }, batches };
    });
  }

  /** Frees unread losses and the captured step. */
  discard(): void {
    this.#captured?.dispose();
    const open = this.#open?.batches ?? [];
    for (const { loss, correct } of [...open, ...this.#pending.flatMap(({ batches }) => batches)]) {
      dispose(loss, correct);
    }
    this.#open = null;
    this.#pending = [];
  }

  #openStep({ epoch, batch, step }: Position): OpenStep {
    const { optimizer, trainLoader, accumulate } = this.#options;
    optimizer.zeroGrad();
    const event = {
      step: step + 1,
      epoch: epoch + 1,
      batch,
      batches: trainLoader.length,
      accumulated: 0,
      images: 0,
      lr: optimizer.lr,
      gradNorm: null,
      dataSeconds: 0,
    };
    const size = Math.max(1, Math.min(accumulate, trainLoader.length - batch));
    return { event, size, batches: [] };
  }

  /** Forward and backward of a batch, the last of a step or another; a captured step includes the optimizer's. */
  #run(batch: Batch, share: number, isLast: boolean): StepResult {
    const captured = this.#captured;
    if (!captured) {
      const parallel = this.#parallel?.model;
      const model = parallel ?? this.#options.model;
      const run = () => forwardBackward({ ...this.#options, model, scaler: this.#scaler }, batch, share);
      return parallel && !isLast ? parallel.noSync(run) : run();
    }
    const { device } = this.#options;
    if (!device) return captured.run(batch);
    return tidy(() =>
      captured.run({ images: batch.images.to({ device }), labels: batch.labels.to({ device }) }),
    );
  }

  /** Of a step with fewer batches than expected, each weighed less than its share: the gradient is to be their mean. */
  #rescale(factor: number): void {
    noGrad(() => {
      for (const { grad } of this.#options.model.parameters()) grad?.mul_(factor);
    });
  }

  #step(): void {
    const { optimizer } = this.#options;
    if (this.#scaler) {
      this.#scaler.step(optimizer);
      this.#scaler.update();
    } else optimizer.step();
  }

  /** Clips the gradients. Returns their previous norm, if they are clipped by norm. */
  #clip(): number | null {
    const { clip, model, optimizer } = this.#options;
    if (clip) this.#scaler?.unscale(optimizer);
    if (clip?.value !== undefined) clipGradValue_(model.parameters(), clip.value);
    return clip?.norm === undefined ? null : clipGradNorm_(model.parameters(), clip.norm);
  }
}

function where({ epoch, step, batch, batches, lr }: PendingStep['event']): string {
  return `in epoch ${epoch}, step ${step} (batch ${batch} of ${batches}, learning rate ${lr})`;
}

function dispose(...tensors: Tensor[]): void {
  for (const tensor of tensors) tensor.dispose();
}
