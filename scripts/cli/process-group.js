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

/** Signals that end a process, and which of them processes get as another one, at which a training writes a checkpoint. */
const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']);
/** @type {Partial<Record<NodeJS.Signals, NodeJS.Signals>>} */
const PASSED_AS = { SIGHUP: 'SIGTERM', SIGQUIT: 'SIGTERM' };

/** The exit code of shells for a program that cannot be started. */
const CANNOT_EXECUTE = 126;

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
 * Starts `node <script and arguments>` once for each environment. When a process fails, the others are stopped. Signals that end this
 * process are passed on to all; after a second one, processes that do not end are killed.
 * @param {string[]} words - The script and its arguments.
 * @param {NodeJS.ProcessEnv[]} environments
 * @returns {Promise<{ code: number, failed: number, interrupted: boolean }>} The exit code of the first process that failed, as a
 *   shell shows it, and its index; 0 and -1 if none did.
 */
export async function runGroup(words, environments) {
  let interrupted = false;
  let result = { code: 0, failed: -1 };
  // In sessions of their own, as with torchrun: a terminal would send Ctrl-C to them too, and a training ends at once at its
  // second signal.
  const detached = process.platform !== 'win32';
  const children = environments.map((env) =>
    spawn(process.execPath, words, { env, detached, stdio: 'inherit' }),
  );
  /** @param {NodeJS.Signals} signal */
  const stop = (signal) => {
    for (const child of children) if (isRunning(child)) child.kill(signal);
  };
  /** @type {NodeJS.Timeout | undefined} */
  let last;
  // Also those that are stopped (SIGSTOP) or hang.
  const killLater = () => {
    last ??= setTimeout(() => stop('SIGKILL'), GRACE_MS);
  };
  const passOn = (/** @type {NodeJS.Signals} */ signal) => {
    if (interrupted) killLater();
    interrupted = true;
    stop(PASSED_AS[signal] ?? signal);
  };
  for (const signal of SIGNALS) process.on(signal, passOn);
  try {
    await Promise.all(
      children.map(async (child, index) => {
        const code = await exitCode(child);
        if (code === 0 || result.failed !== -1) return;
        result = { code, failed: index };
        if (interrupted) return; // the others end by themselves, with a checkpoint
        stop('SIGTERM');
        killLater();
      }),
    );
  } finally {
    clearTimeout(last);
    for (const signal of SIGNALS) process.off(signal, passOn);
  }
  return { ...result, interrupted };
}

/** @param {ChildProcess} child */
const isRunning = (child) => child.exitCode === null && child.signalCode === null;

/** @param {ChildProcess} child @returns {Promise<number>} */
function exitCode(child) {
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`launch: ${error.message}`); // it could not be started
      resolve(CANNOT_EXECUTE);
    });
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
