#!/usr/bin/env node
/**
 * Checks the rules in scripts/layout.js: which folder may import which, that every allowed import is used, layers inside
 * folders, and import cycles; also the length of files, and that CMakeLists.txt lists the sources that exist. Exit code 1 with
 * a line for every finding.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const MAX_LINES = 400;
const LENGTH_CHECKED = ['lib', 'cpp', 'scripts', 'test', 'examples'];

const root = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url));
/** @type {typeof import('./layout.js')} */
const { LIB, LAYERS, PRIVATE, CPP, RAW } = await import(
  pathToFileURL(join(root, 'scripts', 'layout.js')).href
);
/** @type {string[]} */
const findings = [];

/** @typedef {{ file: string, to: string, typeOnly: boolean }} Import One file of lib/ that imports another. */
const libImports = list('lib', /\.ts$/).flatMap((file) =>
  imports(read('lib', file)).map(({ target, typeOnly }) => {
    const to = normalize(join(dirname(file), target))
      .replaceAll('\\', '/')
      .replace(/\.js$/, '.ts');
    return { file, to, typeOnly };
  }),
);

checkArrows();
checkUse();
checkLayers();
checkCycles();
checkCpp();
checkScripts();
checkLengths();
checkSourceList();

for (const finding of findings) console.error(finding);
if (findings.length > 0) process.exitCode = 1;
else console.log('Layout is as designed.');

/** Every import is allowed. */
function checkArrows() {
  for (const file of list('lib', /\.ts$/)) {
    const from = unitOf(file, LIB);
    if (!LIB[from]) findings.push(`lib/${file}: ${from} has no row in the table of scripts/layout.js`);
  }
  for (const { file, to: target, typeOnly } of libImports) {
    const from = unitOf(file, LIB);
    const to = unitOf(target, LIB);
    if (PRIVATE.includes(target.replace(/\.ts$/, '')) && dirname(file) !== dirname(target))
      findings.push(`lib/${file}: must not import lib/${target}, which is for its own folder`);
    if (LIB[from] && to !== from && !arrowFor(from, to, typeOnly))
      findings.push(`lib/${file}: ${from} must not import ${to}${typeOnly ? '' : ' (as a value)'}`);
  }
}

/**
 * The entry of a row that allows an import, if any.
 * @param {string} from @param {string} to @param {boolean} typeOnly
 */
function arrowFor(from, to, typeOnly) {
  const folder = firstFolder(to);
  // A finer row ("data/loader") is part of its folder for all importers outside.
  if (folder === from) return from;
  const names = ['*', to, folder, ...(typeOnly ? [`types:${folder}`] : [])];
  return LIB[from]?.find((name) => names.includes(name));
}

/** Every allowed import is used. */
function checkUse() {
  for (const [from, row] of Object.entries(LIB)) {
    const own = libImports.filter(({ file }) => unitOf(file, LIB) === from);
    for (const entry of row) {
      const used = own.filter(({ to, typeOnly }) => arrowFor(from, unitOf(to, LIB), typeOnly) === entry);
      if (used.length === 0) findings.push(`scripts/layout.js: ${from} uses nothing of ${entry}`);
      else if (!entry.startsWith('types:') && entry !== '*' && used.every(({ typeOnly }) => typeOnly))
        findings.push(`scripts/layout.js: ${from} uses only types of ${entry}: types:${entry}`);
    }
  }
}

/** Inside a folder, a file imports its own layer or a lower one. */
function checkLayers() {
  for (const { file, to } of libImports) {
    const layers = LAYERS[dirname(file)];
    if (!layers || dirname(to) !== dirname(file)) continue;
    if (layerOf(to, layers) > layerOf(file, layers))
      findings.push(`lib/${file}: must not import ${basename(to)}, which is in a layer above it`);
  }
}

/** @param {string} file @param {string[][]} layers */
function layerOf(file, layers) {
  const found = layers.findIndex((names) => names.includes(basename(file, '.ts')));
  return found === -1 ? layers.length : found;
}

/** No file imports itself through others, and no folder does; type imports included. */
function checkCycles() {
  reportCycles(libImports.map(({ file, to }) => [file, to]));
  const folders = libImports.map(({ file, to }) => [file, to].map((name) => firstFolder(unitOf(name, LIB))));
  reportCycles(folders.filter(([from, to]) => from !== to));
}

