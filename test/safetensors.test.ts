import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ArgumentError, CheckpointError } from '../lib/errors.js';
import {
  loadSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  saveSafetensors,
} from '../lib/formats/safetensors.js';
import { memory } from '../lib/runtime/memory.js';
import { randn, tensor } from '../lib/tensor/create.js';
import type { Tensor } from '../lib/tensor/tensor.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyconv-safetensors-'));
  path = join(folder, 'weights.safetensors');
});

const EVERY_DTYPE: Record<string, () => Tensor> = {
  float64: () => tensor(Float64Array.of(1.1, -2, Number.MIN_VALUE), { shape: [3] }),
  float32: () => tensor(Float32Array.of(1.5, -2.25, 3e-40, Infinity), { shape: [2, 2] }),
  float16: () => tensor(Uint16Array.of(0x3c00, 0xc000), { shape: [2], dtype: 'float16' }),
  bfloat16: () => tensor(Uint16Array.of(0x3f80, 0xc000, 1), { shape: [1, 3], dtype: 'bfloat16' }),
  int64: () => tensor(BigInt64Array.of(-1n, 2n ** 62n), { shape: [2] }),
  int32: () => tensor(Int32Array.of(-(2 ** 31), 7), { shape: [2, 1] }),
  int16: () => tensor(Int16Array.of(-32768, 32767), { shape: [2] }),
  int8: () => tensor(Int8Array.of(-128, 127, 0), { shape: [3] }),
  uint8: () => tensor(Uint8Array.of(0, 255), { shape: [2] }),
  bool: () => tensor(Uint8Array.of(1, 0, 1), { shape: [3], dtype: 'bool' }),
};

describe('round trip', () => {
  it.each(Object.keys(EVERY_DTYPE))('%s keeps dtype, shape and bits', async (dtype) => {
    const original = EVERY_DTYPE[dtype]!();
    await saveSafetensors(path, { value: original });
    const { value } = await loadSafetensors(path);
    expect(value!.dtype).toBe(dtype);
    expect(value!.shape).toEqual(original.shape);
    expect(value!.dataSync()).toEqual(original.dataSync());
  });

  it('holds all of them in one file, each aligned to its size', async () => {
    const record = Object.fromEntries(Object.entries(EVERY_DTYPE).map(([name, make]) => [name, make()]));
    await saveSafetensors(path, record, { metadata: { epoch: '3', note: 'äöü "quoted"' } });
    const { tensors, metadata } = await readSafetensors(path);
    expect(metadata).toEqual({ epoch: '3', note: 'äöü "quoted"' });
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(record).sort());
    const bytes = readFileSync(path);
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    expect(start % 8).toBe(0);
    const { entries } = await readSafetensorsHeader(path);
    for (const { name, begin, end, shape } of entries) {
      const size = (end - begin) / shape.reduce((a, b) => a * b, 1);
      expect(begin % size, name).toBe(0);
    }
  });

  it('takes scalars, empty tensors, empty records and views', async () => {
    const matrix = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const record = {
      scalar: tensor(3.5),
      empty: tensor(new Float32Array(0), { shape: [0, 4] }),
      view: matrix.permute([1, 0]),
    };
    await saveSafetensors(path, record);
    const { scalar, empty, view } = await loadSafetensors(path);
    expect(scalar!.shape).toEqual([]);
    expect(scalar!.item()).toBe(3.5);
    expect(empty!.shape).toEqual([0, 4]);
    expect([...view!.dataSync()]).toEqual([1, 4, 2, 5, 3, 6]);
    await saveSafetensors(path, {});
    expect(await loadSafetensors(path)).toEqual({});
  });

  it('takes any name', async () => {
    const record: Record<string, Tensor> = {
      'features.0.weight': tensor([1]),
      '7': tensor([2]),
      '': tensor([3]),
    };
    Object.defineProperty(record, '__proto__', { value: tensor([4]), enumerable: true });
    await saveSafetensors(path, record);
    const loaded = await loadSafetensors(path);
    expect(Object.keys(loaded).sort()).toEqual(['', '7', '__proto__', 'features.0.weight']);
    expect(Object.getOwnPropertyDescriptor(loaded, '__proto__')?.value.item()).toBe(4);
  });
});

