/** libtorch by pip: a script in its place, and the real one with a folder of wheels and with a mirror. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureLibtorch } from '../../lib/install/libtorch.js';
import { downloadSource, pipSource } from '../../lib/install/sources.js';
import { readManifest } from '../../lib/libtorch/cache.js';
import { zip } from '../support/zip.js';
import * as support from './support.js';

const { fakePython, goodWheel, isolated, sendFile, serve, temporaryFolder, wheelEntries, writeTree } =
  support;

describe('pip', () => {
  it('is used if the download fails, and its wheel is checked', async () => {
    const wheel = goodWheel();
    const folder = writeTree(temporaryFolder(), { [support.WHEEL_NAME]: wheel });
    const path = fakePython(`while [ "$1" != --dest ]; do shift; done; cp "${folder}"/*.whl "$2"`);
    const { options, cacheDir } = isolated(wheel, 'http://127.0.0.1:9', {
      env: { PATH: path },
      sources: [downloadSource, pipSource],
    });
    expect((await ensureLibtorch(options)).source).toBe('pip');
    expect(readdirSync(join(cacheDir, 'downloads'))).toEqual([]);

    const second = isolated(wheel, 'http://127.0.0.1:9', { env: { PATH: path }, sources: [pipSource] });
    writeFileSync(join(folder, support.WHEEL_NAME), zip(wheelEntries('2.13.1')));
    await expect(ensureLibtorch(second.options)).rejects.toThrow(
      /Expected sha256 [0-9a-f]{64} for torch-2\.13\.0/,
    );
    expect(readdirSync(second.cacheDir).filter((name) => name !== 'downloads')).toEqual([]);
    expect(existsSync(second.dir)).toBe(false);
  });
});

const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
const isLinux = process.platform === 'linux' && process.arch === 'x64';
const why = isLinux ? hasPip || 'there is no pip' : 'the wheel is one for Linux x64';

describe.skipIf(why !== true)(`the real pip${why === true ? '' : ` (skipped: ${why})`}`, () => {
  /** pip checks its wheels: their names, their metadata, a record of their files. */
  const realWheel = () => {
    const info = 'torch-2.13.0+cpu.dist-info';
    const metadata = 'Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0+cpu\n';
    const wheel = 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n';
    return zip([
      ...wheelEntries(),
      { name: `${info}/METADATA`, content: metadata },
      { name: `${info}/WHEEL`, content: wheel },
    ]);
  };
  /** Without the settings of this machine: neither indexes nor folders. */
  const env = (own: NodeJS.ProcessEnv) => ({
    ...{ PATH: process.env.PATH, HOME: temporaryFolder(), PIP_CONFIG_FILE: devNull, PIP_NO_CACHE_DIR: '1' },
    ...own,
  });

  it('gets the wheel from a folder', async () => {
    const wheel = realWheel();
    const folder = writeTree(temporaryFolder(), { [support.WHEEL_NAME]: wheel });
    const { options, dir } = isolated(wheel, 'http://127.0.0.1:9', {
      env: env({ PIP_NO_INDEX: '1', PIP_FIND_LINKS: folder }),
      sources: [pipSource],
    });
    expect((await ensureLibtorch(options)).source).toBe('pip');
    expect(readManifest(dir)).toMatchObject({ version: '2.13.0', wheel: support.WHEEL_NAME });
  });

  it('gets the wheel from a mirror', async () => {
    const wheel = realWheel();
    const { base, requests } = await serve((request, response) => {
      if (request.url?.endsWith('.whl')) return sendFile(wheel)(request, response);
      response.setHeader('content-type', 'text/html');
      response.end(`<a href="/files/${encodeURIComponent(support.WHEEL_NAME)}">${support.WHEEL_NAME}</a>`);
    });
    const { options } = isolated(wheel, 'http://127.0.0.1:9', {
      env: env({ PIP_INDEX_URL: `${base}/simple/` }),
      sources: [pipSource],
    });
    expect((await ensureLibtorch(options)).source).toBe('pip');
    expect(requests[0]).toBe('/simple/torch/');
  });
});
