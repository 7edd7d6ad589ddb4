import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { limit } from '../support/limit.js';
import { root } from './pages.js';

it('the reference builds, and every public name has its comment', { timeout: limit(300_000) }, () => {
  const out = mkdtempSync(join(tmpdir(), 'dyconv-docs-'));
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  // typedoc.json makes warnings errors, and a missing comment is a warning.
  const args = ['run', 'docs', '--silent', '--', '--out', out, '--logLevel', 'Warn'];
  const shell = process.platform === 'win32';
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: root, encoding: 'utf8', shell });
  expect(`${stdout}${stderr}`).toBe('');
  expect(status).toBe(0);
  expect(existsSync(join(out, 'index.html'))).toBe(true);
});
