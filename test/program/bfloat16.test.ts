/** Programs in bfloat16 whose networks make float32 of something else. */
import { describe, expect, it } from 'vitest';
import { arange, nn, type Tensor, tensor } from '../../lib/index.js';

describe('bfloat16', () => {
  const layer = new nn.Linear(4, 2).eval();
  const conv = new nn.Conv2d(1, 2, 1).eval();
  it.each<[string, (x: Tensor) => Tensor, Tensor]>([
    [
      'bytes',
      (x) => layer.forward(x.to({ dtype: 'float32' }).div(255)),
      tensor([[0, 3, 200, 255]], { dtype: 'uint8' }),
    ],
    ['divided bytes', (x) => layer.forward(x.div(255)), tensor([[0, 3, 200, 255]], { dtype: 'uint8' })],
    [
      'bytes of an image',
      (x) => conv.forward(x.to({ dtype: 'float32' }).div(255)),
      tensor([[[[7, 130]]]], { dtype: 'uint8' }),
    ],
    ['comparisons', (x) => layer.forward(x.gt(0).to({ dtype: 'float32' })), tensor([[-1, 2, 3, -4]])],
    [
      'numbers of the network',
      (x) => layer.forward(x.add(arange(4).to({ dtype: 'float32' }))),
      tensor([[1, 2, 3, 4]]),
    ],
    ['a conversion to float32', (x) => layer.forward(x.to({ dtype: 'float32' })), tensor([[1, 2, 3, 4]])],
    [
      'a sum in float32',
      (x) => layer.forward(x.sub(x.mean({ dim: 1, keepdim: true, dtype: 'float32' }))),
      tensor([[1, 2, 3, 4]]),
    ],
  ])('computes with %s', (_, compute, x) => {
    const y = nn.compile(compute, x, { dtype: 'bfloat16' }).runSync(x);
    const expected = compute(x);
    expect(y.dtype).toBe('float32');
    expect(Number(y.sub(expected).abs().max().item())).toBeLessThan(0.05);
  });
});
