import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder, writeTree } from '../install/support.js';

const PASSED = { status: 'passed', assertionResults: [{}] };

/**
 * Runs .ci/run on a simulated machine: every program that it may install exists, and npm is a script that
 * writes the given report in place of vitest.
 */
function run(npm: { ci?: number; install?: number; test?: number; report?: object }) {
  const folder = temporaryFolder();
  const log = join(folder, 'log');
  const report = join(folder, 'report.json');
  const fakes: Record<string, string> = { 'apt-get': `echo "apt-get $*" >> ${log}`, sudo: '"$@"' };
  for (const name of ['g++', 'cmake', 'ninja', 'ccache', 'python3', 'chromium']) fakes[name] = 'exit 0';
  fakes.npm = `echo "npm $*" >> ${log}
    if [ "$1" = ci ]; then exit ${npm.ci ?? 0}; fi
    if [ "$1" = install ]; then exit ${npm.install ?? 0}; fi
    echo "onnxruntime in $DYCONV_ONNXRUNTIME" >> ${log}
    for argument; do case "$argument" in --outputFile.json=*) target="\${argument#*=}";; esac; done
    if [ -f ${report} ]; then cp ${report} "$target"; fi
    exit ${npm.test ?? 0}`;
  const scripts = Object.entries(fakes).map(([name, code]) => [name, `#!/bin/sh\n${code}\n`]);
  writeTree(folder, Object.fromEntries(scripts));
  for (const name of Object.keys(fakes)) chmodSync(join(folder, name), 0o755);
  if (npm.report) writeTree(folder, { 'report.json': JSON.stringify(npm.report) });
  const child = spawnSync('bash', [fileURLToPath(new URL('../../.ci/run', import.meta.url))], {
    encoding: 'utf8',
    env: { ...process.env, DYCONV_ONNXRUNTIME: '', PATH: [folder, process.env.PATH].join(delimiter) },
  });
  const calls = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
  return { status: child.status, last: child.stdout.trimEnd().split('\n').at(-1), calls };
}

it('installs, tests, and ends with the counts', () => {
  const report = { numPassedTests: 12, numFailedTests: 0, testResults: [PASSED] };
  const { status, last, calls } = run({ report });
  expect({ status, last }).toEqual({ status: 0, last: '12 passed, 0 failed' });
  const npm = calls.filter((call) => call.startsWith('npm '));
  expect(npm[0]).toBe('npm ci --foreground-scripts');
  expect(npm[1]).toMatch(
    /^npm install --prefix \S+ --ignore-scripts --no-save --no-package-lock onnxruntime-node@\d/,
  );
  expect(npm[2]).toMatch(/^npm test -- --reporter=default --reporter=json --outputFile\.json=/);
  expect(calls).toContain(`onnxruntime in ${npm[1]!.split(' ')[3]}`);
});

it('tests without onnxruntime where it cannot be installed', () => {
  const { status, calls } = run({
    install: 1,
    report: { numPassedTests: 1, numFailedTests: 0, testResults: [PASSED] },
  });
  expect(status).toBe(0);
  expect(calls).toContain('onnxruntime in ');
});

it.each([
  [
    'a failed test',
    { test: 1, report: { numPassedTests: 3, numFailedTests: 2, testResults: [] } },
    '3 passed, 2 failed',
  ],
  [
    'a test file that cannot be loaded',
    {
      test: 1,
      report: {
        numPassedTests: 3,
        numFailedTests: 0,
        testResults: [{ status: 'failed', assertionResults: [] }],
      },
    },
    '3 passed, 1 failed',
  ],
  ['a failed check before the tests', { test: 2 }, '0 passed, 1 failed'],
  ['a failed install', { ci: 1 }, '0 passed, 1 failed'],
  [
    'an error outside any test',
    { test: 1, report: { numPassedTests: 5, numFailedTests: 0, testResults: [PASSED] } },
    '5 passed, 1 failed',
  ],
  [
    'no test at all',
    { report: { numPassedTests: 0, numFailedTests: 0, testResults: [] } },
    '0 passed, 0 failed',
  ],
])('fails on %s', (_what, npm, expected) => {
  const { status, last } = run(npm);
  expect({ status, last }).toEqual({ status: 1, last: expected });
});
