#!/usr/bin/env node
/**
 * Checks what no compiler checks: which folder may use which, how long files are, and that CMakeLists.txt lists
 * the sources that exist. Exit code 1 with a line for every finding.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * "May import", by folder (or file without its ending) of lib/. `types:x` allows `import type` alone.
 * @type {Record<string, string[]>}
 */
const LIB = {
  errors: [],
  text: [],
  check: ['errors'],
  native: ['install', 'check', 'errors', 'types:tensor'],
  files: ['check', 'errors'],
  tensor: ['native', 'check', 'errors'],
  runtime: ['tensor', 'native', 'check', 'errors'],
  formats: ['tensor', 'native', 'files', 'check', 'errors'],
  ops: ['tensor', 'native', 'check', 'errors'],
  data: ['text', 'formats', 'files', 'check', 'errors'],
  'data/bytes': ['native'],
  'data/batches': ['data', 'tensor', 'native', 'check', 'errors'],
  'data/loader-options': ['data', 'types:tensor', 'check', 'errors'],
  'data/collate': ['data', 'tensor', 'native', 'check', 'errors'],
  'data/samples': ['data', 'tensor', 'native', 'errors'],
  'data/loader': ['data', 'tensor', 'check', 'errors'],
  optim: ['ops', 'tensor', 'native', 'check', 'errors'],
  nn: ['ops', 'runtime', 'tensor', 'native', 'check', 'text', 'errors'],
  run: ['report', 'ops', 'runtime', 'files', 'types:data', 'types:tensor', 'types:train', 'check', 'errors'],
  models: ['nn', 'ops', 'tensor', 'check', 'errors'],
  train: [
    'types:nn',
    'optim',
    'data',
    'run',
    'report',
    'runtime',
    'formats',
    'files',
    'ops',
    'tensor',
    'check',
    'errors',
  ],
  report: ['nn', 'types:data', 'types:train', 'run', 'tensor', 'ops', 'files', 'check', 'text', 'errors'],
  serve: ['models', 'types:nn', 'data', 'train', 'run', 'formats', 'tensor', 'check', 'errors'],
  install: ['data', 'native', 'files', 'check', 'errors'],
  index: ['*'],
};

/**
 * "May include", by folder of cpp/, and headers of others that must not appear there.
 * @type {Record<string, { uses: string[], never?: RegExp }>}
 */
const CPP = {
  typed_error: { uses: [] },
  addon: { uses: ['bindings', 'napi', 'ops'] },
  pch: { uses: [] },
  bindings: { uses: ['napi', 'ops', 'typed_error'] },
  napi: { uses: ['typed_error'] },
  ops: { uses: ['kernels', 'typed_error'], never: /^(napi\.h|node_api\.h|js_native_api.*)$/ },
  kernels: { uses: [], never: /^(napi\.h|node_api\.h|js_native_api.*|ATen\/.*|c10\/.*|torch\/.*)$/ },
};

const MAX_LINES = 400;
const LENGTH_CHECKED = ['lib', 'cpp', 'scripts', 'test'];

const root = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url));
/** @type {string[]} */
const findings = [];

checkLib();
checkCpp();
checkScripts();
checkLengths();
checkSourceList();

for (const finding of findings) console.error(finding);
if (findings.length > 0) process.exitCode = 1;
else console.log('Layout is as designed.');

function checkLib() {
  for (const file of list('lib', /\.ts$/)) {
    const from = unitOf(file, LIB);
    const allowed = LIB[from];
    if (!allowed) {
      findings.push(`lib/${file}: ${from} has no row in the table of scripts/check-layout.js`);
      continue;
    }
    for (const { target, typeOnly } of imports(read('lib', file))) {
      const to = unitOf(normalize(join(dirname(file), target)).replace(/\.js$/, '.ts'), LIB);
      if (to === from || allowed.includes('*') || allowed.includes(to)) continue;
      // A finer row ("data/loader") is part of its folder for everybody outside.
      if (allowed.includes(to.split('/')[0]) || to.split('/')[0] === from) continue;
      if (typeOnly && allowed.includes(`types:${to.split('/')[0]}`)) continue;
      findings.push(`lib/${file}: ${from} must not import ${to}${typeOnly ? '' : ' (as a value)'}`);
    }
  }
}

function checkCpp() {
  for (const file of list('cpp', /\.(h|cc|inc|cu|cuh)$/)) {
    const from = unitOf(file, CPP);
    const rule = CPP[from];
    if (!rule) {
      findings.push(`cpp/${file}: ${from} has no row in the table of scripts/check-layout.js`);
      continue;
    }
    for (const [, quote, header] of read('cpp', file).matchAll(/^\s*#\s*include\s+([<"])([^>"]+)[>"]/gm)) {
      if (rule.never?.test(header)) findings.push(`cpp/${file}: ${from} must not include <${header}>`);
      if (quote !== '"') continue;
      const path = existsSync(join(root, 'cpp', header)) ? header : normalize(join(dirname(file), header));
      const to = unitOf(path, CPP);
      if (to !== from && !rule.uses.includes(to))
        findings.push(`cpp/${file}: ${from} must not include ${header}`);
    }
  }
}

/** Scripts use the compiled package: its index, or one module of it; never the TypeScript sources. */
function checkScripts() {
  for (const file of list('scripts', /\.js$/)) {
    for (const { target } of imports(read('scripts', file))) {
      const path = normalize(join('scripts', dirname(file), target)).replaceAll('\\', '/');
      if (!/^(scripts|dist)\//.test(path)) findings.push(`scripts/${file}: must not import ${target}`);
    }
  }
}

function checkLengths() {
  for (const folder of LENGTH_CHECKED) {
    for (const file of list(folder, /\.(ts|js|h|cc|inc|cu|cuh|py)$/)) {
      const lines = read(folder, file).split('\n').length - 1;
      if (lines > MAX_LINES) findings.push(`${folder}/${file}: ${lines} lines, more than ${MAX_LINES}`);
    }
  }
}

function checkSourceList() {
  const cmake = read('', 'CMakeLists.txt').replace(/#.*$/gm, '');
  const listed = [...cmake.matchAll(/\bcpp\/[\w/.-]+\.(?:cc|cu)\b/g)].map(([name]) => name);
  const present = list('cpp', /\.(cc|cu)$/).map((name) => `cpp/${name}`);
  for (const name of present)
    if (!listed.includes(name)) findings.push(`${name}: not listed in CMakeLists.txt`);
  for (const name of listed)
    if (!present.includes(name)) findings.push(`CMakeLists.txt: ${name} does not exist`);
}

/**
 * The row of a table that a file belongs to: its own, or that of its first folder.
 * @param {string} file
 * @param {Record<string, unknown>} table
 */
function unitOf(file, table) {
  const name = file.replace(/\.\w+$/, '');
  return name in table ? name : name.split('/')[0];
}

/**
 * Relative imports and re-exports of a module, dynamic ones included.
 * @param {string} text
 */
function imports(text) {
  // Module comments carry examples, which are not imports.
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
  const found = [...code.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from\s*'(\.[^']+)'/gm)].map(
    ([, type, target]) => ({ target, typeOnly: type !== undefined }),
  );
  const others = [...code.matchAll(/(?:^import|\bimport\()\s*'(\.[^']+)'/gm)];
  return [...found, ...others.map(([, target]) => ({ target, typeOnly: false }))];
}

/** @param {string} folder @param {RegExp} pattern */
function list(folder, pattern) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => pattern.test(name))
    .sort();
}

/** @param {string} folder @param {string} file */
function read(folder, file) {
  return readFileSync(join(root, folder, file), 'utf8');
}
