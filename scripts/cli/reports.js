/**
 * Pictures and pages about runs, written into their directories.
 * @module
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../../dist/atomic-file.js';
import { report } from '../../dist/index.js';

/**
 * Writes `curves.svg`, `curves.png`, `confusion.png` (once the run is evaluated) and `report.html`.
 * @param {string} directory - Run directory.
 */
export async function writeRunReport(directory) {
  const run = await report.loadRun(directory);
  /** @param {string} name @param {string | Uint8Array} contents */
  const write = (name, contents) => writeFileAtomic(join(directory, name), contents);
  await write('curves.svg', await report.curvesSvg([run]));
  await write('curves.png', await report.curvesPng([run]));
  if (run.evaluation) await write('confusion.png', await report.confusionPng(run.evaluation));
  await write('report.html', await report.page([run]));
}

/**
 * Compares runs: a page with all learning curves, and the article's table as text.
 * @param {string[]} directories
 * @param {string} out - The page.
 * @returns {Promise<string>} The table.
 */
export async function writeComparison(directories, out) {
  const runs = await Promise.all(directories.map((directory) => report.loadRun(directory)));
  await writeFileAtomic(out, await report.page(runs));
  return report.comparison(runs).toString();
}

/**
 * Counts of true (rows) and predicted (columns) classes as aligned text.
 * @param {number[][]} confusion
 * @param {readonly string[]} classes
 */
export function formatConfusion(confusion, classes) {
  const name = Math.max(...classes.map((text) => text.length));
  const width = Math.max(...confusion.flat().map((count) => String(count).length), 2) + 2;
  const head = classes.map((_, column) => String(column).padStart(width)).join('');
  const rows = confusion.map(
    (row, label) =>
      `${String(label).padStart(3)} ${(classes[label] ?? '').padEnd(name)}${row.map((count) => String(count).padStart(width)).join('')}`,
  );
  return [`${'true \\ predicted'.padEnd(name + 4)}${head}`, ...rows].join('\n');
}
