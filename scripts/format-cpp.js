#!/usr/bin/env node
/**
 * Formats the C++ and CUDA sources with clang-format; with --check it only lists unformatted files.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requirePackages } from './cli/start.js';

requirePackages();
const { parseScript } = await import('./cli/command.js');

const root = fileURLToPath(new URL('..', import.meta.url));
const {
  options: { check },
} = parseScript({
  script: 'format-cpp.js',
  description: 'Formats cpp/**/*.{h,cc,inc,cu,cuh} according to .clang-format.',
  options: { check: { flag: 'plain', help: 'change nothing; exit code 1 if a file is not formatted' } },
});

const folder = join(root, 'cpp');
const files = (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [])
  .filter((name) => /\.(h|cc|inc|cu|cuh)$/.test(name))
  .map((name) => join('cpp', name))
  .sort();

if (files.length > 0) {
  const mode = check ? ['--dry-run', '--Werror'] : ['-i'];
  const child = spawnSync(clangFormat(), [...mode, ...files], { cwd: root, stdio: 'inherit' });
  if (child.error) console.error(`dyconv: clang-format does not run: ${child.error.message}`);
  process.exitCode = child.status === 0 ? 0 : 1;
}
if (!process.exitCode) console.log(`${files.length} C++ files ${check ? 'checked' : 'formatted'}`);

/** The clang-format of the development dependencies, so that results are reproducible; otherwise the system's. */
function clangFormat() {
  try {
    return createRequire(import.meta.url)('clang-format').getNativeBinary();
  } catch {
    return 'clang-format';
  }
}
