/** The service as a process with a trained network, over HTTP. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { data, serve } from 'dyconv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLines } from './support/readme.js';
import { image, post, postForm, startService, trainRun } from './support/service.js';

/** @import { Service } from './support/service.js' */

const MAX_BYTES = 100_000;

/** @type {Awaited<ReturnType<typeof trainRun>>} */
let run;
/** @type {Service} */
let service;
let url = '';
/** @type {serve.Classifier} */
let classifier;

beforeAll(async () => {
  run = await trainRun();
  classifier = await serve.loadClassifier(run.path);
  service = await startService({ RUN_DIR: run.path, MAX_BYTES: String(MAX_BYTES), MAX_PIXELS: '1000000' });
  url = service.url;
  await service.ready();
}, 120_000);

afterAll(async () => {
  await classifier?.close();
  await service?.stop();
  await run?.remove();
});

/** @param {Response} response */
const codeOf = async (response) => [response.status, (await response.json()).code];

describe('POST /predict', () => {
  it.each(/** @type {const} */ (['png', 'jpeg', 'webp']))(
    'answers like predict() of the library: %s',
    async (format) => {
      const bytes = await image(format);
      const expected = (await classifier.predict(bytes)).slice(0, 5);
      const names = (await data.bundled({ split: 'test' })).classes;
      for (const response of [
        await post(url, bytes, { type: `image/${format}` }),
        await post(url, bytes, { type: 'application/octet-stream' }),
        await postForm(url, [['image', bytes]]),
      ]) {
        expect(response.status).toBe(200);
        const { model, predictions, milliseconds } = await response.json();
        expect(model).toBe('alexnet-dy');
        expect(milliseconds).toBeGreaterThan(0);
        expect(predictions).toHaveLength(5);
        for (const [i, { name, probability }] of predictions.entries()) {
          expect(names).toContain(name);
          expect(name).toBe(expected[i]?.name);
          expect(probability).toBeCloseTo(expected[i]?.probability ?? Number.NaN, 5);
        }
      }
    },
  );

  it('answers each of many requests at once with its own image', async () => {
    const images = await Promise.all([20, 60, 100, 140].map((width) => image('png', { width })));
    const single = [];
    for (const bytes of images) single.push((await (await post(url, bytes)).json()).predictions);
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, i) => post(url, /** @type {Buffer} */ (images[i % 4]))),
    );
    for (const [i, response] of answers.entries()) {
      const { predictions } = await response.json();
      for (const [j, { name, probability }] of predictions.entries()) {
        expect(name).toBe(single[i % 4][j].name);
        expect(probability).toBeCloseTo(single[i % 4][j].probability, 5);
      }
    }
  });

  it('refuses more bytes than the limit', async () => {
    const large = Buffer.alloc(MAX_BYTES + 1);
    expect(await codeOf(await post(url, large))).toEqual([413, 'FST_ERR_CTP_BODY_TOO_LARGE']);
    expect(await codeOf(await postForm(url, [['image', large]]))).toEqual([413, 'FST_REQ_FILE_TOO_LARGE']);
  });

  it('refuses more bytes than the limit when the length is not announced', async () => {
    const request = httpRequest(`${url}/predict`, {
      method: 'POST',
      headers: { 'content-type': 'image/png' },
    });
    request.on('error', () => {}); // The service closes the connection in the middle of the body.
    const chunk = Buffer.alloc(MAX_BYTES / 10);
    for (let i = 0; i < 20; i++) request.write(chunk);
    const [response] = await once(request, 'response');
    expect([response.statusCode, JSON.parse(await text(response)).code]).toEqual([
      413,
      'FST_ERR_CTP_BODY_TOO_LARGE',
    ]);
    request.destroy();
  });

  it('refuses more pixels than the limit, before they are decoded', async () => {
    const small = await image('png', { width: 1001, height: 1000 });
    expect(small.length).toBeLessThan(MAX_BYTES);
    expect(await codeOf(await post(url, small))).toEqual([422, 'ERR_IMAGE_SIZE']);
  });

  it('refuses images that are damaged', async () => {
    const png = await image('png');
    const half = png.subarray(0, png.length / 2);
    expect(await codeOf(await post(url, half))).toEqual([422, 'ERR_DATASET']);
    expect(await codeOf(await postForm(url, [['image', half]]))).toEqual([422, 'ERR_DATASET']);
  });

  it.each(/** @type {const} */ (['gif', 'tiff']))(
    'refuses images of another format, whatever the header says: %s',
    async (format) => {
      const response = await post(url, await image(format));
      expect([response.status, (await response.json()).message]).toEqual([
        415,
        `Expected a PNG, JPEG or WebP image but received ${format}`,
      ]);
    },
  );

  it('refuses what is not an image', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    expect(await codeOf(await post(url, svg))).toEqual([415, 'ERR_IMAGE_FORMAT']);
    expect(await codeOf(await post(url, Buffer.from('hello')))).toEqual([415, 'ERR_IMAGE_FORMAT']);
    expect(await codeOf(await post(url, Buffer.from('{}'), { type: 'application/json' }))).toEqual([
      415,
      'FST_ERR_CTP_INVALID_MEDIA_TYPE',
    ]);
  });

  it('refuses requests without an image', async () => {
    expect(await codeOf(await post(url, Buffer.alloc(0)))).toEqual([400, 'ERR_MISSING_IMAGE']);
    expect(await codeOf(await fetch(`${url}/predict`, { method: 'POST' }))).toEqual([
      400,
      'ERR_MISSING_IMAGE',
    ]);
    expect(await codeOf(await postForm(url, []))).toEqual([400, 'ERR_MISSING_IMAGE']);
  });

  it.each([
    [
      'without an end',
      'multipart/form-data; boundary=a',
      '--a\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\nxx',
    ],
    ['of another boundary', 'multipart/form-data; boundary=a', 'xxx'],
    ['without a boundary', 'multipart/form-data', 'xxx'],
  ])('refuses a damaged form: %s', async (_, type, body) => {
    const response = await post(url, Buffer.from(body), { type });
    expect(await codeOf(response)).toEqual([400, 'ERR_INVALID_FORM']);
  });

  it('keeps answering after all of this', async () => {
    expect((await post(url, await image('png'))).status).toBe(200);
    expect(service.errors()).toBe('');
  });
});

