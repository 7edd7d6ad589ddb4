/** Temporary files of the tests are removed after the run. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import setup from './temporary.js';

it('tests, and the processes that they start, make them in the folder of the run', () => {
  expect(basename(tmpdir())).toMatch(/^dyconv-tests-\d+$/);
  expect(existsSync(tmpdir())).toBe(true);
  const code = "process.stdout.write(require('node:os').tmpdir())";
  expect(spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' }).stdout).toBe(tmpdir());
});

it('the folder is made before the run and removed after it, with what is in it', () => {
  const parent = mkdtempSync(join(tmpdir(), 'dyconv-run-'));
  const folder = join(parent, 'tests');
  const teardown = setup({ config: { env: { TMPDIR: folder } } });
  mkdirSync(join(folder, 'left', 'over'), { recursive: true });
  writeFileSync(join(folder, 'left', 'over', 'file'), '');
  teardown();
  expect([existsSync(folder), existsSync(dirname(folder))]).toEqual([false, true]);
  teardown(); // once for each project
  rmSync(parent, { recursive: true });
});
