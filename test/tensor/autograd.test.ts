import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  autograd,
  DTypeError,
  GradcheckError,
  manualSeed,
  NativeError,
  noGrad,
  rand,
  randn,
  ShapeError,
  type Tensor,
  tensor,
  where,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { expectValues } from '../support/values.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const double = (shape: number[]) => rand(shape, { dtype: 'float64', requiresGrad: true });

itRefuses([
  ['backward without a graph', () => tensor(1).backward(), NativeError, 'does not require grad'],
  [
    'backward of a result of noGrad',
    () => noGrad(() => leaf(1).sum()).backward(),
    NativeError,
    'does not require grad',
  ],
  [
    'backward of several elements without a gradient',
    () => leaf(1, 2).mul(2).backward(),
    ShapeError,
    'grad can be implicitly created only for scalar outputs',
  ],
  [
    'a gradient of another shape',
    () =>
      leaf(1, 2)
        .mul(2)
        .backward(zeros([3])),
    ShapeError,
    'shape',
  ],
  [
    'a gradient that is a number',
    () =>
      leaf(1)
        .mul(2)
        .backward(1 as never),
    ArgumentError,
    'for gradient of backward',
  ],
  [
    'a second pass through a freed graph',
    () => {
      const loss = leaf(1, 2).square().sum();
      loss.backward();
      loss.backward();
    },
    NativeError,
    'backward through the graph a second time',
  ],
  ['a leaf changed in place', () => leaf(1).add_(1), NativeError, 'in-place operation'],
  [
    'a value changed that the graph needs',
    () => {
      const y = leaf(1, 2).exp();
      const loss = y.sum();
      y.mul_(2);
      loss.backward();
    },
    NativeError,
    'modified by an inplace operation',
  ],
  [
    'an input the output does not depend on',
    () => autograd.grad(leaf(1).mul(2), leaf(1)),
    NativeError,
    'inputs[0] is unused: allowUnused gives null for it',
  ],
  [
    'an input without gradients',
    () => autograd.grad(leaf(1).mul(2), zeros([1])),
    NativeError,
    'does not require grad',
  ],
  [
    'outputs that are no Tensors',
    () => autograd.grad([1 as never], leaf(1)),
    ArgumentError,
    'for outputs of grad',
  ],
  [
    'gradcheck of float32',
    () => autograd.gradcheck((x) => x, [leaf(1)]),
    ArgumentError,
    "float64 Tensors for inputs but received 'float32'",
  ],
  ['grad of no outputs', () => autograd.grad([], leaf(1)), ArgumentError, 'at least one Tensor for outputs'],
  [
    'grad by no inputs',
    () => autograd.grad(leaf(1).mul(2), []),
    ArgumentError,
    'at least one Tensor for inputs',
  ],
  [
    'gradcheck of no function',
    () => autograd.gradcheck(3 as never, [double([1])]),
    ArgumentError,
    'Expected a function for fn but received 3',
  ],
  [
    'gradcheck of a function that returns nothing',
    () => autograd.gradcheck(() => undefined as never, [double([1])]),
    ArgumentError,
    'Expected a Tensor for the result of fn but received undefined',
  ],
  [
    'gradcheck of an async function',
    () => autograd.gradcheck((async (x: Tensor) => x) as never, [double([1])]),
    ArgumentError,
    'Expected a Tensor for the result of fn but received Promise',
  ],
  ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1'].map(
    (eps): [string, () => unknown, typeof ArgumentError, string] => [
      `gradcheck with an eps of ${eps}`,
      () => autograd.gradcheck((x) => x, [double([1])], { eps: eps as number }),
      ArgumentError,
      'Expected a number above 0 for eps',
    ],
  ),
  [
    'gradcheck with a tolerance that is none',
    () => autograd.gradcheck((x) => x, [double([1])], { rtol: Number.NaN }),
    ArgumentError,
    'Expected a number of at least 0 for rtol but received NaN',
  ],
  [
    'gradcheck of nothing',
    () => autograd.gradcheck((x) => x, [zeros([1])]),
    ArgumentError,
    'at least one Tensor that requires gradients',
  ],
  ['gradients of integers', () => tensor([1n]).requiresGrad_(), DTypeError, 'int64'],
]);

describe('backward', () => {
  it('adds up in the leaves', () => {
    const x = leaf(1, 2);
    x.square().sum().backward();
    expect(x.grad!.arraySync()).toEqual([2, 4]);
    x.square().sum().backward();
    expect(x.grad!.arraySync()).toEqual([4, 8]);
    x.grad = null;
    x.sum().backward();
    expect(x.grad!.arraySync()).toEqual([1, 1]);
  });

  it('takes the gradient of the output', () => {
    const x = leaf(1, 2);
    x.mul(3).backward(tensor([1, 10]));
    expect(x.grad!.arraySync()).toEqual([3, 30]);
  });

  it('repeats with retainGraph', () => {
    const x = leaf(3);
    const loss = x.square().sum();
    loss.backward(undefined, { retainGraph: true });
    loss.backward();
    expect(x.grad!.item()).toBe(12);
  });

  it('reaches every leaf, stops at detach() and does not fill results', () => {
    const [x, y] = [leaf(2), leaf(3)];
    const product = x.mul(y);
    product.add(x.detach().mul(x)).backward();
    expect([x.grad!.item(), y.grad!.item(), product.grad]).toEqual([5, 2, null]);
  });

  it('sums over broadcast dimensions', () => {
    const x = leaf(1, 2);
    zeros([3, 2]).add(x).sum().backward();
    expect(x.grad!.arraySync()).toEqual([3, 3]);
  });

  it('goes through disposed results and views', () => {
    const x = leaf(1, 2, 3, 4);
    const view = x.reshape([2, 2]);
    const turned = view.t();
    const loss = turned.mul(turned).sum();
    view.dispose();
    turned.dispose();
    loss.backward();
    expect(x.grad!.arraySync()).toEqual([2, 4, 6, 8]);
  });

  it('records itself with createGraph', () => {
    const x = leaf(2);
    x.pow(3).backward(undefined, { createGraph: true });
    const first = x.grad!;
    expect(first.item()).toBe(12);
    x.grad = null;
    first.backward();
    expect(x.grad!.item()).toBe(12);
  });
});

