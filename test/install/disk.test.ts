/** A full disk, and a cache folder without write permission, while libtorch is fetched. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureLibtorch } from '../../lib/install/libtorch.js';
import { canMount, makeReadOnly, noMount, room, tinyDisk } from '../support/disk.js';
import { type ZipEntry, zip } from '../support/zip.js';
import * as support from './support.js';

const { AS_NOBODY, child, goodWheel, isolated, sendFile, serve, wheelEntries } = support;

/** Ends the process with code 3 if the folder is writable after all: the test would prove nothing. */
const mustNotWrite = (folder: string, code: string) => `
  try {
    writeFileSync(${JSON.stringify(join(folder, 'probe'))}, '');
    process.exit(3);
  } catch (error) {
    if (error.code !== '${code}') throw error;
  }`;

/** A folder that only its owner may write to, on a path that everybody may traverse. */
function closeToOthers(cacheDir: string): void {
  mkdirSync(cacheDir, { recursive: true });
  chmodSync(dirname(cacheDir), 0o755);
  chmodSync(cacheDir, 0o555);
}

/** Random bytes are incompressible: the disk must have space for two copies, packed and unpacked. */
function incompressible(bytes: number): ZipEntry[] {
  let state = 1;
  const content = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    content[i] = state >>> 24;
  }
  return [{ name: 'torch/lib/libtorch_cpu.so', content }, ...wheelEntries().slice(1)];
}

describe.skipIf(!canMount)(`a disk that gets full${noMount}`, () => {
  const full = (cacheDir: string) =>
    `The disk of the cache folder ${cacheDir} is full (ENOSPC). Free 1.2 GB there`;

  it('while downloading: is reported, and the download continues later', async () => {
    const wheel = zip(incompressible(600_000));
    const { base, requests } = await serve(sendFile(wheel));
    const { options, cacheDir, dir } = isolated(wheel, base);
    mkdirSync(cacheDir);
    tinyDisk(cacheDir, 400);
    await expect(ensureLibtorch(options)).rejects.toThrow(full(cacheDir));
    const part = join(cacheDir, 'downloads', `${support.WHEEL_NAME}.part`);
    const arrived = readFileSync(part);
    expect(arrived.length).toBeGreaterThan(100_000);
    expect(arrived.equals(wheel.subarray(0, arrived.length))).toBe(true);
    expect(existsSync(dir)).toBe(false);
    // Elsewhere, with the part that was downloaded.
    const roomy = isolated(wheel, base);
    mkdirSync(join(roomy.cacheDir, 'downloads'), { recursive: true });
    writeFileSync(join(roomy.cacheDir, 'downloads', `${support.WHEEL_NAME}.part`), arrived);
    expect((await ensureLibtorch(roomy.options)).source).toBe('download');
    expect(requests.at(-1)).toMatch(new RegExp(` bytes=${arrived.length}-$`));
  });

  it('while unpacking: is reported, leaves nothing that looks complete, and the download is not repeated', async () => {
    const wheel = zip(incompressible(600_000));
    const { base, requests } = await serve(sendFile(wheel));
    const { options, cacheDir, dir, reporter } = isolated(wheel, base);
    mkdirSync(cacheDir);
    const filler = join(tinyDisk(cacheDir, 1600), 'filler');
    // Enough space for the file, but not for its contents.
    writeFileSync(filler, Buffer.alloc(room(cacheDir) - 900 * 1024));
    await expect(ensureLibtorch(options)).rejects.toThrow(full(cacheDir));
    expect(reporter.steps).toContain('Downloading libtorch');
    expect(existsSync(dir)).toBe(false);
    expect(readdirSync(cacheDir).sort()).toEqual(['downloads', 'filler']);
    writeFileSync(filler, '');
    expect((await ensureLibtorch(options)).source).toBe('download');
    expect(requests).toHaveLength(1);
    expect(readFileSync(join(dir, 'lib', 'libtorch_cpu.so'))).toHaveLength(600_000);
  });

  it('while a wheel on disk is unpacked', async () => {
    const wheel = zip(incompressible(600_000));
    const file = join(support.writeTree(support.temporaryFolder(), { 'torch.whl': wheel }), 'torch.whl');
    const { options, cacheDir } = isolated(wheel, 'http://127.0.0.1:9', { env: { LIBTORCH: file } });
    mkdirSync(cacheDir);
    tinyDisk(cacheDir, 300);
    await expect(ensureLibtorch(options)).rejects.toThrow(full(cacheDir));
    expect(readdirSync(cacheDir)).toEqual([]);
  });
});

const devFull = existsSync('/dev/full');
const noDevFull = devFull ? '' : ' (skipped: this system has no /dev/full)';

it.skipIf(!devFull)(`a device without space is reported as a full disk${noDevFull}`, async () => {
  const wheel = goodWheel();
  const { base } = await serve(sendFile(wheel));
  const { options, cacheDir, dir } = isolated(wheel, base);
  mkdirSync(join(cacheDir, 'downloads'), { recursive: true });
  symlinkSync('/dev/full', join(cacheDir, 'downloads', `${support.WHEEL_NAME}.part`));
  await expect(ensureLibtorch(options)).rejects.toThrow(/is full \(ENOSPC\)/);
  expect(existsSync(dir)).toBe(false);
});

describe('a cache folder of another user', () => {
  it('is named, with two ways out', async () => {
    const { options, cacheDir } = isolated(goodWheel(), 'http://127.0.0.1:9');
    closeToOthers(cacheDir);
    const before = `${AS_NOBODY}${mustNotWrite(cacheDir, 'EACCES')}`;
    const { code, output } = await child(options, { before });
    chmodSync(cacheDir, 0o755);
    expect(code).toBe(1);
    expect(JSON.parse(output).error).toContain(
      `The cache folder ${cacheDir} cannot be written (EACCES). Set DYCONV_CACHE`,
    );
  });

  it('is used if it has everything', async () => {
    const wheel = goodWheel();
    const { base } = await serve(sendFile(wheel));
    const { options, cacheDir } = isolated(wheel, base);
    await ensureLibtorch(options);
    closeToOthers(cacheDir);
    const before = `${AS_NOBODY}${mustNotWrite(cacheDir, 'EACCES')}`;
    const { code, output } = await child(options, { before });
    chmodSync(cacheDir, 0o755);
    expect(output).toContain('"source":"cache"');
    expect(code).toBe(0);
  });
});

describe.skipIf(!canMount)(`a cache on a read-only file system${noMount}`, () => {
  it('is named, with two ways out', async () => {
    const { options, cacheDir } = isolated(goodWheel(), 'http://127.0.0.1:9');
    mkdirSync(cacheDir);
    makeReadOnly(cacheDir);
    await expect(ensureLibtorch(options)).rejects.toThrow(
      `The cache folder ${cacheDir} cannot be written (EROFS). Set DYCONV_CACHE`,
    );
  });

  it('is used if it has everything', async () => {
    const wheel = goodWheel();
    const { base, requests } = await serve(sendFile(wheel));
    const { options, cacheDir } = isolated(wheel, base);
    await ensureLibtorch(options);
    makeReadOnly(cacheDir);
    expect(() => writeFileSync(join(cacheDir, 'probe'), '')).toThrow(/EROFS/);
    expect((await ensureLibtorch(options)).source).toBe('cache');
    expect(requests).toHaveLength(1);
  });
});
