import { describe, expect, it } from 'vitest';
import { report } from '../lib/index.js';
import { printable } from '../lib/text.js';

const script = (name: string) => import(new URL(`../scripts/cli/${name}.js`, import.meta.url).href);
const { formatError } = await script('command');
const { printableJson } = await script('printable');

describe('text of foreign origin', () => {
  it.each([
    ['\u001b[2Jcat', '\\x1b[2Jcat'],
    ['\u009b31mcat', '\\x9b31mcat'],
    ['cat\r\nok\t\u007f', 'cat\\x0d\\x0aok\\x09\\x7f'],
    ['exe.\u202egnp', 'exe.\\u202egnp'],
    ['Katze, 猫, café, 🐈', 'Katze, 猫, café, 🐈'],
  ])('%j is shown as %s', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('keeps lines where there are several', () => {
    expect(printable('a\n\tb\u001b', { lines: true })).toBe('a\n\tb\\x1b');
  });

  it('stays itself in JSON, without control characters', () => {
    const value = { file: 'a\u001b\u009b\\x9b\u202e é\n猫' };
    expect(printableJson(value)).toBe('{"file":"a\\u001b\\u009b\\\\x9b\\u202e é\\n猫"}');
    expect(JSON.parse(printableJson(value))).toEqual(value);
  });

  it('is escaped in tables and error messages', () => {
    const classes = ['\u001b[31mant', 'bee'];
    const table = report.formatConfusion([[1, 0], [0, 1]], classes); // biome-ignore format: a matrix
    expect(table).toContain('\\x1b[31mant');
    expect(table).not.toContain('\u001b');
    expect(
      formatError(Object.assign(new Error('no \u001b]0;title\u0007'), { syscall: 'open' }), { debug: false }),
    ).toBe('error: no \\x1b]0;title\\x07');
  });
});