describe('autograd.grad', () => {
  it('returns gradients and leaves grad alone', () => {
    const [x, y] = [leaf(2), leaf(3)];
    const [dx, dy] = autograd.grad(x.mul(y), [x, y]);
    expect([dx!.item(), dy!.item(), x.grad]).toEqual([3, 2, null]);
  });

  it('gives second and third derivatives with createGraph', () => {
    const x = leaf(2);
    const derive = (f: Tensor) => autograd.grad(f, x, { createGraph: true })[0]!;
    const first = derive(x.pow(4));
    const second = derive(first);
    expect([first.item(), second.item(), derive(second).item()]).toEqual([32, 48, 48]);
  });

  it('gives null for unused inputs where allowed', () => {
    const [x, y] = [leaf(2), leaf(3)];
    expect(autograd.grad(x.mul(2), [x, y], { allowUnused: true }).map((g) => g?.item() ?? null)).toEqual([
      2,
      null,
    ]);
  });

  it('weighs outputs by gradOutputs', () => {
    const x = leaf(1, 2);
    const options = { gradOutputs: [tensor([1, 10]), null] };
    expectValues(autograd.grad([x.mul(2), x.sum()], x, options)[0]!, [3, 21]);
    expectValues(autograd.grad(x.mul(2), x, { gradOutputs: tensor([1, 0]) })[0]!, [2, 0]);
  });

  it('keeps the graph with retainGraph', () => {
    const x = leaf(3);
    const y = x.square();
    autograd.grad(y, x, { retainGraph: true });
    expect(autograd.grad(y, x)[0]!.item()).toBe(6);
    expect(() => autograd.grad(y, x)).toThrow('a second time');
  });
});

describe('gradcheck', () => {
  it('leaves its inputs as they were, also when the function throws in the middle', () => {
    const x = tensor([1, 2], { dtype: 'float64', requiresGrad: true });
    let calls = 0;
    const fails = (y: Tensor): Tensor => {
      if (++calls === 3) throw new RangeError('on purpose');
      return y.mul(2);
    };
    expect(() => autograd.gradcheck(fails as never, [x])).toThrow(RangeError);
    expect(x.arraySync()).toEqual([1, 2]);
    autograd.gradcheck((y) => y!.square(), [x]);
    expect(x.arraySync()).toEqual([1, 2]);
  });

  manualSeed(3);
  const right: [string, (...inputs: Tensor[]) => Tensor, Tensor[]][] = [
    ['matmul', (a, b) => a!.matmul(b!), [double([2, 3]), double([3, 2])]],
    ['a chain', (x) => x!.add(1).log().mul(x!.tanh()).softmax(), [double([2, 3])]],
    ['reductions', (x) => x!.std({ dim: 0 }).mul(x!.logsumexp({ dim: 0 })), [double([4, 2])]],
    ['one of two inputs', (x, y) => x!.mul(y!), [double([3]), rand([3], { dtype: 'float64' })]],
    ['views', (x) => x!.t().narrow(0, 0, 1).flip([1]).square(), [double([2, 2])]],
    ['a turned input', (x) => x!.square(), [rand([2, 3], { dtype: 'float64' }).t().requiresGrad_()]],
    ['an unused input', (x, y) => x!.square().add(y!.detach().mul(0)), [double([2]), double([2])]],
    ['a 0-d input', (x) => x!.square(), [double([])]],
  ];
  it.each(right)('passes %s', (_, fn, inputs) => {
    const values = inputs.map((input) => input.arraySync());
    expect(autograd.gradcheck(fn, inputs)).toBe(true);
    expect(inputs.map((input) => input.arraySync())).toEqual(values);
    expect(inputs.map((input) => input.grad)).toEqual(inputs.map(() => null));
  });

  const wrong: [string, (...inputs: Tensor[]) => Tensor][] = [
    ['a factor that is detached', (x) => x!.detach().mul(x!)],
    ['a function that is detached', (x) => x!.detach().square()],
    ['a gradient that is missing in places', (x) => where(x!.gt(0.2), x!, x!.detach()).mul(3)],
  ];
  it.each(wrong)('finds %s', (_, fn) => {
    const x = tensor([0.1, 0.4], { dtype: 'float64', requiresGrad: true });
    expect(() => autograd.gradcheck(fn, [x])).toThrow(GradcheckError);
    expect(() => autograd.gradcheck(fn, [x])).toThrow(
      /^Expected -?[\d.]+ for the gradient of input 0 at element [01] but received -?[\d.]+$/,
    );
  });

  it('finds the input that is wrong', () => {
    const inputs = [double([2]), double([2])];
    expect(() => autograd.gradcheck((x, y) => x!.mul(y!.mul(y!.detach())), inputs)).toThrow('of input 1');
  });

  it('takes tolerances', () => {
    const x = randn([2], { dtype: 'float64', requiresGrad: true });
    const slightlyOff = (t: Tensor) => t.mul(1e-3).add(t.detach().mul(1e-4));
    expect(() => autograd.gradcheck(slightlyOff, [x])).toThrow(GradcheckError);
    expect(autograd.gradcheck(slightlyOff, [x], { atol: 1e-2 })).toBe(true);
  });
});
