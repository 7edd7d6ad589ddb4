import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ArgumentError, DownloadError } from '../../lib/errors.js';
import { ensureLibtorch } from '../../lib/install/libtorch.js';
import { downloadSource, pipSource } from '../../lib/install/sources.js';
import { cacheDirectory, readManifest } from '../../lib/libtorch/cache.js';
import { acceptsVersion, readLock, sameRelease } from '../../lib/libtorch/lock.js';
import { zip } from '../support/zip.js';
import * as support from './support.js';

const { fakePython, goodWheel, isolated, sendFile, serve, temporaryFolder, wheelEntries, writeTree } =
  support;

/** Nothing that looks complete, and no rest of an unpacked archive. */
function expectNothingFinished(cacheDir: string): void {
  const names = existsSync(cacheDir) ? readdirSync(cacheDir) : [];
  expect(names.filter((name) => name !== 'downloads')).toEqual([]);
}

describe('download', () => {
  it('unpacks the needed files, and finds them in the cache the next time', async () => {
    const wheel = goodWheel();
    const { base, requests } = await serve(sendFile(wheel));
    const { options, cacheDir, dir, reporter } = isolated(wheel, base);
    const expected = { dir, version: '2.13.0', flavour: 'cpu' };

    expect(await ensureLibtorch(options)).toEqual({ ...expected, source: 'download' });
    expect(readdirSync(dir).sort()).toEqual(['dyconv-libtorch.json', 'include', 'lib', 'licenses', 'share']);
    expect(readdirSync(join(dir, 'lib')).sort()).toEqual(['libc10.so', 'libtorch_cpu.so']);
    expect(readFileSync(join(dir, 'lib', 'libtorch_cpu.so')).equals(support.LIBRARY)).toBe(true);
    expect(readFileSync(join(dir, 'licenses', 'LICENSE'), 'utf8')).toBe('BSD\n');
    expect(readdirSync(cacheDir).sort()).toEqual(['downloads', 'libtorch-2.13.0-cpu']);
    expect(readdirSync(join(cacheDir, 'downloads'))).toEqual([]);
    expect([...reporter.steps]).toEqual(['Downloading libtorch', 'Unpacking libtorch']);

    expect(await ensureLibtorch(options)).toEqual({ ...expected, source: 'cache' });
    expect(requests).toEqual([`/cpu/${encodeURIComponent(support.WHEEL_NAME)}`]);
  });

  it('asks the mirror that DYCONV_LIBTORCH_URL names', async () => {
    const wheel = goodWheel();
    const { base, requests } = await serve(sendFile(wheel));
    const { options } = isolated(wheel, 'http://127.0.0.1:9', {
      env: { DYCONV_LIBTORCH_URL: `${base}/mirror/` },
    });
    expect((await ensureLibtorch(options)).source).toBe('download');
    expect(requests).toEqual([`/mirror/cpu/${encodeURIComponent(support.WHEEL_NAME)}`]);
  });

  it('refuses a file with a wrong checksum', async () => {
    const wheel = goodWheel();
    const altered = Buffer.from(wheel);
    altered[100]! ^= 1;
    const { base } = await serve(sendFile(altered));
    const { options, cacheDir } = isolated(wheel, base);
    await expect(ensureLibtorch(options)).rejects.toThrow(/expected sha256 [0-9a-f]{64} but received/);
    expectNothingFinished(cacheDir);
  });

  it('downloads nothing for an incompatible C library', async () => {
    const { base, requests } = await serve(sendFile(goodWheel()));
    const { options } = isolated(goodWheel(), base, { libc: { family: 'musl', version: '1.2.5' } });
    const [artifact] = Object.values(options.lock!.artifacts);
    artifact!.file = 'torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl';
    await expect(ensureLibtorch(options)).rejects.toThrow(
      /needs glibc 2\.28 or later, and this system has musl 1\.2\.5: use .* or set LIBTORCH/,
    );
    expect(requests).toEqual([]);
  });

  it('refuses a file of a wrong size', async () => {
    const wheel = goodWheel();
    const { base } = await serve(sendFile(wheel.subarray(0, 1000)));
    const { options, cacheDir } = isolated(wheel, base);
    await expect(ensureLibtorch(options)).rejects.toThrow(`expected ${wheel.length} bytes but received 1000`);
    expectNothingFinished(cacheDir);
  });

  it('continues a download that was cut half-way', async () => {
    const wheel = goodWheel();
    const half = Math.floor(wheel.length / 2);
    let cut = true;
    const { base, requests } = await serve(async (request, response) => {
      if (!cut) return sendFile(wheel)(request, response);
      cut = false;
      response.writeHead(200, { 'content-length': wheel.length });
      response.write(wheel.subarray(0, half));
      await support.arrived(join(cacheDir, 'downloads', `${support.WHEEL_NAME}.part`), half);
      response.destroy();
    });
    const { options, cacheDir } = isolated(wheel, base);
    expect((await ensureLibtorch(options)).source).toBe('download');
    expect(requests).toHaveLength(2);
    expect(requests[1]).toMatch(new RegExp(` bytes=${half}-$`));
  });

  it('rejects a damaged wheel, even if its checksum is the pinned one', async () => {
    const entries = wheelEntries();
    entries[0]!.crc = 1;
    const wheel = zip(entries);
    const { base } = await serve(sendFile(wheel));
    const { options, cacheDir } = isolated(wheel, base);
    await expect(ensureLibtorch(options)).rejects.toThrow(
      'torch/lib/libtorch_cpu.so does not match its checksum',
    );
    expectNothingFinished(cacheDir);
  });

  it.each([
    'torch/include/../../../../escaped.h',
    '../escaped.h',
    '/escaped.h',
    'torch/include/a\\..\\..\\escaped.h',
  ])('refuses a wheel that holds %s', async (name) => {
    const wheel = zip([...wheelEntries(), { name, content: 'out' }]);
    const { base } = await serve(sendFile(wheel));
    const { options, cacheDir } = isolated(wheel, base);
    await expect(ensureLibtorch(options)).rejects.toThrow(
      /invalid (relative path|characters in fileName)|absolute path/,
    );
    expectNothingFinished(cacheDir);
    expect(readdirSync(join(cacheDir, '..'))).toEqual(['cache']);
  });

  it('refuses a wheel that lacks a library or holds another version', async () => {
    const lacking = zip(wheelEntries().filter(({ name }) => !name.endsWith('libc10.so')));
    const other = zip(wheelEntries('2.12.1'));
    for (const [wheel, message] of [
      [lacking, 'it does not hold lib/libc10.so'],
      [other, 'Expected libtorch 2.13.0 in the file but received 2.12.1'],
    ] as const) {
      const { base } = await serve(sendFile(wheel));
      const { options, cacheDir } = isolated(wheel, base);
      await expect(ensureLibtorch(options)).rejects.toThrow(message);
      expectNothingFinished(cacheDir);
    }
  });
});

