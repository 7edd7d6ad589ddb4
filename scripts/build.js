#!/usr/bin/env node
import { requirePackages } from './cli/start.js';
/**
 * Builds the native add-on: the only caller of CMake, for npm and (through binding.gyp) for node-gyp.
 * @module
 */
import { ensureDist } from './dist.js';

requirePackages();
const { defineCommand, runCommand } = await import('./cli/command.js');
const { oneOf, positiveInteger } = await import('./cli/value-types.js');

/** @import { OptionTable } from './cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  config: {
    value: 'type',
    type: oneOf(['Release', 'Debug', 'RelWithDebInfo']),
    default: 'Release',
    help: 'CMake build type',
  },
  debug: { flag: 'plain', help: 'the same as --config Debug' },
  clean: { flag: 'plain', help: 'delete the previous build first' },
  jobs: {
    value: 'n',
    type: positiveInteger,
    help: 'compilers to run at once (default: one per core, as far as memory allows)',
  },
});

const command = defineCommand({
  name: 'build',
  description: 'Builds build/<config>/dyconv.node against libtorch and loads it once.',
  options: OPTIONS,
  errorPrefix: 'dyconv',
  async run({ debug, config, jobs, clean }) {
    ensureDist();
    const { ensureLibtorch } = await import('../dist/install/libtorch.js');
    const { buildAddon } = await import('../dist/install/build.js');
    const libtorch = await ensureLibtorch();
    console.error(`Building against libtorch ${libtorch.version} (${libtorch.flavour}) in ${libtorch.dir}`);
    const addon = buildAddon({ libtorch, config: debug ? 'Debug' : config, jobs, clean });
    console.error(`Built and loaded ${addon}`);
  },
});

await runCommand(command);
