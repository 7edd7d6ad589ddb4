/**
 * Arguments that no caller should pass, and enough good ones to get past the first check.
 * @module
 */
import * as dyconv from '../../dist/index.js';
import { DTYPES } from '../../dist/tensor/dtype.js';

/** What hostile objects throw: it may pass through the package, as it is the caller's own error. */
export class Poison extends Error {}

const poison = () => {
  throw new Poison('thrown by an argument');
};

const NUMBERS = [
  ...[0, -0, 1, 2, 3, 4, 5, 7, 8, -1, -2, -3, 0.5, -1.5, 1e-9, 64, 1000],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE],
  ...[2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, -(2 ** 53), 2 ** 62, 2 ** 63, 2 ** 64, 1e300],
];
const BIGINTS = [0n, 1n, -1n, 3n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n, 10n ** 40n];
const STRINGS = [
  ...[
    '',
    ' ',
    'x',
    '\0',
    'nope/nope',
    '..',
    '\ud800',
    'ü',
    'x'.repeat(10_000),
    '__proto__',
    'constructor',
    '1',
    '%s',
  ],
  ...[
    'float32',
    'float64',
    'int64',
    'bool',
    'bfloat16',
    'uint8',
    'cpu',
    'cuda',
    'cuda:7',
    'mean',
    'sum',
    'none',
  ],
  ...[
    'auto',
    'reference',
    'constant',
    'reflect',
    'nearest',
    'bilinear',
    'softmax',
    'sigmoid',
    'tanh',
    'same',
    'train',
  ],
  ...[
    '...',
    'ij,jk->ik',
    'i,i',
    '->',
    'ii->i',
    'alexnet',
    'alexnet-dy',
    'weight',
    'fanIn',
    'relu',
    'bundled',
  ],
];
const ARRAYS = [
  ...[
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    Int32Array,
    Uint32Array,
    Int16Array,
    Uint16Array,
  ],
  ...[Int8Array, Uint8Array, Uint8ClampedArray],
];
const SMALL = [0, 1, 2, 3, 4];

/** @typedef {import('./random.js').Random} Random */

/** A tensor: mostly a plain small one, sometimes in a state that operations have to notice. @param {Random} random */
export function makeTensor(random) {
  const dims = random.pick([0, 1, 1, 2, 2, 3, 4, 4, 5]);
  const shape = Array.from({ length: dims }, () => random.pick([1, 2, 2, 3, 4, random.chance(0.1) ? 0 : 3]));
  const dtype = random.chance(0.6) ? 'float32' : random.pick(DTYPES);
  let x = dyconv.zeros(shape, { dtype });
  if (random.chance(0.5) && dtype.includes('float')) x.add_(random.chance(0.1) ? Number.NaN : 1);
  if (random.chance(0.15) && dims >= 2) x = x.transpose(0, dims - 1);
  if (random.chance(0.1) && dims >= 1) x = x.unsqueeze(0).expand([2, ...x.shape]);
  if (random.chance(0.15) && dtype === 'float32') x.requiresGrad_();
  if (random.chance(0.1) && x.requiresGrad) x = x.mul(2);
  if (random.chance(0.05)) x = dyconv.inferenceMode(() => dyconv.ones(shape));
  if (random.chance(0.05)) x.dispose();
  return x;
}

/** Objects that look like tensors, and tensors that do not look like them. @param {Random} random */
function makeForeign(random) {
  const x = makeTensor(random);
  switch (random.below(7)) {
    case 0:
      return Object.create(dyconv.Tensor.prototype);
    case 1:
      return Object.setPrototypeOf(
        x,
        random.pick([null, Array.prototype, Promise.prototype, Function.prototype]),
      );
    case 2:
      return new Proxy(x, {});
    case 3:
      return { shape: [2, 2], dtype: 'float32', device: 'cpu', numel: 4 };
    case 4:
      return Object.defineProperty(x, 'shape', { get: poison });
    case 5:
      return Object.create(x);
    default:
      return structuredClone({ ...x });
  }
}

/**
 * Of ECMAScript 2024, which Node.js has and the compiler's library does not.
 * @typedef {new (length: number, options: { maxByteLength: number }) => ArrayBuffer & { resize: (length: number) => void }} ResizableBuffer
 */
const Resizable = /** @type {ResizableBuffer} */ (/** @type {unknown} */ (ArrayBuffer));

/** @param {Random} random */
function makeTypedArray(random) {
  const Type = random.pick(ARRAYS);
  const size = Type.BYTES_PER_ELEMENT;
  const length = random.pick([0, 1, 2, 3, 4, 6, 8, 12, 16, 64]);
  switch (random.below(8)) {
    case 0: {
      const array = new Type(length);
      structuredClone(array.buffer, { transfer: [array.buffer] });
      return array;
    }
    case 1: {
      const buffer = new Resizable(length * size, { maxByteLength: 256 * size });
      const array = random.chance(0.5) ? new Type(buffer) : new Type(buffer, 0, length);
      buffer.resize(random.pick([0, size, 256 * size]));
      return array;
    }
    case 2:
      return new Type(/** @type {never} */ (new SharedArrayBuffer(length * size)));
    case 3:
      return new Type(new ArrayBuffer((length + 1) * size), size);
    case 4:
      return random.pick([new DataView(new ArrayBuffer(8)), new ArrayBuffer(16), Buffer.alloc(length)]);
    case 5:
      return Object.setPrototypeOf(
        new Type(length),
        random.pick([null, Array.prototype, Float32Array.prototype]),
      );
    default:
      return new Type(length);
  }
}

