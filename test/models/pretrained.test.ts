import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  DownloadError,
  models,
  nn,
  noGrad,
  saveSafetensors,
  type Tensor,
} from '../../lib/index.js';
import { hubAddress } from '../../lib/models/pretrained.js';
import { arrived } from '../install/support.js';

const OPTIONS = { widthMult: 0.35, dropout: 0 };
const create = (numClasses: number) => models.create('mobilenet_v2', { ...OPTIONS, numClasses });

let folder: string;
let file: string;
let bytes: Buffer;
let state: nn.StateDict;
let server: Server;
let base: string;
let requests: (string | undefined)[];
/** The next answer breaks off once this many bytes have arrived in a file of the folder. */
let cut: { bytes: number; folder: string } | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyconv-pretrained-'));
  file = join(folder, 'weights.safetensors');
  state = create(10).stateDict();
  await saveSafetensors(file, state);
  bytes = await readFile(file);
  server = createServer((request, response) => {
    requests.push(request.headers.range);
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const body = bytes.subarray(start);
    if (request.url?.startsWith('/none')) return void response.writeHead(404).end();
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': body.length,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    if (cut === undefined) return void response.end(body);
    response.write(body.subarray(0, cut.bytes));
    void partArrived(cut.folder, cut.bytes).then(() => response.destroy());
    cut = undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

beforeEach(() => {
  requests = [];
  cut = undefined;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

/** Waits until a part file of that size is in the cache. */
async function partArrived(folder: string, size: number): Promise<void> {
  for (;;) {
    const names = await readdir(folder, { recursive: true });
    const part = names.find((name) => name.endsWith('.part'));
    if (part !== undefined) return await arrived(join(folder, part), size);
    await new Promise((done) => setTimeout(done, 10));
  }
}

const cache = () => mkdtemp(join(folder, 'cache-'));
const digest = () => createHash('sha256').update(bytes).digest('hex').slice(0, 8);

function expectWeights(model: nn.Module, except: readonly string[] = []): void {
  const loaded = model.stateDict();
  const differing = Object.keys(state).filter(
    (key) =>
      !(loaded[key] as Tensor).shape.every((n, i) => n === state[key]!.shape[i]) ||
      !loaded[key]!.equal(state[key]!),
  );
  expect(differing).toEqual(except);
}

describe('create with pretrained', () => {
  it('reads a path or a file: address', async () => {
    expectWeights(await models.create('mobilenet_v2', { ...OPTIONS, numClasses: 10, pretrained: file }));
    const url = pathToFileURL(file);
    expectWeights(await models.create('mobilenet_v2', { ...OPTIONS, numClasses: 10, pretrained: url }));
  });

  it('leaves out the last layer for another number of classes', async () => {
    const model = await models.create('mobilenet_v2', { ...OPTIONS, numClasses: 4, pretrained: file });
    expectWeights(model, ['classifier.1.weight', 'classifier.1.bias']);
  });

  it('refuses another number of classes that was not asked for, and other shapes', async () => {
    const default1000 = models.create('mobilenet_v2', { ...OPTIONS, pretrained: file });
    await expect(default1000).rejects.toThrow(CheckpointError);
    await expect(default1000).rejects.toThrow(
      /weights\.safetensors: Expected shape \[1000, 1280\] for classifier\.1\.weight .* received \[10, 1280\]/,
    );
    const wider = models.create('mobilenet_v2', { widthMult: 0.5, numClasses: 10, pretrained: file });
    await expect(wider).rejects.toThrow(/of this network .* but the shapes of features\.2\.conv\.2\.weight/s);
    const other = models.create('mobilenet_v3_small', { numClasses: 10, pretrained: file });
    await expect(other).rejects.toThrow(/missing .*features/);
  });

  it('refuses what is no source', async () => {
    for (const pretrained of ['', 3 as never, 'hf:one', 'hf:a/b/../c'])
      await expect(models.create('resnet10', { pretrained })).rejects.toThrow(ArgumentError);
    await expect(models.create('resnet10', { pretrained: join(folder, 'none.pth') })).rejects.toThrow(
      CheckpointError,
    );
  });
});

describe('loadPretrained', () => {
  it('removes the prefix of DataParallel and says so', async () => {
    const wrapped = join(folder, 'parallel.safetensors');
    await saveSafetensors(
      wrapped,
      Object.fromEntries(Object.entries(state).map(([key, value]) => [`module.${key}`, value])),
    );
    const model = create(10);
    expect(await models.loadPretrained(model, wrapped)).toEqual({
      missing: [],
      unexpected: [],
      mismatched: [],
      file: wrapped,
      prefix: 'module.',
    });
    expectWeights(model);
  });

  it('reads the old keys of DenseNet', async () => {
    const model = models.densenet121({ numClasses: 3 });
    const old = join(folder, 'densenet.safetensors');
    const entries = Object.entries(model.stateDict()).map(([key, value]) => [
      key.replace(/(denselayer\d+\.(?:norm|conv))([12])/, '$1.$2'),
      value,
    ]);
    expect(entries.map(([key]) => key)).toContain('features.denseblock1.denselayer1.norm.1.weight');
    await saveSafetensors(old, Object.fromEntries(entries));
    const { missing, unexpected } = await models.loadPretrained(models.densenet121({ numClasses: 3 }), old);
    expect([missing, unexpected]).toEqual([[], []]);
  });

  it('returns what was left out', async () => {
    const result = await models.loadPretrained(create(4), file, { ignoreMismatched: true });
    expect(result.mismatched).toEqual(['classifier.1.weight', 'classifier.1.bias']);
    const head = await models.loadPretrained(new nn.Sequential(create(10)), file, { strict: false });
    expect(head.missing).toHaveLength(Object.keys(state).length);
  });

  it('changes nothing when the weights do not fit', async () => {
    const model = create(4);
    const before = noGrad(() => model.stateDict()['features.0.0.weight']!.clone());
    await expect(models.loadPretrained(model, file)).rejects.toThrow(CheckpointError);
    expect(model.stateDict()['features.0.0.weight']!.equal(before)).toBe(true);
  });
});

describe('downloads', () => {
  it('are kept in the cache', async () => {
    const cacheDir = await cache();
    for (let i = 0; i < 2; i++) {
      const model = create(10);
      const result = await models.loadPretrained(model, `${base}/net.safetensors?x=1`, { cacheDir });
      expect(result.file.startsWith(cacheDir)).toBe(true);
      expect(result.file.endsWith('net.safetensors')).toBe(true);
      expectWeights(model);
    }
    expect(requests).toEqual([undefined]);
  });

  it('with a hash in the name are resumed and verified', async () => {
    const cacheDir = await cache();
    const url = `${base}/net-${digest()}.safetensors`;
    cut = { bytes: 100_000, folder: cacheDir };
    const model = create(10);
    await models.loadPretrained(model, url, { cacheDir });
    expectWeights(model);
    expect(requests).toEqual([undefined, 'bytes=100000-']);
  });

  it('with another hash in the name are refused, with nothing in the cache', async () => {
    const cacheDir = await cache();
    const wrong = models.loadPretrained(create(10), `${base}/net-00000000.safetensors`, { cacheDir });
    await expect(wrong).rejects.toThrow(DownloadError);
    await expect(wrong).rejects.toThrow(/expected sha256 00000000 but received/);
    const [inside] = await readdir(cacheDir);
    expect(await readdir(join(cacheDir, inside!))).toEqual([]);
  });

  it('that were damaged in the cache are repeated', async () => {
    const cacheDir = await cache();
    const url = `${base}/net-${digest()}.safetensors`;
    const { file: cached } = await models.loadPretrained(create(10), url, { cacheDir });
    await writeFile(cached, 'damaged');
    const model = create(10);
    await models.loadPretrained(model, url, { cacheDir });
    expectWeights(model);
    expect(requests).toHaveLength(2);
  });

  it('of a missing file name the address', async () => {
    const missing = models.loadPretrained(create(10), `${base}/none.pth`, { cacheDir: await cache() });
    await expect(missing).rejects.toThrow(new RegExp(`${base}/none.pth .*status 404`));
  });
});

describe('addresses of the Hugging Face hub', () => {
  it('have a revision and a file', () => {
    const hub = 'https://huggingface.co';
    expect(hubAddress('hf:timm/resnet18.a1_in1k')).toBe(
      `${hub}/timm/resnet18.a1_in1k/resolve/main/model.safetensors`,
    );
    expect(hubAddress('hf:a/b@v1/sub/pytorch_model.bin')).toBe(`${hub}/a/b/resolve/v1/sub/pytorch_model.bin`);
  });
});
