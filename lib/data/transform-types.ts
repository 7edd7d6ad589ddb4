/**
 * Transforms as data.
 * @module
 */
import type { PixelStep } from './pixels/step-types.js';
import type { Bounds } from './transform-checks.js';
import type { PlannedStep } from './transform-steps.js';

/** A step for `compose`. */
export type Step = PlannedStep | PixelStep;

/** Resize, random resized crop, flip, normalize. */
export interface TrainTransform {
  /** The kind of the transform. */
  readonly kind: 'train';
  /** Side of the image before the crop, in pixels. */
  readonly resize: number;
  /** Side of the result, in pixels. */
  readonly size: number;
  /** Bounds of the area of the crop, as a share of the image. */
  readonly scale: Bounds;
  /** Bounds of the width of the crop over its height. */
  readonly ratio: Bounds;
  /** Probability of a horizontal flip, 0 to 1. */
  readonly flip: number;
  /** Subtracted from values of 0 to 1: one number, or one per channel. */
  readonly mean: readonly number[];
  /** The difference is divided by this: one number, or one per channel. */
  readonly std: readonly number[];
}

/** Resize, pad, random crop, flip, normalize. */
export interface PadCropTransform {
  /** The kind of the transform. */
  readonly kind: 'pad-crop';
  /** Side of the result, in pixels. */
  readonly size: number;
  /** Pixels of zeros around the image before the crop. */
  readonly padding: number;
  /** Probability of a horizontal flip, 0 to 1. */
  readonly flip: number;
  /** Subtracted from values of 0 to 1: one number, or one per channel. */
  readonly mean: readonly number[];
  /** The difference is divided by this: one number, or one per channel. */
  readonly std: readonly number[];
}

/** Resize, normalize. */
export interface TestTransform {
  /** The kind of the transform. */
  readonly kind: 'test';
  /** Side of the result, in pixels. */
  readonly size: number;
  /** Subtracted from values of 0 to 1: one number, or one per channel. */
  readonly mean: readonly number[];
  /** The difference is divided by this: one number, or one per channel. */
  readonly std: readonly number[];
}

/** Any other order of steps. */
export interface ComposedTransform {
  /** The kind of the transform. */
  readonly kind: 'compose';
  /** The steps, in order. */
  readonly steps: readonly Step[];
}

/** Value of the option `transform` of a loader. */
export type Transform = TrainTransform | PadCropTransform | TestTransform | ComposedTransform;