describe('saving', () => {
  it('leaves the previous file and nothing else when it fails', async () => {
    await saveSafetensors(path, { a: tensor([1]) });
    const before = readFileSync(path);
    const gone = tensor([2]);
    gone.dispose();
    await expect(saveSafetensors(path, { a: tensor([1, 2, 3]), gone })).rejects.toThrow();
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['weights.safetensors']);
  });

  it('names the folder that is missing', async () => {
    const missing = join(folder, 'no', 'such.safetensors');
    await expect(saveSafetensors(missing, {})).rejects.toThrow(CheckpointError);
    await expect(saveSafetensors(missing, {})).rejects.toThrow(`Cannot write ${missing}: no such folder`);
  });

  it.skipIf(process.getuid?.() === 0)('says when the folder cannot be written to (not as root)', async () => {
    chmodSync(folder, 0o500);
    await expect(saveSafetensors(path, {})).rejects.toThrow(/permission denied/);
    chmodSync(folder, 0o700);
  });

  it.skipIf(process.platform !== 'linux')('says when the disk is full', async () => {
    const full = '/dev/full';
    await expect(saveSafetensors(full, { a: tensor([1]) })).rejects.toThrow(/\/dev\/full: the disk is full/);
    expect(statSync(full).isCharacterDevice()).toBe(true);
  });

  it('refuses what is no tensor, the reserved name, and metadata other than strings', async () => {
    const wrong = { a: 1 } as unknown as Record<string, Tensor>;
    await expect(saveSafetensors(path, wrong)).rejects.toThrow(/a Tensor for record\["a"\]/);
    await expect(saveSafetensors(path, { __metadata__: tensor([1]) })).rejects.toThrow(ArgumentError);
    const metadata = { epoch: 3 } as unknown as Record<string, string>;
    await expect(saveSafetensors(path, {}, { metadata })).rejects.toThrow(/a string for metadata\["epoch"\]/);
  });
});

/** A file with any header, valid or not. */
function writeRaw(header: unknown, dataBytes = 0): void {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([prefix, json, Buffer.alloc(dataBytes)]));
}

const f32 = (shape: unknown, offsets: unknown) => ({ dtype: 'F32', shape, data_offsets: offsets });

