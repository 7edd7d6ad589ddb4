import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './pages.js';

it('the reference builds without a warning', { timeout: 300_000 }, () => {
  // typedoc.json makes errors of warnings. Nothing is written: `npm run docs` does that.
  const typedoc = join(
    dirname(createRequire(import.meta.url).resolve('typedoc/package.json')),
    'bin',
    'typedoc',
  );
  const args = [typedoc, '--emit', 'none', '--logLevel', 'Warn'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  expect(`${stdout}${stderr}`).toBe('');
  expect(status).toBe(0);
});
