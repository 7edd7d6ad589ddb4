/** A model and the file of its weights are replaced as one. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CheckpointError, exportOnnx, loadOnnx, nn, noGrad, ones, zeros } from '../../lib/index.js';

/** Called before a file gets its final name. */
const commits: { before: ((path: string) => unknown) | undefined } = vi.hoisted(() => ({
  before: undefined,
}));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    rename: async (from: string, to: string) => {
      await commits.before?.(to);
      return real.rename(from, to);
    },
  };
});

const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-pair-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'net.onnx');
const external = { externalData: true };

/** A layer whose outputs for ones are all 16 times a number. */
function layerOf(value: number): nn.Linear {
  const layer = new nn.Linear(16, 32, { bias: false }).eval();
  noGrad(() => layer.weight.fill_(value));
  return layer;
}
const write = (value: number, options: object = external) =>
  exportOnnx(layerOf(value), zeros([1, 16]), file, options);
const stored = async () =>
  Number(
    (await loadOnnx(file))
      .forward(ones([1, 16]))
      .select(1, 0)
      .item(),
  ) / 16;
const names = () => readdirSync(folder).sort();

beforeEach(() => {
  commits.before = undefined;
  for (const name of names()) rmSync(join(folder, name), { recursive: true });
});

describe('an export with weights in a second file over another one', () => {
  it('replaces both, and leaves nothing of the first', async () => {
    const first = await write(1);
    const second = await write(2);
    expect(first.files[1]).not.toBe(second.files[1]);
    expect(names()).toEqual(second.files.map((path) => basename(path)).sort());
    expect(await stored()).toBe(2);
  });

  it('keeps the second file of equal weights, and removes it for a model that does not need it', async () => {
    const { files } = await write(1);
    expect((await write(1)).files).toEqual(files);
    expect(names().length).toBe(2);
    expect(await stored()).toBe(1);
    await write(3, {});
    expect(names()).toEqual(['net.onnx']);
    expect(await stored()).toBe(3);
  });

  it('that ends before the weights or the model have their names leaves the first one whole', async () => {
    const { files } = await write(1);
    for (const end of ['.data', '.onnx']) {
      commits.before = (path) => {
        if (path.endsWith(end)) throw Object.assign(new Error('cut'), { code: 'EIO', syscall: 'rename' });
      };
      await expect(write(2)).rejects.toThrow(CheckpointError);
      await expect(write(2)).rejects.toThrow(`Cannot write ${file}: cut`);
      expect(names()).toEqual(files.map((path) => basename(path)).sort());
      expect(await stored()).toBe(1);
      // The same weights: their file belongs to the first model.
      await expect(write(1)).rejects.toThrow(CheckpointError);
      expect(await stored()).toBe(1);
    }
  });

  it('reads as one of the two at every moment', async () => {
    await write(1);
    const seen: number[] = [];
    // A process that is killed leaves what a reader finds at that moment.
    commits.before = async () => seen.push(await stored());
    await write(2);
    expect(seen).toEqual([1, 1]);
    commits.before = undefined;
    expect(await stored()).toBe(2);
  });

  it('by several at once leaves one model with its weights', async () => {
    const values = [1, 2, 3, 4, 5, 6];
    await Promise.all(values.map((value) => write(value, value === 4 ? {} : external)));
    expect(values).toContain(await stored());
    expect(names().length).toBeLessThanOrEqual(2);
  });

  it('keeps other files of similar names', async () => {
    const others = ['net.onnx.data', 'net.onnx.0123456789abcde.data', 'xnet.onnx.0123456789abcdef.data'];
    for (const name of others) writeFileSync(join(folder, name), '');
    writeFileSync(join(folder, 'net.onnx.0123456789abcdef.data'), 'of a killed export');
    const { files } = await write(1);
    expect(names()).toEqual([...files.map((path) => basename(path)), ...others].sort());
  });
});
