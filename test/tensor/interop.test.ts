import assert from 'node:assert';
import { describe, expect, it } from 'vitest';
import { Tensor, tensor, zeros } from '../../lib/index.js';

const half = (values: number[]) => tensor(values, { dtype: 'bfloat16' });

describe('deep equality', () => {
  const equal: [string, () => [Tensor, Tensor]][] = [
    ['the same values', () => [tensor([1, 2]), tensor([1, 2])]],
    ['NaN of either sign', () => [tensor([Number.NaN]), tensor([0]).div(0).neg()]],
    ['0 and -0', () => [zeros([2]), zeros([2]).neg()]],
    ['single numbers', () => [tensor(2), tensor(2)]],
    ['many values', () => [zeros([100, 3]), zeros([100, 3])]],
    ['many values with NaN and -0', () => [zeros([100]).neg().div(0), zeros([100]).div(0)]],
    ['16-bit floats', () => [half([1, 2]), half([1, 2])]],
    ['strides', () => [tensor([[1], [2]]), tensor([[1, 2]]).t()]],
  ];
  const different: [string, () => [Tensor, Tensor]][] = [
    ['values', () => [tensor([1, 2]), tensor([1, 3])]],
    ['single numbers', () => [tensor(1), tensor(2)]],
    ['rows', () => [tensor([[1, 2]]), tensor([[1, 3]])]],
    ['shapes', () => [zeros([2, 3]), zeros([3, 2])]],
    ['dtypes', () => [tensor([1, 2]), tensor([1, 2], { dtype: 'int64' })]],
    ['one value of many', () => [zeros([1000]), zeros([1000]).indexPut_([999], tensor(1))]],
    ['16-bit floats', () => [half([1, 2]), half([1, 4])]],
    ['integers beyond 2^53', () => [tensor([2n ** 60n]), tensor([2n ** 60n + 1n])]],
  ];

  it.each(equal)('holds for %s', (_, make) => {
    const [a, b] = make();
    expect(a).toEqual(b);
    expect({ nested: [a] }).toStrictEqual({ nested: [b] });
    assert.deepStrictEqual(a, b);
    assert.deepEqual([a], [b]);
  });

  it.each(different)('fails for other %s', (_, make) => {
    const [a, b] = make();
    expect(() => expect(a).toEqual(b)).toThrow();
    expect(() => expect({ nested: [a] }).toStrictEqual({ nested: [b] })).toThrow();
    assert.throws(() => assert.deepStrictEqual(a, b), assert.AssertionError);
    assert.throws(() => assert.deepEqual([a], [b]), assert.AssertionError);
  });

  it('shows the values of small tensors in the error of node:assert', () => {
    assert.throws(() => assert.deepStrictEqual(tensor([1, 2]), tensor([1, 3])), /\[1, 2\][\s\S]*\[1, 3\]/);
  });

  it('can be asked of disposed tensors and of the prototype', () => {
    const gone = zeros([1]);
    gone.dispose();
    expect(Object.prototype.toString.call(gone)).toBe('[object Tensor(disposed)]');
    expect(Object.prototype.toString.call(Tensor.prototype)).toBe('[object Tensor]');
  });
});

describe('JSON', () => {
  it('is the nested array, integers beyond 2^53 as strings', () => {
    const values = { a: tensor([[1, 2.5]]), b: tensor(3), c: tensor([true]), d: tensor([2n ** 60n, 1n]) };
    expect(JSON.stringify(values)).toBe('{"a":[[1,2.5]],"b":3,"c":[true],"d":["1152921504606846976",1]}');
    expect(JSON.stringify(tensor([Number.NaN, 1]))).toBe('[null,1]');
  });

  it('is what snapshots show', () => {
    expect({ x: tensor([1, 2]) }).toMatchInlineSnapshot(`
      {
        "x": [
          1,
          2,
        ],
      }
    `);
  });
});

describe('iteration', () => {
  it('goes over the first dimension, differentiably', () => {
    const x = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { requiresGrad: true },
    );
    const rows = Array.from(x);
    expect(rows.map((row) => row.arraySync())).toEqual([
      [1, 2],
      [3, 4],
    ]);
    rows[1]!.sum().backward();
    expect(x.grad!.arraySync()).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect([...tensor([5, 6])].map((value) => value.item())).toEqual([5, 6]);
    expect([...zeros([0, 3])]).toEqual([]);
  });

  it('is refused by the language for a single number', () => {
    expect(() => [...tensor(1)]).toThrow(TypeError);
  });
});

describe('operators', () => {
  const x = tensor([1]);

  it('are refused instead of joining texts', () => {
    expect(() => (x as unknown as number) + 1).toThrow(TypeError);
    expect(() => (x as unknown as number) + 1).toThrow('use x.add(y)');
    expect(() => (x as unknown as number) * 2).toThrow('item()');
  });

  it('leave template strings alone', () => {
    expect(`${x}`).toBe('tensor([1.])');
    expect(String(x)).toBe('tensor([1.])');
  });
});

it('has every method on one prototype, where completion finds it', () => {
  for (const name of ['add', 'sum', 'matmul', 'index', 'normal_', 'shape', 'dispose', 'toJSON', 'topk'])
    expect(Object.hasOwn(Tensor.prototype, name)).toBe(true);
  expect(Object.keys(Tensor.prototype)).toEqual([]);
});