/** @param {Random} random @param {number} depth */
function makeArray(random, depth) {
  const length = random.pick([0, 1, 1, 2, 2, 3, 4, 5, 12]);
  switch (random.below(12)) {
    case 0: {
      const array = [1, 2];
      return Object.defineProperty(array, random.below(2), { get: poison });
    }
    case 1:
      return random.pick([new Array(5), new Array(2 ** 32 - 1), Object.assign([], { 2: 1 })]);
    case 2: {
      /** @type {unknown[]} */
      const array = [1];
      array.push(array);
      return array;
    }
    case 3:
      return new Proxy([1, 2], random.chance(0.5) ? {} : { get: poison });
    case 4:
      return Object.assign([1, 2], { length: random.pick([0, 1, 100]) });
    case 5:
    case 6:
      return Array.from({ length }, () => makeTensor(random));
    case 7:
      return Array.from({ length }, () => makeValue(random, depth + 1));
    case 8:
      return Array.from({ length }, () => random.pick(NUMBERS));
    default:
      return Array.from({ length }, () => random.pick(SMALL));
  }
}

/** An object whose every property is there, and random: it reaches all options of all functions. @param {Random} random @param {number} depth */
function makeOptions(random, depth) {
  /** @type {Map<string | symbol, unknown>} */
  const made = new Map();
  const rate = random.pick([0.1, 0.3, 0.8]);
  return new Proxy(
    {},
    {
      get(_, key) {
        if (key === 'then' || typeof key === 'symbol') return undefined;
        if (!made.has(key)) made.set(key, random.chance(rate) ? makeValue(random, depth + 1) : undefined);
        return made.get(key);
      },
    },
  );
}

/** @param {Random} random @param {number} depth */
function makeObject(random, depth) {
  switch (random.below(14)) {
    case 0:
      return new Proxy({}, { get: poison, has: poison, ownKeys: poison, getPrototypeOf: poison });
    case 1:
      return { toString: poison, valueOf: poison, [Symbol.toPrimitive]: poison, [Symbol.iterator]: poison };
    case 2:
      return {
        get start() {
          return poison();
        },
        stop: null,
        step: null,
      };
    case 3:
      return Object.create(null);
    case 4:
      return random.pick([
        new Map(),
        new Set(),
        new Date(0),
        /x/,
        new Error('x'),
        new WeakMap(),
        globalThis.Math,
      ]);
    case 5:
      return random.chance(0.5)
        ? Promise.resolve(makeValue(random, depth + 1))
        : Object.fromEntries([['then', (/** @type {(value: number) => void} */ settle) => settle(1)]]);
    case 6:
      return dyconv.slice(
        random.pick([0, 1, -1, null]),
        random.pick([2, -1, null]),
        random.pick([1, 2, null]),
      );
    case 7:
      return {
        weight: makeValue(random, depth + 1),
        [random.pick(STRINGS.slice(0, 5))]: makeValue(random, depth + 1),
      };
    case 8:
      return new dyconv.nn.Linear(2, 2);
    case 9:
      return {};
    default:
      return makeOptions(random, depth);
  }
}

/** @param {Random} random */
function makeFunction(random) {
  return random.pick([
    () => {},
    poison,
    async () => 1,
    (/** @type {unknown} */ x) => x,
    () => dyconv.ones([2]),
    (/** @type {unknown} */ x) => (dyconv.isTensor(x) ? x.mul(2).sum() : x),
    function* generate() {
      yield 1;
    },
  ]);
}

/** Any value. @param {Random} random @param {number} [depth] @returns {unknown} */
export function makeValue(random, depth = 0) {
  const kind = random.below(depth > 3 ? 12 : 24);
  if (kind < 1) return undefined;
  if (kind < 2) return random.pick([null, true, false]);
  if (kind < 5) return random.pick(NUMBERS);
  if (kind < 6) return random.pick(SMALL);
  if (kind < 7) return random.pick(BIGINTS);
  if (kind < 9) return random.pick(STRINGS);
  if (kind < 10) return random.pick([Symbol('s'), Symbol.iterator]);
  if (kind < 11) return makeFunction(random);
  if (kind < 12) return makeForeign(random);
  if (kind < 17) return makeTensor(random);
  if (kind < 19) return makeArray(random, depth);
  if (kind < 21) return makeTypedArray(random);
  return makeObject(random, depth);
}

/** A short description of a value, without running its code. @param {unknown} value @returns {string} */
export function show(value, depth = 0) {
  try {
    if (typeof value === 'string')
      return JSON.stringify(value.length > 30 ? `${value.slice(0, 30)}…` : value);
    if (typeof value === 'bigint') return `${value}n`;
    if (Object.is(value, -0)) return '-0';
    if (typeof value === 'function') return 'function';
    if (typeof value !== 'object' || value === null) return String(value);
    if (dyconv.isTensor(value)) {
      const get = (/** @type {string} */ name) => Reflect.get(dyconv.Tensor.prototype, name, value);
      return get('isDisposed') ? 'disposed Tensor' : `Tensor ${get('dtype')} [${get('shape')}]`;
    }
    if (Array.isArray(value)) {
      if (depth > 2 || value.length > 20) return `array of ${value.length}`;
      return `[${value.map((item) => show(item, depth + 1)).join(', ')}]`;
    }
    return Object.prototype.toString.call(value);
  } catch {
    return 'hostile object';
  }
}
