#!/usr/bin/env node
/**
 * Packs the built add-on as the npm package of this platform, `@dyconv/<platform>-<arch>`: the add-on without the
 * path of its libtorch, and the required licenses.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { requirePackages } from './cli/start.js';
import { ensureDist } from './dist.js';

requirePackages();
const { parseScript } = await import('./cli/command.js');
const { path } = await import('./cli/value-types.js');

/** @import { OptionTable } from './cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  out: { value: 'folder', type: path, default: 'build/prebuilt', help: 'folder of the package' },
  build: { flag: 'negated', help: 'use build/Release/dyconv.node as it is' },
});

const { options } = parseScript({
  script: 'prebuild.js',
  description: 'Writes the npm package with the prebuilt add-on of this platform.',
  options: OPTIONS,
});

try {
  const { out, build } = options;
  ensureDist();
  const folder = await makePackage(resolve(out), build);
  console.log(folder);
} catch (error) {
  console.error(`dyconv: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

/** @param {string} out @param {boolean} build */
async function makePackage(out, build) {
  const { ensureLibtorch } = await import('../dist/install/libtorch.js');
  const { buildAddon } = await import('../dist/install/build.js');
  const { checkAddon } = await import('../dist/install/addon.js');
  const { addonPath, packageRoot, prebuiltPackage } = await import('../dist/native/load.js');
  const { readLock } = await import('../dist/libtorch/lock.js');
  const libtorch = await ensureLibtorch();
  const { version } = readLock();
  if (libtorch.version !== version) {
    console.error(`This is for libtorch ${libtorch.version}; what is published is for ${version}.`);
  }
  const built = build ? buildAddon({ libtorch }) : addonPath();
  const itself = checkAddon(built);
  if (itself.ok && itself.facts?.cudaBuilt) {
    throw new Error('the prebuilt add-on is for CPUs, and this one is for CUDA: build without DYCONV_CUDA');
  }
  const name = prebuiltPackage();
  const folder = join(out, name.replace('@dyconv/', ''));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const addon = join(folder, 'dyconv.node');
  copyFileSync(built, addon);
  // A tenth of the tarball are names of functions that are not exported.
  if (process.platform !== 'win32') {
    run('strip', [process.platform === 'darwin' ? '-x' : '--strip-unneeded', addon]);
  }
  removeRunPath(addon);
  const alone = checkAddon(addon);
  if (alone.ok && process.platform !== 'win32') {
    throw new Error(`${addon} still finds libtorch in ${alone.libtorchLib}: is it on LD_LIBRARY_PATH?`);
  }
  const check = checkAddon(addon, libtorch.dir);
  if (!check.ok) throw new Error(`${addon} does not load: ${check.reason}`);

  const own = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const manifest = {
    name,
    version: own.version,
    description: `The prebuilt native add-on of dyconv for ${process.platform}-${process.arch}`,
    license: own.license,
    os: [process.platform],
    cpu: [process.arch],
    ...(process.platform === 'linux' && { libc: ['glibc'] }),
    engines: own.engines,
    main: 'dyconv.node',
    sideEffects: false,
    files: ['dyconv.node', 'LICENSE', 'LICENSE-libtorch'],
    dyconv: { libtorch: libtorch.version, needs: neededVersions(addon) },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  copyFileSync(join(packageRoot, 'LICENSE'), join(folder, 'LICENSE'));
  // The add-on contains code of libtorch's headers.
  const notice = ['LICENSE', 'LICENSE.txt']
    .map((file) => join(libtorch.dir, 'licenses', file))
    .find(existsSync);
  if (!notice) throw new Error(`${libtorch.dir} holds no license of libtorch: take the one from the wheel`);
  copyFileSync(notice, join(folder, 'LICENSE-libtorch'));
  writeFileSync(
    join(folder, 'README.md'),
    `# ${name}\n\nThe native add-on of [dyconv](https://www.npmjs.com/package/dyconv) for ${process.platform}-${process.arch}, ` +
      `for libtorch ${libtorch.version}. dyconv installs it by itself.\n`,
  );
  return folder;
}

/** The folder of the libtorch on this machine means nothing elsewhere. @param {string} addon */
function removeRunPath(addon) {
  if (process.platform === 'win32') return;
  if (process.platform === 'darwin') {
    const { stdout } = run('otool', ['-l', addon]);
    for (const [, path = ''] of stdout.matchAll(/cmd LC_RPATH\n.*\n\s+path (.*) \(offset/g)) {
      run('install_name_tool', ['-delete_rpath', path, addon]);
    }
    return;
  }
  const script = join(tmpdir(), `dyconv-rpath-${randomUUID()}.cmake`);
  writeFileSync(script, `file(RPATH_REMOVE FILE "${addon.replaceAll('\\', '/')}")\n`);
  try {
    run('cmake', ['-P', script]);
  } finally {
    rmSync(script, { force: true });
  }
}

/**
 * The newest symbol versions of system libraries that the add-on needs: older systems cannot load it.
 * @param {string} addon
 */
function neededVersions(addon) {
  if (process.platform !== 'linux') return {};
  const text = readFileSync(addon, 'latin1');
  /** @param {string} prefix */
  const newest = (prefix) =>
    [...text.matchAll(new RegExp(`${prefix}_(\\d+(?:\\.\\d+)+)`, 'g'))]
      .map(([, version = '']) => version)
      .sort((one, other) => one.localeCompare(other, 'en', { numeric: true }))
      .at(-1);
  return { glibc: newest('GLIBC'), libstdcxx: newest('GLIBCXX') };
}

/** @param {string} command @param {string[]} args */
function run(command, args) {
  const child = spawnSync(command, args, { encoding: 'utf8' });
  if (child.status === 0) return child;
  throw new Error(`${command} ${args.join(' ')} failed: ${child.error?.message ?? child.stderr.trim()}`);
}
