#!/usr/bin/env node
/**
 * Builds the native add-on: the only caller of CMake, for npm and (through binding.gyp) for node-gyp.
 * @module
 */
import { Option } from 'commander';
import { createCommand, runCommand } from './cli/command.js';
import { positiveInteger } from './cli/options.js';
import { ensureDist } from './dist.js';

const command = createCommand(
  'node scripts/build.js',
  'Builds build/<config>/dyconv.node against libtorch and loads it once.',
)
  .addOption(
    new Option('--config <type>', 'CMake build type')
      .choices(['Release', 'Debug', 'RelWithDebInfo'])
      .default('Release'),
  )
  .option('--debug', 'the same as --config Debug')
  .option('--clean', 'start from nothing')
  .option('--jobs <n>', 'compilers at once (default: one a core, as far as memory allows)', positiveInteger);

await runCommand(
  command,
  async ({ debug, config, jobs, clean }) => {
    ensureDist();
    const { ensureLibtorch } = await import('../dist/install/libtorch.js');
    const { buildAddon } = await import('../dist/install/build.js');
    const libtorch = await ensureLibtorch();
    console.error(`Building against libtorch ${libtorch.version} (${libtorch.flavour}) in ${libtorch.dir}`);
    const addon = buildAddon({ libtorch, config: debug ? 'Debug' : config, jobs, clean });
    console.error(`Built and loaded ${addon}`);
  },
  { prefix: 'dyconv' },
);
