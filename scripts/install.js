#!/usr/bin/env node
/**
 * What `npm install` runs: TypeScript (in a clone), libtorch, the native add-on. A second run does next to nothing.
 * @module
 */
import { ensureDist } from './dist.js';

const [option] = process.argv.slice(2);
if (option === '--help' || option === '-h') {
  console.log(`Usage: node scripts/install.js

Obtains libtorch and builds the native add-on, unless an add-on is there that is up to date and loads.
DYCONV_SKIP_BUILD=1 skips both. See also: node scripts/libtorch.js --help, node scripts/build.js --help`);
} else if (option !== undefined) {
  console.error(`error: unknown argument '${option}'\n(node scripts/install.js --help tells what it does)`);
  process.exitCode = 1;
} else if (process.env.DYCONV_SKIP_BUILD === '1') {
  console.error('dyconv: DYCONV_SKIP_BUILD is set, so libtorch and the native add-on are left as they are.');
} else {
  try {
    await install();
  } catch (error) {
    console.error(`dyconv: ${error.message}`);
    process.exitCode = 1;
  }
}

async function install() {
  ensureDist();
  const { ensureLibtorch } = await import('../dist/install/libtorch.js');
  const { buildAddon, isUpToDate } = await import('../dist/install/build.js');
  const libtorch = await ensureLibtorch();
  const where = `libtorch ${libtorch.version} (${libtorch.flavour}) in ${libtorch.dir}`;
  if (isUpToDate(libtorch)) {
    console.error(`dyconv is up to date with ${where}`);
    return;
  }
  console.error(`Building the native add-on against ${where}; this takes a few minutes.`);
  buildAddon({ libtorch });
  console.error('dyconv is ready.');
}
