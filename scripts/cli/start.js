/**
 * The start of every script. It imports built-in modules only: in a clone without packages or without dist/, the modules that
 * need them cannot be loaded, and Node.js would print the stack of its loader.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Ends the process with one line if Node.js is too old, or if the packages of package.json are not installed. */
export function requirePackages() {
  requireNode();
  try {
    createRequire(import.meta.url).resolve('commander');
  } catch {
    fail(`the packages are not installed. Run \`npm install\` in ${root}`);
  }
}

/** Packages, and lib/, use what an older Node.js does not have: it would report a syntax error. */
function requireNode() {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const needed = /\d+\.\d+/.exec(engines.node)?.[0] ?? '0.0';
  const version = process.versions.node;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = needed.split('.').map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  fail(
    `Node.js ${needed} or later is needed, and this is ${version}. Install a current Node.js: https://nodejs.org/en/download`,
  );
}

/** Ends the process with one line if lib/ is not compiled. */
export function requireDist() {
  if (!existsSync(new URL('../../dist/index.js', import.meta.url)))
    fail(`dist/ is missing. Run \`npm run build\` in ${root}, which compiles lib/ and the add-on`);
}

/**
 * Runs a command as its script: `node scripts/train.js ...`.
 * @param {string} name - Of the commands in commands.js.
 */
export async function runScript(name) {
  requirePackages();
  const [{ runCommand }, { loadCommand }] = await Promise.all([
    import('./command.js'),
    import('./commands.js'),
  ]);
  await runCommand(await loadCommand(name));
}

/** @param {string} problem @returns {never} */
function fail(problem) {
  console.error(`dyconv: ${problem}`);
  process.exit(1);
}
