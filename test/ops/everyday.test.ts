import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  broadcastShapes,
  DTypeError,
  functional as F,
  linalg,
  logspace,
  nn,
  ones,
  rand,
  ShapeError,
  Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';

const long = (values: number[] | number[][]) => tensor(values, { dtype: 'int64' });

describe('max pooling with indices, and back', () => {
  it.each([1, 2, 3] as const)('gives the maxima their places again, %dd', (count) => {
    const spatial = [6, 5, 4].slice(0, count);
    const x = rand([2, 3, ...spatial]);
    const pool = new [nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d][count - 1]!(2, { returnIndices: true });
    const unpool = new [nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d][count - 1]!(2);
    const { values, indices } = pool.forward(x);
    const back = unpool.forward(values, indices, spatial);
    expect(back.shape).toEqual(x.shape);
    // The nonzero elements are those of the input.
    expect(back.ne(0).logicalAnd(back.ne(x)).any().item()).toBe(0);
    expect(back.flatten(2).gather(2, indices.flatten(2)).equal(values.flatten(2))).toBe(true);
  });

  it('returns plain tensors by default', () => {
    const x = rand([1, 1, 4, 4]);
    expect(new nn.MaxPool2d(2).forward(x).shape).toEqual([1, 1, 2, 2]);
    expect(F.maxPool2d(x, 2, { returnIndices: true }).indices.dtype).toBe('int64');
    expect(new nn.AdaptiveMaxPool2d(2, { returnIndices: true }).forward(x).indices.shape).toEqual([
      1, 1, 2, 2,
    ]);
  });

  const x = ones([1, 1, 2, 2]);
  const at = (index: number) =>
    long([
      [0, 1],
      [2, index],
    ]).reshape([1, 1, 2, 2]);
  itRefuses([
    ['an index behind the result', () => F.maxUnpool2d(x, at(16), 2), ShapeError, 'indices from 0 to 15'],
    ['a negative index', () => F.maxUnpool2d(x, at(-1), 2), ShapeError, 'indices from -1 to 2'],
    ['a far index', () => F.maxUnpool2d(x, at(2 ** 40), 2), ShapeError, 'indices from 0 to 15'],
    [
      'a far index of a signal',
      () => F.maxUnpool1d(ones([1, 1, 2]), long([[0, 99]]).reshape([1, 1, 2]), 2),
      ShapeError,
      'indices from 0 to 3',
    ],
    [
      'a far index of a volume',
      () => F.maxUnpool3d(ones([1, 1, 1, 1, 1]), long([[8]]).reshape([1, 1, 1, 1, 1]), 2),
      ShapeError,
      'indices from 0 to 7',
    ],
    ['indices of another shape', () => F.maxUnpool2d(x, at(3).flatten(), 2), ShapeError, 'for indices'],
    ['indices of another dtype', () => F.maxUnpool2d(x, at(3).float(), 2), DTypeError, 'int64 for indices'],
    [
      'a size that no pooling gives',
      () => F.maxUnpool2d(x, at(3), 2, { outputSize: [9, 9] }),
      ShapeError,
      'outputSize',
    ],
    [
      'a window without a pixel',
      () =>
        F.maxPool2d(ones([1, 1, 1, 4]), 2, { padding: 1, dilation: 2, ceilMode: true, returnIndices: true }),
      ShapeError,
      'windows that each reach the input',
    ],
    [
      'a window beyond 64 bits',
      () => F.maxPool2d(ones([1, 1, 4, 4]), 4, { dilation: 2 ** 52 * 2 ** 10 - 1, returnIndices: true }),
      ArgumentError,
      'dilation',
    ],
    [
      'a flag that is none',
      () => F.maxPool2d(x, 2, { returnIndices: 1 as never }),
      ArgumentError,
      'a boolean for returnIndices',
    ],
  ]);
});

