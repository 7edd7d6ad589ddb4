import { describe, expect, it } from 'vitest';
import { nn, ones, optim, tensor } from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';

/** Two parameters with gradients [3, -4] and [12], whose norm is 13. */
function gradients() {
  const [a, b, none] = [ones([2]), ones([1]), ones([1])].map((x) => x.requiresGrad_());
  a!.grad = tensor([3, -4]);
  b!.grad = tensor([12]);
  return [a!, b!, none!];
}
const values = (parameters: ReturnType<typeof gradients>) =>
  parameters.flatMap(({ grad }) =>
    grad ? [...grad.dataSync()].map((v) => Number(Number(v).toFixed(4))) : [],
  );

describe('nn.utils', () => {
  // Expected values: torch.nn.utils.clip_grad_norm_ and clip_grad_value_ on the same gradients.
  it.each([
    [6.5, 2, 13, [1.5, -2, 6]],
    [20, 2, 13, [3, -4, 12]],
    [9.5, 1, 19, [1.5, -2, 6]],
    [6, Number.POSITIVE_INFINITY, 12, [1.5, -2, 6]],
  ])('clipGradNorm_(%d, normType %d)', (maxNorm, normType, norm, expected) => {
    const parameters = gradients();
    expect(nn.utils.clipGradNorm_(parameters, maxNorm, { normType })).toBeCloseTo(norm, 5);
    expect(values(parameters)).toEqual(expected);
  });

  it('clipGradValue_ limits every element', () => {
    const parameters = gradients();
    nn.utils.clipGradValue_(parameters, 3.5);
    expect(values(parameters)).toEqual([3, -3.5, 3.5]);
  });

  it('accepts one tensor, and does nothing without gradients', () => {
    const [a, , none] = gradients();
    expect(nn.utils.clipGradNorm_(a!, 1)).toBeCloseTo(5, 5);
    expect(nn.utils.clipGradNorm_([none!], 1)).toBe(0);
    nn.utils.clipGradValue_([none!], 1);
    expect(none!.grad).toBeNull();
  });

  it('is under its older name in optim as well', () => {
    expect(optim.clipGradNorm).toBe(nn.utils.clipGradNorm_);
  });
});

itRefuses([
  ['a norm of 0', () => nn.utils.clipGradNorm_(gradients(), 0), Error, 'a number above 0 for maxNorm'],
  [
    'a norm type of 0',
    () => nn.utils.clipGradNorm_(gradients(), 1, { normType: 0 }),
    Error,
    'above 0 for normType',
  ],
  [
    'a negative value',
    () => nn.utils.clipGradValue_(gradients(), -1),
    Error,
    'a number above 0 for clipValue',
  ],
]);
