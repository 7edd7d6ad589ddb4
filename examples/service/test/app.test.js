/** The answers to states and faults of the network, which a test network produces on demand. */
import { request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatasetError } from 'dyconv';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../src/app.js';
import { Model } from '../src/model.js';
import { readSettings } from '../src/settings.js';
import { image, post } from './support/service.js';

/** @import { FastifyInstance } from 'fastify' */

const CLASSES = Array.from({ length: 10 }, (_, i) => ({ name: `class ${i}`, probability: (10 - i) / 55 }));

/** @type {FastifyInstance[]} */
const opened = [];
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close();
});

/**
 * A listening service whose network is replaced in part.
 * @param {Partial<Pick<Model, 'state' | 'predict' | 'prometheus'>>} changes
 * @param {NodeJS.ProcessEnv} [env]
 */
function open(changes, env = {}) {
  const model = {
    state: /** @type {Model['state']} */ ('ready'),
    name: 'alexnet-dy',
    predict: async () => CLASSES,
    prometheus: async () => '',
    ...changes,
  };
  return listen(model, env);
}

/** @param {Parameters<typeof createApp>[1]} model @param {NodeJS.ProcessEnv} [env] */
async function listen(model, env) {
  const app = await createApp(readSettings({ LOG_LEVEL: 'silent', ...env }), model);
  opened.push(app);
  return { model, app, url: await app.listen({ host: '127.0.0.1', port: 0 }) };
}

/** @param {string} name @param {string} code @param {object} [properties] */
const failure = (name, code, properties) =>
  Object.assign(new Error(`${name} of the test`), { code }, properties);

describe('states', () => {
  it('is alive but not ready while the network is loaded, and refuses images', async () => {
    const { url } = await listen(new Model());
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'loading' }]);
    const answer = await post(url, await image('png'));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await answer.json()).toEqual({
      statusCode: 503,
      code: 'ERR_NOT_READY',
      error: 'Service Unavailable',
      message: 'The service is loading',
    });
  });

  it('is not ready while it stops, but still answers, and closes the connection', async () => {
    const { url, model } = await open({});
    const before = await fetch(`${url}/readyz`);
    expect([before.status, before.headers.get('connection')]).toEqual([200, 'keep-alive']);
    model.state = 'draining';
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'draining' }]);
    const answer = await post(url, await image('png'));
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
  });
});

describe('faults of the network', () => {
  it.each([
    ['an overload', failure('overload', 'ERR_OVERLOADED', { retryAfterMs: 2400 }), 503, '3'],
    ['a pool that is closed', failure('close', 'ERR_CLOSED'), 503, '1'],
    ['a timeout', failure('timeout', 'ERR_TIMEOUT'), 504, null],
    ['an image that cannot be decoded', new DatasetError('picture: cannot be read'), 422, null],
  ])('%s', async (_name, error, status, retryAfter) => {
    const { url } = await open({ predict: () => Promise.reject(error) });
    const answer = await post(url, await image('png'));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, retryAfter]);
    expect(await answer.json()).toMatchObject({
      statusCode: status,
      code: error.code,
      message: error.message,
    });
  });

  it('keeps the message of an unforeseen error to itself', async () => {
    const { url } = await open({ predict: () => Promise.reject(new TypeError('/secret/path')) });
    const answer = await post(url, await image('png'));
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(text).not.toContain('secret');
    expect(JSON.parse(text).code).toBe('ERR_INTERNAL');
  });

  it('hands over the time limit, and a signal that is not aborted by an answer', async () => {
    /** @type {{ signal: AbortSignal, timeoutMs: number }[]} */
    const received = [];
    const { url } = await open(
      {
        predict: async (_image, options) => {
          received.push(options);
          await sleep(50);
          expect(options.signal.aborted).toBe(false);
          return CLASSES;
        },
      },
      { TIMEOUT_MS: '1234' },
    );
    expect((await post(url, await image('png'))).status).toBe(200);
    expect(received.map(({ timeoutMs }) => timeoutMs)).toEqual([1234]);
  });
});

it('gives up the request of a client that has gone', async () => {
  const { promise: aborted, resolve } = deferred();
  const { promise: started, resolve: start } = deferred();
  const { url } = await open({
    predict: (_image, { signal }) => {
      start(undefined);
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          resolve(undefined);
          reject(signal.reason);
        }),
      );
    },
  });
  const client = httpRequest(`${url}/predict`, { method: 'POST', headers: { 'content-type': 'image/png' } });
  client.on('error', () => {}); // that it was destroyed
  client.end(await image('png'));
  await started;
  client.destroy();
  await aborted;
  await expect
    .poll(async () => (await fetch(`${url}/metrics`)).text())
    .toMatch(/^http_requests_aborted_total 1$/m);
});

/** @returns {{ promise: Promise<unknown>, resolve(value: unknown): void }} */
function deferred() {
  /** @type {(value: unknown) => void} */
  let resolve = () => {};
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

describe('the number of classes', () => {
  it.each([
    ['', 5],
    ['?top=1', 1],
    ['?top=1000', 10],
  ])('%s', async (query, count) => {
    const { url } = await open({});
    const answer = await (await post(url, await image('png'), { query })).json();
    expect(answer).toEqual({
      model: 'alexnet-dy',
      predictions: CLASSES.slice(0, count),
      milliseconds: expect.any(Number),
    });
  });

  it.each(['?top=0', '?top=1001', '?top=many', '?top=1.5'])('%s is refused', async (query) => {
    const { url } = await open({});
    const answer = await post(url, await image('png'), { query });
    expect([answer.status, (await answer.json()).code]).toEqual([400, 'FST_ERR_VALIDATION']);
  });
});

describe('settings', () => {
  it.each([
    [{ PORT: 'http' }, "Expected an integer from 0 to 65535 for PORT but received 'http'"],
    [{ PORT: '70000' }, "Expected an integer from 0 to 65535 for PORT but received '70000'"],
    [{ REPLICAS: '0' }, "Expected an integer from 1 to 64 for REPLICAS but received '0'"],
    [{ MAX_BYTES: '-1' }, "for MAX_BYTES but received '-1'"],
    [{ TIMEOUT_MS: '1e3' }, "for TIMEOUT_MS but received '1e3'"],
  ])('refuses %j', (env, message) => {
    expect(() => readSettings(env)).toThrow(message);
  });

  it('takes an empty variable for one that is not set', () => {
    expect(readSettings({ PORT: '', RUN_DIR: '' })).toEqual(readSettings({}));
  });
});
