import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DTypeError,
  functional as F,
  manualSeed,
  nn,
  randn,
  ShapeError,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

itRefuses([
  [
    'no features',
    () => new nn.Linear(0, 1),
    ArgumentError,
    'Expected an integer of at least 1 for inFeatures but received 0',
  ],
  ['half a feature', () => new nn.Linear(1, 1.5), ArgumentError, 'for outFeatures but received 1.5 (number)'],
  [
    'channels that are text',
    () => new nn.Conv2d('3' as never, 1, 1),
    ArgumentError,
    "for inChannels but received '3'",
  ],
  [
    'a kernel of three sizes',
    () => new nn.Conv2d(1, 1, [1, 2, 3] as never),
    ArgumentError,
    'Expected an integer of at least 1 or a pair [height, width] of them for kernelSize but received [1, 2, 3] (array)',
  ],
  [
    'groups that do not divide',
    () => new nn.Conv2d(3, 4, 1, { groups: 2 }),
    ArgumentError,
    'a divisor of inChannels 3 and outChannels 4 for groups',
  ],
  ['a stride of 0', () => new nn.Conv2d(1, 1, 1, { stride: 0 }), ArgumentError, 'for stride but received 0'],
  [
    'negative padding',
    () => new nn.Conv2d(1, 1, 1, { padding: -1 }),
    ArgumentError,
    'for padding but received -1',
  ],
  [
    'an unknown padding',
    () => new nn.Conv2d(1, 1, 1, { padding: 'full' as never }),
    ArgumentError,
    "for padding but received 'full'",
  ],
  [
    "padding 'same' with a stride",
    () => new nn.Conv2d(1, 1, 3, { padding: 'same', stride: 2 }),
    ArgumentError,
    "1 with padding 'same' for stride",
  ],
  ['an unknown dtype', () => new nn.Linear(1, 1, { dtype: 'half' as never }), DTypeError, "'half'"],
  ['features that do not fit', () => new nn.Linear(3, 1).forward(zeros([2, 2])), ShapeError, 'linear'],
  [
    'channels that do not fit',
    () => new nn.Conv2d(3, 1, 1).forward(zeros([1, 2, 4, 4])),
    ShapeError,
    'channels',
  ],
  [
    'an image smaller than the kernel',
    () => new nn.Conv2d(1, 1, 3).forward(zeros([1, 1, 2, 2])),
    ShapeError,
    "Kernel size can't be greater",
  ],
  [
    'another dtype',
    () => new nn.Linear(1, 1).forward(zeros([1, 1], { dtype: 'float64' })),
    DTypeError,
    'dtype',
  ],
  ['no embeddings', () => new nn.Embedding(0, 1), ArgumentError, 'for numEmbeddings'],
  ['positions that are floats', () => new nn.Embedding(2, 1).forward(zeros([1])), DTypeError, 'embedding'],
]);

describe('Linear', () => {
  it('multiplies and adds', () => {
    const layer = new nn.Linear(2, 3);
    layer.loadStateDict({
      weight: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      bias: tensor([0.5, 0, -1]),
    });
    expectValues(layer.forward(tensor([[1, 10]])), [[21.5, 43, 64]]);
    expect(layer.forward(zeros([4, 5, 2])).shape).toEqual([4, 5, 3]);
    expect(layer.forward(zeros([0, 2])).shape).toEqual([0, 3]);
  });

  it('goes without bias and in other dtypes', () => {
    const layer = new nn.Linear(2, 1, { bias: false, dtype: 'float64' });
    expect(layer.bias).toBe(null);
    expect([...layer.namedParameters()].map(([key, p]) => [key, p.dtype])).toEqual([['weight', 'float64']]);
  });

  it("starts with PyTorch's values for a seed", () => {
    manualSeed(0); // torch.manual_seed(0); torch.nn.Linear(2, 2)
    const layer = new nn.Linear(2, 2);
    expectValues(
      layer.weight,
      [
        [-0.0052939812, 0.3793228865],
        [-0.5819807649, -0.5203874707],
      ],
      1e-8,
    );
    expectValues(layer.bias!, [-0.2723452449, 0.1896158904], 1e-8);
  });
});

describe('Conv2d', () => {
  it('correlates', () => {
    const layer = new nn.Conv2d(1, 1, 2);
    layer.loadStateDict({
      weight: tensor([
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
      ]),
      bias: tensor([0.5]),
    });
    const image = tensor([
      [
        [
          [1, 0, 2],
          [0, 1, 0],
          [3, 0, 1],
        ],
      ],
    ]);
    expectValues(layer.forward(image), [
      [
        [
          [5.5, 7.5],
          [11.5, 5.5],
        ],
      ],
    ]);
  });

  it('hands all options to F.conv2d', () => {
    const options = { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 } as const;
    const layer = new nn.Conv2d(4, 6, [3, 2], options);
    const x = randn([2, 4, 7, 8]);
    const y = layer.forward(x);
    expect(y.shape).toEqual([2, 6, 4, 10]);
    expect(y.equal(F.conv2d(x, layer.weight, layer.bias, options))).toBe(true);
    expect(layer.weight.shape).toEqual([6, 2, 3, 2]);
    expect(String(layer)).toBe(
      'Conv2d(4, 6, kernelSize=[3, 2], stride=[2, 1], padding=[1, 2], dilation=[1, 2], groups=2)',
    );
  });

  it.each([1, 2, 3, 4, 5])("keeps the size with padding 'same' and kernel %i", (size) => {
    const layer = new nn.Conv2d(1, 1, [size, 3], { padding: 'same', dilation: 2 });
    expect(layer.forward(zeros([1, 1, 9, 8])).shape).toEqual([1, 1, 9, 8]);
  });

  it("puts the odd zero of padding 'same' at the bottom and right", () => {
    const layer = new nn.Conv2d(1, 1, 2, { padding: 'same', bias: false });
    layer.weight.detach().fill_(1);
    expectValues(
      layer.forward(
        tensor([
          [
            [
              [1, 2],
              [3, 4],
            ],
          ],
        ]),
      ),
      [
        [
          [
            [10, 6],
            [7, 4],
          ],
        ],
      ],
    );
  });

  it('accepts an empty batch', () => {
    expect(new nn.Conv2d(1, 2, 3).forward(zeros([0, 1, 5, 5])).shape).toEqual([0, 2, 3, 3]);
  });
});

describe('Embedding', () => {
  it('looks rows up, and gathers their gradients', () => {
    const layer = new nn.Embedding(3, 2);
    layer.loadStateDict({
      weight: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
    });
    expectValues(layer.forward(tensor([[2n, 0n]])), [
      [
        [5, 6],
        [1, 2],
      ],
    ]);
    layer
      .forward(tensor([1n, 1n]))
      .sum()
      .backward();
    expectValues(layer.weight.grad!, [
      [0, 0],
      [2, 2],
      [0, 0],
    ]);
    expect(() => layer.forward(tensor([3n]))).toThrow('out of range');
  });
});
