/**
 * What the add-on's functions take, read from the tables in cpp/bindings, and values that fit.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { makeTensor, makeValue } from './values.js';

const folder = new URL('../../cpp/bindings/', import.meta.url);

/** Names of the parameters by function. @returns {Map<string, string[]>} */
export function readSignatures() {
  const signatures = new Map();
  for (const file of readdirSync(folder)) {
    const text = readFileSync(new URL(file, folder), 'utf8');
    for (const [, name = '', parameters = ''] of text.matchAll(/"(\w+)\(([\w, ]*)\)"/g)) {
      signatures.set(name, parameters === '' ? [] : parameters.split(', '));
    }
  }
  return signatures;
}

const INTEGERS = [
  0,
  1,
  1,
  2,
  2,
  3,
  4,
  -1,
  -2,
  7,
  64,
  2 ** 31,
  2 ** 40,
  -(2 ** 31),
  2 ** 53 - 1,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const STRINGS = [
  'mean',
  'sum',
  'none',
  'cpu',
  'auto',
  'reference',
  'constant',
  'reflect',
  'softmax',
  'ij,jk->ik',
  '',
];
const NUMBERS = [0, 1, 0.5, -1, 2, Number.NaN, Number.POSITIVE_INFINITY, 1e300, -0];

/**
 * A value of the kind that an error message asked for.
 * @param {string} expected @param {import('./random.js').Random} random
 */
export function fitting(expected, random) {
  if (/one of float32/.test(expected))
    return random.pick(['float32', 'float64', 'int64', 'bool', 'bfloat16', 'uint8']);
  if (/'cpu'/.test(expected)) return 'cpu';
  if (/a Tensor|live Tensor/.test(expected)) return makeTensor(random);
  if (/boolean/.test(expected)) return random.chance(0.5);
  if (/integer/.test(expected)) return random.pick(INTEGERS);
  if (/array of length (\d+)/.test(expected)) {
    const length = Number(/length (\d+)/.exec(expected)?.[1]);
    return Array.from({ length }, () => random.pick(INTEGERS));
  }
  if (/typed array/.test(expected)) return new Uint8Array(random.pick([0, 1, 12, 48]));
  if (/an array/.test(expected)) {
    const length = random.pick([0, 1, 2, 2, 2, 3, 4]);
    const tensors = random.chance(0.5);
    return Array.from({ length }, () => (tensors ? makeTensor(random) : random.pick(INTEGERS)));
  }
  if (/number/.test(expected)) return random.pick(NUMBERS);
  if (/string/.test(expected)) return random.pick(STRINGS);
  if (/function/.test(expected)) return () => {};
  return makeValue(random);
}
