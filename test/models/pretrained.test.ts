import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  DownloadError,
  full,
  models,
  nn,
  noGrad,
  saveSafetensors,
  type Tensor,
} from '../../lib/index.js';
import { partArrived } from '../support/part.js';

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

/** Sent instead of the file. */
let instead: string | undefined;
/** The folder of a download of which every answer breaks off once 1000 bytes have arrived. */
let cutAlways: string | undefined;

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
    if (instead !== undefined) return void response.end(instead);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': body.length,
      etag: '"1"',
      ...(start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    if (cutAlways !== undefined) {
      response.write(body.subarray(0, 1000));
      return void partArrived(cutAlways, start + 1000).then(() => response.destroy());
    }
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
  instead = undefined;
  cutAlways = undefined;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map(({ name }) => name);
}

const cache = () => mkdtemp(join(folder, 'cache-'));
const digest = () => createHash('sha256').update(bytes).digest('hex').slice(0, 8);

const golden = (name: string) => fileURLToPath(new URL(`../golden/values/${name}`, import.meta.url));

/** A file of the weights with other keys. */
async function savedAs(
  name: string,
  rename: (key: string, i: number) => string,
  more: Record<string, Tensor> = {},
): Promise<string> {
  const path = join(folder, `${name}.safetensors`);
  const entries = Object.entries(state).map(([key, value], i) => [rename(key, i), value]);
  await saveSafetensors(path, { ...Object.fromEntries(entries), ...more });
  return path;
}

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
    const wrong = [
      '',
      3 as never,
      'hf:one',
      'hf:a/b/../c',
      'hf:a/b/',
      'file://elsewhere/x',
      'http://',
      'https://[x',
    ];
    for (const pretrained of wrong)
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
      missingCounters: [],
    });
    expectWeights(model);
  });

  it.each([
    ['module._orig_mod.', 'module._orig_mod.'],
    ['_orig_mod.module.', '_orig_mod.module.'],
    ['model.', 'model.'], // of Lightning
    ['model.module.', 'model.module.'],
  ])('removes %s from every key', async (start, prefix) => {
    const wrapped = await savedAs('wrapped', (key) => start + key);
    const model = create(10);
    expect((await models.loadPretrained(model, wrapped)).prefix).toBe(prefix);
    expectWeights(model);
  });

  it('keeps a prefix that only some keys have, and one without which no key fits', async () => {
    const some = await savedAs('some', (key, i) => (i === 0 ? key : `module.${key}`));
    const { prefix } = await models.loadPretrained(create(10), some, { strict: false });
    expect(prefix).toBe('');
    const other = await savedAs('other', (key) => `other.x${key}`);
    const result = await models.loadPretrained(create(10), other, { strict: false });
    expect(result.prefix).toBe('');
    expect(result.unexpected).toHaveLength(Object.keys(state).length);
  });

  it('reads the averaged weights of AveragedModel', async () => {
    const averaged = await savedAs('averaged', (key) => `module.${key}`, { n_averaged: full([], 3) });
    const model = create(10);
    const { prefix, unexpected } = await models.loadPretrained(model, averaged);
    expect([prefix, unexpected]).toEqual(['module.', []]);
    expectWeights(model);
  });

  it('returns the counters that a file of PyTorch before 0.4.1 lacks, and keeps them', async () => {
    const counters = Object.keys(state).filter((key) => key.endsWith('num_batches_tracked'));
    const rest = Object.fromEntries(Object.entries(state).filter(([key]) => !counters.includes(key)));
    const before = join(folder, 'before.safetensors');
    await saveSafetensors(before, rest);
    const model = create(10);
    const counter = model.stateDict()[counters[0]!]!;
    counter.fill_(7);
    const { missing, missingCounters } = await models.loadPretrained(model, before);
    expect(missing).toEqual([]);
    expect(missingCounters).toEqual(counters);
    expect(counter.item()).toBe(7);
    expectWeights(model, [counters[0]!]);
  });

  it('recognizes the format by the contents', async () => {
    const renamed = join(folder, 'weights.pth.tar');
    await writeFile(renamed, bytes);
    const model = create(10);
    await models.loadPretrained(model, renamed);
    expectWeights(model);
    await writeFile(renamed, 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n');
    await expect(models.loadPretrained(model, renamed)).rejects.toThrow(
      /weights\.pth\.tar is not a safetensors file: it is a pointer of Git LFS/,
    );
  });

  it('reads one of several state dicts of a checkpoint', async () => {
    const several = golden('several.pt');
    const layer = new nn.Linear(2, 1);
    await expect(models.loadPretrained(layer, several)).rejects.toThrow(
      /several\.pt but received several, under generator, discriminator: choose one with \{ key: 'generator' \}/,
    );
    await models.loadPretrained(layer, several, { key: 'discriminator' });
    expect(layer.weight.arraySync()).toEqual([[3, 4]]);
    await expect(models.loadPretrained(layer, several, { key: 'none' })).rejects.toThrow(
      /several\.pt under none but received a dictionary of generator, discriminator, step/,
    );
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

  it('reads the old keys of Vision Transformers', async () => {
    const size = { numLayers: 1, numHeads: 1, hiddenDim: 4, mlpDim: 8 };
    const create = () => new models.VisionTransformer(size, { imageSize: 32, numClasses: 3 });
    const old = join(folder, 'vit.safetensors');
    const entries = Object.entries(create().stateDict()).map(([key, value]) => [
      key.replace('mlp.0', 'mlp.linear_1').replace('mlp.3', 'mlp.linear_2'),
      value,
    ]);
    expect(entries.map(([key]) => key)).toContain('encoder.layers.encoder_layer_0.mlp.linear_2.bias');
    await saveSafetensors(old, Object.fromEntries(entries));
    const { missing, unexpected } = await models.loadPretrained(create(), old);
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
    expect(await filesIn(cacheDir)).toEqual([]);
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

  it('with digits in the name that are no hash are read with checkHash: false', async () => {
    const cacheDir = await cache();
    const url = `${base}/net-20210131.safetensors`;
    await expect(models.loadPretrained(create(10), url, { cacheDir })).rejects.toThrow(
      /expected sha256 20210131 but received .*\. If 20210131 in the name is not its hash, use loadPretrained with \{ checkHash: false \}$/,
    );
    const model = create(10);
    await models.loadPretrained(model, url, { cacheDir, checkHash: false });
    expectWeights(model);
  });

  it('whose names are no valid encoding, or have separators, stay in their folder', async () => {
    for (const name of [
      'net%zz.safetensors',
      '%2e%2e%2f%2e%2e%2fnet.safetensors',
      'a%5cb%00.safetensors',
      '',
    ]) {
      const cacheDir = await cache();
      const { file } = await models.loadPretrained(create(10), `${base}/${name}`, { cacheDir });
      expect(dirname(dirname(file))).toBe(cacheDir);
    }
  });

  it('of something else are refused, with nothing in the cache', async () => {
    for (const [content, reason] of [
      ['<!DOCTYPE html><p>Sign in', 'it is a web page'],
      ['version https://git-lfs.github.com/spec/v1', 'it is a pointer of Git LFS'],
      ['{}', 'it has none of the formats of weights'],
    ] as const) {
      const cacheDir = await cache();
      instead = content;
      const wrong = models.loadPretrained(create(10), `${base}/net.safetensors`, { cacheDir });
      await expect(wrong).rejects.toThrow(DownloadError);
      await expect(wrong).rejects.toThrow(reason);
      expect(await filesIn(cacheDir)).toEqual([]);
    }
  });

  it('that are cut are refused after some attempts, with nothing in the cache', async () => {
    const cacheDir = await cache();
    cutAlways = cacheDir;
    const wrong = models.loadPretrained(create(10), `${base}/net.safetensors`, { cacheDir });
    await expect(wrong).rejects.toThrow(DownloadError);
    await expect(wrong).rejects.toThrow(/net\.safetensors .*the connection was cut after/);
    expect(requests).toEqual([undefined, 'bytes=1000-', 'bytes=2000-', 'bytes=3000-']);
    expect(await filesIn(cacheDir)).toEqual([]);
  });

  it('of a missing file name the address', async () => {
    const missing = models.loadPretrained(create(10), `${base}/none.pth`, { cacheDir: await cache() });
    await expect(missing).rejects.toThrow(new RegExp(`${base}/none.pth .*status 404`));
  });
});
