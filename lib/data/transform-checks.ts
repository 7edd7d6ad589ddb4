/**
 * Checks of the options of transforms.
 * @module
 */
import { invalidArgument } from '../errors.js';

const MAX_SIZE = 4096;

/** Height and width. */
export type Size = readonly [height: number, width: number];

/** Smallest and largest value. */
export type Bounds = readonly [low: number, high: number];

/** An integer number of pixels. */
export function checkSize(name: string, value: unknown, least = 1): number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > MAX_SIZE) {
    throw invalidArgument(name, `an integer from ${least} to ${MAX_SIZE}`, value);
  }
  return value as number;
}

/** A number of pixels for both directions, or [height, width]. */
export function checkSizes(name: string, value: unknown): Size {
  if (!Array.isArray(value)) return Object.freeze([checkSize(name, value), checkSize(name, value)] as const);
  if (value.length !== 2) throw invalidArgument(name, 'a number of pixels or [height, width]', value);
  return Object.freeze([checkSize(name, value[0]), checkSize(name, value[1])] as const);
}

/** A number from 0 to 1. */
export function checkProbability(name: string, value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
    throw invalidArgument(name, 'a probability from 0 to 1', value);
  }
  return value;
}

/** [smallest, largest], both positive. */
export function checkRange(name: string, value: unknown, most = Number.POSITIVE_INFINITY): Bounds {
  const valid =
    isBounds(value) && value.every((bound) => Number.isFinite(bound) && bound > 0 && bound <= most);
  if (!valid) {
    const limit = Number.isFinite(most) ? ` and up to ${most}` : '';
    throw invalidArgument(name, `[smallest, largest], both above 0${limit}`, value);
  }
  return Object.freeze([value[0], value[1]] as const);
}

/** A strength s as [max(0, 1 - s), 1 + s], or the two bounds themselves. */
export function checkFactor(name: string, value: unknown): Bounds {
  const bounds = typeof value === 'number' ? [Math.max(0, 1 - value), 1 + value] : value;
  if (!isBounds(bounds) || !bounds.every((bound) => Number.isFinite(bound) && bound >= 0)) {
    throw invalidArgument(name, 'a strength from 0 or [smallest, largest] factor from 0', value);
  }
  return Object.freeze([bounds[0], bounds[1]] as const);
}

/** A shift s as [-s, s], or the two bounds themselves, within half a circle. */
export function checkHue(name: string, value: unknown): Bounds {
  const bounds = typeof value === 'number' ? [-value, value] : value;
  if (!isBounds(bounds) || !bounds.every((bound) => bound >= -0.5 && bound <= 0.5)) {
    throw invalidArgument(name, 'a number from 0 to 0.5 or [smallest, largest] from -0.5 to 0.5', value);
  }
  return Object.freeze([bounds[0], bounds[1]] as const);
}

/** One number for all channels or one per channel, as a list. `above`: what every number must exceed. */
export function checkChannels(
  name: string,
  value: unknown,
  above = Number.NEGATIVE_INFINITY,
): readonly number[] {
  const values: unknown = typeof value === 'number' ? [value] : value;
  const valid =
    Array.isArray(values) && values.length > 0 && values.every((v) => Number.isFinite(v) && v > above);
  if (!valid) {
    throw invalidArgument(
      name,
      above === 0 ? 'a positive number or one per channel' : 'a number or one per channel',
      value,
    );
  }
  return Object.freeze([...values] as number[]);
}

function isBounds(value: unknown): value is [number, number] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((bound) => typeof bound === 'number') &&
    (value[0] as number) <= (value[1] as number)
  );
}
