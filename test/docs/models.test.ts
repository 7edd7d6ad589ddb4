import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MODEL_NAMES, type ModelName } from '../../lib/models/names.js';
import { REGISTRY } from '../../lib/models/registry.js';

const page = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');

const codes = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

/** The rows of the table of options: the names, and the cell of options. */
function rows(): [names: string[], options: string][] {
  const table = page.slice(page.indexOf('| Names'), page.indexOf('`test/golden/make_models.py`'));
  return table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, names = '', options = ''] = line.split('|');
      const all = codes(names).filter((name) => !name.startsWith('_'));
      const bn = names.includes('the same with `_bn`') ? all.filter((name) => name.startsWith('vgg')) : [];
      return [[...all, ...bn.map((name) => `${name}_bn`)], options];
    });
}

/** The options of the page, those of another network included. */
function optionsOf(name: string): string[] {
  const [, cell = ''] = rows().find(([names]) => names.includes(name)) ?? [];
  const other =
    /those of `([^`]+)`/.exec(cell)?.[1] ??
    (/those of the network/.test(cell) ? name.replace('_dy', '') : null);
  const own = codes(cell).filter((option) => option !== other);
  return other === null ? own : [...optionsOf(other), ...own];
}

it('docs/models.md lists every network once', () => {
  const names = rows().flatMap(([names]) => names);
  expect([...names].sort()).toEqual([...MODEL_NAMES].sort());
});

it.each(MODEL_NAMES)('docs/models.md lists the options of %s', (name) => {
  const common = ['numClasses', 'inChannels'];
  expect([...common, ...optionsOf(name)].sort()).toEqual([...REGISTRY[name as ModelName].keys].sort());
});
