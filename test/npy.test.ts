import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  CheckpointError,
  DTypeError,
  empty,
  loadNpy,
  loadNpz,
  randn,
  saveNpy,
  saveNpz,
  tensor,
  zeros,
} from '../lib/index.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-npy-'));
afterAll(() => rmSync(folder, { recursive: true }));
const golden = (name: string) => fileURLToPath(new URL(`golden/numpy/${name}`, import.meta.url));
const file = (name: string) => join(folder, name);

describe('loadNpy', () => {
  it.each([
    ['f4', 'float32'],
    ['f8', 'float64'],
    ['f2', 'float16'],
    ['i8', 'int64'],
    ['i4', 'int32'],
    ['i2', 'int16'],
    ['i1', 'int8'],
    ['u1', 'uint8'],
    ['big-endian', 'int32'],
    ['version2', 'float32'],
  ])('reads %s as NumPy wrote it', async (name, dtype) => {
    const x = await loadNpy(golden(`${name}.npy`));
    expect(x.dtype).toBe(dtype);
    expect(x.arraySync()).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });

  it('reads bools, a scalar, nothing, and column-major arrays', async () => {
    expect((await loadNpy(golden('bool.npy'))).arraySync()).toEqual([
      [false, true, false],
      [true, false, true],
    ]);
    const scalar = await loadNpy(golden('scalar.npy'));
    expect([scalar.shape, scalar.item()]).toEqual([[], 3.5]);
    expect((await loadNpy(golden('empty.npy'))).shape).toEqual([0, 3]);
    const fortran = await loadNpy(golden('fortran.npy'));
    expect(fortran.isContiguous()).toBe(true);
    expect(fortran.arraySync()).toEqual(arange(24).reshape([2, 3, 4]).arraySync());
  });

  it('rejects other files, with the reason', async () => {
    const good = readFileSync(golden('f4.npy'));
    const cases: [string, Buffer, RegExp][] = [
      ['a', Buffer.from('hello world'), /is not a npy file: its first bytes are not \\x93NUMPY/],
      ['b', good.subarray(0, 5), /is truncated: it has only 5 bytes/],
      ['c', good.subarray(0, 60), /is truncated/],
      ['d', good.subarray(0, -1), /is truncated: \[2, 3\] of float32 takes 24 bytes, it has 23/],
      ['e', Buffer.concat([good, Buffer.alloc(4)]), /has bytes behind its array/],
      ['f', Buffer.from(good.toString('latin1').replace('(2, 3)', '(2,-3)'), 'latin1'), /its shape has -3/],
      [
        'g',
        Buffer.from(good.toString('latin1').replace('descr', 'derrs'), 'latin1'),
        /its header lacks descr/,
      ],
    ];
    for (const [name, bytes, message] of cases) {
      writeFileSync(file(name), bytes);
      await expect(loadNpy(file(name))).rejects.toThrow(message);
      await expect(loadNpy(file(name))).rejects.toThrow(CheckpointError);
    }
    await expect(loadNpy(golden('complex.npy'))).rejects.toThrow(/elements are of type '<c8'; supported are/);
    await expect(loadNpy(file('missing.npy'))).rejects.toThrow(/Cannot read .*: no such file/);
    await expect(loadNpy(1 as never)).rejects.toThrow(ArgumentError);
  });
});

describe('saveNpy', () => {
  it.each(['f4', 'f8', 'f2', 'i8', 'i4', 'i2', 'i1', 'u1', 'bool', 'scalar', 'empty'])(
    'writes %s byte for byte as NumPy does',
    async (name) => {
      await saveNpy(file(name), await loadNpy(golden(`${name}.npy`)));
      const [ours, theirs] = [readFileSync(file(name)), readFileSync(golden(`${name}.npy`))];
      expect(ours.subarray(ours.length - 24)).toEqual(theirs.subarray(theirs.length - 24));
      expect(ours.length % 64).toBe(theirs.length % 64);
      expect(ours.toString('latin1').slice(0, 70)).toBe(theirs.toString('latin1').slice(0, 70));
    },
  );

  it('writes any strides in row-major order, in pieces where it is large', async () => {
    const x = randn([2100, 2100]).t();
    await saveNpy(file('large'), x);
    expect((await loadNpy(file('large'))).equal(x)).toBe(true);
  });

  it('rejects bfloat16 and other values, and leaves no file', async () => {
    await expect(saveNpy(file('none'), empty([1], { dtype: 'bfloat16' }))).rejects.toThrow(DTypeError);
    await expect(saveNpy(file('none'), [1] as never)).rejects.toThrow('Expected a Tensor for tensor');
    await expect(saveNpy(file('no/such'), zeros([1]))).rejects.toThrow(/Cannot write .*: no such folder/);
    expect(() => readFileSync(file('none'))).toThrow('ENOENT');
  });
});

describe('npz', () => {
  it.each(['stored', 'deflated'])('reads %s arrays as NumPy wrote them', async (name) => {
    const { images, labels, ...rest } = await loadNpz(golden(`${name}.npz`));
    expect([images?.dtype, images?.shape, labels?.arraySync(), rest]).toEqual([
      'float32',
      [2, 3],
      [1, 2],
      {},
    ]);
  });

  it.each([false, true])('is read as it was written (compress: %s)', async (compress) => {
    const record = { a: randn([3, 4]).t(), 'b/c': tensor([1n, 2n]), large: randn([5_000_000]) };
    await saveNpz(file('x.npz'), record, { compress });
    const back = await loadNpz(file('x.npz'));
    expect(Object.keys(back)).toEqual(Object.keys(record));
    for (const [name, x] of Object.entries(record)) expect(back[name]?.equal(x)).toBe(true);
  });

  it('writes the same bytes for the same tensors', async () => {
    for (const name of ['1.npz', '2.npz']) await saveNpz(file(name), { x: arange(10) });
    expect(readFileSync(file('1.npz'))).toEqual(readFileSync(file('2.npz')));
  });

  it('refuses damaged files, and names the array', async () => {
    await saveNpz(file('good.npz'), { weights: arange(100) });
    const bytes = readFileSync(file('good.npz'));
    const flipped = Buffer.from(bytes);
    flipped[300]! ^= 1;
    writeFileSync(file('flipped.npz'), flipped);
    writeFileSync(file('cut.npz'), bytes.subarray(0, 500));
    await expect(loadNpz(file('flipped.npz'))).rejects.toThrow(CheckpointError);
    await expect(loadNpz(file('flipped.npz'))).rejects.toThrow('(array weights) is damaged');
    await expect(loadNpz(file('cut.npz'))).rejects.toThrow(/cut\.npz is not a npz file/);
    await expect(loadNpz(file('missing.npz'))).rejects.toThrow('no such file');
  });

  it('refuses bad records, and leaves no file', async () => {
    await expect(saveNpz(file('no.npz'), { x: 1 } as never)).rejects.toThrow('a Tensor for record["x"]');
    await expect(saveNpz(file('no.npz'), { '../x': zeros([1]) })).rejects.toThrow(ArgumentError);
    const gone = zeros([1]);
    gone.dispose();
    await expect(saveNpz(file('no.npz'), { gone })).rejects.toThrow('disposed');
    expect(() => readFileSync(file('no.npz'))).toThrow('ENOENT');
  });
});
