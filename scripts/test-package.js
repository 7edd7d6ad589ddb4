#!/usr/bin/env node
/**
 * Tests the package like a user: `npm install` of the tarballs in new projects, in a folder with spaces and
 * non-ASCII letters. The build from source takes minutes; test/install/package.test.ts is the fast part.
 * @module
 */
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { requirePackages } from './cli/start.js';

requirePackages();
const { parseScript } = await import('./cli/command.js');
const { namesOf, path } = await import('./cli/value-types.js');
const { fromClone } = await import('./test-package/clone.js');
const { inContainers } = await import('./test-package/containers.js');
const { lintPackages } = await import('./test-package/lint.js');
const { fromOtherLockFile } = await import('./test-package/lock-file.js');
const { blockedByManagers } = await import('./test-package/managers.js');
const { otherRuntimes } = await import('./test-package/runtimes.js');
const { attempt, check, failures, npm, npx, project, resolve, root, run, startRegistry } = await import(
  './test-package/steps.js'
);

/** @import { OptionTable } from './cli/types.js' */

const PARTS = /** @type {const} */ ([
  ...['prebuilt', 'lint', 'runtimes', 'blocked', 'managers', 'lock-file', 'containers', 'source', 'clone'],
]);

const OPTIONS = /** @satisfies {OptionTable} */ ({
  only: {
    value: 'parts',
    type: namesOf(PARTS),
    default: /** @type {(typeof PARTS)[number][]} */ ([...PARTS]),
    shownDefault: 'all',
    help: `parts of the test: ${PARTS.join(', ')}`,
  },
  quick: {
    flag: 'plain',
    help: 'compile nothing: use the add-on of this folder; no build from source, no clone',
  },
  node: {
    value: 'paths',
    type: path,
    list: true,
    help: 'more Node.js executables to use the installed package with',
  },
  keep: { flag: 'plain', help: 'keep the projects' },
});

const { options } = parseScript({
  script: 'test-package.js',
  description: 'Packs dyconv, installs it into fresh projects, and uses it from there.',
  options: OPTIONS,
});
const { quick, keep, node: others = [], only } = options;
/** @param {typeof PARTS[number]} part */
const wanted = (part) => only.includes(part) && !(quick && ['source', 'clone'].includes(part));

const MAX_TARBALL = 3.5e6;
/** @type {Awaited<ReturnType<typeof startRegistry>> | undefined} */
let registry;
const work = mkdtempSync(join(tmpdir(), 'dyconv Paketprüfung '));

try {
  const packages = join(work, 'packages');
  const args = [join(root, 'scripts', 'pack.js'), '--out', packages, ...(quick ? ['--no-build'] : [])];
  const out = check('pack', () => run(process.execPath, args));
  const [prebuilt, main] = out.trim().split('\n');
  if (prebuilt === undefined || main === undefined)
    throw new Error(`Expected two tarballs but received ${out}`);
  registry = await startRegistry([prebuilt, main]);
  for (const file of [prebuilt, main]) {
    check(`${basename(file)}: ${(statSync(file).size / 1e6).toFixed(2)} MB, at most 3.5`, () => {
      if (statSync(file).size > MAX_TARBALL) throw new Error('too large');
    });
  }
  const installed = project(work, 'prebuilt ö');
  check('npm install, prebuilt', () => npm(installed, 'install', prebuilt, main));
  if (wanted('prebuilt')) withPrebuilt(installed);
  if (wanted('lint')) lintPackages(installed, main, `@dyconv/${process.platform}-${process.arch}`);
  if (wanted('runtimes')) otherRuntimes(work, installed);
  if (wanted('blocked')) blocked(project(work, 'scripts blocked ß'), prebuilt, main);
  if (wanted('managers')) blockedByManagers(work, registry.address);
  if (wanted('lock-file')) fromOtherLockFile(work, main);
  if (wanted('containers')) inContainers(work, prebuilt, main);
  if (wanted('source')) fromSource(project(work, 'from source ñ'), main);
  if (wanted('clone')) fromClone(work);
} catch (error) {
  if (failures() === 0) throw error;
} finally {
  registry?.stop();
  if (keep) console.log(`The projects are in ${work}`);
  else rmSync(work, { recursive: true, force: true });
}
const failed = failures();
console.log(failed === 0 ? 'The package works.' : `${failed} checks failed.`);
process.exitCode = failed === 0 ? 0 : 1;

/** Both tarballs, install scripts allowed. @param {string} folder */
function withPrebuilt(folder) {
  consumers(folder);
  check('TypeScript: node16, bundler, nodenext, with the declarations checked', () => types(folder));
  check('npx dyconv doctor', () => npx(folder, 'dyconv', 'doctor'));
  for (const node of others) consumers(folder, node);
}

/** Install scripts blocked: the error names the command, and the command fixes it. @param {string} folder @param {string} prebuilt @param {string} main */
function blocked(folder, prebuilt, main) {
  check('npm install --ignore-scripts', () => npm(folder, 'install', '--ignore-scripts', prebuilt, main));
  const env = { DYCONV_CACHE: join(folder, 'empty cache') };
  check('the error names the command', () => {
    const { status, stderr } = attempt(process.execPath, ['esm.mjs'], folder, env);
    if (status === 0 || !stderr.includes('Run `npx dyconv setup`')) throw new Error(stderr || 'no error');
  });
  check('npx dyconv setup', () => npx(folder, 'dyconv', 'setup'));
  check('works after it', () => run(process.execPath, ['esm.mjs'], folder));
}

/** The main tarball alone: without a prebuilt add-on its install script compiles one. @param {string} folder @param {string} main */
function fromSource(folder, main) {
  check('npm install --omit=optional, which builds', () => npm(folder, 'install', '--omit=optional', main));
  check('npx dyconv setup --from-source has nothing left to do', () => {
    const { status, stderr } = attempt('npx', ['--no', 'dyconv', 'setup', '--from-source'], folder);
    if (status !== 0 || !stderr.includes('dyconv is up to date')) throw new Error(stderr);
  });
  consumers(folder);
  check('npx dyconv doctor', () => npx(folder, 'dyconv', 'doctor'));
}

/** @param {string} folder @param {string} [node] */
function consumers(folder, node = process.execPath) {
  const version = run(node, ['--version']).trim();
  for (const file of ['esm.mjs', 'cjs.cjs', 'worker.mjs'])
    check(`${version} ${file}`, () => run(node, [file], folder));
  check(`${version} node --test`, () => run(node, ['--test', 'suite.node.mjs'], folder));
  const vitest = dirname(resolve('vitest/package.json'));
  const link = join(folder, 'node_modules', 'vitest');
  if (!existsSync(link)) symlinkSync(vitest, link, 'junction');
  check(`${version} vitest`, () => run(node, [join(vitest, 'vitest.mjs'), 'run', '--root', folder], folder));
}

/** The declarations of the package are checked as well: a user without `skipLibCheck` meets their mistakes. @param {string} folder */
function types(folder) {
  const common = ['--noEmit', '--strict', '--target', 'es2022', '--types', 'node'];
  const roots = ['--lib', 'es2023,esnext.disposable', '--typeRoots', join(root, 'node_modules', '@types')];
  for (const [module, resolution, file] of /** @type {const} */ ([
    ['node16', 'node16', 'types.mts'],
    ['esnext', 'bundler', 'types.mts'],
    ['nodenext', 'nodenext', 'types.cts'],
  ])) {
    const how = ['--module', module, '--moduleResolution', resolution];
    run(process.execPath, [resolve('typescript/bin/tsc'), ...common, ...roots, ...how, file], folder);
  }
}