/**
 * One finding for each cycle, with its shortest path.
 * @param {string[][]} arrows From what to what.
 */
function reportCycles(arrows) {
  /** @type {Map<string, string[]>} */
  const graph = new Map();
  for (const [from = '', to = ''] of arrows) graph.set(from, [...(graph.get(from) ?? []), to]);
  const reported = new Set();
  for (const start of graph.keys()) {
    if (reported.has(start)) continue;
    const path = pathBack(start, graph);
    if (!path) continue;
    for (const name of path) reported.add(name);
    findings.push(`lib/${start}: import cycle: ${[...path, start].join(' -> ')}`);
  }
}

/**
 * The names on the shortest path from a name back to itself; undefined if there is none.
 * @param {string} start @param {Map<string, string[]>} graph
 */
function pathBack(start, graph) {
  /** @type {Map<string, string | undefined>} */
  const cameFrom = new Map([[start, undefined]]);
  const left = [start];
  for (let file = left.shift(); file !== undefined; file = left.shift()) {
    for (const next of graph.get(file) ?? []) {
      if (next === start) {
        const path = [];
        for (let at = /** @type {string | undefined} */ (file); at !== undefined; at = cameFrom.get(at))
          path.unshift(at);
        return path;
      }
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, file);
      left.push(next);
    }
  }
  return undefined;
}

function checkCpp() {
  /** @type {Set<string>} */
  const used = new Set();
  for (const file of list('cpp', /\.(h|cc|inc|cu|cuh)$/)) {
    const from = unitOf(file, CPP);
    const rule = CPP[from];
    if (!rule) {
      findings.push(`cpp/${file}: ${from} has no row in the table of scripts/layout.js`);
      continue;
    }
    const text = read('cpp', file);
    checkNames(file, text.replace(/\/\/.*$/gm, ''), rule.noName);
    for (const [, quote, header = ''] of text.matchAll(/^\s*#\s*include\s+([<"])([^>"]+)[>"]/gm)) {
      if (rule.never?.test(header)) findings.push(`cpp/${file}: ${from} must not include <${header}>`);
      if (quote !== '"') continue;
      if (!existsSync(join(root, 'cpp', header))) {
        findings.push(`cpp/${file}: ${header} is not a path below cpp/`);
        continue;
      }
      const to = unitOf(header, CPP);
      used.add(`${from} -> ${to}`);
      if (to !== from && !rule.uses.includes(to))
        findings.push(`cpp/${file}: ${from} must not include ${header}`);
    }
  }
  for (const [from, { uses }] of Object.entries(CPP))
    for (const to of uses)
      if (!used.has(`${from} -> ${to}`))
        findings.push(`scripts/layout.js: cpp/${from} includes nothing of ${to}`);
}

/**
 * Names that a folder must not use, and calls of Node-API outside of the files that make them.
 * @param {string} file @param {string} code @param {RegExp | undefined} forbidden
 */
function checkNames(file, code, forbidden) {
  const name = forbidden?.exec(code)?.[0];
  if (name) findings.push(`cpp/${file}: ${unitOf(file, CPP)} must not use ${name}`);
  if (RAW.includes(file.replace(/\.\w+$/, ''))) return;
  const call = /\bn(?:api|ode_api)_(?!value\b)\w+(?=\()/.exec(code)?.[0];
  if (call) findings.push(`cpp/${file}: must not call ${call}: only ${RAW.join(', ')} call Node-API`);
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
  return name in table ? name : firstFolder(name);
}

/** @param {string} path */
function firstFolder(path) {
  return path.split('/')[0] ?? '';
}

/**
 * Relative imports and re-exports of a module, dynamic ones included.
 * @param {string} text
 */
function imports(text) {
  // Module comments carry examples, which are not imports.
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
  const found = [...code.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from\s*'(\.[^']+)'/gm)].map(
    ([, type, target = '']) => ({ target, typeOnly: type !== undefined }),
  );
  const others = [...code.matchAll(/(?:^import|\bimport\()\s*'(\.[^']+)'/gm)];
  return [...found, ...others.map(([, target = '']) => ({ target, typeOnly: false }))];
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
