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
import { golden } from '../golden/hash.js';
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
  [
    'a bound by two names',
    () => init.uniform_(weight(), { low: 0, a: 0 }),
    ArgumentError,
    'Expected undefined where low is given for a but received 0',
  ],
  ['bounds in the wrong order', () => init.truncNormal_(weight(), { a: 1, b: 0 }), ArgumentError, 'max'],
  ['no Tensor', () => init.constant_({} as never, 1), Error, 'Expected a Tensor for input'],
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

// The expected standard deviation; uniform values also stay within sqrt(3) times it.
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
  [
    'uniform_ with the names of PyTorch',
    (w) => init.uniform_(w, { a: -1, b: 1 }),
    1 / Math.sqrt(3),
    'uniform',
  ],
  ['uniform_', (w) => init.uniform_(w, { low: -1, high: 1 }), 1 / Math.sqrt(3), 'uniform'],
];

describe.each(cases)('%s', (_, fill, std, kind) => {
  it('has the right mean, deviation and range', () => {
    const w = weight();
    expect(fill(w)).toBe(w);
    expect(Math.abs(Number(w.mean().item()))).toBeLessThan(0.01 * std);
    const deviation = Number(w.std().item());
    expect(deviation / std).toBeGreaterThan(0.99);
    expect(deviation / std).toBeLessThan(1.01);
    const largest = Number(w.abs().amax().item()) / std;
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

describe('equals PyTorch, number by number', () => {
  const expected = golden<Record<string, number[]>>('init');
  const fills: Record<string, (x: Tensor) => Tensor> = {
    orthogonal: (x) => init.orthogonal_(x, { gain: 2 }),
    eye: init.eye_,
    xavierUniform: (x) => init.xavierUniform_(x),
    xavierNormal: (x) => init.xavierNormal_(x),
    kaimingUniform: (x) => init.kaimingUniform_(x, { nonlinearity: 'relu' }),
    kaimingNormal: (x) => init.kaimingNormal_(x),
    sparse: (x) => init.sparse_(x, { sparsity: 0.4 }),
  };
  const close = (x: Tensor, wanted: number[]) =>
    [...x.dataSync({ dtype: 'float64' })].forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 9);
    });
  const cases = Object.keys(fills).flatMap((name) => [
    [name, 5, 2],
    [name, 2, 5],
  ]) as [string, number, number][];
  it.each(cases)('%s of %i x %i', (name, rows, columns) => {
    const x = zeros([rows, columns], { dtype: 'float64', requiresGrad: true });
    manualSeed(7);
    expect(fills[name]!(x)).toBe(x);
    close(x, expected[`${name} ${rows}x${columns}`]!);
    expect([x.isLeaf, x.requiresGrad]).toEqual([true, true]);
  });
  it.each([1, 2])('dirac of %i groups', (groups) => {
    const x = zeros([4, 2, 3], { dtype: 'float64' });
    close(init.dirac_(x, { groups }), expected[`dirac ${groups}`]!);
  });
  it('truncNormal has the distribution, if not the numbers, which are drawn in another way', () => {
    manualSeed(5);
    const x = init.truncNormal_(zeros([200000]), { mean: 0.5, std: 2, min: -1, max: 1.5 });
    expect([x.amin().item() >= -1, x.amax().item() <= 1.5]).toEqual([true, true]);
    // By the formulas for alpha = -0.75, beta = 0.5: mean + std (phi(alpha) - phi(beta)) / Z, and the variance.
    const phi = (z: number) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    const z = 0.6914624612740131 - 0.2266273523768682;
    const [a, b] = [-0.75, 0.5];
    const shift = (phi(a) - phi(b)) / z;
    expect(x.mean().item()).toBeCloseTo(0.5 + 2 * shift, 2);
    expect(x.std().item()).toBeCloseTo(2 * Math.sqrt(1 + (a * phi(a) - b * phi(b)) / z - shift * shift), 2);
  });
  it('does not change weights without connections', () => {
    for (const name of ['kaimingNormal_', 'kaimingUniform_', 'xavierNormal_', 'xavierUniform_'] as const)
      for (const shape of [
        [0, 0],
        [3, 0],
      ])
        expect(init[name](zeros(shape)).shape).toEqual(shape);
  });
  it('names bad options', () => {
    const cases: [() => unknown, string][] = [
      [() => init.normal_(zeros([2]), { std: -1 }), 'a number of at least 0 for std'],
      [() => init.normal_(zeros([2]), { mean: Number.NaN }), 'a finite number for mean'],
      [() => init.uniform_(zeros([2]), { low: 1, high: 0 }), 'a number of at least 1 for high'],
      [() => init.truncNormal_(zeros([2]), { min: 1, max: -1 }), 'a number of at least 1 for max'],
      [() => init.truncNormal_(zeros([2]), { std: 0 }), 'a number above 0 for std'],
      [() => init.kaimingNormal_(zeros([2, 2]), { a: Number.NaN }), 'a finite number for a '],
      [() => init.xavierNormal_(zeros([2, 2]), { gain: -1 }), 'a number of at least 0 for gain'],
      [() => init.dirac_(zeros([2, 2, 1]), { groups: 0.5 }), 'an integer of at least 1 for groups'],
    ];
    for (const [run, message] of cases) expect(run).toThrow(message);
  });
  it('refuses other shapes', () => {
    expect(() => init.eye_(zeros([2, 2, 2]))).toThrow('Expected 2 dimensions for weight');
    expect(() => init.dirac_(zeros([2, 2]))).toThrow('Expected 3 to 5 dimensions for weight');
    expect(() => init.dirac_(zeros([3, 2, 1]), { groups: 2 })).toThrow('a divisor of 3 outputs for groups');
    expect(() => init.sparse_(zeros([2]), { sparsity: 0.1 })).toThrow('Expected 2 dimensions');
  });
});
