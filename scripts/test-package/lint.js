/**
 * What linters of npm packages say about the tarballs: publint about the fields of package.json, attw (Are the types wrong?) about the
 * types of every entry and resolution. Both come from the registry, because attw contains its own TypeScript compiler.
 * @module
 */
import { join } from 'node:path';
import { check, run } from './steps.js';

const PUBLINT = 'publint@0.3.25';
const ATTW = '@arethetypeswrong/cli@0.18.5';

/**
 * @param {string} folder - A project in which the packages are installed.
 * @param {string} tarball - Of the package itself.
 * @param {string} prebuilt - Name of the package of the prebuilt add-on.
 */
export function lintPackages(folder, tarball, prebuilt) {
  for (const name of ['dyconv', prebuilt]) {
    const installed = join(folder, 'node_modules', name);
    check(`${PUBLINT} --strict: ${name}`, () =>
      run('npx', ['--yes', PUBLINT, 'run', installed, '--strict', '--pack', 'false'], folder),
    );
  }
  // The package is an ECMAScript module. `require` works in the versions of Node.js that `engines` names; resolutions of older ones do not count.
  check(`${ATTW}: types of every entry`, () =>
    run('npx', ['--yes', ATTW, tarball, '--profile', 'esm-only', '--no-emoji', '--no-color'], folder),
  );
}
