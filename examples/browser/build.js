#!/usr/bin/env node
/**
 * Builds the page: a folder for any static web server.
 * @module
 */
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { build } from 'vite';
import { exportRandom, exportRun } from './src/export.js';

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The command line. An unknown option is an error with the one that was probably meant. */
function parseOptions() {
  const program = new Command('node build.js')
    .description('Builds the page and its model: a folder for any static web server.')
    .addOption(
      new Option('--run <folder>', 'run directory of a training (default: AlexNet-DY with random weights)'),
    )
    .addOption(
      new Option('--checkpoint <name>', 'best, last, epoch-<number> or a file of weights (default: best)'),
    )
    .addOption(
      new Option('--out <folder>', 'folder of the page').default(
        here('build/site'),
        'build/site beside this file',
      ),
    )
    .parse();
  /** @type {{ run?: string, checkpoint?: string, out: string }} */
  const options = program.opts();
  if (options.checkpoint !== undefined && options.run === undefined)
    program.error('error: --checkpoint needs --run, whose checkpoint it names');
  return options;
}

async function main() {
  const { run, checkpoint, ...options } = parseOptions();
  const out = resolve(options.out);
  await mkdir(out, { recursive: true });
  const file = join(out, 'model.onnx');
  const { bytes } = await (run === undefined ? exportRandom(file) : exportRun(file, run, checkpoint));
  await buildPage(out);
  const megabytes = (bytes / 1e6).toFixed(1);
  console.log(`${relative('', out) || '.'}: the page and model.onnx (${megabytes} MB)`);
}

/** Page, onnxruntime-web and its WebAssembly, under fixed names: a second build replaces the first. @param {string} out */
async function buildPage(out) {
  await build({
    configFile: false,
    root: here('page'),
    base: './', // works in any folder of a server
    logLevel: 'error',
    build: {
      outDir: out,
      emptyOutDir: false, // the folder may be the user's
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 1000,
      rolldownOptions: {
        output: { entryFileNames: 'page.js', assetFileNames: '[name][extname]' },
      },
    },
  });
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
