import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ArgumentError, DownloadError } from '../../lib/errors.js';
import { download } from '../../lib/files/download.js';
import { arrived } from '../install/support.js';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
const md5 = { algorithm: 'md5', digest: createHash('md5').update(content).digest('hex') } as const;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let folder: string;
let server: Server;
let base: string;
let ranges: (string | undefined)[];
let handler: Handler;

/** Buffers are compared natively: `toEqual` would compare byte by byte in JavaScript. */
async function expectContent(file: string): Promise<void> {
  expect((await readFile(file)).equals(content)).toBe(true);
}

/** Serves the content and supports Range. */
const whole: Handler = (request, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (request.headers.range !== undefined && start >= content.length) {
    response.writeHead(416).end();
    return;
  }
  const body = content.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': body.length,
    ...(start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
  });
  response.end(body);
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyconv-download-'));
  ranges = [];
  handler = whole;
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

test('rejects an address that is not http', async () => {
  await expect(download({ url: 'ftp://host/x', file: join(folder, 'x') })).rejects.toThrow(ArgumentError);
});

test('downloads, reports progress, creates the folder and leaves only the file', async () => {
  const file = join(folder, 'deep', 'file.bin');
  const seen: [number, number | undefined][] = [];
  await download({
    url: `${base}/file.bin`,
    file,
    size: content.length,
    hash: md5,
    onProgress: (done, total) => seen.push([done, total]),
  });
  await expectContent(file);
  expect(await readdir(join(folder, 'deep'))).toEqual(['file.bin']);
  expect(seen[0]).toEqual([0, content.length]);
  expect(seen.at(-1)).toEqual([content.length, content.length]);
});

test('continues a part left by an earlier process', async () => {
  const file = join(folder, 'file.bin');
  await writeFile(`${file}.part`, content.subarray(0, 100_000));
  await writeFile(`${file}.part.lock`, '999999999');
  await download({ url: base, file, hash: md5 });
  expect(ranges).toEqual(['bytes=100000-']);
  await expectContent(file);
  expect(await readdir(folder)).toEqual(['file.bin']);
});

test('continues by itself after the connection is cut', async () => {
  const file = join(folder, 'file.bin');
  handler = (_request, response) => {
    handler = whole;
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 150_000));
    void arrived(`${file}.part`, 150_000).then(() => response.destroy());
  };
  await download({ url: base, file, hash: md5, size: content.length });
  expect(ranges).toEqual([undefined, 'bytes=150000-']);
  await expectContent(file);
});

test('without a checksum, continues only the version of the file that it began with', async () => {
  const file = join(folder, 'file.bin');
  /** The first answer breaks off; the next ones are by the version of the file. */
  const versioned =
    (headers: Record<string, string>, first = true): Handler =>
    (request, response) => {
      conditions.push(request.headers['if-range']?.toString());
      if (!first) return whole(request, response);
      handler = versioned(headers, false);
      response.writeHead(200, { 'content-length': content.length, ...headers });
      response.write(content.subarray(0, 100_000));
      void arrived(`${file}.part`, 100_000).then(() => response.destroy());
    };
  let conditions: (string | undefined)[] = [];
  for (const [headers, condition] of [
    [{ etag: '"a"', 'last-modified': 'Mon, 30 Nov 2026 00:00:00 GMT' }, '"a"'],
    [{ etag: 'W/"a"', 'last-modified': 'Mon, 30 Nov 2026 00:00:00 GMT' }, 'Mon, 30 Nov 2026 00:00:00 GMT'],
  ] as const) {
    handler = versioned(headers);
    conditions = [];
    ranges = [];
    await download({ url: base, file });
    expect(conditions).toEqual([undefined, condition]);
    expect(ranges).toEqual([undefined, 'bytes=100000-']);
    await expectContent(file);
  }
  // Nothing identifies the version: another one might be continued.
  handler = versioned({});
  conditions = [];
  ranges = [];
  await download({ url: base, file });
  expect(conditions).toEqual([undefined, undefined]);
  expect(ranges).toEqual([undefined, undefined]);
  await expectContent(file);
});

test('without a checksum, a part left by an earlier process is replaced', async () => {
  const file = join(folder, 'file.bin');
  await writeFile(`${file}.part`, content.subarray(0, 1000));
  await download({ url: base, file });
  expect(ranges).toEqual([undefined]);
  await expectContent(file);
  expect(await readdir(folder)).toEqual(['file.bin']);
  await writeFile(`${file}.part`, 'before');
  handler = (_request, response) => response.writeHead(404).end();
  await expect(download({ url: base, file })).rejects.toThrow(/status 404/);
  expect(await readdir(folder)).toEqual(['file.bin']);
  await Promise.all([1, 2].map(() => download({ url: base, file }).catch(() => {})));
  expect(await readdir(folder)).toEqual(['file.bin']);
});

test('contents that are refused leave the existing file and no partial one', async () => {
  const file = join(folder, 'file.bin');
  await writeFile(file, 'before');
  const validate = async (path: string) => ((await readFile(path)).equals(content) ? 'all wrong' : 'another');
  for (const hash of [undefined, md5]) {
    const refused = download({ url: base, file, hash, validate });
    await expect(refused).rejects.toThrow(DownloadError);
    await expect(refused).rejects.toThrow(/is not the expected file: all wrong/);
    expect(await readFile(file, 'utf8')).toBe('before');
    expect(await readdir(folder)).toEqual(['file.bin']);
  }
});

