import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Tensor } from '../../lib/index.js';

const folder = new URL('../../lib/tensor/', import.meta.url);
const text = (file: string) => readFileSync(new URL(file, folder), 'utf8');
const source = text('tensor.ts');

/** The classes of methods, by the files of lib/tensor that have one. */
const families = readdirSync(folder).flatMap((file) => {
  const [, name] = /^export abstract class (\w+Methods) /m.exec(text(file)) ?? [];
  return name === undefined ? [] : [{ file, name }];
});

const names = (list: string) => list.match(/\w+/g)!.sort();

it('are listed in tensor.ts, for the compiler and for the running program', () => {
  const expected = families.map(({ name }) => name).sort();
  expect(expected.length).toBeGreaterThan(12);
  expect(names(/const FAMILIES = \[(.*?)\]/s.exec(source)![1]!)).toEqual(expected);
  expect(names(/interface Tensor\s+extends (.*?)\{/s.exec(source)![1]!)).toEqual(expected);
});

it('have a table and a test of the same name', () => {
  // These use tables of several families.
  const mixed = ['aliases.ts', 'hooks.ts', 'interop.ts', 'properties.ts'];
  const files = families.map(({ file }) => file).filter((file) => !mixed.includes(file));
  const tables = readdirSync(new URL('../native/', folder));
  const tests = readdirSync(new URL('.', import.meta.url)).map((file) => file.replace('.test.ts', '.ts'));
  expect(files.filter((file) => !tables.includes(file))).toEqual([]);
  expect(families.map(({ file }) => file).filter((file) => !tests.includes(file))).toEqual([]);
});

it('give Tensor all their methods, each from one family', async () => {
  const owners = new Map<PropertyKey, string>();
  for (const { file, name } of families) {
    const module = (await import(new URL(file, folder).href)) as Record<string, { prototype: object }>;
    for (const key of Reflect.ownKeys(module[name]!.prototype)) {
      if (key === 'constructor') continue;
      expect([key, owners.get(key)]).toEqual([key, undefined]);
      owners.set(key, name);
      const own = Object.getOwnPropertyDescriptor(Tensor.prototype, key);
      expect(own).toEqual(Object.getOwnPropertyDescriptor(module[name]!.prototype, key));
      expect(own!.enumerable).toBe(false);
    }
  }
  expect(owners.size).toBeGreaterThan(250);
  // No family is a prototype of another: completion in the REPL, which looks at a few prototypes, finds every
  // method.
  expect(Object.getPrototypeOf(Tensor.prototype)).toBe(Object.prototype);
});
