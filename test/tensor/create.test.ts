import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  cat,
  DeviceError,
  DTypeError,
  einsum,
  empty,
  eye,
  full,
  linspace,
  manualSeed,
  NativeError,
  ones,
  onesLike,
  rand,
  randint,
  randn,
  randnLike,
  randperm,
  ShapeError,
  type Tensor,
  tensor,
  where,
  zeros,
  zerosLike,
} from '../../lib/index.js';
import { DTYPES, type DType, dtypeOfArray, isFloatingPoint, itemSize } from '../../lib/tensor/dtype.js';
import { native } from '../../lib/tensor/tensor.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

itRefuses([
  [
    'rows of different length',
    () => tensor([[1, 2], [3]]),
    ShapeError,
    'Expected nested arrays of equal length for data: length 2 at level 1 but received [3] (array)',
  ],
  ['a number among rows', () => tensor([[1, 2], 3]), ShapeError, 'but received 3 (number)'],
  ['a row among numbers', () => tensor([1, [2]]), ShapeError, 'one has more than 1 levels'],
  [
    'text',
    () => tensor(['a'] as never),
    ArgumentError,
    "Expected numbers, bigints or booleans for data but received 'a' (string)",
  ],
  ['nothing', () => tensor(undefined as never), ArgumentError, 'for data but received undefined'],
  [
    'a Tensor',
    () => tensor(zeros([1]) as never),
    ArgumentError,
    'received a Tensor: use clone() or detach()',
  ],
  [
    'a typed array of the wrong length',
    () => tensor(new Float32Array(5), { shape: [2, 2] }),
    ShapeError,
    'Expected data of 4 elements for shape [2, 2] but received 5',
  ],
  ['too few numbers', () => tensor([1, 2, 3], { shape: [2, 2] }), ShapeError, 'but received 3'],
  [
    'a size that cannot be inferred',
    () => tensor(new Float32Array(5), { shape: [2, -1] }),
    ShapeError,
    'Expected data that fits shape [2, -1] but received 5 elements',
  ],
  ['two open sizes', () => tensor([1, 2], { shape: [-1, -1] }), ShapeError, 'fits shape [-1, -1]'],
  ['an open size beside 0', () => tensor([], { shape: [0, -1] }), ShapeError, 'fits shape [0, -1]'],
  ['a shape that is a number', () => tensor([1], { shape: 1 as never }), ArgumentError, 'for shape'],
  [
    '16-bit words without a dtype',
    () => tensor(new Uint16Array(2)),
    DTypeError,
    "Expected dtype 'float16' or 'bfloat16' for a Uint16Array but received undefined",
  ],
  ['a Uint32Array', () => tensor(new Uint32Array(2) as never), DTypeError, 'Uint32Array'],
  [
    'an unknown dtype',
    () => zeros([1], { dtype: 'float' as never }),
    DTypeError,
    "Expected one of float32, float64, float16, bfloat16, int64, int32, int16, int8, uint8, bool for dtype of full but received 'float' (string)",
  ],
  ['an unknown dtype beside data', () => tensor([1], { dtype: 'f32' as never }), DTypeError, "'f32'"],
  [
    'an unknown device',
    () => zeros([1], { device: 'tpu' as never }),
    DeviceError,
    "Expected 'cpu', 'cuda' or 'cuda:N' for device of full but received 'tpu' (string)",
  ],
  ['300 as int8', () => tensor([300], { dtype: 'int8' }), ArgumentError, 'integers from -128 to 127 (int8)'],
  ['-1 as uint8', () => tensor([-1], { dtype: 'uint8' }), ArgumentError, 'integers from 0 to 255 (uint8)'],
  ['1.5 as int32', () => tensor([1.5], { dtype: 'int32' }), ArgumentError, 'received 1.5 (number)'],
  ['NaN as int64', () => tensor([Number.NaN], { dtype: 'int64' }), ArgumentError, 'received NaN (number)'],
  ['2^63 as int64', () => tensor([2n ** 63n]), ArgumentError, '9223372036854775808n (bigint)'],
  ['integers that require gradients', () => tensor([1n], { requiresGrad: true }), DTypeError, 'int64'],
  ['a negative size', () => zeros([-2]), ShapeError, 'negative dimension -2'],
  ['half a size', () => zeros([1.5]), ArgumentError, 'Expected an integer for shape of full'],
  [
    'a shape without brackets',
    () => zeros(3 as never),
    ArgumentError,
    'Expected an array for shape of zeros but received 3: write zeros([3])',
  ],
  ['more memory than there is', () => empty([2 ** 50]), NativeError, 'out of memory'],
  ['an end that is text', () => arange('3' as never), ArgumentError, 'for end of arange'],
  ['a step of 0', () => arange(0, 3, 0), ArgumentError, 'Expected a number other than 0 for step'],
  ['a step away from the end', () => arange(0, 3, -1), ArgumentError, 'a number that leads from 0 to 3'],
  ['an empty range', () => randint(3, 3, [1]), ArgumentError, 'Expected an integer above low 3 for high'],
  ['no tensors to join', () => cat([]), ShapeError, 'non-empty list'],
  ['tensors that do not fit', () => cat([zeros([1, 2]), zeros([1, 3])]), ShapeError, 'Sizes of tensors'],
  [
    'a number among tensors',
    () => cat([zeros([1]), 3 as never]),
    ArgumentError,
    'Expected a Tensor for tensors of cat but received 3 (number)',
  ],
  ['letters of two sizes', () => einsum('ij,jk->ik', eye(2), eye(3)), ShapeError, 'subscript j'],
  ['a condition of floats', () => where(zeros([2]), 1, 0), DTypeError, 'boolean tensor'],
]);

