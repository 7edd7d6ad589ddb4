import { describe, expect, it } from 'vitest';
import { functional as F, nn, randn, type Tensor, tensor } from '../../lib/index.js';

const half = () => tensor([0.5, 2, 1]);
const classes = () => tensor([0, 2, 1], { dtype: 'int64' });
const targets = () => tensor([0, 1, 1, 0, 1, 0, 1, 1, 0]).reshape([3, 3]);

const weighted: Record<
  string,
  [make: (weight: Tensor) => nn.Module<[Tensor, Tensor]>, target: () => Tensor]
> = {
  CrossEntropyLoss: [(weight) => new nn.CrossEntropyLoss({ weight }), classes],
  NLLLoss: [(weight) => new nn.NLLLoss({ weight }), classes],
  MultiMarginLoss: [(weight) => new nn.MultiMarginLoss({ weight }), classes],
  BCELoss: [(weight) => new nn.BCELoss({ weight }), targets],
  BCEWithLogitsLoss: [(weight) => new nn.BCEWithLogitsLoss({ weight }), targets],
};

describe.each(Object.entries(weighted))('the weight of %s', (_, [make, target]) => {
  it('is in the state and is loaded', () => {
    const loss = make(half());
    expect(Object.keys(loss.stateDict())).toEqual(['weight']);
    const other = make(tensor([1, 1, 1]));
    expect(other.loadStateDict(loss.stateDict())).toMatchObject({ missing: [], unexpected: [] });
    const input = randn([3, 3]).sigmoid();
    expect(other.forward(input, target()).item()).toBe(loss.forward(input, target()).item());
    expect(Object.keys(make(null as never).stateDict())).toEqual([]);
  });

  it('moves with the module, and the tensor that was given stays as it is', () => {
    const given = half();
    const loss = make(given);
    const input = randn([3, 3], { dtype: 'float64' }).sigmoid();
    loss.to({ dtype: 'float64' });
    expect(loss.stateDict().weight!.dtype).toBe('float64');
    expect(given.dtype).toBe('float32');
    const labels = target();
    const moved = labels.dtype === 'float32' ? labels.to({ dtype: 'float64' }) : labels;
    expect(loss.forward(input, moved).dtype).toBe('float64');
    expect([...loss.parameters()]).toEqual([]);
  });
});

it('posWeight is moved and saved like weight', () => {
  const loss = new nn.BCEWithLogitsLoss({ posWeight: tensor([3, 3, 3]) }).to({ dtype: 'float64' });
  expect(Object.keys(loss.stateDict())).toEqual(['pos_weight']);
  const input = randn([3, 3], { dtype: 'float64' });
  const labels = targets().to({ dtype: 'float64' });
  const expected = F.binaryCrossEntropyWithLogits(input, labels, {
    posWeight: tensor([3, 3, 3], { dtype: 'float64' }),
  });
  expect(loss.forward(input, labels).item()).toBe(expected.item());
});
