/**
 * Formats numbers, durations, names and columns for people.
 * @module
 */

/** Formats seconds: `42.1 s`, `12 min 05 s`, `3 h 07 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** A whole number with thousands separated by commas. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** Control characters of terminals, and those that change the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are intended
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Untrusted text, such as the name of a file or a class, for a terminal: control characters are shown as `\x1b` or
 * `\u202e`, so that no name can move the cursor, change colors or end a line.
 * @param options.lines - Keeps line feeds and tabs, for text of several lines. Default: false.
 */
export function printable(text: string, { lines = false }: { lines?: boolean | undefined } = {}): string {
  return text.replace(CONTROL, (character) => {
    if (lines && (character === '\n' || character === '\t')) return character;
    const code = character.charCodeAt(0);
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/**
 * Columns aligned with spaces: the first to the left, the others according to `alignRight`. Control characters in the cells are
 * shown escaped.
 */
export function alignColumns(
  cells: readonly (readonly string[])[],
  alignRight: (column: number) => boolean = (column) => column > 0,
): string[] {
  const rows = cells.map((row) => row.map((text) => printable(text)));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows.map((cells) =>
    cells
      .map((text, column) =>
        alignRight(column) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}
