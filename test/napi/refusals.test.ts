/**
 * Errors have the documented class, and a message that names the argument in terms of JavaScript. Most messages
 * are libtorch's, reworded by cpp/napi/wording.cc.
 */
import { describe, expect, it } from 'vitest';
import {
  arange,
  cat,
  einsum,
  eye,
  functional as F,
  full,
  linalg,
  ones,
  randint,
  stack,
  tensor,
  where,
  zeros,
} from '../../lib/index.js';

/** A Tensor with methods of any name. */
type AnyMethods = Record<string, (...args: unknown[]) => unknown>;
type Code = 'ERR_ARGUMENT' | 'ERR_SHAPE' | 'ERR_DTYPE' | 'ERR_DISPOSED' | 'ERR_NATIVE';
type Row = [call: string, code: Code, names: string, run: () => unknown];

const m23 = ones([2, 3]);
const m45 = ones([4, 5]);
const v3 = ones([3]);
const image = ones([1, 4, 8, 8]);
const int64 = (values: unknown) => tensor(values as never, { dtype: 'int64' });
const bool = (...shape: number[]) => ones(shape, { dtype: 'bool' });
const disposed = (() => {
  const x = ones([1]);
  x.dispose();
  return x;
})();

/** The same error for many operations of one form. */
function each(
  names: readonly string[],
  code: Code,
  argument: string,
  run: (x: AnyMethods, name: string) => unknown,
): Row[] {
  return names.map((name) => [name, code, argument, () => run(m23 as unknown as AnyMethods, name)]);
}

const binary = [
  'add',
  'sub',
  'mul',
  'div',
  'pow',
  'maximum',
  'minimum',
  'atan2',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'logicalAnd',
  'logicalOr',
  'logicalXor',
  'fmod',
  'remainder',
  'floorDivide',
  'fmax',
  'fmin',
  'hypot',
  'xlogy',
  'logaddexp',
  'copysign',
];
const reductions = [
  'sum',
  'mean',
  'var',
  'std',
  'prod',
  'amax',
  'amin',
  'argmax',
  'argmin',
  'all',
  'any',
  'logsumexp',
  'norm',
  'max',
  'min',
  'median',
  'nanmedian',
  'mode',
  'nansum',
  'nanmean',
  'countNonzero',
  'aminmax',
  'varMean',
  'cumsum',
  'cumprod',
  'cummax',
  'cummin',
  'logcumsumexp',
  'unique',
  'uniqueConsecutive',
  'argsort',
  'sort',
  'diff',
  'softmax',
  'logSoftmax',
];
const bitwise = ['bitwiseAnd', 'bitwiseOr', 'bitwiseXor'];
const inPlace = ['add_', 'sub_', 'mul_', 'div_', 'pow_'];

