/** The tables of docs/api.md and docs/troubleshooting.md are complete. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './pages.js';

const dyconv = await import('../../lib/index.js');

const page = (name: string) => readFileSync(join(root, 'docs', name), 'utf8');

it('docs/api.md names every export of the package', () => {
  const text = page('api.md').split('## Testing')[0]!;
  const named = new Set([...text.matchAll(/`([A-Za-z]\w*)`/g)].map(([, name]) => name!));
  const exported = Object.keys(dyconv);
  expect(exported.filter((name) => !named.has(name))).toEqual([]);
});

it('docs/troubleshooting.md lists every error class with its code', () => {
  const text = page('troubleshooting.md');
  const listed = [...text.matchAll(/^\| `(\w+Error)`\s*\| `(ERR_\w+)`/gm)].map(
    ([, name, code]) => `${name} ${code}`,
  );
  const classes = Object.entries(dyconv)
    .filter(([name]) => name.endsWith('Error') && name !== 'DyconvError')
    .map(([name]) => {
      const Class = dyconv[name as 'DistributedError'] as new (
        message: string,
        detail: never,
      ) => { code: string };
      return `${name} ${new Class('', undefined as never).code}`;
    });
  expect(listed.sort()).toEqual(classes.sort());
});
