/** Quotients of integers: libtorch ends the process for the smallest integer divided by -1. */
import { describe, expect, it } from 'vitest';
import { type DType, nn, type Tensor, tensor } from '../../lib/index.js';

const BITS = { int8: 8n, int16: 16n, int32: 32n, int64: 64n } as const;
const CASES = Object.entries(BITS) as [keyof typeof BITS, bigint][];
const trunc = { roundingMode: 'trunc' } as const;
const integers = (values: readonly (number | bigint)[], dtype: DType) =>
  tensor(values.map(BigInt), { dtype });
const bigints = (x: Tensor) => (x.flatten().arraySync() as (number | bigint)[]).map(BigInt);

describe.each(CASES)('%s', (dtype, bits) => {
  const least = -(2n ** (bits - 1n));
  const values = [least, 7n, -7n, least];
  const divisors = [-1n, -1n, 2n, 3n];
  // As -x does, the quotient that is not in range wraps around.
  const expected = [least, -7n, -3n, least / 3n];

  it('divides toward zero by a tensor, a number and in place', () => {
    const x = integers(values, dtype);
    const y = integers(divisors, dtype);
    const quotient = x.div(y, trunc);
    expect(quotient.dtype).toBe(dtype);
    expect(bigints(quotient)).toEqual(expected);
    const byNumber = x.div(-1, trunc);
    expect(byNumber.dtype).toBe(dtype);
    expect(bigints(byNumber)).toEqual([least, -7n, 7n, least]);
    expect(bigints(integers(values, dtype).div_(y, trunc))).toEqual(expected);
    expect(bigints(integers(values, dtype).div_(-1, trunc))).toEqual([least, -7n, 7n, least]);
  });

  it('broadcasts either side', () => {
    const row = integers([least, 5n], dtype);
    const column = integers([-1n, 2n], dtype).reshape([2, 1]);
    expect(bigints(row.div(column, trunc))).toEqual([least, -5n, least / 2n, 2n]);
    expect(bigints(column.div(row, trunc))).toEqual([0n, 0n, 0n, 0n]);
  });

  it.each(['floorDivide', 'remainder', 'fmod'] as const)('computes %s', (name) => {
    const x = integers([least, 7n], dtype);
    const results = bigints(x[name](integers([-1n, -1n], dtype)));
    expect(results).toEqual(name === 'floorDivide' ? [least, -7n] : [0n, 0n]);
  });
});

it('divides integers of different dtypes', () => {
  const x = integers([-(2n ** 31n), 9n], 'int32');
  const quotient = x.div(integers([-1n, 4n], 'int64'), trunc);
  expect(quotient.dtype).toBe('int64');
  expect(bigints(quotient)).toEqual([2n ** 31n, 2n]);
  expect(
    bigints(tensor([200, 7], { dtype: 'uint8' }).div(tensor([255, 2], { dtype: 'uint8' }), trunc)),
  ).toEqual([0n, 3n]);
});

it('divides in a compiled program', () => {
  using program = nn.compile(
    (x: Tensor, y: Tensor) => x.div(y, trunc),
    [integers([1n], 'int64'), integers([1n], 'int64')],
  );
  const least = -(2n ** 63n);
  const quotient = program.runSync([integers([least, 9n], 'int64'), integers([-1n, 2n], 'int64')]);
  expect(bigints(quotient)).toEqual([least, 4n]);
});

it('names the operation in errors', () => {
  const x = integers([1n], 'int32');
  expect(() => x.div_(0, trunc)).toThrow(/^div_: division by zero/);
});
