/**
 * `compare`: compares runs in a table and a report page.
 * @module
 */
import { existsSync } from 'node:fs';
import { defineCommand } from '../cli/command.js';
import { firstFree } from '../cli/free-path.js';
import { printable } from '../cli/printable.js';
import { path, text } from '../cli/value-types.js';

/** @import { OptionTable } from '../cli/types.js' */

const PAGE = 'report.html';

const OPTIONS = /** @satisfies {OptionTable} */ ({
  out: {
    value: 'file',
    type: path,
    help: 'report page (default: the first of report.html, report-2.html ... that does not exist; none with --json)',
  },
  force: { flag: 'plain', help: 'overwrite an existing page (default: an error)' },
  title: { value: 'text', type: text, help: 'heading of the page (default: models and data set)' },
  markdown: { flag: 'plain', help: 'print the table as Markdown' },
  json: { flag: 'plain', help: 'print the comparison as JSON' },
});

export const command = defineCommand({
  name: 'compare',
  description:
    'Prints a table of one or more runs and writes a report page with their learning curves. Of runs with the same images it says which model is better and by how much. ' +
    'Runs that differ only by their seed are one row: mean and 95 % interval.',
  examples: [
    'runs/static runs/dy --out report.html',
    'runs/static-{1,2,3} runs/dy-{1,2,3}',
    'runs/static runs/dy --markdown',
    'runs/static runs/dy --json',
  ],
  argument: { name: '<runs...>', description: 'run directories' },
  options: OPTIONS,
  async run({ out, force, title, markdown, json }, { args: runs }) {
    const file = out ?? (json ? undefined : force ? PAGE : firstFree(PAGE));
    if (out !== undefined && !force && existsSync(out)) {
      const { existsError } = await import('../cli/output-file.js');
      throw existsError('--out', out);
    }
    const { compare } = await import('../../dist/report/write.js');
    const result = await compare(runs, { out: file, title });
    if (json) {
      console.log(JSON.stringify({ rows: result.rows, findings: result.findings }));
      return;
    }
    console.log(markdown ? result.toMarkdown() : String(result));
    for (const text of result.findings) console.log(`\n${printable(text)}`);
    console.error(`\nCurves and details: ${file}`);
  },
});
