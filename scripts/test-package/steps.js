/**
 * The means of the package's checks: named steps, programs that run in a project, the projects themselves.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

let failed = 0;

/** How many steps have failed. */
export function failures() {
  return failed;
}

/** A named step: says how it went, and how long it took. @template T @param {string} what @param {() => T} work @returns {T} */
export function check(what, work) {
  const start = performance.now();
  try {
    const result = work();
    console.log(`ok     ${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    return result;
  } catch (error) {
    failed++;
    console.log(`FAILED ${what}: ${messageOf(error)}`);
    throw error;
  }
}

/** A step that cannot run on this machine. @param {string} what @param {string} reason */
export function skip(what, reason) {
  console.log(`skipped ${what}: ${reason}`);
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @param {boolean} condition @param {string} message @returns {asserts condition} */
export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/** A fresh project with the files of its users. @param {string} work @param {string} name */
export function project(work, name) {
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'test', 'package', 'project'), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "name": "fresh", "private": true }\n');
  return folder;
}

/** A module of the repository's development dependencies. @param {string} name */
export function resolve(name) {
  return createRequire(import.meta.url).resolve(name);
}

/** Runs a program; it has to succeed. @param {string} command @param {string[]} args @param {string} [cwd] @param {NodeJS.ProcessEnv} [env] */
export function run(command, args, cwd, env) {
  const { status, stdout, stderr } = attempt(command, args, cwd, env);
  expect(status === 0, `${command} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** Runs a program. @param {string} command @param {string[]} args @param {string} [cwd] @param {NodeJS.ProcessEnv} [env] */
export function attempt(command, args, cwd, env = {}) {
  const shell = process.platform === 'win32' && /^p?np/.test(command);
  return spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell,
    env: { ...process.env, ...env },
    maxBuffer: 1 << 26,
  });
}

/** Runs a printed line in a shell; it has to succeed. @param {string} line @param {string} cwd @param {NodeJS.ProcessEnv} env */
export function shell(line, cwd, env) {
  const { status, stdout, stderr } = spawnSync(line, {
    ...{ cwd, shell: true, env: { ...process.env, ...env } },
    encoding: 'utf8',
  });
  expect(status === 0, `${line} ended with ${status}: ${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

/** The environment with folders ahead on the path. @param {string[]} folders @returns {NodeJS.ProcessEnv} */
export function withPath(...folders) {
  return { PATH: [...folders, process.env.PATH].join(delimiter) };
}

/** @param {string} folder @param {...string} args */
export function npm(folder, ...args) {
  return run('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline', '--foreground-scripts'], folder);
}

/** @param {string} folder @param {...string} args */
export function npx(folder, ...args) {
  return run('npx', ['--no', ...args], folder);
}

/** Starts the registry that has the tarballs. @param {string[]} tarballs */
export async function startRegistry(tarballs) {
  const usual = run('npm', ['config', 'get', 'registry']).trim();
  const script = fileURLToPath(new URL('registry.js', import.meta.url));
  const server = spawn(process.execPath, [script, usual, ...tarballs], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const address of createInterface({ input: server.stdout })) {
    return { address, stop: () => server.kill() };
  }
  throw new Error('the registry on the loopback did not start');
}