it.runIf(!native.cudaBuilt())('says why cuda is absent', () => {
  expect(() => zeros([1], { device: 'cuda' })).toThrow(DeviceError);
  expect(() => zeros([1], { device: 'cuda' })).toThrow(
    "received 'cuda': the libtorch in use is a CPU build without CUDA",
  );
});

it('says how many CUDA devices there are', () => {
  expect(() => zeros([1], { device: 'cuda:99' })).toThrow(
    /CPU build without CUDA|\d+ CUDA devices were found|NVIDIA|driver/,
  );
});

describe('dtypes', () => {
  const arrays: Record<DType, ArrayBufferView> = {
    float32: Float32Array.of(0.1, -2, Number.NaN, Number.POSITIVE_INFINITY),
    float64: Float64Array.of(0.1, -2, Number.NaN, Number.NEGATIVE_INFINITY),
    float16: Uint16Array.of(0x3c00, 0xc000, 0x7c00, 0x0001), // 1, -2, inf, the smallest subnormal
    bfloat16: Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x0001),
    int64: BigInt64Array.of(1n, -(2n ** 63n), 2n ** 63n - 1n, 0n),
    int32: Int32Array.of(1, -(2 ** 31), 2 ** 31 - 1, 0),
    int16: Int16Array.of(1, -32768, 32767, 0),
    int8: Int8Array.of(1, -128, 127, 0),
    uint8: Uint8Array.of(1, 0, 255, 128),
    bool: Uint8Array.of(1, 0, 0, 1),
  };

  it.each(DTYPES)('%s goes in and out unchanged', (dtype) => {
    const made = tensor(arrays[dtype] as Float32Array, { dtype, shape: [2, 2] });
    expect(made.dtype).toBe(dtype);
    expect(made.shape).toEqual([2, 2]);
    expect(made.dataSync()).toEqual(arrays[dtype]);
  });

  it.each(DTYPES)('%s converts from and to float32', (dtype) => {
    const there = tensor([0, 1, 1, 0], { dtype });
    expect(there.dtype).toBe(dtype);
    expect([...there.dataSync({ dtype: 'float32' })]).toEqual([0, 1, 1, 0]);
    expect(zeros([2], { dtype }).to({ dtype }).numel).toBe(2);
  });

  it('rounds to 16 bits to nearest even', () => {
    const words = (values: number[], dtype: DType) => [
      ...(tensor(values, { dtype }).dataSync() as Uint16Array),
    ];
    expect(words([1, 1 / 3, 65520], 'float16')).toEqual([0x3c00, 0x3555, 0x7c00]);
    expect(words([1, 1 / 3, 1.00390625], 'bfloat16')).toEqual([0x3f80, 0x3eab, 0x3f80]);
    expect(tensor([0.1], { dtype: 'bfloat16' }).arraySync()).toEqual([0.10009765625]);
  });

  it('takes the dtype from the values', () => {
    expect(tensor([1, 2]).dtype).toBe('float32');
    expect(tensor([1n]).dtype).toBe('int64');
    expect(tensor([true]).dtype).toBe('bool');
    expect(tensor([true, 1]).dtype).toBe('float32');
    expect(tensor(new Int8Array(1)).dtype).toBe('int8');
    expect(tensor(new Uint8ClampedArray(1)).dtype).toBe('uint8');
    expect(full([1], true).dtype).toBe('bool');
    expect(full([1], 3n).dtype).toBe('int64');
  });

  it('reads integers beyond 2^53 as bigints, smaller ones as numbers', () => {
    expect(tensor([2n ** 60n, 5n]).arraySync()).toEqual([2n ** 60n, 5]);
    expect(tensor(2n ** 60n).item()).toBe(2n ** 60n);
    expect(tensor([true, false]).arraySync()).toEqual([true, false]);
    expect(tensor(true).item()).toBe(1);
  });

  it('converts any values to the bools 0 and 1', () => {
    expect(tensor(Uint8Array.of(0, 7, 255), { dtype: 'bool' }).dataSync()).toEqual(Uint8Array.of(0, 1, 1));
  });

  it('knows sizes and kinds', () => {
    expect(DTYPES.map(itemSize)).toEqual([4, 8, 2, 2, 8, 4, 2, 1, 1, 1]);
    expect(DTYPES.filter(isFloatingPoint)).toEqual(['float32', 'float64', 'float16', 'bfloat16']);
    expect(dtypeOfArray(new Int16Array(1))).toBe('int16');
    expect(() => dtypeOfArray(new Uint16Array(1))).toThrow(DTypeError);
  });
});

