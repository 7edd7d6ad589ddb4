/**
 * The test suite under valgrind's memcheck: node scripts/sanitize/memcheck.js [test files or folders]
 *
 * A folder's files run in one process, which takes half a minute to load libtorch; node processes that tests start are
 * followed, other programs are not. memcheck does not support AVX-512, so the kernels for AVX2 run.
 * Prints a line per group and every error with its stack. Exit code 1 for errors of memory, for tests that fail, and where no
 * test of a group ran.
 * DYCONV_MEMCHECK_SCALE: what the tests' time limits are multiplied by (default 20).
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALONE, LEFT_OUT_FILES, LEFT_OUT_TESTS } from './left-out.js';

const named = process.argv.slice(2);
const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .map((file) => `test/${file.replaceAll('\\', '/')}`)
  .filter((file) => file.endsWith('.test.ts'))
  .sort()
  .filter((file) => named.length === 0 || named.some((name) => file === name || file.startsWith(name)));
if (files.length === 0) throw new Error(`Expected test files but ${named.join(' ')} names none`);

let failed = false;
for (const [file, reason] of Object.entries(LEFT_OUT_FILES)) {
  if (files.includes(file)) console.log(`left out: ${file}: ${reason}`);
}
for (const [test, reason] of Object.entries(LEFT_OUT_TESTS)) console.log(`left out: "${test}": ${reason}`);
const kept = files.filter((file) => !(file in LEFT_OUT_FILES));
for (const file of kept.filter((one) => ALONE.includes(one))) await runGroup([file]);
const together = kept.filter((file) => !ALONE.includes(file));
for (const folder of new Set(together.map((file) => dirname(file)))) {
  await runGroup(together.filter((file) => dirname(file) === folder));
}
process.exitCode = failed ? 1 : 0;

/** @param {string[]} group */
async function runGroup(group) {
  const logs = mkdtempSync(join(tmpdir(), 'dyconv-memcheck-'));
  const report = join(logs, 'report.json');
  const escaped = Object.keys(LEFT_OUT_TESTS).map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const start = performance.now();
  const { status, error } = spawnSync(
    'npx',
    [
      ...['vitest', 'run', '--config', 'scripts/sanitize/vitest.config.js', ...group],
      ...['-t', `^(?!.*(${escaped.join('|')}))`],
      ...['--reporter=json', `--outputFile=${report}`, '--reporter=default'],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, DYCONV_MEMCHECK_LOGS: logs } },
  );
  if (error) throw error;
  const processes = await readLogs(logs);
  const errors = processes.flatMap(errorsOf);
  for (const error of errors) console.log(`\n${error}`);
  const { numTotalTests, numPassedTests, numFailedTests, numPendingTests } = readReport(report);
  // A worker that does not start runs no test and fails none; vitest itself then ends with an error.
  const problem = numTotalTests === 0 ? ', no test ran' : status !== 0 ? `, vitest ended with ${status}` : '';
  if (errors.length > 0 || problem !== '') failed = true;
  console.log(
    `memcheck: ${group.length} files (${group[0]}${group.length > 1 ? ' …' : ''}), ${numPassedTests} tests passed, ` +
      `${numFailedTests} failed, ${numPendingTests} skipped; ${processes.length} processes, ${errors.length} errors; ` +
      `${Math.round((performance.now() - start) / 1000)} s${problem}`,
  );
  rmSync(logs, { recursive: true, force: true });
}

/**
 * What vitest counted; nothing where it ended before it could write its report.
 * @param {string} file
 * @returns {Record<'numTotalTests' | 'numPassedTests' | 'numFailedTests' | 'numPendingTests', number>}
 */
function readReport(file) {
  if (!existsSync(file))
    return { numTotalTests: 0, numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };
  return JSON.parse(readFileSync(file, 'utf8'));
}

/**
 * The logs of a group, once every process has written its summary or does not come to it any more.
 * @param {string} logs
 */
async function readLogs(logs) {
  for (let second = 0; ; second++) {
    const texts = readdirSync(logs)
      .filter((name) => name.endsWith('.log'))
      .map((name) => readFileSync(join(logs, name), 'utf8'));
    if (second === 120 || texts.every((text) => text.includes('ERROR SUMMARY'))) {
      if (texts.length === 0) throw new Error('Expected logs of valgrind but found none: is it installed?');
      return texts;
    }
    await sleep(1000);
  }
}

/**
 * The errors in a log: a title at the margin and the stack below it, before the summary.
 * @param {string} log
 */
function errorsOf(log) {
  const titles =
    /^(Invalid|Use of uninit|Conditional jump|Syscall param|Mismatched|Source and dest|Argument '|Jump to|.*points to)/;
  const paragraphs = log
    .replace(/^==\d+== ?/gm, '')
    .replace(/HEAP SUMMARY[\s\S]*/, '')
    .split(/\n\s*\n|\n(?=\S)/);
  return paragraphs.filter((paragraph) => titles.test(paragraph)).map((paragraph) => paragraph.trim());
}
