/**
 * scripts/sanitize/memcheck.js ends with an error if no test ran. A substitute for npx prints the report of
 * vitest.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './support.js';

const CLEAN = 'ERROR SUMMARY: 0 errors';
const passed = { numTotalTests: 3, numPassedTests: 2, numFailedTests: 0, numPendingTests: 1 };
const none = { numTotalTests: 0, numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };

/** Runs memcheck.js on a test file for which vitest reports this. */
function memcheck({ status, report, log = CLEAN }: { status: number; report?: object; log?: string }) {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-npx-'));
  const npx = join(folder, 'npx');
  const program = `#!${process.execPath}
const { writeFileSync } = require('node:fs');
const output = process.argv.find((arg) => arg.startsWith('--outputFile='))?.slice('--outputFile='.length);
${report ? `writeFileSync(output, ${JSON.stringify(JSON.stringify(report))});` : ''}
writeFileSync(process.env.DYCONV_MEMCHECK_LOGS + '/1.log', ${JSON.stringify(log)});
process.exit(${status});
`;
  writeFileSync(npx, program);
  chmodSync(npx, 0o755);
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
  const args = ['scripts/sanitize/memcheck.js', 'test/memory.test.ts'];
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env });
}

describe.skipIf(process.platform === 'win32')('memcheck', () => {
  it('passes where tests passed without an error', () => {
    const { status, stdout, stderr } = memcheck({ status: 0, report: passed });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/2 tests passed, 0 failed, 1 skipped; 1 processes, 0 errors; \d+ s\n$/);
    expect(status).toBe(0);
  });

  it.each([
    ['no test ran', { status: 1, report: none }, /0 tests passed.*, no test ran\n$/],
    ['vitest says nothing', { status: 1 }, /0 tests passed.*, no test ran\n$/],
    ['vitest fails', { status: 1, report: passed }, /2 tests passed.*, vitest ended with 1\n$/],
    [
      'there is an error',
      { status: 0, report: passed, log: `Invalid read of size 8\n\n${CLEAN}` },
      /1 errors;/,
    ],
  ])('fails where %s', (_, told, message) => {
    const { status, stdout } = memcheck(told);
    expect(stdout).toMatch(message);
    expect(status).toBe(1);
  });
});
