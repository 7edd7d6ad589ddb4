/** Weights of the Hugging Face hub, from a server that answers as the hub does. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { hubAddresses, parseHubFile } from '../../lib/files/hub.js';
import { DownloadError, models, nn, saveSafetensors, tensor } from '../../lib/index.js';
import { partArrived } from '../support/part.js';

let folder: string;
let bytes: Buffer;
/** The hub, and the host of the contents. */
let hub: Server;
let contents: Server;
let requests: string[];
let authorizations: (string | undefined)[];
/** Answers of the hub by path; other paths do not exist. */
let answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void>;

const listen = async (server: Server) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
let storage: string;
/** The next answer breaks off once this many bytes have arrived in a file of the folder. */
let cut: { bytes: number; folder: string } | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyconv-hub-'));
  const file = join(folder, 'model.safetensors');
  await saveSafetensors(file, { weight: tensor([[1, 2]]), bias: tensor([3]) });
  bytes = await readFile(file);
  hub = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    authorizations.push(request.headers.authorization);
    const answer = answers[request.url!];
    if (answer) return answer(request, response);
    response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
  });
  contents = createServer((request, response) => {
    requests.push(`contents ${request.headers.range ?? ''}`);
    authorizations.push(request.headers.authorization);
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': bytes.length - start,
      ...(start > 0 && range),
    });
    if (cut === undefined) return void response.end(bytes.subarray(start));
    response.write(bytes.subarray(start, cut.bytes));
    void partArrived(cut.folder, cut.bytes).then(() => response.destroy());
    cut = undefined;
  });
  storage = await listen(contents);
  process.env.HF_ENDPOINT = await listen(hub);
});

beforeEach(() => {
  requests = [];
  authorizations = [];
  answers = {};
  cut = undefined;
});