describe('tensor', () => {
  it('copies what it is given', () => {
    const source = Float32Array.of(1, 2);
    const made = tensor(source);
    source[0] = 9;
    expect(made.arraySync()).toEqual([1, 2]);
    made.dataSync({ dtype: 'float32' })[1] = 9;
    expect(made.arraySync()).toEqual([1, 2]);
  });

  it('reads a part of a larger buffer', () => {
    expect(tensor(Float32Array.of(0, 1, 2, 3).subarray(1, 3)).arraySync()).toEqual([1, 2]);
  });

  it('makes 0-d and empty tensors', () => {
    expect([tensor(5).shape, tensor(5).numel, tensor(5).arraySync()]).toEqual([[], 1, 5]);
    expect([tensor([]).shape, tensor([]).dtype, tensor([]).arraySync()]).toEqual([[0], 'float32', []]);
    expect([tensor([[], []]).shape, tensor([[], []]).arraySync()]).toEqual([
      [2, 0],
      [[], []],
    ]);
    expect(zeros([0, 3]).dataSync()).toEqual(new Float32Array(0));
  });
});

const factories: [string, () => Tensor, unknown, DType][] = [
  ['zeros', () => zeros([2]), [0, 0], 'float32'],
  ['ones', () => ones([2], { dtype: 'int8' }), [1, 1], 'int8'],
  ['full', () => full([2], 2.5), [2.5, 2.5], 'float32'],
  ['zerosLike', () => zerosLike(tensor([[1n]])), [[0]], 'int64'],
  ['onesLike', () => onesLike(tensor([[1n]]), { dtype: 'float64' }), [[1]], 'float64'],
  ['arange(3)', () => arange(3), [0, 1, 2], 'int64'],
  ['arange(1, 4)', () => arange(1, 4), [1, 2, 3], 'int64'],
  ['arange(4, 0, -2)', () => arange(4, 0, -2), [4, 2], 'int64'],
  ['arange(0, 1, 0.25)', () => arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75], 'float32'],
  ['arange(2, { dtype })', () => arange(2, { dtype: 'float64' }), [0, 1], 'float64'],
  ['arange(0)', () => arange(0), [], 'int64'],
  ['linspace', () => linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1], 'float32'],
  [
    'eye',
    () => eye(2, { m: 3 }),
    [
      [1, 0, 0],
      [0, 1, 0],
    ],
    'float32',
  ],
  ['cat', () => cat([ones([1, 1]), zeros([1, 2])], { dim: 1 }), [[1, 0, 0]], 'float32'],
  ['cat of two dtypes', () => cat([tensor([1n]), tensor([0.5])]), [1, 0.5], 'float32'],
  ['where', () => where(tensor([true, false]), tensor([1, 2]), 0), [1, 0], 'float32'],
  [
    'einsum',
    () =>
      einsum(
        'ij,j->i',
        tensor([
          [1, 2],
          [3, 4],
        ]),
        tensor([1, 10]),
      ),
    [21, 43],
    'float32',
  ],
];

it.each(factories)('%s', (_, make, values, dtype) => {
  expectValues(make(), values);
  expect(make().dtype).toBe(dtype);
});

describe('random factories', () => {
  it('draw within their ranges', () => {
    manualSeed(1);
    const uniform = rand([10_000]);
    expect(uniform.amin().item()).toBeGreaterThanOrEqual(0);
    expect(uniform.amax().item()).toBeLessThan(1);
    expect(uniform.mean().item()).toBeCloseTo(0.5, 1);
    const normal = randn([10_000], { dtype: 'float64' });
    expect(normal.std().item()).toBeCloseTo(1, 1);
    expect(randnLike(normal).dtype).toBe('float64');
    const integers = randint(-2, 3, [1000]);
    expect([integers.dtype, integers.amin().item(), integers.amax().item()]).toEqual(['int64', -2, 2]);
    expect(randperm(5).sort().values.arraySync()).toEqual([0, 1, 2, 3, 4]);
    expect(empty([2, 3], { requiresGrad: true }).requiresGrad).toBe(true);
  });

  it('give what PyTorch gives for a seed', () => {
    manualSeed(0); // torch.manual_seed(0); torch.rand(3)
    expectValues(rand([3]), [0.4962565899, 0.7682217956, 0.0884774327], 1e-9);
  });
});
