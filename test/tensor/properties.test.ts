import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  cuda,
  DeviceError,
  type DType,
  ShapeError,
  Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';

const x = arange(6, { dtype: 'float32' }).reshape(2, 3);
const batch = arange(12, { dtype: 'float32' }).reshape(2, 2, 3);
const number = tensor([7]).reshape([]);

describe('sizes', () => {
  it('are those of the properties', () => {
    expect(batch.size()).toEqual([2, 2, 3]);
    expect([batch.size(0), batch.size(2), batch.size(-1), batch.size(-3)]).toEqual([2, 3, 3, 2]);
    expect(x.t().stride()).toEqual([1, 3]);
    expect([x.stride(0), x.stride(-1)]).toEqual([3, 1]);
    expect([batch.dim(), batch.ndimension(), batch.nelement(), number.dim()]).toEqual([3, 3, 12, 0]);
    expect([batch.elementSize(), batch.itemsize, batch.nbytes, zeros([0]).nbytes]).toEqual([4, 4, 48, 0]);
    expect([x.isSameSize(zeros([2, 3])), x.isSameSize(zeros([3, 2])), x.isSameSize(x.sum())]).toEqual([
      true,
      false,
      false,
    ]);
  });

  itRefuses([
    [
      'a dimension beyond the last',
      () => x.size(2),
      ShapeError,
      'from -2 to 1 for dim but received 2 for shape [2, 3]',
    ],
    ['a dimension before the first', () => x.stride(-3), ShapeError, 'from -2 to 1 for dim but received -3'],
    ['a dimension of a number', () => number.size(0), ShapeError, 'a tensor with dimensions for dim 0'],
    [
      'a dimension that is no integer',
      () => x.size(0.5),
      ArgumentError,
      'an integer for dim but received 0.5',
    ],
  ]);
});

describe('dtypes and devices', () => {
  // Values of torch.Tensor.is_floating_point, is_signed and element_size.
  it.each<[DType, boolean, boolean, number]>([
    ['float64', true, true, 8],
    ['float32', true, true, 4],
    ['float16', true, true, 2],
    ['bfloat16', true, true, 2],
    ['int64', false, true, 8],
    ['int32', false, true, 4],
    ['int16', false, true, 2],
    ['int8', false, true, 1],
    ['uint8', false, false, 1],
    ['bool', false, false, 1],
  ])('%s', (dtype, floating, signed, bytes) => {
    const one = zeros([2], { dtype });
    expect([one.isFloatingPoint(), one.isSigned(), one.elementSize(), one.nbytes]).toEqual([
      floating,
      signed,
      bytes,
      2 * bytes,
    ]);
  });

  it('are converted by methods of their names', () => {
    const values = tensor([1.7, -1.2]);
    expect([values.char().dtype, values.char().arraySync()]).toEqual(['int8', [1, -1]]);
    expect([tensor([1.7, 200]).byte().dtype, tensor([1.7, 200]).byte().arraySync()]).toEqual([
      'uint8',
      [1, 200],
    ]);
  });

  it('of the CPU', () => {
    expect([x.isCpu, x.isCuda, x.getDevice()]).toEqual([true, false, -1]);
    expect([tensor([3]).isNonzero(), tensor([0]).isNonzero(), tensor([true]).isNonzero()]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it.skipIf(cuda.isAvailable())('cuda() needs a GPU', () => {
    expect(() => x.cuda()).toThrow(DeviceError);
    expect(() => x.cuda(1)).toThrow(DeviceError);
  });

  itRefuses([
    [
      'cuda of another device',
      () => x.cuda('cpu' as never),
      ArgumentError,
      "'cuda', 'cuda:N' or the number of a GPU",
    ],
    ['isNonzero of several', () => x.isNonzero(), ShapeError, 'a Tensor with one element'],
  ]);
});

describe('transposed views', () => {
  it('share the memory', () => {
    expect(x.T.arraySync()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    const matrix = zeros([2, 3]);
    matrix.T.index(0, 1).fill_(5);
    expect(matrix.arraySync()).toEqual([
      [0, 0, 0],
      [5, 0, 0],
    ]);
    expect(batch.mT.shape).toEqual([2, 3, 2]);
    expect(batch.mT.index(1).arraySync()).toEqual(batch.index(1).t().arraySync());
    expect(x.mT.equal(x.T)).toBe(true);
    expect([x.H.equal(x.T), batch.mH.equal(batch.mT), batch.adjoint().equal(batch.mT)]).toEqual([
      true,
      true,
      true,
    ]);
    expect([tensor([1, 2]).T.shape, number.T.shape]).toEqual([[2], []]);
    expect(x.tolist()).toEqual(x.arraySync());
    expect(number.tolist()).toBe(7);
  });

  itRefuses([
    ['T of a batch', () => batch.T, ShapeError, 'at most 2 dimensions for T but received [2, 2, 3]: use mT'],
    ['mT of a vector', () => tensor([1]).mT, ShapeError, 'at least 2 dimensions for mT but received [1]'],
  ]);
});

describe('new tensors', () => {
  const like = zeros([1], { dtype: 'float64' });

  it('have the dtype and the device of the tensor', () => {
    for (const made of [like.newZeros([2]), like.newOnes([2]), like.newFull([2], 3), like.newEmpty([2])])
      expect([made.dtype, made.device, made.shape, made.requiresGrad]).toEqual([
        'float64',
        'cpu',
        [2],
        false,
      ]);
    expect(like.newZeros([2]).arraySync()).toEqual([0, 0]);
    expect(like.newOnes([2]).arraySync()).toEqual([1, 1]);
    expect(like.newFull([2], 3).arraySync()).toEqual([3, 3]);
    const other = like.newFull([1, 1], 2, { dtype: 'float32', requiresGrad: true });
    expect([other.dtype, other.requiresGrad, other.arraySync()]).toEqual(['float32', true, [[2]]]);
    expect(like.newEmpty([2], { dtype: 'int8' }).dtype).toBe('int8');
  });
});

describe('other receivers than tensors', () => {
  itRefuses(
    (
      [
        'size',
        'stride',
        'isNonzero',
        'tolist',
        'adjoint',
        'newZeros',
        'subtract',
        'negative_',
        'clip_',
      ] as const
    ).map((name) => [
      name,
      () => (Tensor.prototype[name] as (...args: unknown[]) => unknown).call({}, [1]),
      ArgumentError,
      'a Tensor for input',
    ]),
  );

  it.each(['T', 'mT', 'H', 'mH', 'nbytes', 'itemsize', 'isCuda'])('%s', (name) => {
    expect(() => Reflect.get(Tensor.prototype, name, {})).toThrow(ArgumentError);
  });
});
