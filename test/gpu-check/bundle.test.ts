/** The bundle of `gpu-check`: its content, its size, and that it starts without anything but a shell. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, writeTree } from '../install/support.js';
import { root } from '../scripts/support.js';
import { load } from './support.js';

const { isKept, packagesOf, testFiles, writeBundle } = await load('bundle');

const isLinux = process.platform === 'linux' && process.arch === 'x64';
const hasXz = spawnSync('xz', ['--version']).status === 0;
const why = isLinux && hasXz ? '' : ' (skipped: needs Linux x64 and xz)';

/** A package of a few files. */
function smallPackage(): string {
  const manifest = (name: string, dependencies = {}) =>
    JSON.stringify({ name, version: '1.0.0', dependencies });
  const folder = writeTree(temporaryFolder(), {
    'package.json': manifest('dyconv', { one: '*' }),
    'node_modules/one/package.json': manifest('one', { two: '*', absent: '*' }),
    'node_modules/one/index.js': '',
    'node_modules/one/index.js.map': '{}',
    'node_modules/one/index.d.ts': '',
    'node_modules/one/LICENSE': '',
    'node_modules/one/node_modules/two/package.json': manifest('two', { lightningcss: '*' }),
    'node_modules/lightningcss/package.json': manifest('lightningcss'),
    'node_modules/vitest/package.json': manifest('vitest'),
    'node_modules/other/package.json': manifest('other'),
    'dist/index.js': '',
    'lib/index.ts': '',
    'cpp/addon.cc': '',
    'data/cuda-tuning/a.json': '{}',
    'scripts/gpu-check.js': '',
    'test/cuda/a.test.ts': "import { x } from '../support/x.js';\nimport { y } from '../../lib/index.js';\n",
    'test/support/x.ts': "export const x = await import('./y.js');\n",
    'test/support/y.ts': '',
    'test/support/unused.ts': '',
    'test/support/temporary.ts': '',
    'test/install/cuda-build.test.ts': '',
  });
  const others = ['CMakeLists.txt', 'LICENSE', 'THIRD_PARTY.md', 'tsconfig.json', 'vitest.config.ts'];
  for (const name of [...others, 'libtorch.lock.json', 'libtorch-cuda.lock.json'])
    writeFileSync(join(folder, name), '');
  return folder;
}

/** In place of Node.js: prints how it was called. */
function fakeNode(): string {
  const file = join(temporaryFolder(), 'node');
  writeFileSync(file, '#!/bin/sh\necho "offline $DYCONV_OFFLINE"\nfor word in "$@"; do echo "$word"; done\n');
  chmodSync(file, 0o755);
  return file;
}

it('the CUDA tests come with what they import', () => {
  const files: string[] = testFiles(root);
  expect(files).toEqual(
    expect.arrayContaining([
      'test/cuda/dynamic-conv.test.ts',
      'test/support/cuda.ts',
      'test/ops/dynamic-conv-cases.ts',
    ]),
  );
  expect(files.every((file) => existsSync(join(root, file)))).toBe(true);
});

it('the packages are those of package.json and vitest, with what they depend on', () => {
  const packages: string[] = packagesOf(root);
  expect(packages).toEqual(
    expect.arrayContaining([
      'node_modules/commander',
      'node_modules/cmake-js',
      'node_modules/node-api-headers',
      'node_modules/vitest',
    ]),
  );
  expect(packages.filter((name) => /lightningcss|typescript|biome/.test(name))).toEqual([]);
});

