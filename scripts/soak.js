#!/usr/bin/env node
/**
 * Long loops that must not grow: node scripts/soak.js [--share 0.1] [item ...]
 * Each item runs in a separate process; a table shows its memory and the limit. Exit code 1 if a limit is exceeded.
 * @module
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { requireDist, requirePackages } from './cli/start.js';

requirePackages();
requireDist();
const { printRows } = await import('./bench/turns.js');
const { parseScript } = await import('./cli/command.js');
const { number } = await import('./cli/value-types.js');

/** @import { OptionTable } from './cli/types.js' */

/** What is measured, in MB, and the most it may be. The items are in soak/items.js. */
const LIMITS = {
  sync: { what: '100,000 tensors of 4 MB, synchronous, none disposed', figure: 'peak RSS', limit: 1000 },
  async: { what: 'the same with an await each', figure: 'peak RSS', limit: 1000 },
  small: { what: '1,000,000 small operations after warm-up', figure: 'growth', limit: 20 },
  epochs: { what: 'training, epochs 2 to 20', figure: 'growth', limit: 20 },
  workers: { what: '8 workers started, used and terminated, 50 times', figure: 'growth', limit: 100 },
};

const OPTIONS = /** @satisfies {OptionTable} */ ({
  share: { value: 'n', type: number({ above: 0 }), default: 1, help: 'part of each loop to run' },
  json: { flag: 'plain', help: 'print the table as JSON' },
});

const { options, args } = parseScript({
  script: 'soak.js',
  description: 'Runs memory loops, each in a separate process. Exit code 1 if one exceeds its limit.',
  argument: { name: '[items...]', description: 'loops to run (default: all)', choices: Object.keys(LIMITS) },
  options: OPTIONS,
});
const { share: part, json } = options;
const names = args.length > 0 ? args : Object.keys(LIMITS);

/** @type {{ name: string, what: string, figure: string, mb: number, limit: number, seconds: number, ok: boolean, note: string }[]} */
const rows = [];
for (const name of names) {
  const { what, figure, limit } = LIMITS[/** @type {keyof typeof LIMITS} */ (name)];
  const { mb, seconds, note } = await run(name);
  rows.push({ name, what, figure, mb, limit, seconds, ok: mb <= limit, note });
}
if (json) console.log(JSON.stringify({ share: part, rows }));
else {
  printRows(
    rows.map(({ what, figure, mb, limit, seconds, ok, note }) => ({
      loop: what,
      figure,
      MB: mb.toFixed(1),
      allowed: String(limit),
      seconds: seconds.toFixed(0),
      result: ok ? 'ok' : `MISSED ${note}`,
    })),
  );
  if (part !== 1) console.log(`(each loop ${part} times as long)`);
}
process.exitCode = rows.every(({ ok }) => ok) ? 0 : 1;

/** @param {string} name @returns {Promise<{ mb: number, seconds: number, note: string }>} */
async function run(name) {
  const start = performance.now();
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('soak/items.js', import.meta.url)), name, String(part)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const stop = () => {
    child.kill('SIGKILL');
    process.exit(1);
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let mb = Number.POSITIVE_INFINITY;
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) mb = JSON.parse(line).mb;
  });
  const [code, signal] = await new Promise((resolve) => child.on('close', (...end) => resolve(end)));
  process.off('SIGINT', stop).off('SIGTERM', stop);
  const crashed = code !== 0;
  return {
    mb: crashed ? Number.POSITIVE_INFINITY : mb,
    seconds: (performance.now() - start) / 1000,
    note: crashed ? `(ended with ${signal ?? code})` : '',
  };
}
