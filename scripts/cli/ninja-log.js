/**
 * What ninja writes down about a build: which units it made, and how long each took.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ file: string, start: number, end: number, line: string }} Made A file that was made; times in milliseconds since the start of ninja. */

/**
 * The log in a build folder, which also has earlier builds. Empty where there is none.
 * @param {string} folder
 * @returns {Made[]}
 */
export function readNinjaLog(folder) {
  const log = join(folder, '.ninja_log');
  if (!existsSync(log)) return [];
  return readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [start, end, , file] = line.split('\t');
      return file === undefined ? [] : [{ file, start: Number(start), end: Number(end), line }];
    });
}

/**
 * Runs a build and returns its result, and what was made.
 * @template T
 * @param {string} folder
 * @param {() => T} build
 */
export function watchBuild(folder, build) {
  const before = new Set(readNinjaLog(folder).map(({ line }) => line));
  const result = build();
  return { result, made: readNinjaLog(folder).filter(({ line }) => !before.has(line)) };
}

/**
 * A table of what was made, the slowest first, and a line with the totals.
 * @param {readonly Made[]} made
 */
export function describeTimes(made) {
  const seconds = (/** @type {number} */ ms) => (ms / 1000).toFixed(1);
  const units = made
    .map(({ file, start, end }) => ({ ms: end - start, name: unitName(file) }))
    .sort((one, other) => other.ms - one.ms);
  const width = Math.max('seconds'.length, ...units.map(({ ms }) => seconds(ms).length));
  const lines = units.map(({ ms, name }) => `${seconds(ms).padStart(width)}  ${name}`);
  const sum = units.reduce((total, { ms }) => total + ms, 0);
  const end = Math.max(0, ...made.map((one) => one.end));
  return [
    `${'seconds'.padStart(width)}  unit`,
    ...lines,
    `${units.length} units: ${seconds(sum)} s of compilers in ${seconds(end)} s`,
  ].join('\n');
}

/** `dyconv/groups/napi_calls.cc` for `CMakeFiles/dyconv.dir/groups/napi_calls.cc.o`. @param {string} file */
function unitName(file) {
  return file
    .replace(/^CMakeFiles\//, '')
    .replace(/\.dir\//, '/')
    .replace(/\.o(?:bj)?$/, '');
}
