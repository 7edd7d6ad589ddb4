/**
 * Small files that request much time or memory: the cost is limited by their size, and the event loop is not
 * blocked.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { CheckpointError } from '../../lib/errors.js';
import {
  loadNpz,
  loadSafetensors,
  loadTorch,
  loadTorchStateDict,
  memory,
  type Tensor,
  tidy,
} from '../../lib/index.js';
import { PickleWriter } from '../data/fixtures.js';
import { type ZipEntry, zip } from '../support/zip.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-hostile-'));
const file = join(folder, 'file.pt');
afterAll(() => rmSync(folder, { recursive: true }));

const stored = (name: string, content: Buffer): ZipEntry => ({
  name: `archive/${name}`,
  content,
  stored: true,
});

function write(pickle: Buffer, more: ZipEntry[] = []): void {
  writeFileSync(file, zip([stored('data.pkl', pickle), ...more]));
}

const int32 = (value: number) => {
  const bytes = Buffer.alloc(5);
  bytes[0] = 0x6a; // LONG_BINGET
  bytes.writeUInt32LE(value, 1);
  return bytes;
};

/** A pickle of protocol 2 of these parts. */
const pickled = (...parts: (Buffer | string | number[])[]) =>
  Buffer.concat([
    Buffer.from([0x80, 2]),
    ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
    Buffer.from('.'),
  ]);