const ROWS: Row[] = [
  ...each(binary, 'ERR_SHAPE', 'other', (x, name) => x[name]!(m45)).map(
    (row): Row => (row[0] === 'pow' ? [row[0], row[1], 'exponent', row[3]] : row),
  ),
  ...each(binary, 'ERR_ARGUMENT', 'other', (x, name) => x[name]!('2')).map(
    (row): Row => (row[0] === 'pow' ? [row[0], row[1], 'exponent', row[3]] : row),
  ),
  ...each(reductions, 'ERR_SHAPE', 'dim', (x, name) => x[name]!({ dim: 7 })),
  ...each(
    reductions.filter((name) => name !== 'prod'),
    'ERR_ARGUMENT',
    'dim',
    (x, name) => x[name]!({ dim: 1.5 }),
  ),
  ...each(bitwise, 'ERR_DTYPE', 'input', (x, name) => x[name]!(x)),
  ...each(inPlace, 'ERR_SHAPE', 'input', (x, name) => x[name]!(ones([2, 2, 3]))),
  ...each(inPlace.slice(0, 4), 'ERR_DTYPE', 'input', (_, name) =>
    (ones([2], { dtype: 'int64' }) as unknown as AnyMethods)[name]!(1.5),
  ),
  ['transpose', 'ERR_SHAPE', 'dim1', () => m23.transpose(0, 9)],
  ['unbind', 'ERR_SHAPE', 'dim', () => m23.unbind(9)],
  ['squeeze', 'ERR_SHAPE', 'dim', () => m23.squeeze(9)],
  ['unsqueeze', 'ERR_SHAPE', 'dim', () => m23.unsqueeze(9)],
  ['chunk', 'ERR_SHAPE', 'dim', () => m23.chunk(2, 9)],
  ['flip', 'ERR_SHAPE', 'dims', () => m23.flip([9])],
  ['roll', 'ERR_SHAPE', 'dims', () => m23.roll([1], [9])],

  ['matmul', 'ERR_SHAPE', 'other', () => m23.matmul(m45)],
  ['matmul', 'ERR_DTYPE', 'other', () => m23.matmul(ones([3, 2], { dtype: 'float64' }))],
  ['mm', 'ERR_SHAPE', 'other', () => m23.mm(v3)],
  ['bmm', 'ERR_SHAPE', 'other', () => m23.bmm(m45)],
  ['mv', 'ERR_SHAPE', 'vector', () => m23.mv(ones([2]))],
  ['dot', 'ERR_SHAPE', 'other', () => v3.dot(ones([2]))],
  ['dot', 'ERR_DTYPE', 'other', () => v3.dot(int64([1, 2, 3]))],
  ['addmm', 'ERR_SHAPE', 'mat2', () => m23.addmm(m45, m45)],
  ['einsum', 'ERR_SHAPE', 'equation', () => einsum('ij,jk->ik', m23, m45)],
  ['einsum', 'ERR_ARGUMENT', 'equation', () => einsum('i!->i', v3)],
  ['cross', 'ERR_SHAPE', 'other', () => m23.cross(m45)],
  ['trace', 'ERR_SHAPE', 'input', () => v3.trace()],
  ['diagonal', 'ERR_SHAPE', 'dim1', () => m23.diagonal({ dim1: 0, dim2: 0 })],
  ['inverse', 'ERR_SHAPE', 'input', () => m23.inverse()],
  ['det', 'ERR_SHAPE', 'input', () => m23.det()],
  ['linalg.cholesky', 'ERR_SHAPE', 'input', () => linalg.cholesky(m23)],
  ['linalg.solve', 'ERR_SHAPE', 'input', () => linalg.solve(m23, m23)],
  ['linalg.inv', 'ERR_DTYPE', 'input', () => linalg.inv(ones([2, 2], { dtype: 'int64' }))],
  ['linalg.matrixPower', 'ERR_SHAPE', 'input', () => linalg.matrixPower(m23, 2)],

  ['reshape', 'ERR_SHAPE', 'shape', () => m23.reshape([4, 2])],
  ['reshape', 'ERR_SHAPE', 'shape', () => m23.reshape([-1, -1])],
  ['view', 'ERR_SHAPE', 'shape', () => m23.t().view([6])],
  ['expand', 'ERR_SHAPE', 'shape', () => m23.expand([5, 3])],
  ['permute', 'ERR_SHAPE', 'dims', () => m23.permute([0, 0])],
  ['permute', 'ERR_SHAPE', 'dims', () => m23.permute([0])],
  ['narrow', 'ERR_SHAPE', 'start', () => m23.narrow(1, 2, 2)],
  ['select', 'ERR_SHAPE', 'index', () => m23.select(0, 2)],
  ['split', 'ERR_SHAPE', 'sizes', () => m23.split([1, 1], 1)],
  ['unflatten', 'ERR_SHAPE', 'sizes', () => m23.unflatten(1, [2, 2])],
  ['unfold', 'ERR_SHAPE', 'size', () => m23.unfold(1, 5, 1)],
  ['unfold', 'ERR_ARGUMENT', 'step', () => m23.unfold(1, 1, 0)],
  ['movedim', 'ERR_SHAPE', 'source', () => m23.movedim([0, 1], [0])],
  ['rot90', 'ERR_SHAPE', 'dims', () => v3.rot90()],
  ['cat', 'ERR_SHAPE', 'tensors', () => cat([m23, m45])],
  ['cat', 'ERR_SHAPE', 'tensors', () => cat([])],
  ['stack', 'ERR_SHAPE', 'tensors', () => stack([m23, m45])],
  ['where', 'ERR_SHAPE', 'condition', () => where(bool(7), m23, m45)],
  ['where', 'ERR_DTYPE', 'condition', () => where(m23, m23, m23)],

  ['index', 'ERR_SHAPE', 'indices', () => m23.index(5)],
  ['index', 'ERR_SHAPE', 'indices', () => m23.index(0, 0, 0)],
  ['index', 'ERR_SHAPE', 'indices', () => m23.index(int64([9]))],
  ['index', 'ERR_SHAPE', 'indices', () => m23.index(bool(4, 3))],
  ['index', 'ERR_DTYPE', 'indices', () => m23.index(ones([2]))],
  ['indexSelect', 'ERR_SHAPE', 'index', () => m23.indexSelect(0, int64([2]))],
  ['indexSelect', 'ERR_DTYPE', 'index', () => m23.indexSelect(0, ones([1]))],
  ['take', 'ERR_SHAPE', 'index', () => m23.take(int64([6]))],
  ['take', 'ERR_DTYPE', 'index', () => m23.take(v3)],
  ['gather', 'ERR_SHAPE', 'index', () => m23.gather(1, int64([[3]]))],
  ['gather', 'ERR_DTYPE', 'index', () => m23.gather(1, m23)],
  ['gather', 'ERR_SHAPE', 'index', () => m23.gather(1, int64([0]))],
  ['scatter', 'ERR_SHAPE', 'index', () => m23.scatter(1, int64([[3]]), m23)],
  ['scatter', 'ERR_DTYPE', 'source', () => m23.scatter(1, int64([[0]]), int64([[1]]))],
  ['scatterAdd', 'ERR_DTYPE', 'index', () => m23.scatterAdd(1, m23, m23)],
  [
    'scatterReduce',
    'ERR_ARGUMENT',
    'reduce',
    () => m23.scatterReduce(1, int64([[0]]), m23, { reduce: 'max' as never }),
  ],
  ['indexAdd', 'ERR_SHAPE', 'index', () => m23.indexAdd(0, int64([2]), ones([1, 3]))],
  ['indexAdd', 'ERR_DTYPE', 'source', () => m23.indexAdd(0, int64([0]), int64([[1, 2, 3]]))],
  ['indexCopy', 'ERR_SHAPE', 'index', () => m23.indexCopy(0, int64([2]), ones([1, 3]))],
  ['indexFill', 'ERR_SHAPE', 'index', () => m23.indexFill(0, int64([2]), 1)],
  ['maskedSelect', 'ERR_DTYPE', 'mask', () => m23.maskedSelect(m23)],
  ['maskedFill', 'ERR_SHAPE', 'mask', () => m23.maskedFill(bool(5), 1)],
  ['maskedScatter', 'ERR_SHAPE', 'source', () => m23.maskedScatter(bool(2, 3), ones([2]))],
  ['repeatInterleave', 'ERR_SHAPE', 'repeats', () => v3.repeatInterleave(int64([1, 2]))],
  ['repeatInterleave', 'ERR_DTYPE', 'repeats', () => v3.repeatInterleave(ones([3]))],

  ['topk', 'ERR_SHAPE', 'k', () => v3.topk(4)],
  ['kthvalue', 'ERR_SHAPE', 'k', () => v3.kthvalue(4)],
  ['quantile', 'ERR_DTYPE', 'input', () => int64([1, 2]).quantile(0.5)],
  ['bincount', 'ERR_SHAPE', 'input', () => int64([[1]]).bincount()],
  ['bincount', 'ERR_ARGUMENT', 'input', () => int64([-1]).bincount()],
  ['bincount', 'ERR_ARGUMENT', 'input', () => int64([2n ** 63n - 1n]).bincount()],
  ['histc', 'ERR_ARGUMENT', 'bins', () => v3.histc({ bins: 0 })],
  ['eye', 'ERR_SHAPE', 'n 1099511627776', () => eye(2 ** 40)],
  ['F.adaptiveAvgPool2d', 'ERR_SHAPE', 'outputSize', () => F.adaptiveAvgPool2d(image, [2 ** 40, 2 ** 40])],
  ['histc', 'ERR_ARGUMENT', 'min', () => v3.histc({ min: 2, max: 1 })],
  ['histc', 'ERR_ARGUMENT', 'input', () => tensor([Number.NaN]).histc()],
  ['searchsorted', 'ERR_SHAPE', 'values', () => m23.searchsorted(m45)],
  ['bucketize', 'ERR_SHAPE', 'boundaries', () => v3.bucketize(m23)],
  ['max', 'ERR_SHAPE', 'input', () => zeros([0]).max()],
  ['argmax', 'ERR_SHAPE', 'input', () => zeros([0]).argmax()],
  ['mean', 'ERR_DTYPE', 'input', () => int64([1, 2]).mean()],
  ['multinomial', 'ERR_ARGUMENT', 'numSamples', () => v3.multinomial(4)],
  ['multinomial', 'ERR_ARGUMENT', 'input', () => tensor([-1, 2]).multinomial(1)],
  ['multinomial', 'ERR_DTYPE', 'input', () => int64([1, 2]).multinomial(1)],
  ['bernoulli', 'ERR_ARGUMENT', 'input', () => tensor([2]).bernoulli()],
  ['bernoulli_', 'ERR_ARGUMENT', 'p', () => ones([1]).bernoulli_({ p: 2 })],
  ['poisson', 'ERR_ARGUMENT', 'input', () => tensor([-1]).poisson()],
  ['exponential_', 'ERR_ARGUMENT', 'lambda', () => ones([1]).exponential_({ lambda: -1 })],
  ['normal_', 'ERR_ARGUMENT', 'std', () => ones([1]).normal_({ std: -1 })],
  ['uniform_', 'ERR_ARGUMENT', 'from', () => ones([1]).uniform_({ from: 2, to: 1 })],
  ['random_', 'ERR_ARGUMENT', 'from', () => ones([1]).random_({ from: 2, to: 1 })],
  ['geometric_', 'ERR_ARGUMENT', 'p', () => ones([1]).geometric_({ p: 0 })],
  ['cauchy_', 'ERR_ARGUMENT', 'sigma', () => ones([1]).cauchy_({ sigma: -1 })],
  ['logNormal_', 'ERR_ARGUMENT', 'std', () => ones([1]).logNormal_({ std: -1 })],
  ['randint', 'ERR_ARGUMENT', 'high', () => randint(3, 1, [2])],
  ['full', 'ERR_SHAPE', 'shape', () => full([-1], 0)],
  ['arange', 'ERR_ARGUMENT', 'step', () => arange(0, 5, 0)],
  ['lerp', 'ERR_DTYPE', 'end', () => v3.lerp(int64([1, 2, 3]), 0.5)],

  ['F.linear', 'ERR_SHAPE', 'weight', () => F.linear(m23, m45)],
  ['F.linear', 'ERR_DTYPE', 'weight', () => F.linear(m23, ones([4, 3], { dtype: 'float64' }))],
  ['F.embedding', 'ERR_SHAPE', 'indices', () => F.embedding(int64([9]), m23)],
  ['F.embedding', 'ERR_DTYPE', 'indices', () => F.embedding(ones([1]), m23)],
  ['F.oneHot', 'ERR_ARGUMENT', 'numClasses', () => F.oneHot(int64([3]), 2)],
  ['F.oneHot', 'ERR_ARGUMENT', 'input', () => F.oneHot(int64([-1]))],
  ['F.oneHot', 'ERR_DTYPE', 'input', () => F.oneHot(ones([2]))],
  ['F.layerNorm', 'ERR_SHAPE', 'normalizedShape', () => F.layerNorm(m23, [4])],
  ['F.groupNorm', 'ERR_SHAPE', 'numGroups', () => F.groupNorm(image, 3)],
  ['F.glu', 'ERR_SHAPE', 'input', () => F.glu(v3, { dim: 0 })],
  ['F.prelu', 'ERR_SHAPE', 'weight', () => F.prelu(m23, ones([2]))],
  ['F.dropout', 'ERR_ARGUMENT', 'p', () => F.dropout(m23, { p: 2, training: true })],
  ['F.pixelShuffle', 'ERR_SHAPE', 'input', () => F.pixelShuffle(image, 3)],
  ['F.pad', 'ERR_SHAPE', 'padding', () => F.pad(image, [9, 9], { mode: 'reflect' })],
  ['F.pad', 'ERR_SHAPE', 'padding', () => F.pad(image, [1])],
  ['F.gridSample', 'ERR_SHAPE', 'grid', () => F.gridSample(image, m23)],
  ['F.gridSample', 'ERR_DTYPE', 'grid', () => F.gridSample(image, ones([1, 2, 2, 2], { dtype: 'float64' }))],
  ['F.affineGrid', 'ERR_SHAPE', 'theta', () => F.affineGrid(m23, [1, 1, 2, 2])],
  ['F.bilinear', 'ERR_SHAPE', 'weight', () => F.bilinear(m23, m23, m23)],
  ['F.scaledDotProductAttention', 'ERR_SHAPE', 'query', () => F.scaledDotProductAttention(m23, m45, m45)],

  ['F.crossEntropy', 'ERR_SHAPE', 'target', () => F.crossEntropy(m23, int64([0, 3]))],
  ['F.crossEntropy', 'ERR_SHAPE', 'target', () => F.crossEntropy(m23, int64([0]))],
  ['F.crossEntropy', 'ERR_DTYPE', 'target', () => F.crossEntropy(m23, tensor([0, 1], { dtype: 'int16' }))],
  ['F.crossEntropy', 'ERR_SHAPE', 'weight', () => F.crossEntropy(m23, int64([0, 1]), { weight: ones([2]) })],
  ['F.nllLoss', 'ERR_SHAPE', 'target', () => F.nllLoss(m23, int64([0, 3]))],
  ['F.nllLoss', 'ERR_DTYPE', 'target', () => F.nllLoss(m23, ones([2]))],
  ['F.mseLoss', 'ERR_SHAPE', 'target', () => F.mseLoss(m23, m45)],
  ['F.mseLoss', 'ERR_ARGUMENT', 'reduction', () => F.mseLoss(m23, m23, { reduction: 'avg' as never })],
  ['F.binaryCrossEntropy', 'ERR_SHAPE', 'target', () => F.binaryCrossEntropy(m23, m45)],
  ['F.binaryCrossEntropy', 'ERR_ARGUMENT', 'input', () => F.binaryCrossEntropy(m23.mul(2), m23)],
  ['F.binaryCrossEntropyWithLogits', 'ERR_SHAPE', 'target', () => F.binaryCrossEntropyWithLogits(m23, m45)],
  ['F.klDiv', 'ERR_SHAPE', 'target', () => F.klDiv(m23, m45)],
  ['F.huberLoss', 'ERR_SHAPE', 'target', () => F.huberLoss(m23, m45)],
  ['F.smoothL1Loss', 'ERR_SHAPE', 'target', () => F.smoothL1Loss(m23, m45)],
  ['F.softMarginLoss', 'ERR_SHAPE', 'target', () => F.softMarginLoss(m23, m45)],
  ['F.multiMarginLoss', 'ERR_SHAPE', 'target', () => F.multiMarginLoss(m23, int64([0, 3]))],
  ['F.multiMarginLoss', 'ERR_ARGUMENT', 'p', () => F.multiMarginLoss(m23, int64([0, 1]), { p: 3 as never })],
  ['F.multiMarginLoss', 'ERR_DTYPE', 'target', () => F.multiMarginLoss(m23, ones([2]))],
  [
    'F.multilabelMarginLoss',
    'ERR_SHAPE',
    'target',
    () =>
      F.multilabelMarginLoss(
        m23,
        int64([
          [0, 1, 3],
          [0, -1, -1],
        ]),
      ),
  ],
  ['F.multilabelMarginLoss', 'ERR_DTYPE', 'target', () => F.multilabelMarginLoss(m23, m23)],
  ['F.cosineEmbeddingLoss', 'ERR_SHAPE', 'target', () => F.cosineEmbeddingLoss(m23, m23, v3)],
  ['F.tripletMarginLoss', 'ERR_SHAPE', 'positive', () => F.tripletMarginLoss(m23, m45, m23)],

  ['item', 'ERR_SHAPE', 'element', () => m23.item()],
  ['to', 'ERR_DTYPE', 'dtype', () => m23.to({ dtype: 'float8' as never })],
  ['requiresGrad', 'ERR_DTYPE', 'requiresGrad', () => int64([1]).requiresGrad_()],
  [
    'backward',
    'ERR_SHAPE',
    'gradient',
    () =>
      ones([2], { requiresGrad: true })
        .mul(2)
        .backward(ones([3])),
  ],
  ['backward', 'ERR_SHAPE', 'input', () => ones([2], { requiresGrad: true }).mul(2).backward()],
  ['add', 'ERR_DISPOSED', 'other', () => m23.add(disposed)],
  ['sum', 'ERR_DISPOSED', 'input', () => disposed.sum()],
];

/** Words of Python and C++, names in snake_case, internal names of the add-on. */
const FOREIGN =
  /\b(?:Long|Byte|Half|BFloat16|Float|Double|Char|Short|Int|Bool|True|False|None|SymInt|torch|unsigned char|at::|c10|aten|InPlace|Python)\b|[a-z0-9]_[a-z]|=True|InPlace|Exception raised|enhancement request/;

describe('every refusal', () => {
  it.each(ROWS)('%s: %s, naming %s', (_, code, names, run) => {
    let error: { code?: string; message?: string } = {};
    try {
      run();
    } catch (caught) {
      error = caught as typeof error;
    }
    expect(error.message ?? 'nothing was refused').toContain(names);
    expect(error.message).not.toMatch(FOREIGN);
    expect(error.code, error.message).toBe(code);
  });

  it('says of the second backward pass what to do in JavaScript', () => {
    const y = ones([2], { requiresGrad: true }).exp().sum();
    y.backward();
    expect(() => y.backward()).toThrow(/retainGraph: true/);
    expect(() => y.backward()).not.toThrow(FOREIGN);
  });
});
