import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DownloadAttempt, DownloadError } from '../../lib/errors.js';
import { downloadFromMirrors, type MirrorOptions } from '../../lib/files/mirrors.js';
import { arrived } from '../install/support.js';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
const hash = { algorithm: 'md5', digest: createHash('md5').update(content).digest('hex') } as const;

let folder: string;
let file: string;
let closers: (() => Promise<unknown>)[];
let failed: DownloadAttempt[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyconv-mirrors-'));
  file = join(folder, 'file.bin');
  closers = [];
  failed = [];
});

afterEach(async () => {
  await Promise.all(closers.map((close) => close()));
  await rm(folder, { recursive: true });
});

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A host, with the ranges that were requested from it. */
async function host(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const ranges: (string | undefined)[] = [];
  const port = await listen(
    createServer((request, response) => {
      ranges.push(request.headers.range);
      answer(request, response);
    }),
  );
  return { url: `http://127.0.0.1:${port}/file.bin`, ranges };
}

/** Serves bytes from the requested position on. */
const serving = (bytes: Buffer) => (request: IncomingMessage, response: ServerResponse) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': bytes.length - start,
    ...(start > 0 && { 'content-range': range }),
  });
  response.end(bytes.subarray(start));
};

const missing = () => host((_, response) => response.writeHead(404).end());
const whole = () => host(serving(content));

/** Sends a part and then stalls. */
const stalling = (bytes: number) =>
  host((_, response) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, bytes));
  });

function fetchFrom(hosts: { url: string }[], more: Partial<MirrorOptions> = {}): Promise<string> {
  const urls = hosts.map(({ url }) => url) as [string, ...string[]];
  return downloadFromMirrors({ urls, file, hash, onFailure: (attempt) => failed.push(attempt), ...more });
}

async function expectFile(): Promise<void> {
  expect((await readFile(file)).equals(content)).toBe(true);
  expect(await readdir(folder)).toEqual(['file.bin']);
}

test('the first host that has the file serves it, and the others are not asked', async () => {
  const [first, second, third] = [await missing(), await whole(), await whole()];
  expect(await fetchFrom([first, second, third])).toBe(second.url);
  await expectFile();
  expect(failed).toEqual([{ url: first.url, reason: 'the server answered with status 404' }]);
  expect(third.ranges).toEqual([]);
});

test('a host that does not complete the connection is left after the timeout', async () => {
  // TLS never begins: for the client, the connection is not made.
  const port = await listen(createTcpServer(() => {}));
  const silent = { url: `https://127.0.0.1:${port}/file.bin` };
  const good = await whole();
  expect(await fetchFrom([silent, good], { connectTimeout: 300 })).toBe(good.url);
  await expectFile();
  expect(failed).toEqual([{ url: silent.url, reason: expect.stringMatching(/timeout/i) }]);
});

test('a wrong checksum deletes what was received, and the next host starts at byte 0', async () => {
  const [wrong, good] = [await host(serving(Buffer.alloc(1000, 7))), await whole()];
  expect(await fetchFrom([wrong, good])).toBe(good.url);
  await expectFile();
  expect(failed[0]?.reason).toMatch(/^expected md5 .* but received /);
  expect(good.ranges).toEqual([undefined]);
});

test('a host that fails in the middle is continued by the next one', async () => {
  // The connection is cut at the first request; later ones are rejected.
  let requests = 0;
  const broken = await host((_, response) => {
    if (++requests > 1) {
      response.writeHead(403).end();
      return;
    }
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 120_000));
    void arrived(`${file}.part`, 120_000).then(() => response.destroy());
  });
  const good = await whole();
  expect(await fetchFrom([broken, good])).toBe(good.url);
  await expectFile();
  expect(good.ranges).toEqual(['bytes=120000-']);
  expect(failed).toEqual([{ url: broken.url, reason: 'the server answered with status 403' }]);
});

test('a part of another file from the host before is downloaded again', async () => {
  await writeFile(`${file}.part`, Buffer.alloc(5000));
  const good = await whole();
  expect(await fetchFrom([await missing(), good])).toBe(good.url);
  await expectFile();
  expect(good.ranges).toEqual(['bytes=5000-', undefined]);
});

test('a slow host is left for a faster one, which continues', async () => {
  const [slow, good] = [await stalling(20_000), await whole()];
  expect(await fetchFrom([slow, good], { interval: 200 })).toBe(good.url);
  await expectFile();
  expect(good.ranges).toEqual(['bytes=20000-']);
  expect(failed).toEqual([{ url: slow.url, reason: expect.stringMatching(/^slow, \d+ kB per second$/) }]);
});

test('a slow host is used where no other one has the file', async () => {
  const slow = await host((request, response) => {
    if (request.headers.range !== undefined) {
      // As slow as before: 300 ms for the rest.
      setTimeout(() => serving(content)(request, response), 300);
      return;
    }
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 1000));
  });
  expect(await fetchFrom([slow, await missing()], { interval: 100 })).toBe(slow.url);
  await expectFile();
  expect(slow.ranges).toEqual([undefined, 'bytes=1000-']);
});

test('if every host fails, the error lists all of them with their reasons', async () => {
  const gone = await missing();
  const wrong = await host(serving(Buffer.from('else')));
  const closed = await whole();
  await closers.pop()?.();
  const error: DownloadError = await fetchFrom([gone, wrong, closed]).then(
    () => expect.unreachable(),
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(DownloadError);
  expect(error.attempts).toEqual([
    { url: gone.url, reason: 'the server answered with status 404' },
    { url: wrong.url, reason: expect.stringMatching(/^expected md5/) },
    { url: closed.url, reason: expect.stringMatching(/ECONNREFUSED/) },
  ]);
  for (const { url, reason } of error.attempts) expect(error.message).toContain(`\n  ${url}: ${reason}`);
  expect(await readdir(folder)).toEqual([]);
});

test('one host alone throws its own error', async () => {
  const gone = await missing();
  const refused = fetchFrom([gone]);
  await expect(refused).rejects.toThrow(`The download of ${gone.url} to ${file} failed`);
});

test('an abort and an error of the file system end the attempts', async () => {
  const controller = new AbortController();
  const [stalled, second] = [await stalling(10_000), await whole()];
  const aborted = fetchFrom([stalled, second], {
    signal: controller.signal,
    onProgress: (done) => done === 10_000 && controller.abort(),
  });
  await expect(aborted).rejects.toThrow(/was aborted/);
  expect(failed).toEqual([]);

  await writeFile(join(folder, 'plain'), '');
  const below = fetchFrom([second, second], { file: join(folder, 'plain', 'file.bin') });
  await expect(below).rejects.toThrow(/ENOTDIR|EEXIST/);
  expect(second.ranges).toEqual([]);
});
