import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  DisposedError,
  DTypeError,
  fromTypedArray,
  memory,
  ShapeError,
  tensor,
  zeros,
} from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';
import { runProcess } from '../support/program.js';
import { itRefuses } from '../support/refusals.js';

describe('fromTypedArray', () => {
  it('shares the memory of the array', () => {
    const array = new Float32Array([1, 2, 3, 4]);
    const x = fromTypedArray(array, { shape: [2, 2] });
    array[3] = 40;
    expect(x.arraySync()).toEqual([
      [1, 2],
      [3, 40],
    ]);
    x.mul_(2);
    expect([...array]).toEqual([2, 4, 6, 80]);
  });

  it.each([
    [new Float64Array(2), 'float64'],
    [new BigInt64Array(2), 'int64'],
    [new Int32Array(2), 'int32'],
    [new Int16Array(2), 'int16'],
    [new Int8Array(2), 'int8'],
    [new Uint8Array(2), 'uint8'],
    [new Uint8ClampedArray(2), 'uint8'],
    [new Float32Array(new SharedArrayBuffer(8)), 'float32'],
    [new Float32Array(new ArrayBuffer(16), 4, 2), 'float32'],
  ])('takes %o', (array, dtype) => {
    const x = fromTypedArray(array);
    expect([x.dtype, x.shape]).toEqual([dtype, [2]]);
    x.fill_(1);
    expect([...array].map(Number)).toEqual([1, 1]);
  });

  it('takes raw 16-bit floats and bools by name', () => {
    expect(fromTypedArray(new Uint16Array([0x3f80]), { dtype: 'bfloat16' }).item()).toBe(1);
    expect(fromTypedArray(new Uint8Array([0, 1]), { dtype: 'bool' }).arraySync()).toEqual([false, true]);
  });

  it('keeps the buffer alive through views, and lets it go with the last', async () => {
    // In a separate process: only its size shows whether memory was freed.
    const { stdout } = await runProcess(`
      import { setFlagsFromString } from 'node:v8';
      import { runInNewContext } from 'node:vm';
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc');
      const arrayBuffers = async () => {
        for (let i = 0; i < 3; i++) { gc(); await new Promise((r) => setTimeout(r, 10)); dyconv.zeros([1]).dispose(); }
        return Math.round(process.memoryUsage().arrayBuffers / 2 ** 20);
      };
      let view = dyconv.fromTypedArray(new Float32Array(2 ** 23).fill(7)).narrow(0, 5, 2);
      const held = await arrayBuffers();
      const values = view.arraySync();
      view.dispose();
      console.log(JSON.stringify([held, values, await arrayBuffers()]));
    `);
    const [held, values, after] = JSON.parse(stdout);
    expect(values).toEqual([7, 7]);
    expect(held).toBeGreaterThanOrEqual(32);
    expect(after).toBeLessThan(8);
  });

  it('counts the storage', () => {
    collectGarbage();
    const before = memory();
    const x = fromTypedArray(new Float32Array(256));
    expect(memory().numBytes - before.numBytes).toBe(1024);
    expect(memory().allocatedBytes).toBe(before.allocatedBytes);
    x.dispose();
    expect(memory().numBytes).toBe(before.numBytes);
  });

  it('cannot have its buffer transferred by postMessage', () => {
    const array = new Float32Array([1, 2]);
    const x = fromTypedArray(array);
    try {
      structuredClone(array, { transfer: [array.buffer] });
    } catch {
      // Newer Node.js throws; Node.js 20 copies.
    }
    expect(x.arraySync()).toEqual([1, 2]);
  });

  itRefuses([
    ['no array', () => fromTypedArray([1] as never), ArgumentError, 'a typed array for array'],
    ['a DataView', () => fromTypedArray(new DataView(new ArrayBuffer(4)) as never), ArgumentError, 'array'],
    [
      'a resizable buffer',
      () => fromTypedArray(new Uint8Array(Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]))),
      ArgumentError,
      'a buffer of fixed length for array',
    ],
    ['a wrong shape', () => fromTypedArray(new Float32Array(4), { shape: [3] }), ShapeError, '4'],
    ['raw bits unnamed', () => fromTypedArray(new Uint16Array(4)), DTypeError, 'float16'],
    ['another dtype', () => fromTypedArray(new Float32Array(4), { dtype: 'int32' }), DTypeError, 'for dtype'],
    [
      'unsigned words',
      () => fromTypedArray(new Uint32Array(4) as never),
      DTypeError,
      'for data but received Uint32Array',
    ],
    ['null options', () => fromTypedArray(new Float32Array(4), null as never), ArgumentError, 'options'],
  ]);
});

describe('dataSync({ copy: false })', () => {
  it('shares the memory of the tensor, and keeps it alive', () => {
    const x = tensor([1, 2, 3]);
    const array = x.dataSync({ copy: false });
    x.add_(1);
    expect([...array]).toEqual([2, 3, 4]);
    x.dispose();
    collectGarbage();
    expect([...array]).toEqual([2, 3, 4]);
  });

  it('may be asked for twice, and of views', () => {
    const x = arange(6, { dtype: 'float32' }).reshape([2, 3]);
    const arrays = [x.dataSync({ copy: false }), x.dataSync({ copy: false })];
    using row = x.index(1);
    const part = row.dataSync({ copy: false });
    x.add_(1);
    expect(arrays.map((array) => [...array])).toEqual([
      [1, 2, 3, 4, 5, 6],
      [1, 2, 3, 4, 5, 6],
    ]);
    expect([...part]).toEqual([4, 5, 6]);
  });

  it('is a copy where the elements are not in order', () => {
    const x = arange(6, { dtype: 'float32' }).reshape([2, 3]).t();
    const array = x.dataSync({ copy: false });
    x.add_(1);
    expect([...array]).toEqual([0, 3, 1, 4, 2, 5]);
    expect(zeros([0]).dataSync({ copy: false }).length).toBe(0);
    const bytes = tensor([1, 2], { dtype: 'int8' });
    bytes.dataSync({ copy: false, dtype: 'int8' })[0] = 5;
    bytes.dataSync({ copy: false, dtype: 'int16' })[1] = 6;
    expect(bytes.arraySync()).toEqual([5, 2]);
  });

  it('refuses a disposed tensor and an odd option', () => {
    const x = tensor([1]);
    expect(() => x.dataSync({ copy: 1 as never })).toThrow('Expected a boolean for copy');
    x.dispose();
    expect(() => x.dataSync({ copy: false })).toThrow(DisposedError);
  });
});