/** The duration of a call, and the longest time for which it blocked the event loop. */
async function timed(
  call: () => Promise<unknown>,
): Promise<{ total: number; longest: number; error: unknown }> {
  let longest = 0;
  let running = true;
  const watching = (async () => {
    for (let last = performance.now(); running; ) {
      await turn();
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
  })();
  const start = performance.now();
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  running = false;
  await watching;
  return { total: performance.now() - start, longest, error };
}

/** A tensor on the storage `0` of this many elements: `get` pushes the memoized slots 0 to 4. */
function manyTensors(count: number, length: number): Buffer {
  const writer = new PickleWriter().text('ctorch._utils\n_rebuild_tensor_v2\n').raw(0x71, 0, 0x30);
  writer
    .raw(0x28)
    .raw(...unicode('storage'))
    .text('ctorch\nFloatStorage\n')
    .raw(...unicode('0'), ...unicode('cpu'));
  writer.int(length).raw(0x74, 0x51, 0x71, 1, 0x30); // the storage
  writer.int(length).raw(0x85, 0x71, 2, 0x30).int(1).raw(0x85, 0x71, 3, 0x30); // shape and strides
  writer.text('ccollections\nOrderedDict\n').raw(0x29, 0x52, 0x71, 4, 0x30);
  writer.raw(0x5d, 0x28);
  const tensor = [0x68, 0, 0x28, 0x68, 1, 0x4b, 0, 0x68, 2, 0x68, 3, 0x89, 0x68, 4, 0x74, 0x52];
  for (let i = 0; i < count; i++) writer.raw(...tensor);
  return writer.raw(0x65).end();
}
const unicode = (text: string) => [0x58, text.length, 0, 0, 0, ...Buffer.from(text)];

describe('a small file of torch.save', () => {
  it('with a thousand tensors of one storage needs the memory of one', async () => {
    write(manyTensors(1000, 1_000_000), [stored('data/0', Buffer.alloc(4_000_000))]);
    const before = memory();
    const tensors = (await loadTorch(file)) as Tensor[];
    expect(tensors).toHaveLength(1000);
    expect(memory().numBytes - before.numBytes).toBe(4_000_000);
    for (const tensor of tensors) tensor.dispose();
    expect(memory().numTensors).toBe(before.numTensors);
  });

  it('with files that overlap in the archive is refused', async () => {
    const archive = zip([stored('data.pkl', pickled('N')), stored('data/0', Buffer.alloc(100_000))]);
    // Ten more entries of the directory for the same bytes.
    const end = archive.lastIndexOf('PK\x05\x06', undefined, 'latin1');
    const second = archive.lastIndexOf('PK\x01\x02', end, 'latin1');
    const entry = archive.subarray(second, end);
    const copies = Array.from({ length: 9 }, (_, i) => {
      const copy = Buffer.from(entry);
      copy[copy.lastIndexOf('0')] = 0x31 + i;
      return copy;
    });
    const tail = Buffer.from(archive.subarray(end));
    tail.writeUInt16LE(11, 8);
    tail.writeUInt16LE(11, 10);
    tail.writeUInt32LE(tail.readUInt32LE(12) + 9 * entry.length, 12);
    writeFileSync(file, Buffer.concat([archive.subarray(0, end), ...copies, tail]));
    await expect(loadTorch(file)).rejects.toThrow(/its files are larger than the archive/);
  });

  // One value is memoized, and then used many times by a few bytes each.
  const long = 500_000;
  const times = 100_000;
  const again = (...bytes: number[]) =>
    Buffer.concat(Array.from({ length: times }, () => Buffer.from(bytes)));
  const list = [Buffer.from([0x5d, 0x28]), Buffer.alloc(long, 'N'), Buffer.from([0x65, 0x71, 0, 0x30])];
  const text = [
    Buffer.from([0x58]),
    int32(long).subarray(1),
    Buffer.alloc(long, 'a'),
    Buffer.from([0x71, 0, 0x30]),
  ];
  const bytes = [
    Buffer.from([0x42]),
    int32(long).subarray(1),
    Buffer.alloc(long, 'a'),
    Buffer.from([0x71, 0, 0x30]),
  ];
  it.each<[string, Buffer]>([
    ['appends one list to a list', pickled(...list, [0x5d], again(0x68, 0, 0x61))],
    ['appends to a long list', pickled([0x5d, 0x28], Buffer.alloc(long, 'N'), [0x65], again(0x4e, 0x61))],
    ['makes tuples of one list', pickled(...list, [0x5d], again(0x68, 0, 0x85, 0x61))],
    [
      'makes sets of one list',
      pickled(
        ...list,
        'c__builtin__\nset\n',
        [0x71, 1, 0x30, 0x5d],
        again(0x68, 1, 0x68, 0, 0x85, 0x52, 0x61),
      ),
    ],
    [
      'makes dictionaries of one list',
      pickled(
        ...list,
        'ccollections\nOrderedDict\n',
        [0x71, 1, 0x30, 0x5d],
        again(0x68, 1, 0x68, 0, 0x85, 0x52, 0x61),
      ),
    ],
    [
      'makes objects of one list',
      pickled(...list, 'ca\nB\n', [0x71, 1, 0x30, 0x5d], again(0x68, 1, 0x68, 0, 0x85, 0x52, 0x61)),
    ],
    [
      'encodes one text',
      pickled(
        ...text,
        'c_codecs\nencode\n',
        [0x71, 1, 0x30],
        unicode('latin1'),
        [0x71, 2, 0x30, 0x5d],
        again(0x68, 1, 0x68, 0, 0x68, 2, 0x86, 0x52, 0x61),
      ),
    ],
    ['uses one text as key', pickled(...text, [0x7d], again(0x68, 0, 0x4e, 0x73))],
    ['uses long bytes as key', pickled(...bytes, [0x7d], again(0x68, 0, 0x4e, 0x73))],
    ['asks for a name as long', pickled(...text, again(0x68, 0, 0x68, 0, 0x93, 0x30), [0x4e])],
    ['marks and takes back', pickled(...list, again(0x28, 0x68, 0, 0x31), [0x4e])],
    ['nests lists', pickled(Buffer.alloc(long, ']'), Buffer.alloc(long - 1, 'a'))],
    [
      'shapes of too many dimensions',
      pickled(...list, 'ctorch\nSize\n', [0x71, 1, 0x30, 0x5d], again(0x68, 1, 0x68, 0, 0x85, 0x52, 0x61)),
    ],
  ])('that %s is read or refused at once, with turns in between', async (_, pickle) => {
    expect(pickle.length).toBeLessThan(2_000_000);
    write(pickle);
    const { total, longest, error } = await timed(() => loadTorch(file));
    if (error !== undefined) expect(error).toBeInstanceOf(CheckpointError);
    expect(total).toBeLessThan(8000); // minutes if each use searches the whole list
    expect(longest).toBeLessThan(4000);
  });

  it('with modules that hold each other many times is refused', async () => {
    const parts: (Buffer | string | number[])[] = ['ctorch.nn\nM\n', [0x71, 200, 0x30]];
    parts.push([0x68, 200, 0x29, 0x81, 0x71, 0, 0x30]);
    for (let i = 1; i < 60; i++) {
      const children = [0x7d, 0x28, ...unicode('a'), 0x68, i - 1, ...unicode('b'), 0x68, i - 1, 0x75];
      parts.push([
        0x68,
        200,
        0x29,
        0x81,
        0x7d,
        ...unicode('_modules'),
        ...children,
        0x73,
        0x62,
        0x71,
        i,
        0x30,
      ]);
    }
    write(pickled(...parts, [0x68, 59]));
    const { total, error } = await timed(() => loadTorchStateDict(file));
    expect((error as Error).message).toMatch(/more than 100000 modules|nested more than/);
    expect(total).toBeLessThan(5000);
  });
});

describe('two arrays of one name', () => {
  it('in an npz file are refused', async () => {
    const npz = join(folder, 'twice.npz');
    writeFileSync(
      npz,
      zip([
        { name: 'x.npy', content: 'a' },
        { name: 'x.npy', content: 'b' },
      ]),
    );
    await expect(loadNpz(npz)).rejects.toThrow(/twice\.npz is not a npz file.*it has two files named x/);
  });
});

describe('a header', () => {
  const safetensors = (header: string, bytes = 0) => {
    const path = join(folder, 'x.safetensors');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([length, Buffer.from(header), Buffer.alloc(bytes)]));
    return path;
  };

  it.each([
    ['deep arrays', `{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`],
    ['deep objects', `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`],
    ['an open depth', '['.repeat(2_000_000)],
    ['many dimensions', `{"a":{"dtype":"F32","shape":[${'1,'.repeat(100_000)}1],"data_offsets":[0,4]}}`],
    [
      'a huge empty shape',
      '{"a":{"dtype":"F32","shape":[0,9007199254740991,9007199254740991],"data_offsets":[0,0]}}',
    ],
    ['a dtype of the prototype', '{"a":{"dtype":"constructor","shape":[],"data_offsets":[0,0]}}'],
    ['packed elements that end within a byte', '{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}'],
  ])('of %s is refused', async (_, header) => {
    await expect(tidy(() => loadSafetensors(safetensors(header, 4)))).rejects.toThrow(CheckpointError);
  });
});
