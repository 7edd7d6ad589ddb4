#!/usr/bin/env node
/**
 * Compares runs: `node scripts/compare.js --help`.
 * @module
 */
import { existsSync } from 'node:fs';
import { createCommand, runCommand } from './cli/command.js';
import { firstFree } from './cli/free-path.js';

const PAGE = 'report.html';

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
  .option(
    '--out <file>',
    'the page (default: the first free of report.html, report-2.html ...; with --json none)',
  )
  .option('--force', 'replace a page that is there (default: it is an error)', false)
  .option('--title <text>', 'heading of the page (default: models and data set)')
  .option('--markdown', 'print the table as Markdown', false)
  .option('--json', 'print the comparison as JSON', false);

await runCommand(command, async ({ out, force, title, markdown, json }) => {
  const file = out ?? (json ? undefined : force ? PAGE : firstFree(PAGE));
  if (out !== undefined && !force && existsSync(out)) {
    const { ArgumentError } = await import('../dist/errors.js');
    throw new ArgumentError(
      `Expected a file that does not exist yet for --out but received ${out}: --force replaces it`,
    );
  }
  const { compare } = await import('../dist/report/write.js');
  const result = await compare(command.args, { out: file, title });
  if (json) {
    console.log(JSON.stringify({ rows: result.rows }));
    return;
  }
  console.log(markdown ? result.toMarkdown() : String(result));
  console.error(`\nCurves and details: ${file}`);
});