it('answers unknown paths in the form of all errors', async () => {
  const response = await fetch(`${url}/other`);
  expect(response.status).toBe(404);
  expect(Object.keys(await response.json())).toEqual(['statusCode', 'code', 'error', 'message']);
});

describe('GET /metrics', () => {
  it('has the process, the requests and the pool in the format of Prometheus', async () => {
    await post(url, await image('png'));
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    for (const line of lines)
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? (-?[\d.e+-]+|NaN|[+-]Inf))$/);
    const types = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2]);
    expect(types).toEqual(
      expect.arrayContaining(['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds']),
    );
    expect(types.some((name) => name?.startsWith('dyconv_pool_'))).toBe(true);
    expect(new Set(types).size).toBe(types.length); // no name twice
    const count = 'http_request_duration_seconds_count{method="POST",route="/predict",status="200"}';
    expect(
      Number(
        lines
          .find((line) => line.startsWith(count))
          ?.split(' ')
          .at(-1),
      ),
    ).toBeGreaterThan(0);
  });
});

describe('the documentation', () => {
  it('describes every route, the bodies and the errors', async () => {
    const { openapi, paths } = await (await fetch(`${url}/docs/json`)).json();
    expect(openapi).toMatch(/^3\./);
    expect(Object.keys(paths).sort()).toEqual(['/healthz', '/metrics', '/predict', '/readyz']);
    const { requestBody, responses, parameters } = paths['/predict'].post;
    expect(Object.keys(requestBody.content)).toEqual([
      'image/png',
      'image/jpeg',
      'image/webp',
      'multipart/form-data',
    ]);
    expect(requestBody.content['image/png'].schema).toEqual({ type: 'string', format: 'binary' });
    expect(Object.keys(responses)).toEqual(['200', '400', '413', '415', '422', '503', '504']);
    expect(parameters.map((/** @type {{ name: string }} */ { name }) => name)).toEqual(['top']);
  });

  it('is a page', async () => {
    const response = await fetch(`${url}/docs`);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ]);
  });
});

describe('overload', () => {
  it('refuses what the queue has no room for, and answers the rest', async () => {
    const small = await startService({ RUN_DIR: run.path, MAX_QUEUE: '2', MAX_BATCH: '1' });
    await small.ready();
    const bytes = await image('png', { width: 1200, height: 1200 }); // takes a while to decode
    const responses = await Promise.all(Array.from({ length: 40 }, () => post(small.url, bytes)));
    const statuses = responses.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
    const refused = responses.filter(({ status }) => status === 503);
    for (const response of refused) {
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect((await response.json()).code).toBe('ERR_OVERLOADED');
    }
    expect((await post(small.url, bytes)).status).toBe(200);
    expect(await small.stop()).toBe(0);
  });

  it('ends requests that arrive too slowly with 408', async () => {
    const hasty = await startService({ RUN_DIR: run.path, UPLOAD_TIMEOUT_MS: '200' });
    const { hostname, port } = new URL(hasty.url);
    const client = connect(Number(port), hostname);
    client.write(
      'POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 100\r\n\r\nhalf',
    );
    expect(await text(client)).toMatch(/^HTTP\/1\.1 408 /);
    expect(await hasty.stop()).toBe(0);
  });

  it('ends what takes too long with 504', async () => {
    const hasty = await startService({ RUN_DIR: run.path, TIMEOUT_MS: '1' });
    await hasty.ready();
    const bytes = await image('png', { width: 1000, height: 1000 }); // takes more than 1 ms to decode
    const responses = await Promise.all(Array.from({ length: 8 }, () => post(hasty.url, bytes)));
    for (const response of responses) expect(await codeOf(response)).toEqual([504, 'ERR_TIMEOUT']);
    expect(await hasty.stop()).toBe(0);
  });
});

