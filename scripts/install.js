#!/usr/bin/env node
/**
 * What `npm install` runs, and `npx dyconv setup`: TypeScript (in a clone), libtorch, the add-on. A second run does next
 * to nothing.
 * @module
 */
import { Command, InvalidArgumentError } from 'commander';
import { rename } from './cli/invocation.js';
import { ensureDist } from './dist.js';

const program = new Command(rename('node scripts/install.js', 'setup'))
  .description('Obtains libtorch, and the native add-on: ready-made where there is one, else built.')
  .option('--from-source', 'build the add-on even where there is a ready-made one')
  .option('--jobs <n>', 'compilers at once (default: one a core, as far as memory allows)', positiveInteger)
  .addHelpText(
    'after',
    `
Environment:
  DYCONV_SKIP_BUILD=1         does nothing at all
  DYCONV_BUILD_FROM_SOURCE=1  the same as --from-source
  DYCONV_CUDA=cu130           builds for CUDA: docs/cuda.md
  LIBTORCH and others         see: ${rename('node scripts/libtorch.js', 'libtorch')} --help`,
  )
  .parse();

if (process.env.DYCONV_SKIP_BUILD === '1') {
  console.error('dyconv: DYCONV_SKIP_BUILD is set, so libtorch and the native add-on are left as they are.');
} else {
  try {
    ensureDist();
    const { setup } = await import('../dist/install/setup.js');
    const { fromSource, jobs } = program.opts();
    await setup({ fromSource, jobs });
  } catch (error) {
    console.error(`dyconv: ${error.message}`);
    process.exitCode = 1;
  }
}

/** @param {string} text */
function positiveInteger(text) {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('Expected a positive integer.');
  return Number(text);
}
