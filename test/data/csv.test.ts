/** Tables as text: RFC 4180. */
import { describe, expect, it } from 'vitest';
import { csvRecords, LineError } from '../../lib/data/csv.js';
import { Random } from '../../lib/data/random.js';

const read = (text: string, separator: ',' | '\t' = ',') =>
  [...csvRecords(text, separator)].map(({ line, fields }) => [line, ...fields]);

describe('records', () => {
  it.each([
    ['lines of Unix, Windows and old Macintosh', 'a,b\nc,d\r\ne,f\rg,h', [1, 2, 3, 4]],
    ['a last line with an end', 'a,b\nc,d\n', [1, 2]],
    ['blank lines, which are ignored', '\n\na,b\n\r\n\nc,d\n\n', [3, 6]],
  ])('of %s', (_, text, lines) => {
    expect(read(text).map(([line]) => line)).toEqual(lines);
    expect(read(text).every((record) => record.length === 3)).toBe(true);
  });

  it('have separators, quotes and line ends in quotes, and begin in the right line', () => {
    const text = 'path,label\n"a,b.jpg","the ""big"" one"\n"two\r\nlines","and\n\nthree"\nlast,1\n';
    expect(read(text)).toEqual([
      [1, 'path', 'label'],
      [2, 'a,b.jpg', 'the "big" one'],
      [3, 'two\r\nlines', 'and\n\nthree'],
      [7, 'last', '1'],
    ]);
  });

  it('may have empty fields, also at the end, and quotes that are part of a field', () => {
    expect(read('a,,\n,,c\n5" disk,"",x\n')).toEqual([
      [1, 'a', '', ''],
      [2, '', '', 'c'],
      [3, '5" disk', '', 'x'],
    ]);
  });

  it('are separated by tabs, between which commas are text', () => {
    expect(read('a,b\tc\n"d\te"\tf', '\t')).toEqual([
      [1, 'a,b', 'c'],
      [2, 'd\te', 'f'],
    ]);
  });

  it('are what was written, whatever it is', () => {
    const random = new Random(11);
    const parts = ['a', 'é', '日', ',', '"', '""', '\n', '\r\n', ' ', '\t'];
    for (let round = 0; round < 200; round++) {
      const rows = Array.from({ length: 1 + random.below(5) }, () =>
        Array.from({ length: 3 }, () =>
          Array.from({ length: random.below(6) }, () => parts[random.below(parts.length)]).join(''),
        ),
      );
      const text = rows
        .map((row) => row.map((field) => `"${field.replaceAll('"', '""')}"`).join(','))
        .join('\r\n');
      expect([...csvRecords(text, ',')].map(({ fields }) => fields)).toEqual(rows);
    }
  });
});

describe('errors have the line', () => {
  it.each([
    ['a quote without an end', 'a,b\nc,"d\ne\nf', 2, /expected a closing quote/],
    ['text behind a quote', 'a,b\n"x\ny"z,d', 3, /expected nothing between the closing quote/],
  ])('of %s', (_, text, line, message) => {
    let caught: unknown;
    try {
      read(text);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(LineError);
    expect((caught as LineError).line).toBe(line);
    expect((caught as LineError).message).toMatch(message);
  });
});