describe('stopping', () => {
  it.each(/** @type {const} */ (['SIGTERM', 'SIGINT']))(
    'answers accepted requests and exits with 0: %s',
    async (signal) => {
      const stopped = await startService({ RUN_DIR: run.path, MAX_BATCH: '1' });
      await stopped.ready();
      const bytes = await image('png');
      // A request whose body is still on its way.
      const { hostname, port } = new URL(stopped.url);
      const slow = connect(Number(port), hostname);
      let answer = '';
      slow.on('data', (text) => {
        answer += text;
      });
      slow.write(
        `POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: ${bytes.length}\r\n\r\n`,
      );
      slow.write(bytes.subarray(0, 10));
      const requests = Array.from({ length: 32 }, () => post(stopped.url, bytes));
      // Accepted: their headers have been read.
      while (stopped.log.filter(({ msg }) => msg === 'incoming request').length <= requests.length)
        await sleep(1);
      stopped.kill(signal);
      while (!stopped.log.some(({ msg }) => msg.startsWith(signal))) await sleep(5);
      slow.write(bytes.subarray(10));
      const responses = await Promise.all(requests);
      expect(responses.map(({ status }) => status)).toEqual(Array(32).fill(200));
      for (const response of responses) expect((await response.json()).predictions).toHaveLength(5);
      expect(await stopped.exited).toBe(0);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(stopped.errors()).toBe('');
      await expect(fetch(stopped.url)).rejects.toThrow();
    },
  );

  it('stays reachable but not ready for the time that a load balancer needs', async () => {
    const stopped = await startService({ RUN_DIR: run.path, DRAIN_DELAY_MS: '1500' });
    await stopped.ready();
    stopped.kill('SIGTERM');
    await expect.poll(async () => (await fetch(`${stopped.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${stopped.url}/healthz`)).status).toBe(200);
    expect((await post(stopped.url, await image('png'))).status).toBe(200);
    expect(await stopped.exited).toBe(0);
  });

  it('does not wait for clients that never finish', async () => {
    const stopped = await startService({ RUN_DIR: run.path, STOP_TIMEOUT_MS: '300' });
    await stopped.ready();
    const { hostname, port } = new URL(stopped.url);
    const stuck = connect(Number(port), hostname);
    stuck.on('error', () => {}); // reset by the end of the process
    stuck.write(
      'POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 100\r\n\r\nhalf',
    );
    await sleep(100);
    stopped.kill('SIGTERM');
    expect(await stopped.exited).toBe(1);
    stuck.destroy();
  });
});

describe('what cannot start', () => {
  it('ends with 1 and names the run directory that does not exist', async () => {
    const failed = await startService({ RUN_DIR: join(run.path, 'absent') });
    expect(await failed.exited).toBe(1);
    const last = failed.log.find(({ level }) => level === 60);
    expect(last?.msg).toContain('absent');
  });

  it('ends with 1 and names the setting that is invalid', async () => {
    await expect(startService({ RUN_DIR: run.path, MAX_QUEUE: 'many' })).rejects.toThrow(
      /ended with 1[\s\S]*for MAX_QUEUE but received 'many'/,
    );
  });
});

it('is called as the README says', { timeout: 60_000 }, async () => {
  const lines = (await commandLines()).filter((line) => line.startsWith('curl '));
  expect(lines.length).toBeGreaterThanOrEqual(5);
  await writeFile(join(run.path, 'photo.jpg'), await image('jpeg'));
  for (const line of lines) {
    const command = line
      .replaceAll('http://localhost:3000', url)
      .replace(/^curl /, 'curl --fail --silent --show-error ');
    const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: run.path });
    expect(stdout, line).not.toBe('');
    if (line.includes('/predict')) expect(JSON.parse(stdout).predictions.length).toBeGreaterThan(0);
  }
});
