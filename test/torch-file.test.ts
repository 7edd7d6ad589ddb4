import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { CheckpointError } from '../lib/errors.js';
import { isTensor, loadTorch, loadTorchStateDict, nn, type Tensor, TorchObject } from '../lib/index.js';
import { PickleWriter } from './data/fixtures.js';
import { type ZipEntry, zip } from './support/zip.js';

const golden = (name: string) => fileURLToPath(new URL(`golden/torch/${name}`, import.meta.url));
const expected = JSON.parse(readFileSync(golden('expected.json'), 'utf8')) as Record<
  'tensors' | 'state_dict',
  Record<string, { shape: number[]; values: unknown }>
>;
const folder = mkdtempSync(join(tmpdir(), 'dyconv-torch-'));
const file = join(folder, 'file.pt');
afterAll(() => rmSync(folder, { recursive: true }));

function expectTensors(actual: Record<string, unknown>, wanted: (typeof expected)['tensors']): void {
  expect(Object.keys(actual)).toEqual(Object.keys(wanted));
  for (const [key, { shape, values }] of Object.entries(wanted)) {
    const value = actual[key] as Tensor;
    expect(isTensor(value), key).toBe(true);
    expect(value.shape, key).toEqual(shape);
    const numbers = value.to({ dtype: 'float64' });
    expect(shape.length === 0 ? numbers.item() : numbers.arraySync(), key).toEqual(values);
  }
}