describe('no source', () => {
  it('lists every place that was tried, why it failed, and what to do', async () => {
    const { base } = await serve((_request, response) => void response.writeHead(404).end('no'));
    const path = fakePython('echo "ERROR: No matching distribution found for torch==2.13.0+cpu" >&2; exit 1');
    const { options, cacheDir, dir } = isolated(goodWheel(), base, {
      env: { PATH: path },
      sources: [downloadSource, pipSource],
    });
    const error = await ensureLibtorch(options).catch((reason: unknown) => reason as Error);
    expect(error).toBeInstanceOf(DownloadError);
    const message = (error as Error).message;
    for (const part of [
      'Could not obtain libtorch 2.13.0',
      'LIBTORCH\n    is not set',
      dir,
      `${base}/cpu/`,
      'status 404',
      'python3 -m pip download --retries 0 --no-deps --only-binary=:all: --python-version 3.11 torch==2.13.0+cpu',
      'ERROR: No matching distribution found',
      'What to do',
      'DYCONV_LIBTORCH_URL',
    ]) {
      expect(message).toContain(part);
    }
    expectNothingFinished(cacheDir);
  });

  it('reports that the connection is refused, and that Python is missing', async () => {
    const { options } = isolated(goodWheel(), 'http://127.0.0.1:9', {
      env: { PATH: temporaryFolder() },
      sources: [downloadSource, pipSource],
    });
    await expect(ensureLibtorch(options)).rejects.toThrow(/ECONNREFUSED[\s\S]*python3 is not installed/);
  });

  it('says which platforms are pinned', async () => {
    const { options } = isolated(goodWheel(), 'http://127.0.0.1:9', { target: 'sunos-sparc' });
    await expect(ensureLibtorch(options)).rejects.toThrow(
      /sunos-sparc-cpu \(pinned: linux-x64-cpu\).*LIBTORCH/,
    );
  });
});

