/**
 * Parsers for option values; commander puts the option's name in front of their messages.
 * @module
 */
import { InvalidArgumentError, Option } from 'commander';

/** What --checkpoint takes, for the help. */
export const CHECKPOINTS = 'which weights: best, last, epoch-<n>, or a .safetensors, .pt or .pth file';

/** @param {string} text */
export function positiveInteger(text) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('Expected a positive integer.');
  }
  return value;
}

/** @param {string} text */
export function nonNegativeInteger(text) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('Expected an integer of at least 0.');
  }
  return value;
}

/** @param {{ min?: number, max?: number, above?: number, below?: number }} range */
export function number({ min, max, above, below }) {
  /** @param {string} text */
  return (text) => {
    const value = Number(text);
    const inside =
      (min === undefined || value >= min) &&
      (max === undefined || value <= max) &&
      (above === undefined || value > above) &&
      (below === undefined || value < below);
    if (text.trim() === '' || !Number.isFinite(value) || !inside) {
      const limits = [
        min !== undefined && `of at least ${min}`,
        above !== undefined && `above ${above}`,
        max !== undefined && `at most ${max}`,
        below !== undefined && `below ${below}`,
      ].filter(Boolean);
      throw new InvalidArgumentError(`Expected a number ${limits.join(' and ')}.`.replace(' .', '.'));
    }
    return value;
  };
}

/** @param {string} text */
export function device(text) {
  if (!/^(auto|cpu|cuda(:\d{1,3})?)$/.test(text)) {
    throw new InvalidArgumentError('Expected auto, cpu, cuda or cuda:<n>.');
  }
  return text;
}

/** Epochs separated by commas, ascending; an empty text for none. @param {string} text */
export function milestones(text) {
  if (text.trim() === '') return [];
  const values = text.split(',').map((part) => Number(part));
  const ascending = values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0));
  if (!ascending || values.some((value) => !Number.isSafeInteger(value) || value < 1)) {
    throw new InvalidArgumentError('Expected ascending epochs separated by commas, such as 30,60,90.');
  }
  return values;
}

/** An option with a closed set of values. @param {string} flags @param {string} description @param {string} value @param {readonly string[]} values */
export function choice(flags, description, value, values) {
  return new Option(flags, description).choices([...values]).default(value);
}
