import { describe } from 'vitest';
import { DTypeError } from '../../lib/errors.js';
import {
  ArgumentError,
  arange,
  empty,
  eye,
  fromTypedArray,
  linalg,
  NativeError,
  ones,
  ShapeError,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';

// Errors of libtorch have the documented class.
describe('sizes and counts from nowhere', () => {
  itRefuses([
    ['eye(-1)', () => eye(-1), ArgumentError, 'n must be greater or equal to 0'],
    ['arange(NaN)', () => arange(Number.NaN), ArgumentError, 'unsupported range'],
    ['arange(Infinity)', () => arange(Number.POSITIVE_INFINITY), ArgumentError, 'unsupported range'],
    ['zeros of -2^63', () => zeros([-(2n ** 63n) as never]), ArgumentError, '-9223372036854775808'],
    ['empty of 2^53', () => empty([2 ** 53]), ArgumentError, 'Expected an integer for shape of empty'],
    ['empty of 2^64', () => empty([(2n ** 64n) as never]), ArgumentError, 'an integer of at most 64 bits'],
    [
      'bincount of -1 at least',
      () => zeros([1], { dtype: 'int64' }).bincount({ minlength: -1 }),
      ArgumentError,
      'minlength',
    ],
    ...[1.5, -1, Number.NaN, 2 ** 53, '2'].map(
      (repeats): [string, () => unknown, typeof ArgumentError, string] => [
        `repeatInterleave by ${typeof repeats} ${repeats}`,
        () => ones([2]).repeatInterleave(repeats as number),
        ArgumentError,
        'for repeats',
      ],
    ),
    ['multinomial of a negative weight', () => tensor([-1, 2]).multinomial(1), ArgumentError, 'element < 0'],
    ['the inverse of a singular matrix', () => linalg.inv(zeros([2, 2])), NativeError, 'singular'],
    [
      'the solution of a singular system',
      () => linalg.solve(zeros([2, 2]), ones([2])),
      NativeError,
      'singular',
    ],
  ]);
});

describe('shapes and kinds of typed arrays', () => {
  itRefuses([
    [
      'a negative size',
      () => fromTypedArray(new Float32Array(4), { shape: [-1, 4] }),
      ShapeError,
      'Expected sizes of at least 0 for shape but received [-1, 4]',
    ],
    [
      'sizes beyond 64 bits',
      () => fromTypedArray(new Float32Array(4), { shape: [2 ** 32, 2 ** 32] }),
      ShapeError,
      'Expected sizes whose product fits 64 bits for shape but received [4294967296, 4294967296]',
    ],
    [
      'an array that no dtype has',
      () => tensor(new Uint32Array(2) as never),
      DTypeError,
      'Expected one of Float32Array, Float64Array, Uint16Array, BigInt64Array, Int32Array, Int16Array, Int8Array, Uint8Array for data but received Uint32Array',
    ],
  ]);
});