describe('LIBTORCH', () => {
  const files = { 'lib/libtorch_cpu.so': 'x', 'include/ATen/ATen.h': '' };
  const user = (dir: string) => ensureLibtorch({ lock: readLock(), env: { LIBTORCH: dir }, sources: [] });

  it.each([
    ['2.11.0', 'include/torch/headeronly/version.h', support.versionHeader('2.11.0')],
    ['2.12.1', 'include/torch/csrc/api/include/torch/version.h', support.versionHeader('2.12.1')],
    ['2.14.3', 'build-version', '2.14.3+cu130\n'],
  ])('accepts %s, known from %s', async (version, file, content) => {
    const dir = writeTree(temporaryFolder(), { ...files, [file]: content });
    expect(await user(dir)).toEqual({ dir, version, flavour: 'cpu', source: 'LIBTORCH' });
  });

  it('recognizes a CUDA build', async () => {
    const dir = writeTree(temporaryFolder(), {
      ...files,
      'lib/libtorch_cuda.so': 'x',
      'build-version': '2.13.0',
    });
    expect((await user(dir)).flavour).toBe('cuda');
  });

  it.each(['2.10.2', '2.15.0', '1.13.0', '3.12.0', 'nonsense'])('refuses version %s', async (version) => {
    const dir = writeTree(temporaryFolder(), { ...files, 'build-version': version });
    const error = await user(dir).catch((reason: unknown) => reason as Error);
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toBe(
      `Expected a folder with libtorch 2.11 to 2.14 (lib/ and include/) for LIBTORCH but received ` +
        `'${dir}' (string): it holds version ${version}`,
    );
  });

  it.each([
    ['an absent folder', undefined, 'the folder does not exist'],
    ['a folder of something else', { 'a.txt': '' }, 'lib/libtorch_cpu.so is missing'],
    ['a folder without headers', { 'lib/libtorch_cpu.so': '' }, 'include/ATen/ATen.h is missing'],
    ['a folder without a version', files, 'no version is found'],
  ])('refuses %s', async (_what, tree, message) => {
    const folder = join(temporaryFolder(), 'torch');
    if (tree) writeTree(folder, tree as Record<string, string>);
    await expect(user(folder)).rejects.toThrow(message);
  });
});

describe('the cache', () => {
  it('replaces a damaged folder of a previous installation', async () => {
    const wheel = goodWheel();
    const { base } = await serve(sendFile(wheel));
    const { options, cacheDir, dir } = isolated(wheel, base);
    await ensureLibtorch(options);
    truncateSync(join(dir, 'lib', 'libtorch_cpu.so'), 10);
    expect(readManifest(dir)).toBeUndefined();
    expect((await ensureLibtorch(options)).source).toBe('download');
    expect(readManifest(dir)).toMatchObject({ version: '2.13.0', wheel: support.WHEEL_NAME });
    expect(readdirSync(cacheDir).sort()).toEqual(['downloads', 'libtorch-2.13.0-cpu']);
  });

  it('never deletes a folder it did not make', async () => {
    const wheel = goodWheel();
    const { base } = await serve(sendFile(wheel));
    const { options, cacheDir, dir, reporter } = isolated(wheel, base);
    writeTree(dir, { 'lib/by-hand.txt': 'precious' });
    expect((await ensureLibtorch(options)).source).toBe('download');
    const kept = readdirSync(cacheDir).find((name) => name.startsWith('libtorch-2.13.0-cpu.kept-'));
    expect(readFileSync(join(cacheDir, kept!, 'lib', 'by-hand.txt'), 'utf8')).toBe('precious');
    expect(reporter.lines.join('\n')).toContain(kept);
  });

  it('keeps an existing folder if the download fails', async () => {
    const { options, dir } = isolated(goodWheel(), 'http://127.0.0.1:9');
    writeTree(dir, { 'lib/by-hand.txt': 'precious' });
    await expect(ensureLibtorch(options)).rejects.toThrow(DownloadError);
    expect(readFileSync(join(dir, 'lib', 'by-hand.txt'), 'utf8')).toBe('precious');
  });

  it('is in the folder given by the platform and the variables', () => {
    expect(cacheDirectory({ DYCONV_CACHE: '/c', XDG_CACHE_HOME: '/x', HOME: '/h' }, 'linux')).toBe('/c');
    expect(cacheDirectory({ XDG_CACHE_HOME: '/x', HOME: '/h' }, 'linux')).toBe('/x/dyconv');
    expect(cacheDirectory({ HOME: '/h' }, 'linux')).toBe('/h/.cache/dyconv');
    expect(cacheDirectory({ HOME: '/h' }, 'darwin')).toBe('/h/Library/Caches/dyconv');
  });
});

