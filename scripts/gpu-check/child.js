/**
 * Runs the processes of a part: with a time limit, with a log, and with the JSON lines that they print.
 * @module
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

/** A command line. `mayFail`: the next one runs in any case. @typedef {{ file: string, args: string[], env?: Record<string, string>, mayFail?: boolean }} Command */
/** @typedef {{ status: 'ended' | 'cut' | 'stopped', code: number | null, problem: string | null, lines: Record<string, unknown>[] }} Ended */

/** How long a process may take to end after SIGINT, in milliseconds: a training writes a checkpoint. */
const GRACE_MS = 8000;

/**
 * Runs commands one after the other until one fails. Their output goes to the log as it comes, so that it is there if this process
 * is killed.
 * @param {readonly Command[]} commands
 * @param {{ seconds: number, log: string, cwd: string, env: NodeJS.ProcessEnv, signal?: AbortSignal | undefined, graceMs?: number }} options -
 *   `seconds`: after them the process group gets SIGINT, and SIGKILL after `graceMs` (default 8,000).
 * @returns {Promise<Ended>} `cut`: by the limit; `stopped`: by the signal. `lines`: every line of stdout that is a JSON object.
 */
export async function runCommands(commands, { seconds, log, graceMs = GRACE_MS, ...options }) {
  const end = performance.now() + 1000 * seconds;
  const file = createWriteStream(log);
  /** @type {Ended} */
  const result = { status: 'ended', code: 0, problem: null, lines: [] };
  try {
    for (const command of commands) {
      file.write(`$ ${[command.file, ...command.args].join(' ')}\n`);
      const limitMs = end - performance.now();
      Object.assign(
        result,
        await runOne(command, { ...options, limitMs, graceMs, file, lines: result.lines }),
      );
      if (command.mayFail && result.status === 'ended') Object.assign(result, { code: 0, problem: null });
      if (result.status !== 'ended' || result.code !== 0) break;
    }
  } finally {
    file.end();
    await finished(file);
  }
  return result;
}

/**
 * @param {Command} command
 * @param {{ limitMs: number, graceMs: number, cwd: string, env: NodeJS.ProcessEnv, signal?: AbortSignal | undefined,
 *   file: import('node:fs').WriteStream, lines: Record<string, unknown>[] }} options
 * @returns {Promise<Omit<Ended, 'lines'>>}
 */
async function runOne(
  { file: program, args, env: own },
  { limitMs, graceMs, cwd, env, signal, file, lines },
) {
  if (signal?.aborted) return { status: 'stopped', code: null, problem: null };
  // A separate process group: its children are stopped with it, and it gets Ctrl-C only through `signal`.
  const child = spawn(program, args, {
    ...{ cwd, env: { ...env, ...own }, detached: true },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  /** @type {Ended['status']} */
  let status = 'ended';
  /** @type {NodeJS.Timeout | undefined} */
  let last;
  const send = (/** @type {NodeJS.Signals} */ name) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // It has ended.
    }
  };
  const stop = (/** @type {'cut' | 'stopped'} */ why) => {
    if (status !== 'ended') return;
    status = why;
    send('SIGINT');
    last = setTimeout(send, graceMs, 'SIGKILL');
  };
  const timer = setTimeout(stop, Math.max(0, limitMs), 'cut');
  const onAbort = () => stop('stopped');
  signal?.addEventListener('abort', onAbort);
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    file.write(text);
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.flatMap(jsonObject));
  });
  child.stderr.on('data', (bytes) => file.write(bytes));
  try {
    /** @type {number | null} */
    const code = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exit, name) => resolve(name === null ? exit : null));
    });
    lines.push(...jsonObject(rest));
    return { status, code, problem: null };
  } catch (error) {
    const problem = /** @type {Error} */ (error).message;
    file.write(`${problem}\n`);
    return { status, code: null, problem };
  } finally {
    clearTimeout(timer);
    clearTimeout(last);
    signal?.removeEventListener('abort', onAbort);
    send('SIGKILL'); // what the process left behind
  }
}

/** A line as the object that it is in JSON; nothing for other text. @param {string} line @returns {Record<string, unknown>[]} */
function jsonObject(line) {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
