/**
 * Values of checkpoints besides plain tensors, in each format of torch.save. Written by
 * test/golden/make_torch_values.py.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ArgumentError, CheckpointError } from '../../lib/errors.js';
import {
  isTensor,
  loadTorch,
  loadTorchStateDict,
  memory,
  type Tensor,
  TorchObject,
} from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';
import { collectWarnings } from '../support/warnings.js';

const golden = (name: string) => fileURLToPath(new URL(`../golden/values/${name}`, import.meta.url));
const old = (name: string) => fileURLToPath(new URL(`../golden/torch/${name}`, import.meta.url));

describe.each(['everything.pt', 'everything-legacy.pt', 'everything-protocol4.pt'])('%s', (name) => {
  it('returns data, and descriptions of other objects', async () => {
    const read = (await loadTorch(golden(name))) as Record<string, unknown>;
    const plain = Object.fromEntries(
      Object.entries(read).filter(([, value]) => !isTensor(value) && !(value instanceof TorchObject)),
    );
    expect(plain).toEqual({
      model_state_dict: { w: expect.anything(), z: expect.any(TorchObject) },
      counter: { 30: 1, 60: 2 },
      ordered: { a: 1 },
      default: { a: [1] },
      set: [3],
      frozenset: [4],
      bytes: new Uint8Array([0, 255]),
      bytearray: new Uint8Array([97, 98]),
      device: 'cuda:1',
      dtype: 'torch.bfloat16',
      size: [2, 3],
      number: 2.5,
      integer: -7,
      half: 0.333251953125,
      time: '2026-11-29T14:05:06.000070',
      date: '2026-01-02',
      big: 2n ** 63n + 1n,
      '(a, 1)': 'tuple as key',
    });
    expect((read.array as Tensor).arraySync()).toEqual([
      [0, 2, 4],
      [1, 3, 5],
    ]);
    expect((read.array as Tensor).dtype).toBe('int32');
    expect(read.complex).toMatchObject({ type: 'builtins.complex', args: [1, 2] });
    expect(read.args).toMatchObject({ type: 'argparse.Namespace', state: { lr: 0.1, layers: [1, 2] } });
    expect(read.settings).toMatchObject({
      type: '__main__.Settings',
      state: { name: 'small' },
      entries: { depth: 2 },
    });
    expect(read.path).toMatchObject({ type: expect.stringMatching(/PurePosixPath$/), args: ['a', 'b'] });
    expect(read.quantized).toMatchObject({ type: 'torch._utils._rebuild_qtensor' });
    expect(read.activation).toMatchObject({ type: 'torch._C._nn.gelu', args: [] });
    for (const one of ['texts', 'objects']) expect(read[one], one).toBeInstanceOf(TorchObject);
  });

  it('returns the weights in it, and rejects the complex one by its name', async () => {
    const warnings = collectWarnings();
    const state = await loadTorchStateDict(golden(name));
    expect(Object.keys(state)).toEqual(['w']);
    expect(state.w!.arraySync()).toEqual([1, 2]);
    expect(() => state.z).toThrow(CheckpointError);
    expect(() => state.z).toThrow(
      /z cannot be read: its elements are complex64, which no dtype can represent/,
    );
    expect(await warnings()).toEqual([expect.stringMatching(/left out z \(its elements are complex64/)]);
  });
});

describe.each(['names.pt', 'names-legacy.pt', 'names-protocol4.pt'])('%s', (name) => {
  it('has names of classes and functions as descriptions beside the weights', async () => {
    const read = (await loadTorch(golden(name))) as Record<string, unknown>;
    const named = (type: string, args: unknown[] = []) => expect.objectContaining({ type, args });
    expect(read).toMatchObject({
      args: { state: { type: named('builtins.int'), name: named('builtins.str') } },
      functions: ['len', 'print', 'getattr'].map((one) => named(`builtins.${one}`)),
      counts: { a: 1 },
      mode: named('__main__.Network.Mode', ['fast']),
      method: named('builtins.getattr', [named('__main__.Network'), 'step']),
      partial: { type: 'functools.partial', state: [named('torch.optim.sgd.SGD'), [], { lr: 0.1 }, null] },
      config: { type: '__main__.Config', state: { width: 8 } },
      range: named('builtins.range', [0, 3, 1]),
      keys: {
        '__main__.Network.Mode(fast)': 1,
        '1.5': 2,
        None: 3,
        '(a, __main__.Network.Mode(fast))': 4,
      },
    });
    const types = ['int', 'float', 'str', 'bool', 'tuple', 'type', 'Exception'];
    expect((read.types as TorchObject[]).map(({ type }) => type)).toEqual(
      types.map((type) => `builtins.${type}`),
    );
    const { state } = (read.optimizer as TorchObject).state as { state: Record<string, object> };
    expect(Object.keys(state)).toEqual(['<torch.Tensor 0>']);
    expect((await loadTorchStateDict(golden(name))).w!.arraySync()).toEqual([1, 2]);
  });
});

describe('loadTorchStateDict', () => {
  it('leaves out other values of a state dict with a warning', async () => {
    const warnings = collectWarnings();
    const state = await loadTorchStateDict(golden('mixed.pt'));
    expect(Object.keys(state)).toEqual(['w']);
    expect(() => state.epoch).toThrow(/epoch cannot be read: it is a number/);
    expect(await warnings()).toEqual([
      expect.stringMatching(
        /left out epoch \(it is a number\), classes \(it is a list\), config \(it is a __main__\.Config\)$/,
      ),
    ]);
  });

  it('reads the only state dict under an unusual key, and one of several by its key', async () => {
    const several = golden('several.pt');
    await expect(loadTorchStateDict(several)).rejects.toThrow(
      /several\.pt but received several, under generator, discriminator: choose one with \{ key: 'generator' \}/,
    );
    const { weight } = await loadTorchStateDict(several, { key: 'discriminator' });
    expect(weight!.arraySync()).toEqual([[3, 4]]);
    await expect(loadTorchStateDict(several, { key: 'step' })).rejects.toThrow(
      /under step but received a dictionary of generator, discriminator, step/,
    );
    await expect(loadTorchStateDict(several, { key: 3 as never })).rejects.toThrow(ArgumentError);
  });
});

describe.each(['shared.pt', 'shared-legacy.pt'])('%s', (name) => {
  it('returns tensors that share their storage as before', async () => {
    const { base, row, columns, expanded } = (await loadTorch(golden(name))) as Record<string, Tensor>;
    expect(row!.arraySync()).toEqual([4, 5, 6, 7]);
    expect(columns!.arraySync()).toEqual([
      [0, 2],
      [4, 6],
      [8, 10],
    ]);
    expect(columns!.strides).toEqual([4, 2]);
    expect(expanded!.shape).toEqual([2, 3]);
    expect(expanded!.sum().item()).toBe(6);
    base!.fill_(-1);
    expect(row!.arraySync()).toEqual([-1, -1, -1, -1]);
    expect(columns!.sum().item()).toBe(-6);
  });
});

describe('a file of torch.save', () => {
  it('applies the sign of negated tensors', async () => {
    const { negative, tail } = (await loadTorch(golden('negative.pt'))) as Record<string, Tensor>;
    expect(negative!.arraySync()).toEqual([-2, 4]);
    expect(tail!.arraySync()).toEqual([4]);
  });

  it('is read without checksums', async () => {
    const { a } = (await loadTorch(golden('no-crc.pt'))) as Record<string, Tensor>;
    expect(a!.arraySync()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('of the format before PyTorch 1.6 has the same values as the new one', async () => {
    const [before, now] = [
      await loadTorchStateDict(old('legacy.pth')),
      await loadTorchStateDict(old('state_dict.pth')),
    ];
    expect(Object.keys(before)).toEqual(Object.keys(now));
    for (const [key, tensor] of Object.entries(now)) {
      expect(before[key]!.dtype).toBe(tensor.dtype);
      expect(before[key]!.arraySync(), key).toEqual(tensor.arraySync());
    }
  });

  it('of that format, cut short, is refused with the way to save it anew without a GPU', async () => {
    const whole = readFileSync(old('legacy.pth'));
    const folder = mkdtempSync(join(tmpdir(), 'dyconv-legacy-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'cut.pth');
    for (let length = 40; length < whole.length; length += 131) {
      writeFileSync(file, whole.subarray(0, length));
      await expect(loadTorch(file), `${length} bytes`).rejects.toThrow(CheckpointError);
      await expect(loadTorch(file), `${length} bytes`).rejects.toThrow(
        /torch\.load\(path, map_location='cpu'\)/,
      );
    }
    const tar = Buffer.alloc(1024);
    tar.write('ustar', 257, 'latin1');
    writeFileSync(file, tar);
    await expect(loadTorch(file)).rejects.toThrow(
      /cut\.pth is of the tar format of PyTorch before 0\.1\.10\. .*map_location/,
    );
  });

  it('with a complete module returns its state dict', async () => {
    const [module, state] = [
      await loadTorchStateDict(old('module.pt')),
      await loadTorchStateDict(old('state_dict.pth')),
    ];
    expect(Object.keys(module)).toEqual(Object.keys(state));
    for (const [key, tensor] of Object.entries(state))
      expect(module[key]!.arraySync(), key).toEqual(tensor.arraySync());
  });

  it('creates no tensors that were not requested', async () => {
    collectGarbage();
    const before = memory().numTensors;
    for (const tensor of Object.values(await loadTorchStateDict(golden('everything.pt')))) tensor.dispose();
    await loadTorch(old('checkpoint.pt')).then((value) => {
      // The value itself: JSON has called toJSON() of a tensor before it calls this function.
      const all = JSON.stringify(value, function (this: Record<string, unknown>, key, one) {
        const original = this[key];
        if (!isTensor(original)) return one;
        original.dispose();
        return null;
      });
      expect(all).toContain('"epoch":3');
    });
    expect(memory().numTensors).toBe(before);
  });
});
