#!/usr/bin/env node
/**
 * Calls everything the package has with arguments it should refuse: node scripts/fuzz.js --calls 1000000 --seed 7
 * Every call ends in a result or in one of the package's own errors; a crash, a hang or another error is a finding,
 * printed with the number that repeats it. Exit code 1 when there are findings.
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { requireDist, requirePackages } from './cli/start.js';

requirePackages();
requireDist();
const { parseScript } = await import('./cli/command.js');
const { nonNegativeInteger, text } = await import('./cli/value-types.js');

/** @import { OptionTable } from './cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  calls: { value: 'n', type: nonNegativeInteger, default: 20_000, help: 'number of calls' },
  seed: { value: 'n', type: nonNegativeInteger, default: 1, help: 'seed of the calls' },
  from: {
    value: 'n',
    type: nonNegativeInteger,
    default: 0,
    help: 'number of the first call; with --calls 1 it repeats one call',
  },
  only: {
    value: 'pattern',
    type: text,
    default: '',
    help: 'only targets with matching names, such as ^native\\.',
  },
  memory: { value: 'mb', type: nonNegativeInteger, default: 64, help: 'memory limit of tensors, in MB' },
  hang: {
    value: 'seconds',
    type: nonNegativeInteger,
    default: 30,
    help: 'a call that takes longer is a finding',
  },
  json: { flag: 'plain', help: 'print the summary as JSON' },
});

const { options } = parseScript({
  script: 'fuzz.js',
  description: 'Calls every export and every native function with hostile arguments.',
  options: OPTIONS,
});

const folder = mkdtempSync(join(tmpdir(), 'dyconv-fuzz-'));
const totals = { calls: 0, refused: 0, returned: 0, passed: 0, targets: 0, known: 0, findings: 0 };
try {
  let next = options.from;
  const end = options.from + options.calls;
  // A crash costs one call: the next process continues after it.
  while (next < end && totals.findings < 50) next = await runChild(next, end);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (options.json) console.log(JSON.stringify({ seed: options.seed, ...totals }));
else {
  console.log(
    `seed ${options.seed}: ${totals.calls} calls of ${totals.targets} out of ${totals.known} targets; ` +
      `${totals.refused} refused, ${totals.returned} returned, ${totals.passed} passed an argument's own error on; ` +
      `${totals.findings} findings`,
  );
}
process.exitCode = totals.findings > 0 ? 1 : 0;

/**
 * @param {number} first
 * @param {number} end
 * @returns {Promise<number>} The number of the call to go on with.
 */
async function runChild(first, end) {
  const progress = join(folder, 'progress');
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('fuzz/child.js', import.meta.url)),
      ...[progress, options.seed, first, end, options.only, options.memory].map(String),
    ],
    {
      // Paths among the arguments are relative to a folder that goes; no address on the network answers.
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        HTTP_PROXY: 'http://127.0.0.1:9',
        HTTPS_PROXY: 'http://127.0.0.1:9',
        OMP_NUM_THREADS: '1',
      },
    },
  );
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr = (stderr + text).slice(-2000);
  });
  let done = false;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    if (!line.startsWith('{"')) return;
    const message = JSON.parse(line);
    if (message.summary) {
      done = true;
      for (const key of /** @type {const} */ (['calls', 'refused', 'returned', 'passed']))
        totals[key] += message.summary[key];
      totals.targets = Math.max(totals.targets, message.summary.targets);
      totals.known = message.summary.known;
    } else report(message);
  });
  const hung = watch(child, progress);
  const [code, signal] = await new Promise((resolve) => child.on('close', (...end) => resolve(end)));
  hung.stop();
  if (done) return end;
  const [, number = String(first), call = ''] = /^(\d+) (.*?)\s*$/s.exec(readProgress(progress)) ?? [];
  report({
    finding: hung.killed ? 'hang' : 'crash',
    call: Number(number),
    target: call,
    error: hung.killed ? `no answer in ${options.hang} s` : `${signal ?? code}: ${stderr.trim().slice(-500)}`,
  });
  totals.calls += Number(number) + 1 - first;
  return Number(number) + 1;
}

/**
 * Kills the child when it stays at one call for too long.
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} progress - The file that has the number of the call.
 */
function watch(child, progress) {
  const state = { killed: false, stop: () => clearInterval(timer) };
  let seen = '';
  let since = Date.now();
  const timer = setInterval(() => {
    const now = readProgress(progress);
    if (now !== seen) {
      seen = now;
      since = Date.now();
    } else if (Date.now() - since > options.hang * 1000) {
      state.killed = true;
      child.kill('SIGKILL');
    }
  }, 500);
  return state;
}

/** @param {string} file */
function readProgress(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** @param {{ finding: string, call: number, target: string, error: string }} finding */
function report(finding) {
  totals.findings++;
  console.error(JSON.stringify(finding));
  console.error(`  repeat: node scripts/fuzz.js --seed ${options.seed} --from ${finding.call} --calls 1`);
}
