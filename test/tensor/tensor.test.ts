import { inspect } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  DeviceError,
  DisposedError,
  type DType,
  DTypeError,
  isTensor,
  memory,
  NativeError,
  ShapeError,
  Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';
import { itRefuses } from '../support/refusals.js';

const gone = () => {
  const made = zeros([1]);
  made.dispose();
  return made;
};
const leaf = () => tensor([1, 2], { requiresGrad: true });

beforeEach(collectGarbage);

itRefuses([
  ['new Tensor()', () => new (Tensor as unknown as new () => Tensor)(), ArgumentError, 'not new Tensor()'],
  ['item() of two', () => zeros([2]).item(), ShapeError, 'a Tensor with one element for item() but it has 2'],
  ['item() of none', () => zeros([0]).item(), ShapeError, 'but it has 0'],
  ['data of the disposed', () => gone().dataSync(), DisposedError, 'for input of data'],
  ['the shape of the disposed', () => gone().shape, DisposedError, 'for input of shape'],
  [
    'a device of tensors that is unknown',
    () => zeros([1]).to({ device: 'gpu' as never }),
    DeviceError,
    "'gpu'",
  ],
  ['a dtype that is unknown', () => zeros([1]).to({ dtype: 'half' as never }), DTypeError, "'half' (string)"],
  [
    'a device without its name',
    () => zeros([1]).to('cuda' as never),
    ArgumentError,
    "Expected an object such as { device, dtype } for options but received 'cuda' (string)",
  ],
  [
    'a memory format that is unknown',
    () => zeros([1]).contiguous({ memoryFormat: 'x' as never }),
    ArgumentError,
    "Expected 'contiguous' or 'channelsLast' for memoryFormat",
  ],
  [
    'channels last of a matrix',
    () => zeros([1, 1]).contiguous({ memoryFormat: 'channelsLast' }),
    ShapeError,
    'rank 4',
  ],
  ['gradients of integers', () => tensor([1n]).requiresGrad_(), DTypeError, 'but received int64'],
  [
    'a result that shall not require gradients',
    () => leaf().mul(2).requiresGrad_(false),
    ArgumentError,
    'Expected a leaf for requiresGrad = false but received a result: use detach()',
  ],
  [
    'a gradient of another shape',
    () => {
      leaf().grad = zeros([3]);
    },
    ShapeError,
    'Expected shape [2] for grad but received [3]',
  ],
  [
    'a gradient of another dtype',
    () => {
      leaf().grad = zeros([2], { dtype: 'float64' });
    },
    DTypeError,
    'Expected dtype float32 for grad but received float64',
  ],
  [
    'a gradient that is no Tensor',
    () => {
      leaf().grad = 1 as never;
    },
    ArgumentError,
    'Expected a Tensor or null for grad but received 1 (number)',
  ],
  ['backward without a graph', () => tensor(1).backward(), NativeError, 'does not require grad'],
  ['a number where item() belongs', () => Number(tensor(1)), DTypeError, 'item()'],
]);

it('rejects async reads of the disposed', async () => {
  await expect(async () => gone().data()).rejects.toThrow(DisposedError);
  await expect(async () => gone().array()).rejects.toThrow(DisposedError);
});

