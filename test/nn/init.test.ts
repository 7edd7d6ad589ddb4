import { beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  empty,
  isGradEnabled,
  manualSeed,
  nn,
  ShapeError,
  type Tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';

const { init } = nn;
const weight = () => zeros([200, 50, 3, 3]); // fan in 450, fan out 1800

itRefuses([
  [
    'a vector, which has no fans',
    () => init.fans(zeros([3])),
    ShapeError,
    'Expected at least 2 dimensions for weight but received [3]',
  ],
  [
    'an unknown mode',
    () => init.kaimingNormal_(weight(), { mode: 'fan_in' as never }),
    ArgumentError,
    "one of 'fanIn', 'fanOut' for mode but received 'fan_in'",
  ],
  [
    'an unknown activation',
    () => init.calculateGain('gelu' as never),
    ArgumentError,
    "for nonlinearity but received 'gelu'",
  ],
  ['a negative deviation', () => init.normal_(weight(), { std: -1 }), Error, 'std'],
  ['no Tensor', () => init.constant_({} as never, 1), Error, 'fill_'],
]);

beforeEach(() => manualSeed(7));

it('counts fans', () => {
  expect(init.fans(weight())).toEqual({ fanIn: 450, fanOut: 1800 });
  expect(init.fans(zeros([3, 2]))).toEqual({ fanIn: 2, fanOut: 3 });
});

it('knows gains', () => {
  expect(init.calculateGain('linear')).toBe(1);
  expect(init.calculateGain('sigmoid')).toBe(1);
  expect(init.calculateGain('relu')).toBe(Math.SQRT2);
  expect(init.calculateGain('tanh')).toBe(5 / 3);
  expect(init.calculateGain('leakyRelu', 1)).toBe(1);
});

// The deviation each should have; uniform ones also stay within sqrt(3) times it.
const cases: [string, (w: Tensor) => Tensor, number, 'normal' | 'uniform'][] = [
  ['kaimingNormal_', (w) => init.kaimingNormal_(w), Math.sqrt(2 / 450), 'normal'],
  [
    'kaimingNormal_ of fan out',
    (w) => init.kaimingNormal_(w, { mode: 'fanOut', nonlinearity: 'relu' }),
    Math.sqrt(2 / 1800),
    'normal',
  ],
  [
    'kaimingNormal_ before tanh',
    (w) => init.kaimingNormal_(w, { nonlinearity: 'tanh' }),
    5 / 3 / Math.sqrt(450),
    'normal',
  ],
  ['kaimingUniform_', (w) => init.kaimingUniform_(w, { a: Math.sqrt(5) }), Math.sqrt(1 / 3 / 450), 'uniform'],
  ['xavierNormal_', (w) => init.xavierNormal_(w), Math.sqrt(2 / 2250), 'normal'],
  ['xavierUniform_', (w) => init.xavierUniform_(w, { gain: 2 }), 2 * Math.sqrt(2 / 2250), 'uniform'],
  ['normal_', (w) => init.normal_(w, { std: 3 }), 3, 'normal'],
  ['uniform_', (w) => init.uniform_(w, { low: -1, high: 1 }), 1 / Math.sqrt(3), 'uniform'],
];

describe.each(cases)('%s', (_, fill, std, kind) => {
  it('has the right mean, deviation and range', () => {
    const w = weight();
    expect(fill(w)).toBe(w);
    expect(Math.abs(w.mean().item())).toBeLessThan(0.01 * std);
    expect(w.std().item() / std).toBeGreaterThan(0.99);
    expect(w.std().item() / std).toBeLessThan(1.01);
    const largest = w.abs().amax().item() / std;
    if (kind === 'uniform') expect(largest).toBeLessThanOrEqual(Math.sqrt(3) + 1e-5);
    else expect(largest).toBeGreaterThan(3.5);
  });

  it('repeats with the seed', () => {
    const first = fill(weight());
    manualSeed(7);
    expect(fill(weight()).equal(first)).toBe(true);
  });
});

it('fills with constants', () => {
  expect(init.zeros_(empty([2])).arraySync()).toEqual([0, 0]);
  expect(init.ones_(empty([2])).arraySync()).toEqual([1, 1]);
  expect(init.constant_(empty([2]), 1.5).arraySync()).toEqual([1.5, 1.5]);
});

it('fills parameters, which otherwise refuse changes in place', () => {
  const parameter = new nn.Parameter(zeros([2, 2]));
  init.normal_(parameter);
  expect([parameter.requiresGrad, parameter.isLeaf, isGradEnabled()]).toEqual([true, true, true]);
  expect(parameter.eq(0).any().item()).toBe(0);
});
