/**
 * The types of option values: how they are parsed. Commander adds the name of the option to
 * their messages.
 * @module
 */
import { InvalidArgumentError } from 'commander';

/** @import { ValueType } from './types.js' */
/** @import { Device } from '../../dist/index.js' */

/** Any text. @type {ValueType<string>} */
export const text = { parse: (value) => value };

/** The path of a file or folder. @type {ValueType<string>} */
export const path = { parse: (value) => value, isPath: true };

/**
 * One of several names.
 * @template {string} const T
 * @param {readonly T[]} choices
 * @returns {ValueType<T> & { choices: readonly T[] }}
 */
export function oneOf(choices) {
  return {
    choices,
    parse(value) {
      const found = choices.find((choice) => choice === value);
      if (found === undefined) throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
      return found;
    },
  };
}

/** @param {string} value */
function isInteger(value) {
  return /^\d+$/.test(value) && Number.isSafeInteger(Number(value));
}

/** @type {ValueType<number>} */
export const positiveInteger = {
  parse(value) {
    if (!isInteger(value) || Number(value) < 1)
      throw new InvalidArgumentError('Expected a positive integer.');
    return Number(value);
  },
};

/** Height and width of an image, in pixels: at most what `config.json` may have. @type {ValueType<number>} */
export const imageSide = {
  parse(value) {
    if (!isInteger(value) || Number(value) < 1 || Number(value) > 4096)
      throw new InvalidArgumentError('Expected an integer from 1 to 4096.');
    return Number(value);
  },
};

/** An object of numbers, texts and booleans, as JSON. @type {ValueType<Record<string, number | string | boolean>>} */
export const scalars = {
  parse(text) {
    const value = parsedJson(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (
      !isObject ||
      Object.values(value).some((member) => !['number', 'string', 'boolean'].includes(typeof member))
    )
      throw new InvalidArgumentError(
        'Expected a JSON object of numbers, strings and booleans, such as \'{"widthMult":0.5}\'.',
      );
    return value;
  },
};

/** The value of a JSON text; undefined if it is not JSON. @param {string} text */
function parsedJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @type {ValueType<number>} */
export const nonNegativeInteger = {
  parse(value) {
    if (!isInteger(value)) throw new InvalidArgumentError('Expected an integer of at least 0.');
    return Number(value);
  },
};

/**
 * A finite number within limits.
 * @param {{ min?: number, max?: number, above?: number, below?: number }} limits
 * @returns {ValueType<number>}
 */
export function number({ min, max, above, below }) {
  const limits = [
    min !== undefined && `of at least ${min}`,
    above !== undefined && `above ${above}`,
    max !== undefined && `at most ${max}`,
    below !== undefined && `below ${below}`,
  ].filter(Boolean);
  return {
    parse(text) {
      const value = Number(text);
      const inside =
        (min === undefined || value >= min) &&
        (max === undefined || value <= max) &&
        (above === undefined || value > above) &&
        (below === undefined || value < below);
      if (text.trim() === '' || !Number.isFinite(value) || !inside)
        throw new InvalidArgumentError(`Expected a number ${limits.join(' and ')}.`);
      return value;
    },
  };
}

/** @type {ValueType<'auto' | Device>} */
export const device = {
  parse(value) {
    if (!/^(auto|cpu|cuda(:\d{1,3})?)$/.test(value))
      throw new InvalidArgumentError('Expected auto, cpu, cuda or cuda:<n>.');
    return /** @type {'auto' | Device} */ (value);
  },
};

/** Epochs separated by commas, ascending; an empty text for none. @type {ValueType<number[]>} */
export const milestones = {
  parse(text) {
    if (text.trim() === '') return [];
    const values = text.split(',').map((part) => Number(part));
    const ascending = values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0));
    if (!ascending || values.some((value) => !Number.isSafeInteger(value) || value < 1))
      throw new InvalidArgumentError('Expected ascending epochs separated by commas, such as 30,60,90.');
    return values;
  },
};

/** The address of a web folder. @type {ValueType<string>} */
export const address = {
  parse(value) {
    if (!/^https?:\/\//.test(value) || !URL.canParse(value))
      throw new InvalidArgumentError('Expected a URL that begins with http:// or https://.');
    return value;
  },
};

/** Sizes of a batch of images, separated by commas. @type {ValueType<number[]>} */
export const imageBatch = {
  parse(text) {
    const sizes = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
    if (sizes.length !== 4 || sizes.some((size) => !Number.isSafeInteger(size) || size < 1))
      throw new InvalidArgumentError('Expected four sizes separated by commas, such as 1,3,128,128.');
    return sizes;
  },
};

/** Strengths of color jitter: one number for brightness, contrast and saturation, or three or four. @type {ValueType<number[]>} */
export const jitterStrengths = {
  parse(text) {
    const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
    const [only = Number.NaN] = values;
    const all = values.length === 1 ? [only, only, only] : values;
    const valid = all.every((value) => value >= 0 && value < Number.POSITIVE_INFINITY);
    if (!valid || all.length < 3 || all.length > 4 || (all[3] ?? 0) > 0.5)
      throw new InvalidArgumentError(
        'Expected 1, 3 or 4 numbers of at least 0, the fourth at most 0.5, such as 0.4,0.4,0.4,0.1.',
      );
    return all;
  },
};

/** Any texts, separated by commas. @type {ValueType<string[]>} */
export const list = { parse: (text) => text.split(',').filter(Boolean) };

/**
 * Names separated by commas, each one of a list.
 * @template {string} const T
 * @param {readonly T[]} choices
 * @returns {ValueType<T[]>}
 */
export function namesOf(choices) {
  const one = oneOf(choices);
  return { parse: (text) => text.split(',').map((part) => one.parse(part.trim())) };
}

/** Different integers of at least 0, separated by commas. @type {ValueType<number[]>} */
export const integers = {
  parse(text) {
    const values = text.split(',').map((part) => nonNegativeInteger.parse(part.trim()));
    if (new Set(values).size < values.length) throw new InvalidArgumentError('Expected different numbers.');
    return values;
  },
};

/** Weights of classes: `balanced`, or a number for each, separated by commas. @type {ValueType<'balanced' | number[]>} */
export const classWeights = {
  parse(text) {
    if (text === 'balanced') return text;
    const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
    if (!values.every((value) => value > 0 && value < Number.POSITIVE_INFINITY))
      throw new InvalidArgumentError(
        'Expected balanced, or numbers above 0 separated by commas, such as 1,5.',
      );
    return values;
  },
};
