/** Arguments that PyTorch accepts or rejects, and ATen itself does not. */
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  functional as F,
  nn,
  ones,
  randn,
  ShapeError,
  tensor,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

describe('adaptive pools', () => {
  // Values of torch.nn.functional.adaptive_avg_pool2d and adaptive_max_pool3d.
  it('keep the size of the input where the wanted one is null', () => {
    const image = arange(12, { dtype: 'float32' }).view([1, 1, 3, 4]);
    expectValues(F.adaptiveAvgPool2d(image, [null, 2]).squeeze(), [
      [0.5, 2.5],
      [4.5, 6.5],
      [8.5, 10.5],
    ]);
    expectValues(new nn.AdaptiveAvgPool2d([null, 2]).forward(image).sum(), 33);
    const volume = arange(24, { dtype: 'float32' }).view([1, 1, 2, 3, 4]);
    const wanted = [
      [8, 9, 10, 11],
      [20, 21, 22, 23],
    ];
    expectValues(F.adaptiveMaxPool3d(volume, [null, 1, null]).squeeze(), wanted);
    expectValues(new nn.AdaptiveMaxPool3d([null, 1, null]).forward(volume).squeeze(), wanted);
    expect(F.adaptiveMaxPool2d(image, null).shape).toEqual([1, 1, 3, 4]);
    expect(String(new nn.AdaptiveAvgPool2d([null, 2]))).toBe('AdaptiveAvgPool2d([null, 2])');
  });
});

describe('embedding', () => {
  const indices = tensor([0, 2], { dtype: 'int64' });

  // Values of torch.nn.functional.embedding(..., padding_idx=-1).
  it('counts a negative paddingIdx from the end', () => {
    const weight = arange(6, { dtype: 'float32' }).view([3, 2]).requiresGrad_();
    F.embedding(indices, weight, { paddingIdx: -1 }).sum().backward();
    expectValues(weight.grad!, [
      [1, 1],
      [0, 0],
      [0, 0],
    ]);
    const layer = new nn.Embedding(3, 2, { paddingIdx: -1 });
    expect(layer.paddingIdx).toBe(2);
    expectValues(layer.weight.index(2), [0, 0]);
    layer.forward(indices).sum().backward();
    expectValues(layer.weight.grad!.index(2), [0, 0]);
  });

  it('gives every row its gradient without one', () => {
    const weight = arange(6, { dtype: 'float32' }).view([3, 2]).requiresGrad_();
    F.embedding(indices, weight, { paddingIdx: null }).sum().backward();
    expectValues(weight.grad!.index(2), [1, 1]);
  });
});

describe('dropouts', () => {
  it('have the defaults of PyTorch for training', () => {
    const x = ones([64]);
    expectValues(F.alphaDropout(x), x.arraySync());
    expect(F.alphaDropout(x, { training: true }).eq(x).all().item()).toBe(0);
    expect(F.dropout(x).eq(x).all().item()).toBe(0);
    expect(
      F.dropout2d(ones([1, 64, 1, 1]))
        .min()
        .item(),
    ).toBe(0);
    expectValues(F.rrelu(x.neg(), { lower: 0.2, upper: 0.4 }), x.mul(-0.3).arraySync());
    expect(new nn.AlphaDropout().forward(x).eq(x).all().item()).toBe(0);
  });
});

itRefuses([
  ['t() of 3 dimensions', () => ones([2, 3, 4]).t(), ShapeError, 'at most 2 dimensions for t()'],
  [
    'limits in the wrong order',
    () => F.hardtanh(ones([2]), { minVal: 2, maxVal: 1 }),
    ArgumentError,
    'Expected a number of at most maxVal 1 for minVal but received 2',
  ],
  ['limits of a layer that are equal', () => new nn.Hardtanh({ minVal: 1 }), ArgumentError, 'below maxVal 1'],
  [
    'a margin of 0',
    () => F.tripletMarginLoss(ones([2, 2]), ones([2, 2]), ones([2, 2]), { margin: 0 }),
    ArgumentError,
    'a number above 0 for margin',
  ],
  [
    'a padding index that is no row',
    () => F.embedding(tensor([0], { dtype: 'int64' }), randn([3, 2]), { paddingIdx: -4 }),
    ArgumentError,
    'an integer from -3 to 2, a row of the table for paddingIdx but received -4',
  ],
  [
    'a padding index of a layer that is no row',
    () => new nn.Embedding(3, 2, { paddingIdx: 3 }),
    ArgumentError,
    'for paddingIdx but received 3',
  ],
  ['an output size of 0', () => new nn.AdaptiveAvgPool2d(0), ArgumentError, 'for outputSize but received 0'],
]);

it('t() leaves vectors and single numbers as they are', () => {
  expectValues(tensor([1, 2]).t(), [1, 2]);
  expectValues(tensor(3).t(), 3);
});
