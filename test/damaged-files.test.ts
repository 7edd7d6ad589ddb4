/**
 * Files with random changes of bits, bytes, lengths and offsets: each is read, or rejected with an error of the
 * package. No error is thrown outside of the caller's reach, which would end the process of this test.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Random } from '../lib/data/random.js';
import { DyconvError } from '../lib/errors.js';
import {
  exportOnnx,
  loadNpy,
  loadNpz,
  loadOnnx,
  loadSafetensors,
  loadTorch,
  loadTorchStateDict,
  memory,
  nn,
  ones,
  saveNpy,
  saveNpz,
  saveSafetensors,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../lib/index.js';

const FILES = 400;
const folder = mkdtempSync(join(tmpdir(), 'dyconv-damaged-'));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const readers: Record<string, [file: string, read: (path: string) => unknown]> = {
  safetensors: ['x.safetensors', (file) => loadSafetensors(file)],
  'safetensors, mapped': ['x.safetensors', (file) => loadSafetensors(file, { mmap: true })],
  npy: ['x.npy', loadNpy],
  npz: ['x.npz', loadNpz],
  'files of torch.save': ['x.pt', loadTorch],
  'files of torch.save before 1.6': ['old.pth', loadTorch],
  'checkpoints with other objects': ['everything.pt', loadTorch],
  'checkpoints with other objects, before 1.6': ['everything-legacy.pt', loadTorchStateDict],
  'files of torch.save with a whole module': ['module.pt', loadTorchStateDict],
  'safetensors of other types': ['foreign.safetensors', (file) => loadSafetensors(file)],
  'npz of other types': ['mixed.npz', loadNpz],
  onnx: ['x.onnx', readNetwork],
  'onnx of PyTorch': ['pytorch.onnx', readNetwork],
};

/** Loads a network and runs it, then disposes its tensors, which outlive a tidy block. */
async function readNetwork(file: string): Promise<void> {
  const network = await loadOnnx<Tensor | Tensor[]>(file);
  try {
    network.forward(...network.inputs.map(() => zeros([2, 2, 8, 8])));
  } finally {
    for (const held of [...network.parameters(), ...[...network.namedBuffers()].map(([, buffer]) => buffer)])
      held.dispose();
  }
}

beforeAll(() =>
  tidy(async () => {
    const tensors = {
      'a.weight': ones([3, 4]),
      b: tensor([1n, 2n]),
      c: ones([2, 2]).to({ dtype: 'bfloat16' }),
    };
    await saveSafetensors(path('x.safetensors'), tensors);
    await saveNpy(path('x.npy'), ones([4, 5]));
    await saveNpz(path('x.npz'), { a: ones([3]), b: ones([2, 2]) });
    const network = new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.ReLU(), new nn.Flatten());
    await exportOnnx(network.eval(), ones([1, 2, 8, 8]), path('x.onnx'));
    for (const parameter of network.parameters()) parameter.dispose();
    const goldens = {
      'x.pt': 'torch/state_dict.pth',
      'old.pth': 'torch/legacy.pth',
      'module.pt': 'torch/module.pt',
      'everything.pt': 'values/everything.pt',
      'everything-legacy.pt': 'values/everything-legacy.pt',
      'foreign.safetensors': 'values/foreign.safetensors',
      'mixed.npz': 'values/mixed.npz',
      'pytorch.onnx': 'onnx/convnext.dynamo.onnx',
    };
    for (const [name, golden] of Object.entries(goldens))
      copyFileSync(fileURLToPath(new URL(`golden/${golden}`, import.meta.url)), path(name));
  }),
);

/** One to four changes, most of them near either end, which has headers and directories. */
function damage(file: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(file);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const near = random.below(Math.min(bytes.length, 200));
    const at = [near, bytes.length - 1 - near, random.below(bytes.length)][random.below(3)]!;
    const kind = random.below(6);
    if (kind === 0) bytes[at] = random.below(256);
    else if (kind === 1) bytes[at]! ^= 1 << random.below(8);
    else if (kind === 2) bytes[at] = '0123456789-e.[]{}"'.charCodeAt(random.below(18));
    else if (kind === 3) bytes = Buffer.from(bytes.subarray(0, at + 1));
    else if (kind === 4)
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(4, 255), bytes.subarray(at)]);
    else if (at + 8 <= bytes.length) bytes.writeBigUInt64LE(2n ** BigInt(random.below(64)) - 1n, at);
  }
  return bytes;
}

it.each(Object.keys(readers))(
  `of ${FILES} damaged files of the kind %s each is read or refused`,
  async (kind) => {
    const [name, read] = readers[kind]!;
    const whole = readFileSync(path(name));
    const random = new Random(20261126);
    let refused = 0;
    for (let n = 0; n < FILES; n++) {
      const file = path(`damaged-${name}`);
      rmSync(file, { force: true }); // a mapped file must not be overwritten
      writeFileSync(file, damage(whole, random));
      try {
        await tidy(async () => void (await read(file)));
      } catch (error) {
        expect(error, `file ${n}: ${(error as Error).stack}`).toBeInstanceOf(DyconvError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(FILES / 4);
    expect(refused).toBeLessThan(FILES);
    expect(memory().numTensors).toBe(0);
  },
);

it('an archive that points beyond any file is refused', async () => {
  // The locator of the end of a Zip64 directory, before the end of a directory without entries.
  const archive = Buffer.alloc(42);
  archive.write('PK\x06\x07', 0, 'latin1');
  archive.writeBigUInt64LE(2n ** 55n, 8);
  archive.write('PK\x05\x06', 20, 'latin1');
  archive.fill(255, 30, 40);
  writeFileSync(path('far.npz'), archive);
  await expect(loadNpz(path('far.npz'))).rejects.toThrow(/far\.npz is not a npz file.*Expected 56 bytes at/);
});
