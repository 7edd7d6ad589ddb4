/**
 * Issues of valibot as errors of this package: one sentence with the name, what was expected, and what was
 * received.
 */
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { fitting, integer, number, object, parseArgument, parseStored } from '../../lib/check/schema.js';
import { ArgumentError, CheckpointError } from '../../lib/errors.js';

interface Inner {
  name: string;
  sizes: number[];
}
interface Outer {
  inner: Inner;
  maybe: Inner | null;
  kind?: 'a' | 'b' | undefined;
  type: 'outer';
  flags: Record<string, boolean>;
  count: number;
  pair: [number, string];
}

const inner = object<Inner>('an inner thing', {
  name: v.string(),
  sizes: v.pipe(v.array(integer(1, 9), 'an array of sizes'), v.minLength(1, 'at least one size')),
});
const outer = object<Outer>('an outer thing', {
  inner,
  maybe: v.nullable(inner),
  kind: v.optional(v.picklist(['a', 'b'])),
  type: v.literal('outer'),
  flags: v.record(v.string(), v.boolean()),
  count: integer(0),
  pair: v.tuple([number, v.string()], 'a pair'),
});

const good: Outer = {
  inner: { name: 'x', sizes: [1, 2] },
  maybe: null,
  type: 'outer',
  flags: { on: true },
  count: 3,
  pair: [Number.NaN, 'y'],
};

/** A copy of the valid value with one change; undefined removes the key. */
function changed(path: (string | number)[], value: unknown): unknown {
  const copy = structuredClone(good) as unknown as Record<string | number, unknown>;
  const parent = path.slice(0, -1).reduce((at, key) => at[key] as typeof copy, copy);
  const last = path.at(-1)!;
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

describe('parseArgument', () => {
  it('returns valid values, including unknown keys', () => {
    const more = { ...good, later: [{ anything: 1 }] };
    expect(parseArgument(outer, more, 'it')).toEqual(more);
  });

  it.each<[(string | number)[], unknown, string]>([
    [['inner'], undefined, 'Expected an inner thing for it.inner but received undefined'],
    [['inner'], 5, 'Expected an inner thing for it.inner but received 5 (number)'],
    [['inner', 'name'], undefined, 'Expected a string for it.inner.name but received undefined'],
    [['inner', 'name'], null, 'Expected a string for it.inner.name but received null'],
    [['inner', 'sizes'], {}, 'Expected an array of sizes for it.inner.sizes but received Object (object)'],
    [['inner', 'sizes'], [], 'Expected at least one size for it.inner.sizes but received [] (array)'],
    [
      ['inner', 'sizes', 1],
      10,
      'Expected an integer from 1 to 9 for it.inner.sizes[1] but received 10 (number)',
    ],
    [['maybe'], undefined, 'Expected an inner thing or null for it.maybe but received undefined'],
    [['maybe'], 'x', "Expected an inner thing or null for it.maybe but received 'x' (string)"],
    [['maybe'], { name: 1 }, 'Expected a string for it.maybe.name but received 1 (number)'],
    [['kind'], 'c', "Expected 'a' or 'b' for it.kind but received 'c' (string)"],
    [['type'], 'inner', "Expected 'outer' for it.type but received 'inner' (string)"],
    [['type'], undefined, "Expected 'outer' for it.type but received undefined"],
    [['flags', 'on'], 1, 'Expected true or false for it.flags.on but received 1 (number)'],
    [['flags'], null, 'Expected an object for it.flags but received null'],
    [['count'], -1, 'Expected an integer of at least 0 for it.count but received -1 (number)'],
    [['count'], 1n, 'Expected an integer of at least 0 for it.count but received 1n (bigint)'],
    [['pair'], 1, 'Expected a pair for it.pair but received 1 (number)'],
    [['pair', 0], 'x', "Expected a number for it.pair[0] but received 'x' (string)"],
  ])('%j (%#)', (path, value, message) => {
    const parse = () => parseArgument(outer, changed(path, value), 'it');
    expect(parse).toThrow(new ArgumentError(message));
  });

  it('names the argument, or only the field if the argument has no name', () => {
    expect(() => parseArgument(outer, null, 'it')).toThrow(
      'Expected an outer thing for it but received null',
    );
    expect(() => parseArgument(outer, changed(['inner', 'sizes', 0], 0), '')).toThrow(
      'Expected an integer from 1 to 9 for inner.sizes[0] but received 0 (number)',
    );
  });

  it('reports fields that do not fit each other at one of them', () => {
    const schema = v.pipe(
      outer,
      fitting(({ count, inner: { sizes } }) =>
        count === sizes.length ? undefined : { path: ['inner', 'sizes'], expected: `${count} sizes` },
      ),
    );
    expect(() => parseArgument(schema, good, 'it')).toThrow(
      new ArgumentError('Expected 3 sizes for it.inner.sizes but received [1, 2] (array)'),
    );
    expect(parseArgument(schema, { ...good, count: 2 }, 'it')).toMatchObject({ count: 2 });
  });
});

describe('parseStored', () => {
  it('names the place in the file', () => {
    const parse = () => parseStored(outer, changed(['count'], 0.5), 'a.json:3');
    const message =
      'a.json:3 is damaged: Expected an integer of at least 0 for count but received 0.5 (number)';
    expect(parse).toThrow(new CheckpointError(message));
    expect(parse).toThrow(CheckpointError);
  });

  it('does not take keys of a prototype for fields', () => {
    const { type: _, ...rest } = good;
    const stored = JSON.parse(JSON.stringify(rest).replace('{', '{"__proto__":{"type":"outer"},'));
    expect(() => parseStored(outer, stored, 'a.json')).toThrow(
      "Expected 'outer' for type but received undefined",
    );
  });
});
