/**
 * npm 12 and pnpm, which run no install script that has not been approved: dyconv is installed by its name, its error
 * names a command, that command fixes it; and approving the script does the same. The lines are those of the guide.
 * @module
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, check, expect, npm, project, root, run, shell, withPath } from './steps.js';

/** The requirement of npm 12: Node.js 22.22 or later. */
const NODE = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

/** @param {string} work @param {string} registry */
export function blockedByManagers(work, registry) {
  const env = check('npm 12, pnpm and Node.js 22 from the registry', () => fetchManagers(work));
  const settings = { ...env, npm_config_registry: registry, pnpm_config_registry: registry };
  npm12(work, settings);
  pnpm(work, settings);
}

/** Package managers in a separate folder, first on the path. @param {string} work */
function fetchManagers(work) {
  const folder = join(work, 'managers');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  npm(folder, 'install', '--ignore-scripts', 'npm@12', 'pnpm@latest', `node@npm:${NODE}@22`);
  const modules = join(folder, 'node_modules');
  return withPath(join(modules, 'node', 'bin'), join(modules, '.bin'));
}

/** @param {string} work @param {NodeJS.ProcessEnv} env */
function npm12(work, env) {
  const version = run('npm', ['--version'], work, env).trim();
  expect(version.startsWith('12.'), `npm 12 is not first on the path, but ${version}`);
  const setup = project(work, 'npm setup ß');
  check(`npm ${version} install dyconv: the install script is blocked`, () => {
    const text = shell('npm install dyconv', setup, env);
    expect(/scripts blocked[\s\S]*dyconv@\S+ \(install: /.test(text), text);
    expect(!isSetUp(setup), 'the install script ran');
  });
  fixedByItsError(setup, 'npx dyconv setup', env);
  const approved = project(work, 'npm approve ß');
  check('what the guide says for npm: approve, rebuild', () => {
    shell('npm install dyconv', approved, env);
    shell(guideLine('npm install-scripts approve'), approved, env);
    expect(isSetUp(approved), 'the install script did not run');
    run('node', ['esm.mjs'], approved, env);
  });
}

/** @param {string} work @param {NodeJS.ProcessEnv} env */
function pnpm(work, env) {
  const version = run('pnpm', ['--version'], work, env).trim();
  const setup = project(work, 'pnpm setup ß');
  check(`pnpm ${version} add dyconv: the install script is blocked`, () => {
    const { stdout, stderr } = attempt('pnpm', ['add', 'dyconv'], setup, env);
    expect(/Ignored build scripts: .*dyconv@/.test(stdout + stderr), stdout + stderr);
    expect(existsSync(join(setup, 'node_modules', 'dyconv')) && !isSetUp(setup), 'the install script ran');
  });
  fixedByItsError(setup, 'pnpm exec dyconv setup', env);
  const approved = project(work, 'pnpm approve ß');
  check('what the guide says for pnpm: approve-builds', () => {
    attempt('pnpm', ['add', 'dyconv'], approved, env);
    shell(guideLine('pnpm approve-builds'), approved, env);
    expect(isSetUp(approved), 'the install script did not run');
    run('node', ['esm.mjs'], approved, env);
  });
  const allowed = project(work, 'pnpm allowBuilds ß');
  check('what the guide says for pnpm: allowBuilds', () => {
    writeFileSync(join(allowed, 'pnpm-workspace.yaml'), guideBlock('yaml'));
    shell('pnpm add dyconv', allowed, env);
    expect(isSetUp(allowed), 'the install script did not run');
    run('node', ['esm.mjs'], allowed, env);
  });
}

/** The error names the command, which is then run as printed. @param {string} folder @param {string} command @param {NodeJS.ProcessEnv} env */
function fixedByItsError(folder, command, env) {
  const named = check(`its error names: ${command}`, () => {
    const empty = { ...env, DYCONV_CACHE: join(folder, 'empty cache') };
    const { status, stderr } = attempt('node', ['esm.mjs'], folder, empty);
    const line = /Run `([^`]+)`/.exec(stderr)?.[1];
    expect(status !== 0 && line === command, stderr || 'no error');
    return command;
  });
  check(`${named} fixes it`, () => {
    const text = shell(named, folder, env);
    expect(text.includes('the prebuilt add-on'), text);
    run('node', ['esm.mjs'], folder, { ...env, DYCONV_CACHE: join(folder, 'empty cache') });
    shell(named.replace('setup', 'doctor'), folder, env);
  });
}

/** Whether the install script, or setup, has run. @param {string} folder */
function isSetUp(folder) {
  return existsSync(join(folder, 'node_modules', 'dyconv', 'build'));
}

const guide = () => readFileSync(join(root, 'docs', 'guides', 'installation.md'), 'utf8');

/** The command line of the guide that begins like this. @param {string} start */
function guideLine(start) {
  const line = guide()
    .split('\n')
    .find((text) => text.startsWith(start));
  if (!line) throw new Error(`the guide has no line that begins with ${start}`);
  return line.replace(/\s+#.*/, '');
}

/** The first block of a language in the guide. @param {string} language */
function guideBlock(language) {
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(guide())?.[1];
  if (!block) throw new Error(`the guide has no block of ${language}`);
  return block;
}
