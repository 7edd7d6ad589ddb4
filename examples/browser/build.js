#!/usr/bin/env node
/**
 * Builds the page: a folder for any static web server.
 * @module
 */
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'vite';
import { exportRandom, exportRun } from './src/export.js';

const USAGE = `usage: node build.js [--run <folder>] [--checkpoint <name>] [--out <folder>]

  --run         run directory of a training; without it, AlexNet-DY with random weights
  --checkpoint  best, last, epoch-<number> or a file of weights; default: best
  --out         folder of the page; default: build/site beside this file`;

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

async function main() {
  const { values } = parseArgs({
    options: {
      run: { type: 'string' },
      checkpoint: { type: 'string' },
      out: { type: 'string', default: here('build/site') },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const out = resolve(values.out);
  await mkdir(out, { recursive: true });
  const file = join(out, 'model.onnx');
  const { bytes } = values.run
    ? await exportRun(file, values.run, values.checkpoint)
    : await exportRandom(file);
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