describe('files of torch.save', () => {
  it('gives every dtype, and views of shared storages as they are', async () => {
    const tensors = (await loadTorch(golden('tensors.pt'))) as Record<string, Tensor>;
    expectTensors(tensors, expected.tensors);
    const dtypes = Object.keys(tensors).slice(0, 10);
    expect(dtypes.map((name) => tensors[name]!.dtype)).toEqual(dtypes);
  });

  it('gives a state dict that a module of the same structure takes', async () => {
    const state = await loadTorchStateDict(golden('state_dict.pth'));
    expectTensors(state, expected.state_dict);
    const model = new nn.Sequential(
      new nn.Conv2d(3, 4, 3),
      new nn.BatchNorm2d(4),
      new nn.Flatten(),
      new nn.Linear(4, 2),
    );
    expect(model.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
    expect(model.stateDict()['0.weight']!.arraySync()).toEqual(state['0.weight']!.arraySync());
  });

  it('returns a complete checkpoint, and the weights in it', async () => {
    const checkpoint = (await loadTorch(golden('checkpoint.pt'))) as Record<string, unknown>;
    expect(checkpoint).toMatchObject({
      epoch: 3,
      accuracy: 0.5,
      steps: 2 ** 40,
      name: 'small',
      done: false,
      shape: [2, 3],
      history: [1.5, null, [1, 2]],
    });
    const optimizer = checkpoint.optimizer as { state: Record<string, { momentum_buffer: Tensor }> };
    expect(optimizer.state['0']!.momentum_buffer.shape).toEqual([4, 3, 3, 3]);
    expectTensors(await loadTorchStateDict(golden('checkpoint.pt')), expected.state_dict);
  });

  it('returns a complete module as the saved state of its class, without running code', async () => {
    const module = (await loadTorch(golden('module.pt'))) as TorchObject;
    expect(module).toBeInstanceOf(TorchObject);
    expect(module.type).toBe('torch.nn.modules.container.Sequential');
    expect(module.state).toMatchObject({ training: true });
  });

  it('reports what is wrong with other files', async () => {
    writeFileSync(file, 'no archive');
    await expect(loadTorch(file)).rejects.toThrow(
      /file\.pt is not a file of PyTorch: it is not a zip archive/,
    );
    await expect(loadTorch(join(folder, 'none.pt'))).rejects.toThrow(/none\.pt: no such file/);
    writeArchive({ pickle: new PickleWriter().int(7).end() });
    await expect(loadTorch(file)).resolves.toBe(7);
    await expect(loadTorchStateDict(file)).rejects.toThrow(/Expected a state dict in .*file\.pt/);
  });
});

const stored = (name: string, content: Buffer | string): ZipEntry => ({
  name: `archive/${name}`,
  content,
  stored: true,
});

function writeArchive({ pickle, more = [] }: { pickle: Buffer; more?: ZipEntry[] }): void {
  writeFileSync(file, zip([stored('data.pkl', pickle), ...more]));
}

const unicode = (text: string) => [0x58, text.length, 0, 0, 0, ...Buffer.from(text)];

/** A float32 tensor on the storage `0`. */
function tensorPickle(options: { shape: number[]; strides: number[]; length: number; key?: string }): Buffer {
  const { shape, strides, length, key = '0' } = options;
  const writer = new PickleWriter().text('ctorch._utils\n_rebuild_tensor_v2\n').raw(0x28, 0x28);
  writer.raw(...unicode('storage')).text('ctorch\nFloatStorage\n');
  writer.raw(...unicode(key), ...unicode('cpu')).int(length);
  writer.raw(0x74, 0x51).int(0);
  for (const sizes of [shape, strides]) {
    writer.raw(0x28);
    for (const size of sizes) writer.int(size);
    writer.raw(0x74);
  }
  return writer.raw(0x89).text('ccollections\nOrderedDict\n').raw(0x29, 0x52, 0x74, 0x52).end();
}

describe('hostile and damaged files of torch.save', () => {
  const zeros = (count: number) => stored('data/0', Buffer.alloc(4 * count));

  it('runs nothing: every callable that is not data is refused', async () => {
    const marker = join(folder, 'ran');
    for (const name of [
      'cos\nsystem\n',
      'cposix\nsystem\n',
      'csubprocess\nPopen\n',
      'cbuiltins\neval\n',
      'c__builtin__\nexecfile\n',
      'cbuiltins\nexec.__call__\n',
      'cbuiltins\n__import__\n',
      'ctorch\nload\n',
    ]) {
      writeArchive({
        pickle: new PickleWriter().text(name).bytes(`touch ${marker}`).raw(0x85, 0x52).end(),
      });
      await expect(loadTorch(file)).rejects.toThrow(CheckpointError);
      await expect(loadTorch(file)).rejects.toThrow(/which is not data/);
    }
    expect(() => readFileSync(marker)).toThrow(/ENOENT/);
  });

  it('does not call what other names refer to', async () => {
    const marker = join(folder, 'ran');
    // getattr(webbrowser, 'os').system('touch ...'), and a class with a call in its state.
    const pickle = new PickleWriter()
      .text('cbuiltins\ngetattr\n')
      .raw(0x28)
      .text('cbuiltins\ngetattr\n')
      .raw(0x28)
      .text('cwebbrowser\nos\n')
      .raw(...unicode('path'), 0x74, 0x52, ...unicode('system'), 0x74, 0x52)
      .raw(...unicode(`touch ${marker}`), 0x85, 0x52)
      .end();
    writeArchive({ pickle });
    expect(await loadTorch(file)).toMatchObject({
      type: 'webbrowser.os.path.system',
      args: [`touch ${marker}`],
    });
    for (const name of ['cpickle\nloads\n', 'ccode\ninteract\n', 'cnumpy.testing\nrundocs\n']) {
      writeArchive({
        pickle: new PickleWriter().text(name).bytes(`touch ${marker}`).raw(0x85, 0x52).end(),
      });
      expect(await loadTorch(file)).toBeInstanceOf(TorchObject);
    }
    expect(() => readFileSync(marker)).toThrow(/ENOENT/);
  });

  it('limits the length of names that getattr makes', async () => {
    const writer = new PickleWriter().text('c__main__\nA\n').raw(0x71, 0, 0x30);
    for (let i = 0; i < 40; i++)
      writer
        .text('cbuiltins\ngetattr\n')
        .raw(0x28, 0x68, 0, ...unicode('a'.repeat(50)), 0x74, 0x52, 0x71, 0, 0x30);
    writeArchive({ pickle: writer.raw(0x68, 0).end() });
    expect(await loadTorch(file)).toMatchObject({ type: 'builtins.getattr' });
  });

  it('checks a tensor against its storage', async () => {
    writeArchive({ pickle: tensorPickle({ shape: [2, 3], strides: [3, 1], length: 6 }), more: [zeros(6)] });
    expect(((await loadTorch(file)) as Tensor).shape).toEqual([2, 3]);
    writeArchive({ pickle: tensorPickle({ shape: [2, 3], strides: [4, 1], length: 6 }), more: [zeros(6)] });
    await expect(loadTorch(file)).rejects.toThrow(/shape \[2, 3\] does not fit its storage of 6 elements/);
    // Strides of 0: four bytes that would expand to gigabytes.
    const bomb = { shape: [60000, 60000], strides: [0, 0], length: 1 };
    writeArchive({ pickle: tensorPickle(bomb), more: [zeros(1)] });
    await expect(loadTorch(file)).rejects.toThrow(/does not fit its storage of 1 elements/);
    writeArchive({ pickle: tensorPickle({ shape: [6], strides: [1], length: 6 }), more: [zeros(5)] });
    await expect(loadTorch(file)).rejects.toThrow(/storage 0 has 20 bytes, expected 24/);
    writeArchive({ pickle: tensorPickle({ shape: [6], strides: [1], length: 6 }) });
    await expect(loadTorch(file)).rejects.toThrow(/it lacks data\/0/);
    const key = '../../etc/passwd';
    writeArchive({ pickle: tensorPickle({ shape: [6], strides: [1], length: 6, key }) });
    await expect(loadTorch(file)).rejects.toThrow(/not a storage of a known dtype/);
  });

  it('refuses compressed storages, wrong checksums, other byte orders and programs', async () => {
    const pickle = tensorPickle({ shape: [6], strides: [1], length: 6 });
    writeArchive({ pickle, more: [{ ...zeros(6), stored: false }] });
    await expect(loadTorch(file)).rejects.toThrow(/data\/0 in it is compressed/);
    writeArchive({ pickle, more: [{ ...zeros(6), crc: 1 }] });
    await expect(loadTorch(file)).rejects.toThrow(/data\/0 in it does not match its checksum/);
    writeArchive({ pickle, more: [zeros(6), stored('byteorder', 'big')] });
    await expect(loadTorch(file)).rejects.toThrow(/byte order is big/);
    writeArchive({ pickle, more: [zeros(6), stored('constants.pkl', pickle)] });
    await expect(loadTorch(file)).rejects.toThrow(/TorchScript program/);
  });

  it('refuses lists that hold themselves or are too deep, and takes what is referred to often', async () => {
    // l = []; l.append(l)
    writeArchive({ pickle: new PickleWriter().raw(0x5d, 0x71, 0, 0x68, 0, 0x61).end() });
    await expect(loadTorch(file)).rejects.toThrow(/nested more than 100 deep/);
    // Every list contains the previous one twice: 2^60 values if they were copied.
    const writer = new PickleWriter().raw(0x5d, 0x71, 0);
    for (let i = 1; i < 60; i++) writer.raw(0x5d, 0x71, i, 0x28, 0x68, i - 1, 0x68, i - 1, 0x65);
    writeArchive({ pickle: writer.raw(0x68, 59).end() });
    const start = performance.now();
    await loadTorch(file).catch(() => {});
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('an archive cut short or with a byte changed gives an error, never other values', async () => {
    const whole = readFileSync(golden('state_dict.pth'));
    for (let cut = 0; cut < whole.length; cut += 97) {
      writeFileSync(file, whole.subarray(0, cut));
      await expect(loadTorch(file), `${cut} bytes`).rejects.toThrow(CheckpointError);
    }
  });
});

const python = process.env.PYTHON ?? 'python3';
const hasTorch = spawnSync(python, ['-c', 'import torch']).status === 0;

describe.skipIf(!hasTorch)(`files of the PyTorch that is installed (needs torch in ${python})`, () => {
  it('reads what it writes now', async () => {
    const code = `
import sys, torch
torch.save({"a": torch.arange(6.).reshape(2, 3).t(), "b": torch.tensor([1, 2]).to(torch.bfloat16)}, sys.argv[1])`;
    const { status, stderr } = spawnSync(python, ['-c', code, file], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { a, b } = await loadTorchStateDict(file);
    expect(a!.arraySync()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(b!.dtype).toBe('bfloat16');
    expect([...b!.to({ dtype: 'float32' }).dataSync()]).toEqual([1, 2]);
  });
});