describe('damaged files', () => {
  const cases: [string, unknown, number, RegExp][] = [
    ['JSON that does not parse', '{"a": ', 0, /header is not JSON/],
    ['a header that is no object', '[1]', 0, /header is not an object/],
    [
      'a duplicate tensor',
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
      /"a" appears twice/,
    ],
    [
      'a duplicate written differently',
      '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}, "\\u0061" :{}}',
      0,
      /"a" appears twice/,
    ],
    [
      'a duplicate field',
      '{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}',
      1,
      /"dtype" appears twice/,
    ],
    [
      'an unknown dtype',
      { a: { dtype: 'F7', shape: [1], data_offsets: [0, 1] } },
      1,
      /"a" has dtype 'F7'.*F64, F32/,
    ],
    [
      'a dtype from the prototype',
      { a: { dtype: 'toString', shape: [1], data_offsets: [0, 1] } },
      1,
      /"a" has dtype/,
    ],
    ['a negative size', { a: f32([-1], [0, 4]) }, 4, /"a" has shape/],
    ['a fractional size', { a: f32([1.5], [0, 6]) }, 6, /"a" has shape/],
    ['a missing shape', { a: f32(undefined, [0, 4]) }, 4, /"a" has shape undefined/],
    ['offsets that are no pair', { a: f32([1], [0]) }, 4, /data_offsets/],
    ['offsets the wrong way round', { a: f32([0], [4, 0]) }, 4, /needs 0 bytes/],
    [
      'a size that does not match',
      { a: f32([2, 3], [0, 20]) },
      20,
      /"a" of dtype F32 and shape \[2, 3\] needs 24 bytes.*hold 20/,
    ],
    ['a size beyond all numbers', { a: f32([2 ** 40, 2 ** 40], [0, 4]) }, 4, /"a"/],
    ['an overlap', { a: f32([2], [0, 8]), b: f32([1], [4, 8]) }, 8, /"b" overlaps/],
    ['a hole', { a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12, /"b" leaves a hole/],
    ['truncated data', { a: f32([2], [0, 8]) }, 6, /truncated.*8 bytes of data, the file has 6/],
    ['bytes too many', { a: f32([1], [0, 4]) }, 5, /bytes that belong to no tensor/],
    [
      'metadata other than strings',
      { __metadata__: { epoch: 1 } },
      0,
      /__metadata__ is not an object of strings/,
    ],
  ];

  it.each(cases)('%s', async (_, header, dataBytes, message) => {
    writeRaw(header, dataBytes);
    const failure = loadSafetensors(path);
    await expect(failure).rejects.toThrow(CheckpointError);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(path);
  });

  it.each([0, 7])('a file of %i bytes', async (bytes) => {
    writeFileSync(path, Buffer.alloc(bytes));
    await expect(loadSafetensors(path)).rejects.toThrow(/not a safetensors file: it has \d bytes/);
  });

  it('a header longer than the file, or than the limit', async () => {
    writeFileSync(path, Buffer.from([200, 0, 0, 0, 0, 0, 0, 0, 123]));
    await expect(loadSafetensors(path)).rejects.toThrow(/truncated: its header should take 200 bytes/);
    writeFileSync(path, Buffer.alloc(64, 255));
    await expect(loadSafetensors(path)).rejects.toThrow(/declares a header of 18446744073709551615 bytes/);
  });

  it('every truncation of a good file', async () => {
    await saveSafetensors(path, { a: tensor([1, 2, 3]), b: tensor([[4]]) });
    const { length } = readFileSync(path);
    for (let size = length - 1; size >= 0; size--) {
      const file = openSync(path, 'r+');
      ftruncateSync(file, size);
      closeSync(file);
      await expect(loadSafetensors(path), `${size} bytes`).rejects.toThrow(CheckpointError);
    }
  });

  it('a missing file and a folder', async () => {
    await expect(loadSafetensors(join(folder, 'none'))).rejects.toThrow(/Cannot read .*none: no such file/);
    await expect(loadSafetensors(folder)).rejects.toThrow(CheckpointError);
  });
});

/** A Python that can read and write safetensors; `PYTHON` names another one than `python3`. */
const python = process.env.PYTHON ?? 'python3';
const hasPython = spawnSync(python, ['-c', 'import torch, safetensors.torch']).status === 0;

describe.skipIf(!hasPython)(`exchange with Python (needs torch and safetensors in ${python})`, () => {
  const run = (code: string) => {
    const { status, stdout, stderr } = spawnSync(python, ['-c', code, path], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return stdout.trim();
  };

  it('reads what Python wrote, every dtype', async () => {
    run(`
import sys, torch
from safetensors.torch import save_file
names = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
values = {name: torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, name)) for name in names}
save_file(values, sys.argv[1], metadata={"from": "python"})`);
    const { tensors, metadata } = await readSafetensors(path);
    expect(metadata).toEqual({ from: 'python' });
    expect(Object.keys(tensors).length).toBe(10);
    for (const [name, value] of Object.entries(tensors)) {
      expect(value.dtype).toBe(name);
      expect(value.shape).toEqual([2, 3]);
      expect([...value.to({ dtype: 'float32' }).dataSync()]).toEqual([0, 1, 1, 1, 0, 1]);
    }
  });

  it('writes what Python reads, every dtype', async () => {
    const record = Object.fromEntries(Object.entries(EVERY_DTYPE).map(([name, make]) => [name, make()]));
    await saveSafetensors(path, record, { metadata: { from: 'node' } });
    const printed = run(`
import sys, json, torch
from safetensors import safe_open
with safe_open(sys.argv[1], "pt") as file:
    sums = {key: [str(t.dtype), list(t.shape), [float(v) for v in t.double().flatten()]] for key in file.keys() for t in [file.get_tensor(key)]}
    print(json.dumps([file.metadata(), sums]))`);
    const [metadata, sums] = JSON.parse(printed.replaceAll('Infinity', '1e999'));
    expect(metadata).toEqual({ from: 'node' });
    for (const [name, value] of Object.entries(record)) {
      expect(sums[name]).toEqual([
        `torch.${name}`,
        value.shape,
        [...value.to({ dtype: 'float64' }).dataSync()],
      ]);
    }
  });
});

describe('mmap', () => {
  it.each(Object.keys(EVERY_DTYPE))('%s has the same bits as read', async (dtype) => {
    const original = EVERY_DTYPE[dtype]!();
    await saveSafetensors(path, { x: original, y: original });
    const { x, y } = await loadSafetensors(path, { mmap: true });
    for (const mapped of [x!, y!]) {
      expect([mapped.dtype, mapped.shape]).toEqual([dtype, original.shape]);
      expect(mapped.dataSync()).toEqual(original.dataSync());
    }
  });

  it('allocates no memory, and does not change the file when written to', async () => {
    await saveSafetensors(path, { x: tensor(new Float32Array(2 ** 20)), empty: tensor([]) });
    const [before, bytes] = [memory().allocatedBytes, readFileSync(path)];
    const { x, empty } = await loadSafetensors(path, { mmap: true });
    x!.fill_(1);
    expect(x!.sum().item()).toBe(2 ** 20);
    expect(memory().allocatedBytes - before).toBeLessThan(1000);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(empty!.shape).toEqual([0]);
  });

  it('reads the same large tensor in pieces', async () => {
    const x = randn([2100, 2100]);
    await saveSafetensors(path, { x: x.t(), y: tensor([1]) });
    const { x: read } = await loadSafetensors(path);
    const { x: mapped } = await loadSafetensors(path, { mmap: true });
    expect([read!.equal(x.t()), mapped!.equal(x.t())]).toEqual([true, true]);
  });

  it('refuses an option that is no boolean', async () => {
    await expect(loadSafetensors(path, { mmap: 'yes' as never })).rejects.toThrow('a boolean for mmap');
  });
});
