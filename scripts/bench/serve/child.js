/**
 * Starts the serving process and asks it for figures.
 * @module
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** @import { ServerConfig } from './server.js' */

const SERVER = fileURLToPath(new URL('server.js', import.meta.url));

/** @param {ServerConfig} config */
export async function startServer(config) {
  const child = fork(SERVER, [JSON.stringify(config)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  const waiting = new Map();
  let ids = 0;
  const ended = once(child, 'exit').then(([code, signal]) => {
    for (const { reject } of waiting.values()) reject(new Error(`The server ended with ${signal ?? code}`));
    throw new Error(`The server ended with ${signal ?? code}`);
  });
  ended.catch(() => {});
  const [{ port }] = await Promise.race([once(child, 'message'), ended]);
  child.on(
    'message',
    (/** @type {{ id: number, answer?: unknown, error?: string }} */ { id, answer, error }) => {
      const question = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) question?.resolve(answer);
      else question?.reject(new Error(error));
    },
  );
  return {
    url: `http://127.0.0.1:${port}/`,
    /** @template T @param {string} question @returns {Promise<T>} */
    ask(question) {
      const id = ++ids;
      child.send({ id, question });
      return new Promise((resolve, reject) => void waiting.set(id, { resolve, reject }));
    },
    async stop() {
      child.kill('SIGKILL');
      await ended.catch(() => {});
    },
  };
}
