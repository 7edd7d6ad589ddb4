#!/usr/bin/env node
/**
 * Builds the native add-on: the only caller of CMake, for npm and (through binding.gyp) for node-gyp.
 * @module
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { ensureDist } from './dist.js';

const program = new Command('node scripts/build.js')
  .description('Builds build/<config>/dyconv.node against libtorch and loads it once.')
  .addOption(
    new Option('--config <type>', 'CMake build type')
      .choices(['Release', 'Debug', 'RelWithDebInfo'])
      .default('Release'),
  )
  .option('--debug', 'the same as --config Debug')
  .option('--clean', 'start from nothing')
  .option('--jobs <n>', 'compilers at once (default: one a core, as far as memory allows)', positiveInteger)
  .parse();

try {
  const { debug, config, jobs, clean } = program.opts();
  ensureDist();
  const { ensureLibtorch } = await import('../dist/install/libtorch.js');
  const { buildAddon } = await import('../dist/install/build.js');
  const libtorch = await ensureLibtorch();
  console.error(`Building against libtorch ${libtorch.version} (${libtorch.flavour}) in ${libtorch.dir}`);
  const addon = buildAddon({ libtorch, config: debug ? 'Debug' : config, jobs, clean });
  console.error(`Built and loaded ${addon}`);
} catch (error) {
  console.error(`dyconv: ${error.message}`);
  process.exitCode = 1;
}

/** @param {string} text */
function positiveInteger(text) {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('Expected a positive integer.');
  return Number(text);
}