describe('positions outside of the tensor', () => {
  const x = ones([3, 2]);
  const row = ones([1, 2]);
  itRefuses([
    ['indexReduce', () => x.indexReduce(0, long([3]), row, { reduce: 'amax' }), ShapeError, 'out of range'],
    [
      'indexReduce_',
      () => x.indexReduce_(0, long([-4]), row, { reduce: 'prod' }),
      ShapeError,
      'out of range',
    ],
    [
      'indexReduce of a vector',
      () => ones([3]).indexReduce(0, long([7]), ones([1]), { reduce: 'mean' }),
      ShapeError,
      'out of range',
    ],
    [
      'scatterReduce_',
      () => x.clone().scatterReduce_(0, long([[3, 0]]), row, { reduce: 'sum' }),
      ShapeError,
      'out of bounds',
    ],
    ['put', () => x.put(long([6]), ones([1])), ShapeError, 'out of range'],
    ['put_', () => x.put_(long([-7]), ones([1])), ShapeError, 'out of range'],
    ['selectScatter', () => x.selectScatter(ones([2]), 0, 3), ShapeError, 'out of range'],
    ['asStrided', () => x.asStrided([4], [2]), ShapeError, 'out of bounds'],
    [
      'asStrided far away',
      () => x.asStrided([1], [1], { storageOffset: 2 ** 40 }),
      ShapeError,
      'out of bounds',
    ],
    [
      'searchsorted by another order',
      () => ones([3]).searchsorted(1, { sorter: long([0, 1, 3]) }),
      ShapeError,
      'out of range',
    ],
    [
      'bincount with too few weights',
      () => long([0, 1]).bincount({ weights: ones([1]) }),
      ShapeError,
      'weights',
    ],
  ]);
});

describe('bags of rows', () => {
  const x = ones([3, 2]);
  itRefuses([
    ['a row outside of the table', () => F.embeddingBag(long([[0, 3]]), x), ShapeError, 'input from 0 to 2'],
    [
      'offsets beyond the input',
      () => F.embeddingBag(long([0, 1]), x, { offsets: long([0, 3]) }),
      ShapeError,
      'offset 1 is 3',
    ],
    [
      'falling offsets',
      () => F.embeddingBag(long([0, 1]), x, { offsets: long([0, 2, 1]) }),
      ShapeError,
      'offset 2 is 1',
    ],
    [
      'a first bag that starts late',
      () => F.embeddingBag(long([0, 1]), x, { offsets: long([1]) }),
      ShapeError,
      'offset 0 is 1',
    ],
    [
      'too few weights',
      () => F.embeddingBag(long([0, 1]), x, { offsets: long([0]), mode: 'sum', perSampleWeights: ones([1]) }),
      ShapeError,
      'perSampleWeights',
    ],
    ['a vector without offsets', () => F.embeddingBag(long([0, 1]), x), ArgumentError, 'for offsets'],
    [
      'a padding row outside of the table',
      () => F.embeddingBag(long([[0]]), x, { paddingIdx: 3 }),
      ArgumentError,
      'for paddingIdx',
    ],
  ]);
});

describe('wrong arguments are named', () => {
  const x = ones([2, 3, 4]);
  itRefuses([
    ["norm 'nuc' of three dimensions", () => x.norm({ p: 'nuc' }), ShapeError, "with p 'nuc'"],
    ['norm of another name', () => x.norm({ p: 'two' as never }), ArgumentError, "'fro' or 'nuc' for p"],
    ['linalg.norm of another name', () => linalg.norm(x, { ord: 'x' as never }), ArgumentError, 'for ord'],
    ['linalg.cond of another name', () => linalg.cond(x, { p: 'x' as never }), ArgumentError, 'for p'],
    ['eigh of another half', () => linalg.eigh(x, { UPLO: 'l' as never }), ArgumentError, 'for UPLO'],
    ['sum of another dtype', () => x.sum({ dtype: 'float' as never }), DTypeError, 'dtype of sum'],
    ['softmax of another dtype', () => x.softmax({ dtype: 'int' as never }), DTypeError, 'dtype of softmax'],
    ['mean of integers', () => long([1]).mean(), DTypeError, 'floating point'],
    [
      'searchsorted on both sides',
      () => x.searchsorted(1, { right: true, side: 'left' }),
      ArgumentError,
      'for side',
    ],
    ['searchsorted elsewhere', () => x.searchsorted(1, { side: 'up' as never }), ArgumentError, 'for side'],
    [
      'quantile between elements',
      () => x.quantile(0.5, { interpolation: 'cubic' as never }),
      ArgumentError,
      'for interpolation',
    ],
    ['nanquantile above 1', () => x.nanquantile(2), ArgumentError, 'for q'],
    [
      'indexReduce by sums',
      () => x.indexReduce(0, long([0]), x, { reduce: 'sum' as never }),
      ArgumentError,
      'reduce',
    ],
    ['histogram of one end', () => x.histogram(2, { range: [1] as never }), ArgumentError, 'for range'],
    [
      'histogram with edges and range',
      () => x.histogram(ones([3]), { range: [0, 1] }),
      ArgumentError,
      'for range',
    ],
    ['avgPool2d by 0', () => F.avgPool2d(x, 2, { divisorOverride: 0 }), ArgumentError, 'for divisorOverride'],
    [
      'div_ rounded up',
      () => x.div_(2, { roundingMode: 'ceil' as never }),
      ArgumentError,
      'for roundingMode',
    ],
    ['fliplr of a vector', () => ones([2]).fliplr(), ShapeError, 'fliplr'],
    ['flipud of a number', () => ones([]).flipud(), ShapeError, 'flipud'],
    ['shapes that differ', () => broadcastShapes([2, 3], [2]), ShapeError, '[2, 3] and [2]'],
    ['gumbelSoftmax at 0', () => F.gumbelSoftmax(x, { tau: 0 }), ArgumentError, 'for tau'],
    [
      'mseLoss with weights of another shape',
      () => F.mseLoss(x, x, { weight: ones([4]) }),
      ShapeError,
      'for weight',
    ],
    [
      'gaussianNllLoss with a variance of another shape',
      () => F.gaussianNllLoss(ones([4, 3]), ones([4, 3]), ones([3])),
      ShapeError,
      'for variance',
    ],
  ]);
});

