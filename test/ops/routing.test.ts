// Temperatures at their limits: attention converges to its limit and is never NaN.
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  autograd,
  type DType,
  DynamicConv2d,
  functional as F,
  manualSeed,
  randn,
  type Tensor,
  tensor,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';

const LEAST = 2 ** -126;

function given(dtype: DType): [Tensor, Tensor, Tensor, Tensor, Tensor] {
  manualSeed(1);
  const make = (...shape: number[]) => randn(shape).to({ dtype }).requiresGrad_();
  return [make(4, 6, 3, 3), make(5, 6, 1, 1), make(5), make(3, 5, 1, 1), make(3)];
}

describe.each(['float32', 'float64', 'bfloat16'] as DType[])('routing in %s', (dtype) => {
  it.each([LEAST, 1e-30, 1e-6])(
    'at temperature %s gives all attention to the largest logit',
    (temperature) => {
      const tensors = given(dtype);
      const attention = F.routing(...tensors, { temperature });
      const warm = F.routing(...tensors, { temperature: 1 });
      const largest = F.oneHot(warm.argmax({ dim: 1 }), 3).to({ dtype: attention.dtype });
      expect(attention.arraySync()).toEqual(largest.arraySync());
      const grads = autograd.grad(attention.square().sum(), tensors) as Tensor[];
      for (const grad of grads) expect(Boolean(grad.isfinite().all().item())).toBe(true);
    },
  );

  it.each([LEAST, 1e-30])('at temperature %s sigmoids are steps', (temperature) => {
    const tensors = given(dtype);
    const attention = F.routing(...tensors, { temperature, kind: 'sigmoid' });
    const warm = F.routing(...tensors, { temperature: 1, kind: 'sigmoid' });
    expect(attention.arraySync()).toEqual(warm.gt(0.5).to({ dtype: attention.dtype }).arraySync());
  });
});

describe('a temperature', () => {
  const message = 'Expected a number of at least 1.1754943508222875e-38 for temperature';
  itRefuses([
    [
      'that is no normal float32',
      () => F.routing(...given('float32'), { temperature: 1e-320 }),
      ArgumentError,
      message,
    ],
    ['of a layer', () => new DynamicConv2d(3, 4, 3, { temperature: 1e-320 }), ArgumentError, message],
    [
      'in a tensor',
      () => F.routing(...given('float32'), { temperature: tensor(1e-320, { dtype: 'float64' }) }),
      ArgumentError,
      'for temperature',
    ],
  ]);
});