describe('the lock file', () => {
  it('pins a SHA-256 for every file, named as in its address', () => {
    const lock = readLock();
    expect(acceptsVersion(lock, lock.version)).toBe(true);
    const accepts = (version: string) =>
      acceptsVersion({ ...lock, accepts: { from: '2.9', to: '2.13' } }, version);
    for (const version of ['2.9.0', '2.10', '2.12.1+cu130', '2.13.9', '2.13.0a0+git1234'])
      expect([version, accepts(version)]).toEqual([version, true]);
    for (const version of ['2.8.9', '2.14.0', '3.10.0', '1.13.1', 'unknown', ''])
      expect([version, accepts(version)]).toEqual([version, false]);
    expect(sameRelease('2.13.0', '2.13.1+cpu')).toBe(true);
    expect(sameRelease('2.1.0', '2.13.0')).toBe(false);
    for (const artifact of Object.values(lock.artifacts)) {
      for (const { url, file, size, sha256 } of [artifact, artifact.zip ?? artifact]) {
        expect(sha256).toMatch(/^[0-9a-f]{64}$/);
        if (size !== undefined) expect(size).toBeGreaterThan(5e7);
        expect(decodeURIComponent(url).endsWith(`/${file}`)).toBe(true);
        expect(file).toContain(lock.version);
      }
    }
  });

  it("agrees with the guide's platforms", () => {
    const guide = readFileSync(new URL('../../docs/guides/installation.md', import.meta.url), 'utf8');
    const rows = {
      'Linux x64': 'linux-x64',
      'Linux arm64': 'linux-arm64',
      'macOS arm64': 'darwin-arm64',
      'Windows x64': 'win32-x64',
    };
    const { artifacts } = readLock();
    expect(Object.keys(artifacts).sort()).toEqual(
      Object.values(rows)
        .map((name) => `${name}-cpu`)
        .sort(),
    );
    for (const [system, target] of Object.entries(rows)) {
      const cells = new RegExp(`^\\| ${system} .*$`, 'm')
        .exec(guide)![0]
        .split('|')
        .map((cell) => cell.trim());
      const { tried, zip } = artifacts[`${target}-cpu`]!;
      expect(cells[2]).toMatch(zip ? /^wheel and archive 2\.13\.0/ : /^wheel 2\.13\.0/);
      expect(cells[4]).toMatch(tried ? /^yes/ : /^no$/);
    }
  });

  it('lists the attempts', () => {
    const { artifacts } = readLock();
    const tried = Object.keys(artifacts).filter((name) => artifacts[name]!.tried);
    expect(tried).toEqual(['linux-x64-cpu']);
    expect(artifacts['linux-x64-cpu']!.size).toBeDefined();
  });
});

describe('scripts/libtorch.js', () => {
  const script = fileURLToPath(new URL('../../scripts/libtorch.js', import.meta.url));
  const run = async (env: NodeJS.ProcessEnv, ...args: string[]) => {
    const child = spawn(process.execPath, [script, ...args], { env: { ...process.env, ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise((done) => child.on('close', done));
    return { code, stdout, stderr };
  };

  it('prints the folder', async () => {
    const tree = { 'lib/libtorch_cpu.so': 'x', 'include/ATen/ATen.h': '', 'build-version': '2.13.0' };
    const dir = writeTree(temporaryFolder(), tree);
    expect(await run({ LIBTORCH: dir })).toEqual({ code: 0, stdout: `${dir}\n`, stderr: '' });
  });

  it('ends with code 1 and one sentence', async () => {
    const { code, stdout, stderr } = await run({ LIBTORCH: '/does/not/exist' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^dyconv: Expected a folder with libtorch .* for LIBTORCH .*: the folder does not exist\n$/,
    );
  });

  it('has --help', async () => {
    const { code, stdout } = await run({}, '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('DYCONV_LIBTORCH_URL');
  });
});