afterAll(async () => {
  delete process.env.HF_ENDPOINT;
  for (const server of [hub, contents]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(folder, { recursive: true });
});

const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/** A large file: a redirect to the contents, with the checksum. */
const large =
  (digest = sha256(bytes)) =>
  (_: IncomingMessage, response: ServerResponse) =>
    void response
      .writeHead(302, {
        location: `${storage}/blob`,
        'x-linked-etag': `"${digest}"`,
        'x-linked-size': String(bytes.length),
        'x-repo-commit': 'a'.repeat(40),
      })
      .end();

const refusal = (status: number, code?: string) => (_: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(status, code === undefined ? {} : { 'x-error-code': code }).end();

const path = (file: string, revision = 'main') => `/org/net/resolve/${revision}/${file}`;
const cache = () => mkdtemp(join(folder, 'cache-'));
const filesIn = async (where: string) =>
  (await readdir(where, { recursive: true, withFileTypes: true })).filter((one) => one.isFile());

async function load(source: string, cacheDir: string): Promise<unknown> {
  const layer = new nn.Linear(2, 1);
  await models.loadPretrained(layer, source, { cacheDir });
  return layer.weight.arraySync();
}

describe('weights of the hub', () => {
  it('are verified by the checksum of the hub, and kept', async () => {
    answers[path('model.safetensors')] = large();
    const cacheDir = await cache();
    for (let i = 0; i < 2; i++) expect(await load('hf:org/net', cacheDir)).toEqual([[1, 2]]);
    const address = path('model.safetensors');
    expect(requests).toEqual([`HEAD ${address}`, `GET ${address}`, 'contents ']);
  });

  it('are continued after an interruption', async () => {
    answers[path('model.safetensors')] = large();
    const cacheDir = await cache();
    cut = { bytes: 100, folder: cacheDir };
    expect(await load('hf:org/net', cacheDir)).toEqual([[1, 2]]);
    expect(requests.filter((one) => one.startsWith('contents'))).toEqual([
      'contents ',
      'contents bytes=100-',
    ]);
  });

  it('with other bytes than the checksum are refused, with nothing in the cache', async () => {
    answers[path('model.safetensors')] = large('0'.repeat(64));
    const cacheDir = await cache();
    const wrong = load('hf:org/net', cacheDir);
    await expect(wrong).rejects.toThrow(DownloadError);
    await expect(wrong).rejects.toThrow(
      /resolve\/main\/model\.safetensors .*expected sha256 0{64} but received/,
    );
    expect(await filesIn(cacheDir)).toEqual([]);
  });

  it('are those of PyTorch where a repository has no safetensors file', async () => {
    const torch = await readFile(fileURLToPath(new URL('../golden/values/several.pt', import.meta.url)));
    answers[path('pytorch_model.bin')] = (_, response) => void response.end(torch);
    const layer = new nn.Linear(2, 1);
    const { file } = await models.loadPretrained(layer, 'hf:org/net', {
      cacheDir: await cache(),
      key: 'generator',
    });
    expect(file.endsWith('pytorch_model.bin')).toBe(true);
    expect(layer.weight.arraySync()).toEqual([[1, 2]]);
    expect(requests.slice(0, 2)).toEqual([
      `HEAD ${path('model.safetensors')}`,
      `HEAD ${path('pytorch_model.bin')}`,
    ]);
  });

  it('have a revision and a file, and follow a repository that was renamed', async () => {
    answers[path('sub/a.safetensors', 'v1')] = (_, response) =>
      void response.writeHead(307, { location: '/new/net/resolve/v1/sub/a.safetensors' }).end();
    answers['/new/net/resolve/v1/sub/a.safetensors'] = large();
    expect(await load('hf:org/net@v1/sub/a.safetensors', await cache())).toEqual([[1, 2]]);
  });

  it('are asked for with the access token, which other hosts do not get', async () => {
    process.env.HF_TOKEN = 'secret';
    onTestFinished(() => void delete process.env.HF_TOKEN);
    answers[path('model.safetensors')] = large();
    await load('hf:org/net', await cache());
    expect(authorizations).toEqual(['Bearer secret', 'Bearer secret', undefined]);
  });

  it.each([
    ['RepoNotFound', 401, /the hub has no such repository, or it is private/],
    [undefined, 401, /the hub has no such repository, or it is private/],
    ['GatedRepo', 403, /asks for an agreement to its conditions/],
    ['RevisionNotFound', 404, /the repository has no such revision/],
    [undefined, 404, /the repository has no such file/],
    [undefined, 410, /status 410/],
  ])('end in one error for %s with status %i', async (code, status, message) => {
    for (const file of ['model.safetensors', 'pytorch_model.bin'])
      answers[path(file)] = refusal(status, code);
    const cacheDir = await cache();
    const wrong = load('hf:org/net', cacheDir);
    await expect(wrong).rejects.toThrow(DownloadError);
    await expect(wrong).rejects.toThrow(message);
    await expect(wrong).rejects.toThrow(/\/org\/net\/resolve\/main\//);
    expect(await filesIn(cacheDir)).toEqual([]);
  });

  it('end in one error where the hub cannot be reached, and for an abort', async () => {
    const before = process.env.HF_ENDPOINT!;
    onTestFinished(() => {
      process.env.HF_ENDPOINT = before;
    });
    answers[path('model.safetensors')] = () => {};
    const controller = new AbortController();
    const aborted = models.loadPretrained(new nn.Linear(2, 1), 'hf:org/net', {
      cacheDir: await cache(),
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 50);
    await expect(aborted).rejects.toThrow(/The download of .* was aborted/);
    await expect(aborted).rejects.toThrow(DownloadError);
    process.env.HF_ENDPOINT = 'http://127.0.0.1:9';
    const wrong = load('hf:org/net', await cache());
    await expect(wrong).rejects.toThrow(DownloadError);
    await expect(wrong).rejects.toThrow(/org\/net\/resolve\/main\/model\.safetensors failed: .*ECONNREFUSED/);
  });
});

describe('addresses of the hub', () => {
  it('have a revision and a file', () => {
    const endpoint = 'https://huggingface.co';
    const addresses = (source: string) => hubAddresses(parseHubFile(source), endpoint);
    expect(addresses('hf:timm/resnet18.a1_in1k')).toEqual([
      `${endpoint}/timm/resnet18.a1_in1k/resolve/main/model.safetensors`,
      `${endpoint}/timm/resnet18.a1_in1k/resolve/main/pytorch_model.bin`,
    ]);
    expect(addresses('hf:a/b@v1/sub/pytorch_model.bin')).toEqual([
      `${endpoint}/a/b/resolve/v1/sub/pytorch_model.bin`,
    ]);
  });
});
