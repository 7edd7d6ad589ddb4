/**
 * Compiles lib/ to dist/ in a git clone. The published package contains dist/.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The library, and the script of the report page, which uses the types of browsers. */
const PROJECTS = ['tsconfig.json', 'lib/report/browser/tsconfig.json'];

/** Updates dist/ if it is missing or older than lib/. Ends the process if that fails. */
export function ensureDist() {
  if (isCurrent()) return;
  const tsc = findTypeScript();
  if (!tsc) {
    // An outdated dist/ is better than none. This happens only in a clone without development dependencies.
    if (existsSync(join(root, 'dist', 'index.js'))) return;
    console.error(
      'dyconv: dist/ is missing and TypeScript is not installed. Run `npm install` in this folder.',
    );
    process.exit(1);
  }
  console.error('Compiling TypeScript ...');
  for (const project of PROJECTS) {
    // Files that were written despite errors would be considered up to date the next time.
    const args = [tsc, '-p', join(root, project), '--noEmitOnError'];
    const child = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] });
    if (child.status !== 0) {
      console.error('dyconv: TypeScript reports errors in lib/; see above.');
      process.exit(1);
    }
  }
}

function isCurrent() {
  const lib = join(root, 'lib');
  if (!existsSync(lib)) return true;
  return readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .every((name) => {
      const compiled = join(root, 'dist', name.replace(/\.ts$/, '.js'));
      return existsSync(compiled) && statSync(compiled).mtimeMs >= statSync(join(lib, name)).mtimeMs;
    });
}

function findTypeScript() {
  try {
    return createRequire(import.meta.url).resolve('typescript/bin/tsc');
  } catch {
    return undefined;
  }
}
