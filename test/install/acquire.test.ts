/**
 * Sources of libtorch other than the plain download, slow networks, and concurrent processes.
 */
import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ArgumentError, DownloadError } from '../../lib/errors.js';
import { ensureLibtorch, findLibtorch } from '../../lib/install/libtorch.js';
import { downloadSource, zipSource } from '../../lib/install/sources.js';
import { readManifest } from '../../lib/libtorch/cache.js';
import { zip } from '../support/zip.js';
import * as support from './support.js';

const {
  child,
  fakePython,
  goodWheel,
  isolated,
  lockFor,
  sendFile,
  serve,
  temporaryFolder,
  wheelEntries,
  writeTree,
} = support;

/** The same content in the layout of the libtorch archive. */
const archive = (): Buffer =>
  zip(
    wheelEntries()
      .filter(({ name }) => name.startsWith('torch/'))
      .map((entry) => ({ ...entry, name: `lib${entry.name}` })),
  );

describe('LIBTORCH_USE_PYTORCH', () => {
  const torch = () =>
    writeTree(temporaryFolder(), {
      'lib/libtorch_cpu.so': 'x',
      'include/ATen/ATen.h': '',
      'include/torch/headeronly/version.h': support.versionHeader('2.12.1'),
    });

  it('uses the libtorch of the active Python, and downloads nothing', async () => {
    const dir = torch();
    const env = { LIBTORCH_USE_PYTORCH: '1', PATH: fakePython(`echo "${dir}"`) };
    const { options } = isolated(goodWheel(), 'http://127.0.0.1:9', { env });
    expect(await ensureLibtorch(options)).toEqual({
      dir,
      version: '2.12.1',
      flavour: 'cpu',
      source: 'LIBTORCH_USE_PYTORCH',
    });
  });

  it('prefers the Python of a virtual environment', () => {
    const dir = torch();
    const home = writeTree(temporaryFolder(), { 'bin/python': `#!/bin/sh\necho "${dir}"\n` });
    chmodSync(join(home, 'bin', 'python'), 0o755);
    const env = { LIBTORCH_USE_PYTORCH: '1', VIRTUAL_ENV: home, PATH: fakePython('exit 3') };
    expect(findLibtorch({ env })?.dir).toBe(dir);
  });

  it('reports a missing PyTorch, a missing Python, or another version', async () => {
    const of = (env: NodeJS.ProcessEnv) =>
      ensureLibtorch(isolated(goodWheel(), 'http://127.0.0.1:9', { env }).options);
    const none = {
      LIBTORCH_USE_PYTORCH: '1',
      PATH: fakePython('echo "no module named torch in py" >&2; exit 1'),
    };
    await expect(of(none)).rejects.toThrow(
      /a Python with PyTorch for LIBTORCH_USE_PYTORCH .*no module named torch/,
    );
    const empty = { LIBTORCH_USE_PYTORCH: '1', PATH: temporaryFolder() };
    await expect(of(empty)).rejects.toThrow('python3 is not installed');
    const old = writeTree(torch(), { 'include/torch/headeronly/version.h': support.versionHeader('2.4.0') });
    const outdated = { LIBTORCH_USE_PYTORCH: '1', PATH: fakePython(`echo "${old}"`) };
    await expect(of(outdated)).rejects.toThrow(/libtorch 2\.11 to 2\.14 .* it holds version 2\.4\.0/);
  });
});

describe('a file on disk', () => {
  it.each([
    ['a wheel', 'torch.whl', goodWheel],
    ['a libtorch archive', 'libtorch.zip', archive],
  ])('%s is unpacked once', async (_what, name, content) => {
    const file = join(writeTree(temporaryFolder(), { [name]: content() }), name);
    const { options, cacheDir } = isolated(goodWheel(), 'http://127.0.0.1:9', { env: { LIBTORCH: file } });
    const first = await ensureLibtorch(options);
    expect(first).toMatchObject({ version: '2.13.0', flavour: 'cpu', source: 'LIBTORCH' });
    expect(readManifest(first.dir)?.libraries).toHaveProperty('libtorch_cpu.so');
    expect(readdirSync(join(first.dir, 'lib'))).not.toContain('libtorch_python.so');
    expect(await ensureLibtorch({ ...options, reporter: support.recordingReporter() })).toEqual(first);
    expect(readdirSync(cacheDir)).toHaveLength(1);
  });

  it('of another version, or with other contents, is rejected and leaves no files', async () => {
    const folder = writeTree(temporaryFolder(), {
      'old.whl': zip(wheelEntries('2.9.0')),
      'other.zip': zip([{ name: 'readme.txt', content: 'hello' }]),
      'torn.whl': goodWheel().subarray(0, 2000),
    });
    for (const [name, message] of [
      ['old.whl', /a wheel or archive with libtorch 2\.11 to 2\.14 for LIBTORCH .*it holds version 2\.9\.0/],
      ['other.zip', /libtorch_cpu\.so is missing/],
      ['torn.whl', /Could not unpack/],
    ] as const) {
      const env = { LIBTORCH: join(folder, name) };
      const { options, cacheDir } = isolated(goodWheel(), 'http://127.0.0.1:9', { env });
      await expect(ensureLibtorch(options)).rejects.toThrow(message);
      expect(readdirSync(cacheDir)).toEqual([]);
    }
  });
});

