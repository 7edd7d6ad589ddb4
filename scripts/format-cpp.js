#!/usr/bin/env node
/**
 * Formats the C++ and CUDA sources with clang-format; with --check it only says which files are not formatted.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = new Command('node scripts/format-cpp.js')
  .description('Formats cpp/**/*.{h,cc,inc,cu,cuh} as .clang-format says.')
  .option('--check', 'change nothing; exit code 1 when a file is not formatted')
  .parse();

const folder = join(root, 'cpp');
const files = (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [])
  .filter((name) => /\.(h|cc|inc|cu|cuh)$/.test(name))
  .map((name) => join('cpp', name))
  .sort();

if (files.length > 0) {
  const mode = program.opts().check ? ['--dry-run', '--Werror'] : ['-i'];
  const child = spawnSync(clangFormat(), [...mode, ...files], { cwd: root, stdio: 'inherit' });
  if (child.error) console.error(`dyconv: clang-format does not run: ${child.error.message}`);
  process.exitCode = child.status === 0 ? 0 : 1;
}
if (!process.exitCode)
  console.log(`${files.length} C++ files ${program.opts().check ? 'checked' : 'formatted'}`);

/** The pinned one of the development dependencies, so that everybody's result is the same; else the system's. */
function clangFormat() {
  try {
    return createRequire(import.meta.url)('clang-format').getNativeBinary();
  } catch {
    return 'clang-format';
  }
}
