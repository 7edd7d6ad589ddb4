/**
 * A process that answers each line with a line.
 * @module
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * @typedef {object} LineProcess
 * @property {(request?: string) => Promise<string>} ask - Sends a line, if one is given, and resolves with the next line of the process. Requests
 *   can overlap. Rejected when the process cannot be started or has ended.
 * @property {() => Promise<void>} end - Closes the standard input and waits for the process to exit.
 * @property {() => void} kill - Sends SIGKILL.
 */

/**
 * Starts a process; its standard error is that of this process.
 * @param {string} file - A program.
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env] - Default: that of this process.
 * @returns {LineProcess}
 */
export function startLineProcess(file, args, env = process.env) {
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  /** @type {{ resolve: (line: string) => void, reject: (error: Error) => void }[]} */
  const waiting = [];
  /** Why the process answers no more. @type {Error | undefined} */
  let ended;
  const stop = (/** @type {Error} */ error) => {
    ended ??= error;
    for (const { reject } of waiting.splice(0)) reject(ended);
  };
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(line));
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.once('error', stop);
  // After the last line has been read.
  child.once('close', (code, signal) =>
    stop(new Error(`${[file, ...args].join(' ')} ended with ${signal ?? `code ${code}`}`)),
  );
  // What is written to a process that has ended: `stop` has the reason.
  child.stdin.on('error', () => {});
  return {
    ask(request) {
      if (ended) return Promise.reject(ended);
      /** @type {Promise<string>} */
      const answer = new Promise((resolve, reject) => void waiting.push({ resolve, reject }));
      if (request !== undefined) child.stdin.write(`${request}\n`);
      return answer;
    },
    async end() {
      child.stdin.end();
      await closed;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
