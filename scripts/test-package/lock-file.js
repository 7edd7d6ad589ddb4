/**
 * A lock file that has the prebuilt add-on of another platform only, as npm writes it in some cases: the installation says so instead
 * of compiling for minutes.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, check, expect, npm, project } from './steps.js';

const OTHER = process.platform === 'linux' ? '@dyconv/darwin-arm64' : '@dyconv/linux-x64';

/** @param {string} work @param {string} main - The tarball of the package. */
export function fromOtherLockFile(work, main) {
  const own = `@dyconv/${process.platform}-${process.arch}`;
  const folder = project(work, 'lock file ü');
  const file = join(folder, 'package-lock.json');
  check('npm install --package-lock-only', () => npm(folder, 'install', '--package-lock-only', main));
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const { [`node_modules/${own}`]: _own, ...packages } = lock.packages;
  const { version, optionalDependencies } = packages['node_modules/dyconv'];
  optionalDependencies[OTHER] = version;
  // npm leaves it out here, because of `os`.
  const resolved = 'https://registry.npmjs.org/none.tgz';
  packages[`node_modules/${OTHER}`] = { version, optional: true, os: ['none'], resolved };
  writeFileSync(file, JSON.stringify({ ...lock, packages }));
  // npm 11 compares the lock file with the registry first, and refuses it.
  check(`npm 10 ci without ${own} in the lock file says so`, () => {
    const { status, stdout, stderr } = attempt(
      'npx',
      ['--yes', 'npm@10', 'ci', '--no-audit', '--no-fund'],
      folder,
    );
    const text = stdout + stderr;
    const said = text.includes(`was made on another platform: it has ${OTHER}, but not ${own}`);
    expect(status !== 0 && said && text.includes(`npm install --save-optional ${own}@`), text);
  });
}
