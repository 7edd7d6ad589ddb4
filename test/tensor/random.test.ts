import { beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DTypeError,
  empty,
  full,
  manualSeed,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';

const COUNT = 40_000;

beforeEach(() => manualSeed(7));

/** Mean and standard deviation of the drawn numbers. */
function moments(drawn: Tensor): [mean: number, deviation: number] {
  const wide = drawn.to({ dtype: 'float64' });
  return [Number(wide.mean().item()), Number(wide.std().item())];
}

const sample = () => empty([COUNT], { dtype: 'float64' });

// Mean and standard deviation of each distribution, by its formula.
const distributions: [string, (x: Tensor) => Tensor, number, number][] = [
  ['normal_', (x) => x.normal_(), 0, 1],
  ['normal_ of other parameters', (x) => x.normal_({ mean: 3, std: 0.5 }), 3, 0.5],
  ['uniform_', (x) => x.uniform_(), 1 / 2, Math.sqrt(1 / 12)],
  ['uniform_ of other parameters', (x) => x.uniform_({ from: -2, to: 4 }), 1, Math.sqrt(36 / 12)],
  ['bernoulli_', (x) => x.bernoulli_(), 0.5, 0.5],
  ['bernoulli_ of a probability', (x) => x.bernoulli_({ p: 0.1 }), 0.1, Math.sqrt(0.09)],
  ['exponential_', (x) => x.exponential_({ lambda: 2 }), 0.5, 0.5],
  [
    'logNormal_',
    (x) => x.logNormal_({ mean: 0, std: 0.5 }),
    Math.exp(0.125),
    Math.sqrt((Math.exp(0.25) - 1) * Math.exp(0.25)),
  ],
  ['geometric_', (x) => x.geometric_({ p: 0.25 }), 4, Math.sqrt(0.75) / 0.25],
  ['random_', (x) => x.random_({ from: 2, to: 12 }), 6.5, Math.sqrt(99 / 12)],
];

it.each(distributions)('%s has the mean and deviation of its distribution', (_, draw, mean, deviation) => {
  const x = sample();
  expect(draw(x)).toBe(x);
  const [drawnMean, drawnDeviation] = moments(x);
  // Five standard errors of the mean; deviations of skewed distributions vary more.
  expect(Math.abs(drawnMean - mean)).toBeLessThan((5 * deviation) / Math.sqrt(COUNT));
  expect(Math.abs(drawnDeviation / deviation - 1)).toBeLessThan(0.05);
});

describe('draws', () => {
  it('cauchy_ has its median and quartiles', () => {
    const x = sample().cauchy_({ median: 1, sigma: 2 });
    const quartiles = x.quantile([0.25, 0.5, 0.75]).dataSync();
    for (const [i, expected] of [-1, 1, 3].entries()) expect(quartiles[i]).toBeCloseTo(expected, 0);
  });

  it('are in the range of their distribution', () => {
    const uniform = sample().uniform_({ from: -2, to: 4 });
    expect([uniform.ge(-2).all().item(), uniform.lt(4).all().item()]).toEqual([1, 1]);
    const integers = empty([COUNT], { dtype: 'int64' }).random_({ from: 2, to: 5 });
    expect(integers.unique().values.arraySync()).toEqual([2, 3, 4]);
    expect(sample().geometric_({ p: 0.5 }).amin().item()).toBe(1);
  });

  it('are the same after the same seed, and others after it', () => {
    const draw = () => sample().normal_();
    const first = draw();
    expect(draw().equal(first)).toBe(false);
    manualSeed(7);
    expect(draw().equal(first)).toBe(true);
  });

  it('bernoulli takes the probability of each element', () => {
    const drawn = tensor([0, 1, 0.25]).unsqueeze(1).expand([3, COUNT]).bernoulli().mean({ dim: 1 });
    expect(drawn.dataSync()[0]).toBe(0);
    expect(drawn.dataSync()[1]).toBe(1);
    expect(drawn.dataSync()[2]).toBeCloseTo(0.25, 1);
  });

  it('poisson takes the rate of each element', () => {
    const [mean, deviation] = moments(full([COUNT], 9).poisson());
    expect(mean).toBeCloseTo(9, 0);
    expect(deviation).toBeCloseTo(3, 0);
  });

  it('multinomial takes weights, and repeats positions only if asked', () => {
    const weights = tensor([
      [0, 3, 1],
      [1, 0, 0],
    ]);
    const drawn = weights.multinomial(COUNT, { replacement: true });
    expect([drawn.dtype, drawn.shape]).toEqual(['int64', [2, COUNT]]);
    const shares = drawn
      .select(0, 0)
      .bincount({ minlength: 3 })
      .to({ dtype: 'float64' })
      .div(COUNT)
      .dataSync();
    expect(shares[0]).toBe(0);
    expect(shares[1]).toBeCloseTo(0.75, 1);
    expect(drawn.select(0, 1).amax().item()).toBe(0);
    expect(tensor([1, 1, 1]).multinomial(3).sort().values.arraySync()).toEqual([0, 1, 2]);
  });
});

itRefuses([
  ['a probability above 1', () => zeros([1]).bernoulli_({ p: 2 }), ArgumentError, 'p to be in [0, 1]'],
  ['a negative deviation', () => zeros([1]).normal_({ std: -1 }), ArgumentError, 'std >= 0'],
  [
    'an empty range',
    () => zeros([1]).random_({ from: 3, to: 3 }),
    ArgumentError,
    "'from' to be less than 'to'",
  ],
  ['normal integers', () => zeros([1], { dtype: 'int64' }).normal_(), DTypeError, 'normal'],
  [
    'more positions than there are',
    () => tensor([1, 1]).multinomial(3),
    ArgumentError,
    'without replacement',
  ],
]);
