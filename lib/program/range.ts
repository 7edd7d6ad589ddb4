/**
 * The range of a value in a calibration, and its quantization parameters.
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';

/** Quantization parameters: `value = (number - zeroPoint) * scale`. */
export interface QuantParams {
  /** Above 0, exact in float32. */
  readonly scale: number;
  /** 0 to 255. */
  readonly zeroPoint: number;
}

/** The product of two such scales is a normal number in float32. */
export const LEAST_SCALE = 2 ** -60;

const LARGEST = 255;
const BINS = 2048;
/** Most elements of a histogram: its counts are float32, which is exact to 2^24. */
const PIECE = 2 ** 23;

/** Minimum and maximum of the elements, and with a percentile below 100 their histogram. */
export class Range {
  readonly #percentile: number;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  /** Equal bins from `#low` to `#high`, which grow by doubling. */
  #counts: Float64Array | undefined;
  #low = 0;
  #high = 0;

  /** @param percentile - Share of the elements in the range, in percent; the rest is clipped in equal parts at both ends. */
  constructor(percentile: number) {
    this.#percentile = percentile;
  }

  /** Adds the elements of a tensor. @param min - Their minimum, finite. @param max - Their maximum, finite. */
  add(elements: Tensor, min: number, max: number): void {
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
    if (this.#percentile === 100) return;
    this.#grow(Math.min(min, 0), Math.max(max, 0));
    const flat = elements.reshape([-1]);
    for (let start = 0; start < flat.numel; start += PIECE) {
      const part = flat.narrow(0, start, Math.min(PIECE, flat.numel - start));
      const counts = part.histc({ bins: BINS, min: this.#low, max: this.#high }).dataSync();
      for (let i = 0; i < BINS; i++) this.#counts![i]! += Number(counts[i]);
    }
  }

  /** Widens the bins until they contain both numbers. */
  #grow(min: number, max: number): void {
    if (this.#counts === undefined) {
      this.#counts = new Float64Array(BINS);
      [this.#low, this.#high] = [min, max > min ? max : min + LEAST_SCALE];
    }
    while (min < this.#low || max > this.#high) {
      const width = this.#high - this.#low;
      const downwards = min < this.#low;
      const wider = new Float64Array(BINS);
      const offset = downwards ? BINS / 2 : 0;
      for (let i = 0; i < BINS; i++) wider[offset + (i >> 1)]! += this.#counts[i]!;
      this.#counts = wider;
      if (downwards) this.#low -= width;
      else this.#high += width;
    }
  }

  /** The range. It contains 0, so that padding is exact. */
  #bounds(): [number, number] {
    if (this.#counts === undefined) return [Math.min(this.#min, 0), Math.max(this.#max, 0)];
    const counts = [...this.#counts];
    const outside = counts.reduce((sum, count) => sum + count, 0) * ((1 - this.#percentile / 100) / 2);
    const width = (this.#high - this.#low) / BINS;
    const low = this.#low + binsBelow(counts, outside) * width;
    const high = this.#high - binsBelow(counts.reverse(), outside) * width;
    return [Math.min(Math.max(low, this.#min), 0), Math.max(Math.min(high, this.#max), 0)];
  }

  /** The parameters for the range. A value that was always 0 gets the range from 0 to 1. */
  params(): QuantParams {
    const [low, high] = this.#bounds();
    const width = high > low ? high - low : 1;
    const scale = Math.fround(Math.max(width / LARGEST, LEAST_SCALE));
    return { scale, zeroPoint: Math.min(Math.max(Math.round(-low / scale), 0), LARGEST) };
  }
}

/** The number of first bins that together have at most `most` elements. */
function binsBelow(counts: readonly number[], most: number): number {
  let sum = 0;
  const end = counts.findIndex((count) => {
    sum += count;
    return sum > most;
  });
  return Math.max(end, 0);
}
