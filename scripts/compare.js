#!/usr/bin/env node
/**
 * Compares runs: `node scripts/compare.js --help`.
 * @module
 */
import { createCommand, runCommand } from './cli/command.js';

const command = createCommand(
  'node scripts/compare.js',
  'Prints the comparison of two or more runs and writes a page with their curves in one picture. ' +
    'Runs that differ by their seed only become one row: mean and 95 % interval.',
  [
    'node scripts/compare.js runs/static runs/dy --out report.html',
    'node scripts/compare.js runs/static-{1,2,3} runs/dy-{1,2,3}',
    'node scripts/compare.js runs/static runs/dy --markdown',
    'node scripts/compare.js runs/static runs/dy --json',
  ],
)
  .argument('<runs...>', 'run directories')
  .option('--out <file>', 'the page (default: report.html; with --json none unless this is given)')
  .option('--title <text>', 'heading of the page (default: models and data set)')
  .option('--markdown', 'print the table as Markdown', false)
  .option('--json', 'print the comparison as JSON', false);

await runCommand(command, async ({ out, title, markdown, json }) => {
  const { compare } = await import('../dist/report/write.js');
  const file = out ?? (json ? undefined : 'report.html');
  const result = await compare(command.args, { out: file, title });
  if (json) {
    console.log(JSON.stringify({ rows: result.rows }));
    return;
  }
  console.log(markdown ? result.toMarkdown() : String(result));
  console.error(`\nCurves and details: ${file}`);
});
