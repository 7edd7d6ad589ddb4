/**
 * What the threads of an operation cost when the cores are shared: every policy in a separate process, on a quiet
 * machine and with busy processes.
 * @module
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startLineProcess } from './line-process.js';
import { machine, median, printRows, record } from './turns.js';

/** Environments of the contestants. libgomp's own default is the number that it documents for an unset policy. */
const POLICIES = {
  dyconv: {},
  'libgomp default': { GOMP_SPINCOUNT: '300000' },
  passive: { OMP_WAIT_POLICY: 'passive' },
  '1 thread': { OMP_NUM_THREADS: '1' },
};

const BUSY = 'for (;;) {}';
const CHILD = fileURLToPath(new URL('threads-child.js', import.meta.url));

/**
 * Images per second, medians over interleaved turns.
 * @param {{ json?: boolean, model: string, busy: number, turns: number, seconds: number, spin?: string[] | undefined }} options
 */
export async function measureThreads({ json, model, busy, turns, seconds, spin = [] }) {
  /** @type {Record<string, Record<string, string>>} */
  const policies = { ...POLICIES };
  for (const count of spin) policies[`spin count ${count}`] = { GOMP_SPINCOUNT: count };
  const children = Object.entries(policies).map(([name, env]) => ({
    ...{ name, own: /** @type {Record<string, number[]>} */ ({}) },
    ...start(env, model),
  }));
  try {
    for (const load of ['quiet', 'loaded']) {
      const others = load === 'loaded' ? Array.from({ length: busy }, () => startBusy()) : [];
      try {
        for (let turn = 0; turn <= turns; turn++) {
          for (const { own, ask } of children) {
            for (const what of ['infer 1', 'train 32']) {
              const rate = Number(await ask(`${what} ${seconds}`));
              if (turn > 0) record(own, `${what}, ${load}`, rate);
            }
          }
        }
      } finally {
        for (const other of others) other.kill('SIGKILL');
      }
    }
  } finally {
    for (const { end } of children) void end();
  }
  const rates = Object.fromEntries(children.map(({ name, own }) => [name, own]));
  report({ json, model, busy, rates });
}

/** @param {{ json?: boolean | undefined, model: string, busy: number, rates: Record<string, Record<string, number[]>> }} options */
function report({ json, model, busy, rates }) {
  const results = Object.fromEntries(
    Object.entries(rates).map(([name, own]) => [
      name,
      Object.fromEntries(Object.entries(own).map(([what, all]) => [what, Number(median(all).toFixed(1))])),
    ]),
  );
  if (json) {
    console.log(JSON.stringify({ what: 'threads', model, busy, machine: machine(), results }));
    return;
  }
  console.log(`${model}, images/s; loaded: with ${busy} busy processes\n${JSON.stringify(machine())}`);
  printRows(
    Object.entries(results).map(([policy, own]) => ({
      policy,
      ...Object.fromEntries(Object.entries(own).map(([what, rate]) => [what, rate.toFixed(1)])),
    })),
  );
}

/** A contestant. @param {Record<string, string>} more @param {string} model */
function start(more, model) {
  const { GOMP_SPINCOUNT: _count, OMP_WAIT_POLICY: _policy, OMP_NUM_THREADS: _threads, ...env } = process.env;
  return startLineProcess(process.execPath, [CHILD, model], { ...env, ...more });
}

function startBusy() {
  return spawn(process.execPath, ['-e', BUSY], { stdio: 'ignore' });
}
