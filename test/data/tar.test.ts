import type * as promises from 'node:fs/promises';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { readTarGz } from '../../lib/data/tar.js';
import { DatasetError } from '../../lib/index.js';

// On a busy machine the size of a file may be visible before its content.
vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof promises>();
  const stat = async (path: string) => {
    await setTimeout(100);
    return actual.stat(path);
  };
  return { ...actual, stat };
});

it('reports a truncated archive, also if its size becomes visible late', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dyconv-tar-'));
  try {
    const file = join(folder, 'cut.tar.gz');
    await writeFile(file, gzipSync(Buffer.alloc(4096)).subarray(0, 20));
    const read = readTarGz(file, new Set(['a']), () => {});
    await expect(read).rejects.toThrow(DatasetError);
    await expect(read).rejects.toThrow('unexpected end of file');
  } finally {
    await rm(folder, { recursive: true });
  }
}, 10_000);
