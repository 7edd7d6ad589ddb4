/** Element types of files without a dtype here: converted, or rejected. Files by test/golden/make_torch_values.py. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { CheckpointError } from '../../lib/errors.js';
import {
  loadNpy,
  loadNpz,
  loadSafetensors,
  loadTorch,
  memory,
  readSafetensorsHeader,
  type Tensor,
} from '../../lib/index.js';
import { collectWarnings } from '../support/warnings.js';

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const float8 = JSON.parse(readFileSync(golden('values/expected.json'), 'utf8')) as Record<string, string[]>;

function expectForeign(read: Record<string, Tensor>): void {
  expect(read.uint16!.dtype).toBe('int32');
  expect(read.uint16!.arraySync()).toEqual([0, 65535]);
  expect(read.uint32!.dtype).toBe('int64');
  expect(read.uint32!.arraySync()).toEqual([0, 2 ** 32 - 1]);
  expect(read.uint64!.dtype).toBe('int64');
  expect(read.uint64!.arraySync()).toEqual([0, 2n ** 63n - 1n]);
  expect(read.w!.arraySync()).toEqual([1.5]);
  const numbers = (texts: string[]) =>
    texts.map((text) => Number(text.replace('inf', 'Infinity').replace('nan', 'NaN')));
  for (const [name, texts] of Object.entries(float8)) {
    expect(read[name]!.dtype, name).toBe('float32');
    expect([...read[name]!.dataSync()], name).toEqual(numbers(texts));
  }
  // Left to the garbage collector, they would go while the last test counts tensors.
  for (const tensor of Object.values(read)) tensor.dispose();
}

it('a file of torch.save has unsigned integers and floats of 8 bits', async () => {
  expectForeign((await loadTorch(golden('values/foreign.pt'))) as Record<string, Tensor>);
});

it.each([false, true])(
  'a safetensors file has them, and only its complex tensor is refused (mmap %s)',
  async (mmap) => {
    const warnings = collectWarnings();
    const file = golden('values/foreign.safetensors');
    const read = await loadSafetensors(file, { mmap });
    expectForeign(read);
    expect(Object.keys(read)).not.toContain('complex');
    expect(() => read.complex).toThrow(CheckpointError);
    expect(() => read.complex).toThrow(
      /foreign\.safetensors: complex cannot be read: its elements are C64, which no dtype/,
    );
    expect(await warnings()).toEqual([expect.stringMatching(/left out complex \(its elements are C64/)]);
    const { entries } = await readSafetensorsHeader(file);
    expect(entries.find(({ name }) => name === 'complex')).toMatchObject({ storedAs: 'C64', dtype: null });
    expect(entries.find(({ name }) => name === 'uint16')).toMatchObject({ storedAs: 'U16', dtype: 'int32' });
  },
);

it('an npz file has them, and texts, objects, records and complex numbers are refused one by one', async () => {
  const warnings = collectWarnings();
  const before = memory().numTensors;
  const read = await loadNpz(golden('values/mixed.npz'));
  expect(Object.keys(read)).toEqual(['x', 'u2', 'u4', 'u8']);
  expect(read.x!.arraySync()).toEqual([1, 2]);
  expect(read.u2!.arraySync()).toEqual([[0, 65535]]);
  expect(read.u4!.arraySync()).toEqual([2 ** 32 - 1]);
  expect(read.u8!.arraySync()).toEqual([2n ** 63n - 1n]);
  expect(() => read.version).toThrow(
    /mixed\.npz: version cannot be read: its elements are of type '\|S3'; supported/,
  );
  expect(() => read.huge).toThrow(/a uint64 beyond 2\^63 - 1/);
  for (const name of ['names', 'objects', 'points', 'waves'])
    expect(() => read[name], name).toThrow(CheckpointError);
  expect(await warnings()).toHaveLength(1);
  for (const tensor of Object.values(read)) tensor.dispose();
  expect(memory().numTensors).toBe(before);
});

it('an npy file of another type is refused', async () => {
  await expect(loadNpy(golden('numpy/complex.npy'))).rejects.toThrow(
    /elements are of type '<c8'; supported are/,
  );
});
