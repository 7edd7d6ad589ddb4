#!/usr/bin/env node
/**
 * What `npm install` runs, and `npx dyconv setup`: TypeScript (in a clone), libtorch, the add-on. A second run does next
 * to nothing.
 * @module
 */
import { createCommand, runCommand } from './cli/command.js';
import { asInvoked } from './cli/invocation.js';
import { positiveInteger } from './cli/options.js';
import { ensureDist } from './dist.js';

const command = createCommand(
  'node scripts/install.js',
  'Obtains libtorch, and the native add-on: ready-made where there is one, else built.',
)
  .option('--from-source', 'build the add-on even where there is a ready-made one')
  .option('--jobs <n>', 'compilers at once (default: one a core, as far as memory allows)', positiveInteger)
  .addHelpText(
    'after',
    `
Environment:
  DYCONV_SKIP_BUILD=1         does nothing at all
  DYCONV_BUILD_FROM_SOURCE=1  the same as --from-source
  DYCONV_CUDA=cu130           builds for CUDA: docs/cuda.md
  LIBTORCH and others         see: ${asInvoked('node scripts/libtorch.js')} --help`,
  );

await runCommand(
  command,
  async ({ fromSource, jobs }) => {
    if (process.env.DYCONV_SKIP_BUILD === '1') {
      console.error(
        'dyconv: DYCONV_SKIP_BUILD is set, so libtorch and the native add-on are left as they are.',
      );
      return;
    }
    ensureDist();
    const { setup } = await import('../dist/install/setup.js');
    await setup({ fromSource, jobs });
  },
  { prefix: 'dyconv' },
);
