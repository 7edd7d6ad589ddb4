/** Errors of libtorch for values and combinations that no operation accepts: their class, and what they say. */
import { describe, expect, it } from 'vitest';
import { arange, autocast, cat, einsum, functional as F, linalg, ones, tensor } from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';

const int64 = (values: unknown) => tensor(values as never, { dtype: 'int64' });
const m23 = ones([2, 3]);
const v3 = ones([3]);
const nan = tensor([
  [Number.NaN, 1],
  [1, 2],
]);
const square = ones([2, 2]);

type Code = 'ERR_ARGUMENT' | 'ERR_SHAPE' | 'ERR_DTYPE';

describe('an operation of libtorch', () => {
  it.each<[call: string, code: Code, message: string, run: () => unknown]>([
    ['arange, step NaN', 'ERR_ARGUMENT', 'step must be nonzero', () => arange(0, 1, Number.NaN)],
    ['arange, 2^62 elements', 'ERR_SHAPE', 'overflowed', () => arange(0, 2 ** 62, 1)],
    [
      'circular padding of more than the size',
      'ERR_ARGUMENT',
      'wrapping around more than once; received input float32 [1, 1, 3], padding [4, 4]',
      () => F.pad(ones([1, 1, 3]), [4, 4], { mode: 'circular' }),
    ],
    [
      'lstsq of NaN',
      'ERR_ARGUMENT',
      'Expected finite values for input of lstsq but received NaN or an infinity',
      () => linalg.lstsq(nan, square),
    ],
    [
      'lstsq with an infinity',
      'ERR_ARGUMENT',
      'Expected finite values for other of lstsq',
      () => linalg.lstsq(square, tensor([[Number.POSITIVE_INFINITY], [1]])),
    ],
    ['svd of NaN', 'ERR_ARGUMENT', 'contained non-finite values', () => linalg.svd(nan)],
    ['pinv of NaN', 'ERR_ARGUMENT', 'contained non-finite values', () => linalg.pinv(nan)],
    ['cond, p NaN', 'ERR_ARGUMENT', 'invalid norm type', () => native.cond(square, Number.NaN)],
    [
      'matrixNorm of order -3',
      'ERR_ARGUMENT',
      'Order -3 not supported',
      () => linalg.matrixNorm(square, { p: -3 }),
    ],
    ['renorm, p -1', 'ERR_ARGUMENT', 'positive-norm', () => m23.renorm(-1, 0, 1)],
    ['renorm, maxNorm NaN', 'ERR_ARGUMENT', '>= 0 but got nan', () => m23.renorm(2, 0, Number.NaN)],
    ['rrelu, upper NaN', 'ERR_ARGUMENT', 'must be finite', () => F.rrelu(m23, { upper: Number.NaN })],
    ['celu, alpha 0', 'ERR_ARGUMENT', 'celu: alpha cannot be 0', () => F.celu(m23, { alpha: 0 })],
    [
      'floorDivide of integers by 0',
      'ERR_ARGUMENT',
      'division by zero',
      () => int64([1]).floorDivide(int64([0])),
    ],
    ['fmod of integers by 0', 'ERR_ARGUMENT', 'division by zero', () => int64([1]).fmod(int64([0]))],
    ['pow of integers', 'ERR_ARGUMENT', 'negative integer powers', () => int64([2]).pow(-1)],
    ['mvlgamma, p 0', 'ERR_ARGUMENT', 'greater than or equal to 1', () => m23.mvlgamma(0)],
    ['polygamma of order -1', 'ERR_ARGUMENT', 'negative n', () => m23.polygamma(-1)],
    ['indexPut_ without indices', 'ERR_ARGUMENT', 'empty index list', () => v3.indexPut_([], v3)],
    [
      'indexPut_ without indices, accumulating',
      'ERR_ARGUMENT',
      'at least one index for indices of indexPut_',
      () => v3.indexPut_([], v3, { accumulate: true }),
    ],
    ['einsum of too many tensors', 'ERR_ARGUMENT', 'more operands', () => einsum('ij->ij', m23, m23)],
    ['outer of a matrix', 'ERR_SHAPE', '1-D argument', () => m23.outer(v3)],
    ['matmul of a number', 'ERR_SHAPE', 'at least 1D', () => ones([]).matmul(m23)],
    [
      'linalg.multiDot of 3-D',
      'ERR_SHAPE',
      'must be 1D or 2D',
      () => linalg.multiDot([ones([1, 1, 1]), m23]),
    ],
    ['cdist of a vector', 'ERR_SHAPE', 'at least 2D', () => native.cdist(m23, v3, 2)],
    [
      'prelu of two dtypes',
      'ERR_DTYPE',
      'Type promoting not supported',
      () => F.prelu(m23, ones([1], { dtype: 'float64' })),
    ],
    [
      'cat of float16 and bfloat16 under autocast',
      'ERR_DTYPE',
      'autocast converts float32 tensors and those of its own dtype only',
      () =>
        autocast(() => cat([v3.to({ dtype: 'float16' }), v3.to({ dtype: 'bfloat16' })]), {
          dtype: 'bfloat16',
        }),
    ],
  ])('reports %s as %s', (_, code, message, run) => {
    let error: { code?: string; message?: string } = {};
    try {
      run();
    } catch (caught) {
      error = caught as typeof error;
    }
    expect(error.message ?? 'no error').toContain(message);
    expect(error.code, error.message).toBe(code);
    expect(error.message).not.toMatch(/INTERNAL ASSERT|ZeroDivisionError|at::|[a-z]_[a-z]/);
  });
});
