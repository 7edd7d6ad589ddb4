import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkAddon } from '../../lib/install/addon.js';
import { temporaryFolder } from './support.js';

it('reports a missing file', () => {
  expect(checkAddon('/does/not/exist.node')).toEqual({
    ok: false,
    reason: '/does/not/exist.node does not exist',
  });
});

it('says why a file does not load', () => {
  const file = join(temporaryFolder(), 'x.node');
  writeFileSync(file, 'not a library');
  const check = checkAddon(file);
  expect(check.ok).toBe(false);
  expect(check).toMatchObject({
    reason: expect.stringMatching(/x\.node: (file too short|invalid ELF header)/),
  });
});

it('survives a file that ends the process', () => {
  // `require` runs a .cjs file, as dlopen runs a library's initializer.
  const file = join(temporaryFolder(), 'x.cjs');
  writeFileSync(file, 'process.kill(process.pid, "SIGABRT")');
  expect(checkAddon(file)).toEqual({ ok: false, reason: 'the process that loaded it was ended by SIGABRT' });
});
