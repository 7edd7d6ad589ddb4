/**
 * Starts the processes of a group on this machine and waits for them.
 * @module
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { constants } from 'node:os';

/** @import { ChildProcess } from 'node:child_process' */

/** How long processes may take to end after SIGTERM, in milliseconds. */
const GRACE_MS = 10_000;

/** The ports that {@link freePort} chooses from: below those that systems give to outgoing connections. */
const FIRST_PORT = 12_000;
const PORTS = 20_000;

/** A port of the loopback interface that is free now. @returns {Promise<number>} */
export async function freePort() {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const server = createServer();
    /** @type {boolean} */
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/**
 * Starts `node <script and arguments>` once for each environment. When a process fails, the others are stopped. SIGINT and SIGTERM
 * are passed on to all.
 * @param {string[]} words - The script and its arguments.
 * @param {NodeJS.ProcessEnv[]} environments
 * @returns {Promise<{ code: number, failed: number, interrupted: boolean }>} The exit code of the first process that failed, as a
 *   shell shows it, and its index; 0 and -1 if none did.
 */
export async function runGroup(words, environments) {
  let interrupted = false;
  let result = { code: 0, failed: -1 };
  const children = environments.map((env) => spawn(process.execPath, words, { env, stdio: 'inherit' }));
  /** @param {NodeJS.Signals} signal */
  const stop = (signal) => {
    for (const child of children) if (isRunning(child)) child.kill(signal);
  };
  /** @type {NodeJS.Timeout | undefined} */
  let last;
  const passOn = (/** @type {NodeJS.Signals} */ signal) => {
    interrupted = true;
    // A terminal sends Ctrl-C to all processes itself.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) stop(signal);
  };
  process.on('SIGINT', passOn).on('SIGTERM', passOn);
  try {
    await Promise.all(
      children.map(async (child, index) => {
        const code = await exitCode(child);
        if (code === 0 || result.failed !== -1) return;
        result = { code, failed: index };
        if (interrupted) return; // the others end by themselves, with a checkpoint
        stop('SIGTERM');
        // Also those that are stopped (SIGSTOP) or hang.
        last = setTimeout(() => stop('SIGKILL'), GRACE_MS);
      }),
    );
  } finally {
    clearTimeout(last);
    process.off('SIGINT', passOn).off('SIGTERM', passOn);
  }
  return { ...result, interrupted };
}

/** @param {ChildProcess} child */
const isRunning = (child) => child.exitCode === null && child.signalCode === null;

/** @param {ChildProcess} child @returns {Promise<number>} */
function exitCode(child) {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
