/** Sizes and lengths that are checked before anything is allocated. */
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  data,
  functional as F,
  fromTypedArray,
  NativeError,
  ones,
  ShapeError,
  tensor,
  trilIndices,
  triuIndices,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';

function nested(levels: number): never {
  let array: unknown = 1;
  for (let i = 0; i < levels; i++) array = [array];
  return array as never;
}

function containingItself(): never {
  const array: unknown[] = [];
  array.push(array);
  return array as never;
}

/** 10^12 elements that share the bytes of a thousand rows. */
function rowsOfOneRow(): never {
  const row = new Array(1e6).fill(0);
  return new Array(1e6).fill(row) as never;
}

describe('tensor() of arrays', () => {
  itRefuses([
    [
      'an array that contains itself',
      () => tensor(containingItself()),
      ShapeError,
      'Expected nested arrays of at most 64 levels for data',
    ],
    ['20,000 levels', () => tensor(nested(20_000)), ShapeError, 'at most 64 levels'],
    ['65 levels', () => tensor(nested(65)), ShapeError, 'at most 64 levels'],
    [
      'one row a million times',
      () => tensor(rowsOfOneRow()),
      NativeError,
      'Expected memory for a Float32Array of 1000000000000 elements',
    ],
    [
      'rows of two lengths',
      () => tensor([[1, 2], [3]] as never),
      ShapeError,
      'Expected nested arrays of equal length for data',
    ],
    [
      'text among numbers',
      () => tensor([1, 'a'] as never),
      ArgumentError,
      'Expected numbers, bigints or booleans for data',
    ],
  ]);

  it('takes 64 levels, and finds the dtype of what is in them', () => {
    expect(tensor(nested(64)).ndim).toBe(64);
    expect(
      [tensor([true, 1]), tensor([1n, 2]), tensor([[true], [false]]), tensor([1n]), tensor([])].map(
        (x) => x.dtype,
      ),
    ).toEqual(['float32', 'float32', 'bool', 'int64', 'float32']);
    expect(
      tensor(
        [
          [true, 2n],
          [3, -1],
        ],
        { dtype: 'int16' },
      ).arraySync(),
    ).toEqual([
      [1, 2],
      [3, -1],
    ]);
  });
});

describe('arrays and tensors made of a shape', () => {
  const hollow = zeros([400_000_000, 0]);
  const deep = ones([1]).reshape(new Array(65).fill(1));
  itRefuses([
    [
      'arraySync() of 400 million empty rows',
      () => hollow.arraySync(),
      NativeError,
      "Expected nested arrays that fit JavaScript's heap",
    ],
    ['arraySync() of 2^50 empty rows', () => zeros([2 ** 50, 0]).arraySync(), NativeError, 'use data()'],
    ['arraySync() of 65 dimensions', () => deep.arraySync(), ShapeError, 'Expected at most 64 dimensions'],
    [
      'unbind() of 400 million',
      () => hollow.unbind(),
      ShapeError,
      'Expected at most 1048576 tensors from unbind',
    ],
    [
      'split() into 400 million',
      () => hollow.split(1),
      ShapeError,
      'Expected at most 1048576 tensors from split',
    ],
    [
      'chunk() into 400 million',
      () => hollow.chunk(4e8),
      ShapeError,
      'Expected at most 1048576 tensors from chunk',
    ],
    [
      'tensordot over 2^32 - 1 dimensions',
      () => ones([2]).tensordot(ones([2]), { dims: 2 ** 32 - 1 }),
      ArgumentError,
      'Expected an integer from 0 to 1 or two lists of dimensions for dims',
    ],
    [
      'repeat to 2^64 + 4',
      () => ones([4]).repeat([(2n ** 62n + 1n) as never]),
      ShapeError,
      'Expected sizes times repeats below 2^63',
    ],
    [
      'tile to 2^64',
      () => ones([4]).tile([(2n ** 62n) as never]),
      ShapeError,
      'Expected sizes times repeats below 2^63',
    ],
    [
      'pad by 2^63 - 1 on both sides',
      () =>
        F.pad(ones([1, 2, 5]), [(2n ** 63n - 1n) as never, (2n ** 63n - 1n) as never], { mode: 'replicate' }),
      ArgumentError,
      'for padding of pad',
    ],
    [
      'trilIndices of 2^64 elements',
      () => trilIndices(2 ** 32, 2 ** 32),
      ShapeError,
      'Expected a number of elements below 2^63',
    ],
    [
      'triuIndices of -1 rows',
      () => triuIndices(-1, 2),
      ArgumentError,
      'Expected integers of at least 0 for rows and columns',
    ],
  ]);

  it('rejects array() as arraySync() throws', async () => {
    await expect(hollow.array()).rejects.toThrow(NativeError);
  });

  it('prints what it cannot nest', () => {
    expect(String(hollow)).toBe('tensor([], size=[400000000, 0])');
  });

  it('takes an offset beyond a triangle for one at its edge', () => {
    expect(trilIndices(2, 2, { offset: (2n ** 63n - 1n) as never }).shape).toEqual([2, 4]);
    expect(triuIndices(2, 2, { offset: 2 ** 50 }).shape).toEqual([2, 0]);
    expect(trilIndices(3, 3).arraySync()).toEqual([
      [0, 1, 1, 2, 2, 2],
      [0, 0, 1, 0, 1, 2],
    ]);
  });
});

