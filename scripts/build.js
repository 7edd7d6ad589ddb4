#!/usr/bin/env node
/**
 * Builds the native add-on: the only caller of CMake, for npm and (through binding.gyp) for node-gyp.
 * @module
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requirePackages } from './cli/start.js';
import { ensureDist } from './dist.js';

requirePackages();
const { defineCommand, runCommand } = await import('./cli/command.js');
const { describeTimes, watchBuild } = await import('./cli/ninja-log.js');
const { oneOf, positiveInteger } = await import('./cli/value-types.js');

const root = fileURLToPath(new URL('..', import.meta.url));

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
  times: { flag: 'plain', help: 'print how long each unit took (with Ninja)' },
});

const command = defineCommand({
  name: 'build',
  description: 'Builds build/<config>/dyconv.node against libtorch and loads it once.',
  options: OPTIONS,
  errorPrefix: 'dyconv',
  async run({ debug, config: named, jobs, clean, times }) {
    ensureDist();
    const { ensureLibtorch } = await import('../dist/install/libtorch.js');
    const { buildAddon } = await import('../dist/install/build.js');
    const libtorch = await ensureLibtorch();
    console.error(`Building against libtorch ${libtorch.version} (${libtorch.flavour}) in ${libtorch.dir}`);
    const config = debug ? 'Debug' : named;
    const { result: addon, made } = watchBuild(join(root, 'build', 'cmake', config), () =>
      buildAddon({ libtorch, config, jobs, clean }),
    );
    console.error(`Built and loaded ${addon}`);
    if (times) console.log(describeTimes(made));
  },
});

await runCommand(command);
