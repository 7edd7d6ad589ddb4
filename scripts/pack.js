#!/usr/bin/env node
/**
 * Creates the tarballs to publish: `dyconv`, without files for developers only, and the
 * prebuilt add-on of this platform, which is an optional dependency of the first.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requirePackages } from './cli/start.js';
import { ensureDist } from './dist.js';

requirePackages();
const { parseScript } = await import('./cli/command.js');
const { list, path, text } = await import('./cli/value-types.js');

/** @import { OptionTable } from './cli/types.js' */

const root = fileURLToPath(new URL('..', import.meta.url));

const OPTIONS = /** @satisfies {OptionTable} */ ({
  out: { value: 'folder', type: path, default: 'build/packages', help: 'folder of the tarballs' },
  build: { flag: 'negated', help: 'use build/Release/dyconv.node as it is' },
  sourceOnly: { flag: 'plain', help: 'no prebuilt add-on: it is built where the package is installed' },
  prebuilt: {
    value: 'targets',
    type: list,
    default: /** @type {string[]} */ ([]),
    shownDefault: 'none',
    help: 'platforms of more optional dependencies, separated by commas',
  },
  repository: {
    value: 'url',
    type: text,
    help: 'https address of the repository, for repository, homepage and bugs of package.json',
  },
});

const { options } = parseScript({
  script: 'pack.js',
  description: 'Writes the tarballs of dyconv and of its prebuilt add-on, and prints their paths.',
  options: OPTIONS,
});

const staging = mkdtempSync(join(tmpdir(), 'dyconv-pack-'));
try {
  const { out, build, sourceOnly, prebuilt, repository } = options;
  const links = linksTo(repository);
  mkdirSync(out, { recursive: true });
  const targets = [...prebuilt];
  if (!sourceOnly) {
    const args = ['--out', staging, ...(build ? [] : ['--no-build'])];
    run(process.execPath, [join(root, 'scripts', 'prebuild.js'), ...args]);
    const own = `${process.platform}-${process.arch}`;
    targets.push(own);
    const manifest = join(staging, own, 'package.json');
    writeJson(manifest, { ...JSON.parse(readFileSync(manifest, 'utf8')), ...links });
    console.log(pack(join(staging, own), resolve(out)));
  }
  const folder = stagePackage(join(staging, 'dyconv'), [...new Set(targets)].sort(), links);
  console.log(pack(folder, resolve(out)));
} catch (error) {
  console.error(`dyconv: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  rmSync(staging, { recursive: true, force: true });
}

/** The fields of package.json that lead to a repository. npm's provenance requires the first. @param {string | undefined} url */
function linksTo(url) {
  if (url === undefined) return {};
  if (!/^https:\/\/[\w.-]+(\/[\w.-]+){2,}$/.test(url)) {
    throw new Error(`Expected a URL such as https://host/owner/name for --repository but received '${url}'`);
  }
  const at = url.replace(/\.git$/, '');
  return {
    repository: { type: 'git', url: `git+${at}.git` },
    homepage: `${at}#readme`,
    bugs: { url: `${at}/issues` },
  };
}

/** @param {string} file @param {object} value */
function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** Copies what `files` of package.json names. @param {string} folder @param {string[]} targets @param {object} links */
function stagePackage(folder, targets, links) {
  ensureDist();
  const [{ files }] = /** @type {[{ files: { path: string }[] }]} */ (
    JSON.parse(run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], root))
  );
  for (const { path } of files.filter(({ path }) => !path.startsWith('dist/'))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(root, path), join(folder, path));
  }
  // Leaves out compiled files whose source was removed, and source maps.
  for (const { path } of files.filter(({ path }) => path.startsWith('dist/'))) {
    const source = path.replace(/^dist\//, 'lib/').replace(/\.(d\.ts|js)$/, '.ts');
    if (!existsSync(join(root, source))) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    const code = readFileSync(join(root, path), 'utf8');
    writeFileSync(join(folder, path), code.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''));
  }
  const {
    devDependencies: _dev,
    workspaces: _examples,
    scripts,
    ...manifest
  } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { version } = manifest;
  const published = {
    ...manifest,
    ...links,
    scripts: { install: scripts.install },
    ...(targets.length > 0 && {
      optionalDependencies: Object.fromEntries(targets.map((target) => [`@dyconv/${target}`, version])),
    }),
  };
  writeJson(join(folder, 'package.json'), published);
  return folder;
}

/** @param {string} folder @param {string} out */
function pack(folder, out) {
  const text = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], folder);
  return join(out, JSON.parse(text)[0].filename);
}

/** @param {string} command @param {string[]} args @param {string} [cwd] */
function run(command, args, cwd) {
  const shell = process.platform === 'win32' && command === 'npm';
  const child = spawnSync(command, args, { cwd, encoding: 'utf8', shell, maxBuffer: 1 << 26 });
  if (child.status === 0) return child.stdout;
  const reason = child.error?.message ?? `${child.stdout}${child.stderr}`.trim();
  throw new Error(`${command} ${args.join(' ')} failed: ${reason}`);
}