describe('reading values', () => {
  // Never written to, so it takes addresses but no memory.
  const long = zeros([1], { dtype: 'uint8' }).expand([2 ** 53 - 1]);
  itRefuses([
    [
      'dataSync() of 2^53 - 1 elements',
      () => long.dataSync(),
      NativeError,
      'Expected memory for a Uint8Array of 9007199254740991 elements',
    ],
    [
      'data() of 2^53 - 1 elements',
      () => long.data(),
      NativeError,
      'Expected memory for a Uint8Array of 9007199254740991 elements',
    ],
  ]);

  it('copies strided tensors of every dtype once, row by row', async () => {
    for (const dtype of [
      'float32',
      'float64',
      'int64',
      'int32',
      'int16',
      'int8',
      'uint8',
      'bool',
      'bfloat16',
      'float16',
    ] as const) {
      const x = tensor([
        [1, 0, 3],
        [4, 5, 0],
      ])
        .to({ dtype })
        .t();
      const expected = tensor([
        [1, 4],
        [0, 5],
        [3, 0],
      ])
        .to({ dtype })
        .dataSync();
      expect(x.dataSync()).toEqual(expected);
      expect(await x.data()).toEqual(expected);
    }
  });
});

/** Node.js 20 copies what cannot be transferred; newer versions throw. */
function transfer(array: Float32Array<ArrayBuffer>): void {
  try {
    structuredClone(array, { transfer: [array.buffer] });
  } catch {}
}

describe('typed arrays of another vm context', () => {
  const other = (code: string) => vm.runInNewContext(code);

  it('are taken as they are', () => {
    expect(tensor(other('new Float32Array([1, 2])')).arraySync()).toEqual([1, 2]);
    expect(tensor(other('new BigInt64Array([1n])')).dtype).toBe('int64');
    expect(tensor(other('new Uint8ClampedArray([7])')).dtype).toBe('uint8');
    expect(tensor(other('new Uint16Array([15360])'), { dtype: 'float16' }).item()).toBe(1);
    expect(fromTypedArray(other('new Int32Array([3, 4])')).arraySync()).toEqual([3, 4]);
    expect(fromTypedArray(other('new Uint8Array([1, 0])'), { dtype: 'bool' }).arraySync()).toEqual([
      true,
      false,
    ]);
    expect(tensor(other('[[1, 2], [3, 4]]')).shape).toEqual([2, 2]);
  });

  it('are held as those of this one are', () => {
    const array = other('new Float32Array(4)');
    fromTypedArray(array);
    transfer(array);
    expect(array.length).toBe(4);
    const resizable = other('new Float32Array(new ArrayBuffer(8, { maxByteLength: 16 }))');
    expect(() => fromTypedArray(resizable)).toThrow('can be resized');
  });

  it('make a data set', async () => {
    const images = other('new Uint8Array(2 * 3 * 4 * 4).fill(255)');
    const labels = other('new Uint8Array([0, 1])');
    const set = { name: 'x', classes: ['a', 'b'], shape: [3, 4, 4], length: 2, images, labels };
    const bundled = await data.bundled({ split: 'test' });
    for await (const batch of data.loader(Object.assign(Object.create(bundled), set) as never, {
      batchSize: 2,
    }))
      expect(batch.images.sum().item()).toBe(96);
  });
});
