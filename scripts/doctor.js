#!/usr/bin/env node
/**
 * Says what is installed, what is wrong, and the command that mends it: `node scripts/doctor.js --help`.
 * @module
 */
import { Command } from 'commander';
import { colours } from './cli/colours.js';
import { rename } from './cli/invocation.js';
import { ensureDist } from './dist.js';

const program = new Command(rename('node scripts/doctor.js', 'doctor'))
  .description('Says what is installed, what is wrong, and the command that mends it.')
  .option('--json', 'print one JSON object: { healthy, findings }', false)
  .addHelpText('after', '\nEnds with code 1 when something is wrong that keeps dyconv from working.')
  .parse();

ensureDist();
const { diagnose, isHealthy } = await import('../dist/install/doctor.js');
const findings = diagnose();
const healthy = isHealthy(findings);

if (program.opts().json) {
  console.log(JSON.stringify({ healthy, findings }, null, 2));
} else {
  const pc = colours(process.stdout);
  const marks = {
    ok: pc.green('ok     '),
    info: pc.dim('-      '),
    warning: pc.yellow('warning'),
    error: pc.red('WRONG  '),
  };
  for (const { name, status, detail, mend } of findings) {
    console.log(`${marks[status]} ${name.padEnd(13)} ${detail}`);
    if (mend && status !== 'ok') console.log(`${' '.repeat(21)} ${pc.bold('mend:')} ${mend}`);
  }
  const wrong = findings.filter(({ status }) => status === 'error').length;
  console.log(
    healthy ? 'dyconv works.' : `dyconv does not work: ${wrong} of ${findings.length} findings are wrong.`,
  );
}
process.exitCode = healthy ? 0 : 1;
