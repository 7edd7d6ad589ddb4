#!/usr/bin/env node
/**
 * Long loops that must not grow: node scripts/soak.js [--share 0.1] [item ...]
 * Each item runs in a process of its own; a table shows what it took and what is allowed. Exit code 1 on a miss.
 * @module
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { printRows } from './bench/turns.js';

/** What is measured, in MB, and the most it may be. The items are in soak/items.js. */
const LIMITS = {
  sync: { what: '100,000 tensors of 4 MB, synchronous, none disposed', figure: 'peak RSS', limit: 1000 },
  async: { what: 'the same with an await each', figure: 'peak RSS', limit: 1000 },
  small: { what: '1,000,000 small operations after warm-up', figure: 'growth', limit: 20 },
  epochs: { what: 'training, epochs 2 to 20', figure: 'growth', limit: 20 },
  workers: { what: '8 workers started, used and terminated, 50 times', figure: 'growth', limit: 100 },
};

const program = new Command('node scripts/soak.js')
  .description('Memory loops, each in a process of its own. Exit code 1 when one takes more than it may.')
  .argument('[items...]', `of ${Object.keys(LIMITS).join(', ')} (default: all)`)
  .option('--share <n>', 'how much of each loop, above 0', share, 1)
  .option('--json', 'the table as JSON')
  .parse();
const { share: part, json } = program.opts();
const names = program.args.length > 0 ? program.args : Object.keys(LIMITS);
const unknown = names.find((name) => !Object.hasOwn(LIMITS, name));
if (unknown !== undefined)
  program.error(`Expected ${Object.keys(LIMITS).join(', ')} but received ${unknown}`);

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

/** @param {string} text */
function share(text) {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}
