/**
 * Tables as text: the records of RFC 4180, with the lines that they begin in.
 * @module
 */

/** A record of a table. */
export interface CsvRecord {
  /** 1-based line of the file that the record begins in. */
  line: number;
  fields: string[];
}

/** A defect of a text file, without the name of the file. */
export class LineError extends Error {
  /** 1-based line of the file. */
  readonly line: number;

  constructor(line: number, problem: string) {
    super(problem);
    this.line = line;
  }
}

/** The end of a line in files of any system. */
const LINE_END = /\r\n|\n|\r/g;

/**
 * The records of a text. A field in quotes may contain separators, line ends and, doubled, quotes; elsewhere quotes have no meaning.
 * Blank lines are ignored.
 * @param separator - Between the fields: a comma or a tab.
 * @throws LineError for a quote without an end, and for text behind a closing quote.
 * @see https://www.rfc-editor.org/rfc/rfc4180
 */
export function* csvRecords(text: string, separator: ',' | '\t'): Generator<CsvRecord, undefined> {
  // Up to a separator or the end of the line.
  const plain = separator === ',' ? /[^,\r\n]*/y : /[^\t\r\n]*/y;
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const record: CsvRecord = { line, fields: [] };
    for (;;) {
      if (text[at] === '"') {
        const field = quoted(text, at, line);
        record.fields.push(field.value);
        line += field.lines;
        at = field.end;
        if (at < text.length && text[at] !== separator && text[at] !== '\r' && text[at] !== '\n')
          throw new LineError(line, 'expected nothing between the closing quote of a field and its end');
      } else {
        plain.lastIndex = at;
        const [value] = plain.exec(text)!;
        record.fields.push(value);
        at += value.length;
      }
      if (text[at] !== separator) break;
      at++;
    }
    at += text.startsWith('\r\n', at) ? 2 : 1;
    line++;
    if (record.fields.length > 1 || record.fields[0] !== '') yield record;
  }
  return undefined;
}

/** The field in quotes that begins at `start`: its value, the place after it, and the number of line ends in it. */
function quoted(text: string, start: number, line: number): { value: string; end: number; lines: number } {
  let value = '';
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) throw new LineError(line, 'expected a closing quote for the field that begins here');
    value += text.slice(from, quote);
    if (text[quote + 1] !== '"') return { value, end: quote + 1, lines: value.match(LINE_END)?.length ?? 0 };
    value += '"';
    from = quote + 2;
  }
}