test('starts anew when the part is of another file, when Range is ignored, and when it is too long', async () => {
  const file = join(folder, 'file.bin');
  await writeFile(`${file}.part`, Buffer.alloc(1000));
  await download({ url: base, file, hash: md5 });
  expect(ranges).toEqual(['bytes=1000-', undefined]);
  await expectContent(file);

  await writeFile(`${file}.part`, content.subarray(0, 1000));
  handler = (_request, response) => response.end(content);
  await download({ url: base, file, hash: md5 });
  await expectContent(file);

  handler = whole;
  await writeFile(`${file}.part`, Buffer.alloc(content.length + 5));
  await download({ url: base, file, hash: md5 });
  await expectContent(file);
});

test('a complete part is verified and renamed without a request', async () => {
  const file = join(folder, 'file.bin');
  await writeFile(`${file}.part`, content);
  await download({ url: base, file, hash: md5, size: content.length });
  expect(ranges).toEqual([]);
  await expectContent(file);
});

test('follows redirects', async () => {
  const file = join(folder, 'file.bin');
  handler = (request, response) =>
    request.url === '/old' ? response.writeHead(302, { location: '/new' }).end() : whole(request, response);
  await download({ url: `${base}/old`, file, hash: md5 });
  await expectContent(file);
});

test('a wrong checksum or size keeps the existing file and leaves no partial one', async () => {
  const file = join(folder, 'file.bin');
  await writeFile(file, 'precious');
  const wrong = download({ url: base, file, hash: { algorithm: 'md5', digest: 'f'.repeat(32) } });
  await expect(wrong).rejects.toThrow(DownloadError);
  await expect(wrong).rejects.toThrow(`expected md5 ${'f'.repeat(32)} but received ${md5.digest}`);
  const size = download({ url: base, file, size: 5 });
  await expect(size).rejects.toThrow(/not the expected file: expected 5 bytes/);
  expect(await readFile(file, 'utf8')).toBe('precious');
  expect(await readdir(folder)).toEqual(['file.bin']);
});

test('names the address and the status of a refused request', async () => {
  handler = (_request, response) => response.writeHead(404).end('no');
  const refused = download({ url: `${base}/gone.bin`, file: join(folder, 'gone.bin'), hash: md5 });
  await expect(refused).rejects.toThrow(DownloadError);
  await expect(refused).rejects.toThrow(/\/gone\.bin to .* failed: the server answered with status 404/);
  expect(ranges).toHaveLength(1);
  expect(await readdir(folder)).toEqual([]);
});

test('tries again after a server error', async () => {
  const file = join(folder, 'file.bin');
  handler = (_request, response) => {
    handler = whole;
    response.writeHead(503).end();
  };
  await download({ url: base, file });
  await expectContent(file);
});

test('names the reason if the connection is refused', async () => {
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const failed = download({ url: `http://127.0.0.1:${port}/x`, file: join(folder, 'x') });
  await expect(failed).rejects.toThrow(/ECONNREFUSED/);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

test('an abort keeps the part, and the next call continues it', async () => {
  const file = join(folder, 'file.bin');
  const controller = new AbortController();
  handler = (_request, response) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 120_000));
  };
  const aborted = download({
    url: base,
    file,
    hash: md5,
    signal: controller.signal,
    onProgress: (done) => done === 120_000 && controller.abort(),
  });
  await expect(aborted).rejects.toThrow(/was aborted/);
  expect(existsSync(file)).toBe(false);
  handler = whole;
  await download({ url: base, file, hash: md5 });
  expect(ranges).toEqual([undefined, 'bytes=120000-']);
  await expectContent(file);
});

test('two downloads of one file at once do not disturb each other', async () => {
  const file = join(folder, 'file.bin');
  await Promise.all([1, 2, 3].map(() => download({ url: base, file, hash: md5 })));
  await expectContent(file);
  expect(await readdir(folder)).toEqual(['file.bin']);
});

test('uses the proxy of the environment, except for hosts in NO_PROXY', async () => {
  const tunnels: string[] = [];
  const proxy = createServer((request, response) => {
    // Without a tunnel, the request to a proxy has the full address.
    tunnels.push(String(request.url));
    whole(request, response);
  });
  proxy.on('connect', (request, socket, head) => {
    tunnels.push(String(request.url));
    const target = connect(Number(new URL(base).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      target.write(head);
      target.pipe(socket).pipe(target);
    });
    for (const one of [target, socket]) one.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const names = ['HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'];
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) delete process.env[name];
  try {
    process.env.HTTP_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const file = join(folder, 'file.bin');
    // A host name that only the proxy can resolve.
    await download({ url: 'http://publisher.invalid/file.bin', file, hash: md5 });
    await expectContent(file);
    expect(tunnels).toEqual([expect.stringMatching(/publisher\.invalid/)]);
    process.env.NO_PROXY = '127.0.0.1';
    await download({ url: `${base}/file.bin`, file, hash: md5 });
    expect(tunnels).toHaveLength(1);
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  }
});