describe('properties', () => {
  it('describe the tensor', () => {
    const x = zeros([2, 3, 4], { dtype: 'int16' });
    expect(x.shape).toEqual([2, 3, 4]);
    expect(x.strides).toEqual([12, 4, 1]);
    expect([x.dtype, x.device, x.numel, x.ndim]).toEqual(['int16', 'cpu', 24, 3]);
    expect([x.isContiguous(), x.isLeaf, x.requiresGrad, x.grad, x.isDisposed]).toEqual([
      true,
      true,
      false,
      null,
      false,
    ]);
    expect(Object.prototype.toString.call(x.shape)).toBe('[object Array]');
  });

  it('are of the class Tensor', () => {
    const x = tensor(1);
    expect(x).toBeInstanceOf(Tensor);
    expect(x.constructor).toBe(Tensor);
    expect([isTensor(x), isTensor({}), isTensor(null), isTensor(undefined)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(isTensor(Object.create(Tensor.prototype))).toBe(false);
  });

  it('cannot be faked', () => {
    const fake = Object.create(Tensor.prototype) as Tensor;
    expect(() => fake.shape).toThrow(ArgumentError);
    expect(() => zeros([1]).add(fake)).toThrow('received an object');
  });
});

describe('reading', () => {
  it.each(['float32', 'float16', 'bfloat16', 'int64', 'bool'] as const)(
    'gives %s in row-major order whatever the strides',
    async (dtype) => {
      const x = arange(6).remainder(2).reshape([2, 3]).to({ dtype });
      const turned = x.t();
      expect(turned.strides).toEqual([1, 3]);
      expect(turned.isContiguous()).toBe(false);
      const straight = turned.contiguous();
      expect(straight.strides).toEqual([2, 1]);
      expect(turned.dataSync()).toEqual(straight.dataSync());
      expect(await turned.data()).toEqual(straight.dataSync());
      expect(await turned.array()).toEqual(turned.arraySync());
    },
  );

  it('converts to the dtype that is asked for', async () => {
    const x = tensor(
      [
        [1.5, -2.25, 0],
        [3, 1e3, 7],
      ],
      { dtype: 'bfloat16', requiresGrad: true },
    ).t();
    const before = memory().numTensors;
    expect(x.dataSync({ dtype: 'float64' })).toEqual(Float64Array.of(1.5, 3, -2.25, 1e3, 0, 7));
    expect(await x.data({ dtype: 'int64' })).toEqual(BigInt64Array.of(1n, 3n, -2n, 1000n, 0n, 7n));
    expect(await x.data({ dtype: 'bool' })).toEqual(Uint8Array.of(1, 1, 1, 1, 0, 1));
    // The tensor's own dtype, and none: raw bits.
    expect(x.dataSync({ dtype: 'bfloat16' })).toEqual(x.dataSync({ dtype: undefined }));
    expect(x.dataSync()).toBeInstanceOf(Uint16Array);
    expect(memory().numTensors).toBe(before);
    const labels = tensor([3, 4], { dtype: 'int32' });
    expect(labels.dataSync({ dtype: 'int64', copy: false })).toEqual(BigInt64Array.of(3n, 4n));
    expect(labels.arraySync()).toEqual([3, 4]);
  });

  it('refuses an unknown dtype for data, at once', () => {
    const x = zeros([1]);
    for (const read of [
      () => x.dataSync({ dtype: 'float' as DType }),
      () => x.data({ dtype: 'float' as DType }),
    ])
      expect(read).toThrow(/^Expected one of float32, .* for dtype but received 'float' \(string\)$/);
    expect(() => x.dataSync({ copy: 1 as unknown as boolean })).toThrow('Expected a boolean for copy');
  });

  it('gives the number of an element, and a bigint where a number would lose digits', () => {
    const edge = 2n ** 53n;
    expect([tensor(edge - 1n).item(), tensor(-edge - 1n).item()]).toEqual([Number(edge) - 1, -edge - 1n]);
    expect([tensor(2 ** 60).item(), tensor(true).item()]).toEqual([2 ** 60, 1]);
    expect(Number(tensor(edge * 4n).item())).toBe(2 ** 55);
  });

  it('reads views that skip, and views that repeat', () => {
    const x = arange(6).reshape([2, 3]);
    expect([...x.narrow(1, 1, 2).dataSync()]).toEqual([1n, 2n, 4n, 5n]);
    expect(x.narrow(0, 0, 1).expand([2, 3]).arraySync()).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    const image = arange(24).reshape([1, 2, 3, 4]);
    const last = image.contiguous({ memoryFormat: 'channelsLast' });
    expect(last.strides).toEqual([24, 1, 8, 2]);
    expect(last.dataSync()).toEqual(image.dataSync());
  });

  it('reads what the tensor was when data() was called, also after dispose()', async () => {
    const x = tensor([1, 2]);
    const pending = x.data();
    x.dispose();
    expect([...((await pending) as Float32Array)]).toEqual([1, 2]);
  });

  it('keeps many reads apart', async () => {
    const reads = Array.from({ length: 50 }, (_, i) => zeros([1000]).fill_(i).data());
    const first = (await Promise.all(reads)).map((data) => data[999]);
    expect(first).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('leaves no handle behind', async () => {
    const x = tensor([1, 2], { dtype: 'bfloat16', requiresGrad: true });
    const before = memory().numTensors;
    x.arraySync();
    await x.array();
    x.toString();
    expect(memory().numTensors).toBe(before);
  });
});

describe('to', () => {
  it('shares the storage when nothing changes, and copies when something does', () => {
    const x = tensor([1.7, -1.7]);
    const same = x.to({ dtype: 'float32', device: 'cpu' });
    expect(same).not.toBe(x);
    x.fill_(3);
    expect(same.arraySync()).toEqual([3, 3]);
    expect(tensor([1.7, -1.7]).to({ dtype: 'int32' }).arraySync()).toEqual([1, -1]);
    expect(tensor([0.5, 0]).to({ dtype: 'bool' }).arraySync()).toEqual([true, false]);
  });

  it('is recorded for autograd', () => {
    const x = leaf();
    x.to({ dtype: 'float64' }).sum().backward();
    expect(x.grad!.dtype).toBe('float32');
  });
});

describe('copies and graphs', () => {
  it('clone copies, detach shares', () => {
    const x = leaf();
    const clone = x.clone();
    const detached = x.detach();
    expect([clone.requiresGrad, clone.isLeaf]).toEqual([true, false]);
    expect([detached.requiresGrad, detached.isLeaf]).toEqual([false, true]);
    detached.fill_(5);
    expect(x.arraySync()).toEqual([5, 5]);
    expect(clone.arraySync()).toEqual([1, 2]);
  });

  it('requiresGrad can be set and taken back on leaves', () => {
    const x = tensor([1]);
    x.requiresGrad = true;
    expect(x.mul(2).requiresGrad).toBe(true);
    expect(x.requiresGrad_(false)).toBe(x);
    expect(x.mul(2).requiresGrad).toBe(false);
  });

  it('grad can be set and dropped', () => {
    const x = leaf();
    x.grad = tensor([3, 4]);
    expect(x.grad!.arraySync()).toEqual([3, 4]);
    x.grad = null;
    expect(x.grad).toBe(null);
  });
});

describe('the end', () => {
  it('is done by dispose(), which may be called repeatedly', () => {
    const x = tensor([1]);
    const view = x.reshape([1, 1]);
    x.dispose();
    x.dispose();
    expect(x.isDisposed).toBe(true);
    expect(view.arraySync()).toEqual([[1]]);
    expect(String(x)).toBe('tensor(disposed)');
  });

  it('is done at the end of a using block', () => {
    const before = memory();
    let outer: Tensor;
    {
      using x = zeros([256]);
      outer = x;
      expect(memory()).toMatchObject({
        numTensors: before.numTensors + 1,
        numBytes: before.numBytes + 1024,
      });
    }
    expect(outer.isDisposed).toBe(true);
    expect(memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
  });

  it('counts each storage once', () => {
    const before = memory();
    using x = zeros([256]);
    using view = x.reshape([16, 16]);
    expect(memory()).toMatchObject({ numTensors: before.numTensors + 2, numBytes: before.numBytes + 1024 });
    x.dispose();
    expect(memory()).toMatchObject({ numTensors: before.numTensors + 1, numBytes: before.numBytes + 1024 });
    expect(view.numel).toBe(256);
  });
});

it('shows itself in templates, string concatenation and console.log', () => {
  const x = tensor([1, 2]);
  expect(`${x}`).toBe('tensor([1., 2.])');
  expect(inspect(x)).toBe('tensor([1., 2.])');
  expect(inspect({ x })).toBe('{ x: tensor([1., 2.]) }');
});