/** Relative paths that a module imports, as files below the folder of its package. */
function importsOf(folder: string, name: string): string[] {
  const text = readFileSync(join(folder, name), 'utf8');
  const paths = [...text.matchAll(/\b(?:from\s*|import\s*|import\(|require\()["'](\.{1,2}\/[^"'\n]+)["']/g)];
  return paths.flatMap(([, target = '']) => {
    const path = join(dirname(name), target);
    const found = [path, `${path}.js`, `${path}.json`, join(path, 'index.js')].find((file) =>
      statSync(join(folder, file), { throwIfNoEntry: false })?.isFile(),
    );
    // Declarations are named in comments.
    return found === undefined || /\.d\.[cm]?ts$/.test(found) ? [] : [found];
  });
}

it('no module of a package imports a file that is left out', () => {
  const packages: string[] = packagesOf(root);
  const missing: string[] = [];
  let modules = 0;
  for (const folder of packages) {
    const all = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter(
      (name) => /\.(?:[cm]?js|json)$/.test(name) && !/(?:^|[\\/])node_modules[\\/]/.test(name),
    );
    const kept = all.filter((name) => isKept(folder, name));
    if (kept.length === all.length) continue;
    modules += kept.length;
    for (const name of kept)
      for (const file of importsOf(join(root, folder), name))
        if (!isKept(folder, file)) missing.push(`${folder}/${name} imports ${file}`);
  }
  expect(missing).toEqual([]);
  // Of ECharts, whose documentation and variants are left out.
  expect(modules).toBeGreaterThan(100);
  expect(isKept('node_modules/one', 'lib/history.js')).toBe(true);
  for (const name of ['README.md', 'HISTORY', 'lib/changelog.txt', 'index.js.map', 'index.d.ts'])
    expect(isKept('node_modules/one', name)).toBe(false);
});

describe.skipIf(why !== '')(`writeBundle${why}`, () => {
  it('writes a script that unpacks and starts the check, once', async () => {
    const small = smallPackage();
    const images = writeTree(temporaryFolder(), { 'pictures.tar.gz': 'pictures' });
    const out = join(temporaryFolder(), 'with space', 'bundle');
    const node = fakeNode();
    const options = { root: small, out, node, images: join(images, 'pictures.tar.gz'), level: 0 };
    const { file, bytes, entries } = await writeBundle(options);
    expect(file).toBe(join(out, 'run'));
    expect(bytes).toBe(
      ['run', 'payload.tar.xz', 'data/cifar10-jpeg.tar.gz'].reduce(
        (sum, name) => sum + statSync(join(out, name)).size,
        0,
      ),
    );
    const where = join(temporaryFolder(), 'unpacked');
    const smi = writeTree(temporaryFolder(), { 'nvidia-smi': '#!/bin/sh\n' });
    chmodSync(join(smi, 'nvidia-smi'), 0o755);
    // A PATH on which only what the script needs is found, so that a driver of this machine is not.
    const tools = temporaryFolder();
    for (const name of ['sh', 'cat', 'dirname', 'mkdir', 'rm', 'tar', 'xz'])
      symlinkSync(
        spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim(),
        join(tools, name),
      );
    let path = tools;
    const run = () =>
      spawnSync(file, ['--minutes', '3'], {
        encoding: 'utf8',
        env: { PATH: path, DYCONV_BUNDLE_DIR: where },
      });
    const script = join(where, 'dyconv', 'scripts', 'gpu-check.js');
    expect(run()).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'error: No NVIDIA GPU can be used: nvidia-smi is not installed\n',
    });
    expect(existsSync(where)).toBe(false);
    path = [smi, path].join(delimiter);
    const expected = ['offline 1', script, '--data-dir', join(out, 'data'), '--minutes', '3', ''].join('\n');
    expect(run()).toMatchObject({ status: 0, stderr: '', stdout: expected });
    const listed = spawnSync('find', ['.', '-type', 'f'], {
      cwd: join(where, 'dyconv'),
      encoding: 'utf8',
    }).stdout;
    const files = listed
      .trim()
      .split('\n')
      .map((name) => name.slice(2))
      .sort();
    expect(files).toHaveLength(entries);
    expect(files).toEqual(
      expect.arrayContaining([
        'bundle.json',
        'node/node',
        'node_modules/one/LICENSE',
        'node_modules/one/node_modules/two/package.json',
        'test/support/y.ts',
      ]),
    );
    expect(files.filter((name) => /\.map$|\.d\.ts$|lightningcss|other|unused/.test(name))).toEqual([]);
    expect(JSON.parse(readFileSync(join(where, 'dyconv', 'bundle.json'), 'utf8'))).toEqual({
      version: '1.0.0',
      commit: null,
    });
    // A second start unpacks nothing; another bundle replaces it.
    writeFileSync(join(where, 'kept'), '');
    expect(run().status).toBe(0);
    expect(existsSync(join(where, 'kept'))).toBe(true);
    writeFileSync(join(small, 'lib', 'more.ts'), 'export const more = 1;');
    await writeBundle(options);
    expect(run().status).toBe(0);
    expect([existsSync(join(where, 'kept')), existsSync(join(where, 'dyconv', 'lib', 'more.ts'))]).toEqual([
      false,
      true,
    ]);
  });

  it('refuses a bundle that is too large, and removes it', async () => {
    const out = join(temporaryFolder(), 'bundle');
    const request = writeBundle({ root: smallPackage(), out, node: fakeNode(), level: 0, most: 100 });
    await expect(request).rejects.toThrow(
      /^Expected at most 0\.0 MiB for the bundle but it has .*; the largest files before compression: /,
    );
    expect(existsSync(out)).toBe(false);
  });

  it('refuses a folder with other files, and images that do not exist', async () => {
    const out = temporaryFolder();
    mkdirSync(join(out, 'photos'));
    await expect(writeBundle({ root: smallPackage(), out })).rejects.toThrow(
      /Expected an empty folder or a bundle for --bundle/,
    );
    const images = join(out, 'none.tar.gz');
    await expect(writeBundle({ root: smallPackage(), out: join(out, 'new'), images })).rejects.toThrow(
      /Expected an existing file for --bundle-images/,
    );
  });
});