describe('the network', () => {
  it('the libtorch archive is requested if the wheel does not exist', async () => {
    const [wheel, other] = [goodWheel(), archive()];
    const { base, requests } = await serve((request, response) =>
      request.url?.endsWith('.zip') ? sendFile(other)(request, response) : void response.writeHead(404).end(),
    );
    const { options } = isolated(wheel, base, { sources: [downloadSource, zipSource] });
    options.lock = lockFor(wheel, base, other);
    expect((await ensureLibtorch(options)).source).toBe('zip');
    expect(requests.at(-1)).toBe('/zips/cpu/libtorch.zip');
  });

  it('follows a redirect', async () => {
    const wheel = goodWheel();
    const { base, requests } = await serve((request, response) => {
      if (request.url?.startsWith('/moved/')) return sendFile(wheel)(request, response);
      response.writeHead(302, { location: `/moved${request.url}` }).end();
    });
    expect((await ensureLibtorch(isolated(wheel, base).options)).source).toBe('download');
    expect(requests).toHaveLength(2);
  });

  it('may be slow, without a Content-Length', async () => {
    const wheel = goodWheel();
    const { base } = await serve(async (_request, response) => {
      response.writeHead(200);
      for (let at = 0; at < wheel.length; at += 2000) {
        response.write(wheel.subarray(at, at + 2000));
        await new Promise((done) => setTimeout(done, 100));
      }
      response.end();
    });
    expect((await ensureLibtorch(isolated(wheel, base).options)).source).toBe('download');
  });

  it.each([{ DYCONV_OFFLINE: '1' }, { npm_config_offline: 'true' }])('is not used with %o', async (env) => {
    const wheel = goodWheel();
    const { base, requests } = await serve(sendFile(wheel));
    const { options } = isolated(wheel, base, { env });
    await expect(ensureLibtorch(options)).rejects.toThrow(/DYCONV_OFFLINE is set[\s\S]*LIBTORCH/);
    expect(requests).toEqual([]);
    await ensureLibtorch({ ...options, env: {} });
    expect((await ensureLibtorch(options)).source).toBe('cache');
  });
});

describe('two processes at once', () => {
  it('fetch libtorch once', async () => {
    const wheel = goodWheel();
    const { base, requests } = await serve((request, response) => {
      setTimeout(() => sendFile(wheel)(request, response), 1500);
    });
    const { options, cacheDir } = isolated(wheel, base);
    const answers = (await Promise.all([child(options), child(options)])).map(({ output }) =>
      JSON.parse(output),
    );
    expect(answers.map(({ source }) => source).sort()).toEqual(['cache', 'download']);
    expect(answers.flatMap(({ lines }) => lines).join('\n')).toMatch(
      /Waiting for process \d+ on .*same libtorch/,
    );
    expect(requests).toHaveLength(1);
    expect(readdirSync(cacheDir).sort()).toEqual(['downloads', 'libtorch-2.13.0-cpu']);
  });
});

it('errors are of the classes that are documented', async () => {
  const nothing = isolated(goodWheel(), 'http://127.0.0.1:9', { env: { DYCONV_OFFLINE: '1' } });
  await expect(ensureLibtorch(nothing.options)).rejects.toBeInstanceOf(DownloadError);
  const wrong = isolated(goodWheel(), 'http://127.0.0.1:9', { env: { LIBTORCH: '/does/not/exist.whl' } });
  await expect(ensureLibtorch(wrong.options)).rejects.toBeInstanceOf(ArgumentError);
});