describe('what used to be wrong', () => {
  it('a variance one dimension short is that of a sample', () => {
    const [mean, target] = [rand([3, 3]), rand([3, 3])];
    const variance = tensor([0.5, 1, 2]);
    const short = F.gaussianNllLoss(mean, target, variance, { reduction: 'none' });
    const long = F.gaussianNllLoss(mean, target, variance.unsqueeze(1), { reduction: 'none' });
    expect(short.equal(long)).toBe(true);
  });

  it('lerp of bfloat16 takes a number as it is', () => {
    const [a, b] = [zeros([1], { dtype: 'bfloat16' }), ones([1], { dtype: 'bfloat16' })];
    // 1 - (1 - w) in float32: rounding w to bfloat16 first gives another number.
    expect(a.lerp(b.mul(256), 0.3).item()).toBe(tensor(256 * 0.3, { dtype: 'bfloat16' }).item());
    expect(a.lerp_(b.mul(256), 0.3).item()).toBe(77);
  });

  it('a number takes the dtype of the tensor it is put into', () => {
    const x = zeros([3]).indexPut_([long([0, 2])], 1.5);
    expect(x.arraySync()).toEqual([1.5, 0, 1.5]);
    expect(zeros([2], { dtype: 'bool' }).indexPut_([0], 1).arraySync()).toEqual([true, false]);
    expect(zeros([2], { dtype: 'float64' }).indexPut_([0], 0.1).arraySync()).toEqual([0.1, 0]);
  });

  it('half precision is summed in the dtype that is asked for', () => {
    const x = ones([4096], { dtype: 'float16' }).mul(30);
    expect(x.sum({ dtype: 'float32' }).item()).toBe(122_880);
    expect(x.sum().item()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('other details', () => {
  it('logspace has any base', () => {
    expect(logspace(0, 3, 4, { base: 2 }).arraySync()).toEqual([1, 2, 4, 8]);
    expect(logspace(0, 2, 3).arraySync()).toEqual([1, 10, 100]);
  });

  it('sort keeps the order of equal elements', () => {
    const x = arange(64).remainder(2);
    const { indices } = x.sort({ stable: true });
    expect(indices.arraySync()).toEqual(
      [...Array(32).keys()].flatMap((i) => [2 * i]).concat([...Array(32).keys()].map((i) => 2 * i + 1)),
    );
  });

  it('dtypes have methods of their names', () => {
    const x = tensor([1.5, 0]);
    const made = [x.float(), x.double(), x.half(), x.bfloat16(), x.long(), x.int(), x.bool()];
    expect(made.map((one) => one.dtype)).toEqual([
      ...['float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'bool'],
    ]);
  });

  it('results with several tensors are kept by tidy', () => {
    const { hist, binEdges } = tidy(() => rand([10]).histogram(3));
    expect([hist.shape, binEdges.shape]).toEqual([[3], [4]]);
  });
});

it.each([
  ['divide', 2],
  ['divide_', 2],
  ['subtract', 1],
  ['subtract_', 1],
  ['multiply_', 1],
  ['negative_', undefined],
  ['clampMin', 0],
  ['clampMax', 0],
] as const)('the second name %s does not need the prototype of the tensor', (name, argument) => {
  const stranger = Object.setPrototypeOf(ones([2]), Array.prototype);
  expect(() => Reflect.apply(Tensor.prototype[name], stranger, [argument])).not.toThrow();
});
