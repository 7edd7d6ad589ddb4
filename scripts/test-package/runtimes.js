/**
 * Other runtimes with the installed package and its prebuilt add-on: the other versions of Node.js, Deno and Bun, all
 * from the registry.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, expect, npm, run } from './steps.js';

const NODE = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
const VERSIONS = [20, 22, 24, 26];

/** Expected from test/package/project/smoke.mjs, except for the version of libtorch. */
const EXPECTED = {
  gradient: [2, 4, 6],
  centre: 128,
  runSync: true,
  run: true,
  data: [1, 1, 1],
  tensors: true,
};

/** @param {string} work @param {string} folder - A project in which the packages are installed. */
export function otherRuntimes(work, folder) {
  const runtimes = join(work, 'runtimes');
  mkdirSync(runtimes);
  writeFileSync(join(runtimes, 'package.json'), '{ "private": true }\n');
  const nodes = VERSIONS.map((version) => `node${version}@npm:${NODE}@${version}`);
  check(`Node.js ${VERSIONS.join(', ')}, Deno and Bun from the registry`, () =>
    npm(runtimes, 'install', ...nodes, 'deno@2', 'bun@1'),
  );
  const modules = join(runtimes, 'node_modules');
  for (const version of VERSIONS) smoke([join(modules, `node${version}`, 'bin', 'node')], folder);
  // Deno and Bun look for packages in node_modules, as Node.js does.
  smoke([join(modules, '.bin', 'deno'), 'run', '--allow-all'], folder, { DENO_DIR: join(work, 'deno') });
  smoke([join(modules, '.bin', 'bun')], folder);
}

/** @param {string[]} command @param {string} folder @param {NodeJS.ProcessEnv} [env] */
function smoke([program = '', ...args], folder, env) {
  const version = run(program, ['--version'], folder, env).split('\n')[0];
  const name = program.split(/[\\/]/).at(-1);
  check(`${name} ${version}: tensors, gradients, convolutions, a program`, () => {
    const text = run(program, [...args, 'smoke.mjs'], folder, env);
    const { libtorch, ...result } = JSON.parse(text);
    expect(JSON.stringify(result) === JSON.stringify(EXPECTED) && /^2\./.test(libtorch), text);
  });
}
