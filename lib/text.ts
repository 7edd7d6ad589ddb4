/**
 * Numbers, durations and columns as text, for tables that people read.
 * @module
 */

/** Seconds as people read them: `42.1 s`, `12 min 05 s`, `3 h 07 min`. */
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

/** Columns aligned by spaces: the first to the left, the others as `alignRight` says. */
export function alignColumns(
  rows: readonly (readonly string[])[],
  alignRight: (column: number) => boolean = (column) => column > 0,
): string[] {
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
