/**
 * A clone, used as the README says from its first line on: what changes the machine or takes minutes there, and so is
 * not run by test/docs/commands.test.ts.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, root, run, shell } from './steps.js';

/** A clone of the last commit. @param {string} work */
export function fromClone(work) {
  const folder = join(work, 'clone é');
  check('git clone', () => run('git', ['clone', '--quiet', root, folder]));
  /** @type {NodeJS.ProcessEnv} */
  const env = {};
  for (const line of firstBlock()) check(line, () => shell(line, folder, env));
  const libtorch = run(process.execPath, ['scripts/libtorch.js'], folder).trim();
  for (const line of ['npm run build:native', 'npm run pack:all', 'npm run docs', 'npx node-gyp rebuild']) {
    check(line, () => shell(line, folder, env));
  }
  check('LIBTORCH=… npm run build', () => shell('npm run build', folder, { LIBTORCH: libtorch }));
  check('npm run doctor', () => shell('npm run doctor', folder, env));
}

/** The commands of the README's first block, without the one that needs administrator rights. */
function firstBlock() {
  const block = /^```sh\n([\s\S]*?)^```/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? '';
  const lines = block.split('\n').map((line) => line.replace(/#.*/, '').trim());
  return lines.filter((line) => line !== '' && !line.startsWith('sudo '));
}
