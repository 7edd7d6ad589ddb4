/**
 * `doctor`: reports what is installed, what is wrong, and the command that fixes it.
 * @module
 */
import { colors } from '../cli/colors.js';
import { defineCommand } from '../cli/command.js';
import { ensureDist } from '../dist.js';

/** @import { Finding } from '../../dist/install/types.js' */

export const command = defineCommand({
  name: 'doctor',
  description: 'Checks the installation and prints the command that fixes each problem.',
  options: { json: { flag: 'plain', help: 'print one JSON object: { healthy, findings }' } },
  notes: 'Exits with code 1 if dyconv cannot work.',
  async run({ json }) {
    ensureDist();
    const { diagnose, isHealthy } = await import('../../dist/install/doctor.js');
    const findings = diagnose();
    const healthy = isHealthy(findings);
    if (json) console.log(JSON.stringify({ healthy, findings }, null, 2));
    else print(findings, healthy);
    return healthy ? 0 : 1;
  },
});
/** @param {Finding[]} findings @param {boolean} healthy */
function print(findings, healthy) {
  const pc = colors(process.stdout);
  const marks = {
    ok: pc.green('ok     '),
    info: pc.dim('-      '),
    warning: pc.yellow('warning'),
    error: pc.red('WRONG  '),
  };
  for (const { name, status, detail, fix } of findings) {
    console.log(`${marks[status]} ${name.padEnd(13)} ${detail}`);
    if (fix && status !== 'ok') console.log(`${' '.repeat(21)} ${pc.bold('fix:')} ${fix}`);
  }
  const wrong = findings.filter(({ status }) => status === 'error').length;
  console.log(
    healthy ? 'dyconv works.' : `dyconv does not work: ${wrong} of ${findings.length} findings are wrong.`,
  );
}
