/** Concurrent saves to one path, saves to links, pipes and devices, and saves after a killed one. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CheckpointError } from '../../lib/errors.js';
import { stageFile, writeFileAtomic } from '../../lib/files/atomic.js';
import {
  full,
  loadNpy,
  loadNpz,
  loadSafetensors,
  loadTorch,
  saveNpy,
  saveNpz,
  saveSafetensors,
  type Tensor,
  tensor,
} from '../../lib/index.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'dyconv-atomic-'));
  path = join(folder, 'x');
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

type Format = { save(path: string, x: Tensor): Promise<void>; load(path: string): Promise<Tensor> };
const formats: Record<string, Format> = {
  npy: { save: saveNpy, load: loadNpy },
  npz: { save: (file, x) => saveNpz(file, { x }), load: async (file) => (await loadNpz(file)).x! },
  safetensors: {
    save: (file, x) => saveSafetensors(file, { x }),
    load: async (file) => (await loadSafetensors(file)).x!,
  },
};
const each = Object.keys(formats);

describe.each(each)('%s', (name) => {
  const { save, load } = formats[name]!;

  it('saved several times at once has one complete content, and no temporary file remains', async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all([1, 2, 3, 4].map((value) => save(path, full([100_000 * value], value))));
      const x = await load(path);
      const values = x.dataSync();
      expect(values.length).toBe(100_000 * Number(values[0]));
      expect(values.every((value) => value === values[0])).toBe(true);
      expect(fs.readdirSync(folder)).toEqual(['x']);
    }
  });

  it('follows symbolic links and keeps them', async () => {
    fs.mkdirSync(join(folder, 'store'));
    fs.symlinkSync('store/old', path);
    fs.writeFileSync(join(folder, 'store/old'), 'old');
    fs.symlinkSync('x', join(folder, 'second'));
    await save(join(folder, 'second'), tensor([1, 2]));
    expect((await load(join(folder, 'store/old'))).arraySync()).toEqual([1, 2]);
    fs.symlinkSync('store/new', join(folder, 'dangling'));
    await save(join(folder, 'dangling'), tensor([3]));
    expect((await load(join(folder, 'store/new'))).arraySync()).toEqual([3]);
    for (const link of ['x', 'second', 'dangling'])
      expect(fs.lstatSync(join(folder, link)).isSymbolicLink(), link).toBe(true);
    expect(fs.readdirSync(join(folder, 'store')).sort()).toEqual(['new', 'old']);
    fs.symlinkSync('circle', join(folder, 'circle'));
    await expect(save(join(folder, 'circle'), tensor([3]))).rejects.toThrow(/links lead in a circle/);
  });

  it.skipIf(process.platform === 'win32')('to /dev/null keeps it a device', async () => {
    await save('/dev/null', tensor([1, 2]));
    expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it.skipIf(process.platform === 'win32')(
    'goes into a pipe that is read, and is refused by others',
    async () => {
      execFileSync('mkfifo', [path]);
      await expect(save(path, tensor([1]))).rejects.toThrow(
        `Cannot write ${path}: it is a pipe that no process reads`,
      );
      await expect(load(path)).rejects.toThrow(`Cannot read ${path}: it is a pipe, not a file`);
      const copy = join(folder, 'copy');
      const ended = once(spawn('sh', ['-c', `cat ${path} > ${copy}`]), 'exit');
      const reads = async () =>
        save(path, full([100_000], 7)).then(
          () => true,
          () => false, // fails until there is a reader
        );
      while (!(await reads())) await sleep(20);
      await ended;
      expect(fs.lstatSync(path).isFIFO()).toBe(true);
      expect((await load(copy)).sum().item()).toBe(700_000);
    },
  );

  it('refuses folders', async () => {
    for (const use of [save(folder, tensor([1])), load(folder)]) {
      await expect(use).rejects.toThrow(CheckpointError);
      await expect(use).rejects.toThrow(/it is a folder, not a file/);
    }
  });
});

describe('a file of torch.save', () => {
  it('is not looked for in pipes and folders', async () => {
    await expect(loadTorch(folder)).rejects.toThrow(`Cannot read ${folder}: it is a folder, not a file`);
    execFileSync('mkfifo', [path]);
    await expect(loadTorch(path)).rejects.toThrow(`Cannot read ${path}: it is a pipe, not a file`);
  });
});

describe('an atomic write', () => {
  it('removes files of killed saves, but not of running ones', async () => {
    const module = new URL('../../dist/index.js', import.meta.url).href;
    const code = `
      const { saveNpy, zeros } = await import(${JSON.stringify(module)});
      const { readdirSync } = await import('node:fs');
      const saving = saveNpy(${JSON.stringify(path)}, zeros([30_000_000]));
      while (readdirSync(${JSON.stringify(folder)}).length === 0) await new Promise((done) => setTimeout(done, 1));
      process.kill(process.pid, 'SIGKILL');`;
    await once(spawn(process.execPath, ['--input-type=module', '-e', code]), 'exit');
    const [leftover] = fs.readdirSync(folder);
    expect(leftover).toMatch(/^\.x\..*\.tmp$/);
    const running = await stageFile(path, (file) => file.writeFile('one'));
    await writeFileAtomic(path, 'two');
    expect(fs.readdirSync(folder)).toHaveLength(2);
    await running.commit();
    expect(fs.readdirSync(folder)).toEqual(['x']);
    expect(fs.readFileSync(path, 'utf8')).toBe('one');
  });

  it('removes temporary files without an owner after a day', async () => {
    const [old, fresh] = ['.x.00000000-1-0.tmp', '.x.tag.tmp'];
    for (const name of [old, fresh]) fs.writeFileSync(join(folder, name), '');
    fs.utimesSync(join(folder, old), 0, 0);
    await writeFileAtomic(path, '');
    expect(fs.readdirSync(folder).sort()).toEqual([fresh, 'x']);
  });

  it('keeps the mode of the file it replaces', async () => {
    await writeFileAtomic(path, 'one');
    fs.chmodSync(path, 0o600);
    await writeFileAtomic(path, 'two');
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
  });

  it.skipIf(process.getuid?.() === 0)('refuses a file that may not be written (not as root)', async () => {
    fs.writeFileSync(path, '', { mode: 0o400 });
    await expect(writeFileAtomic(path, 'two')).rejects.toThrow(/EACCES/);
  });

  it('accepts names as long as the file system does', async () => {
    const long = join(folder, 'ä'.repeat(127));
    await writeFileAtomic(long, 'text');
    expect(fs.readFileSync(long, 'utf8')).toBe('text');
    expect(fs.readdirSync(folder)).toHaveLength(1);
  });
});
