import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  DatasetError,
  DisposedError,
  manualSeed,
  memory,
  models,
  noGrad,
  OverloadedError,
  PoolClosedError,
  RequestTimeoutError,
  saveSafetensors,
  serve,
  tensor,
} from '../../lib/index.js';
import { madeUpConfig } from '../report/support/made-up-runs.js';
import { settleGarbage } from '../support/garbage.js';
import { temporaryFolder } from '../train/support.js';

const classes = ['ankle boot', 'bag', 'coat'];
const modelOptions = { numClasses: 3, numExperts: 2 };

const config = { ...madeUpConfig(), modelOptions, classes, imageShape: [3, 28, 28] };
const configText = (changes: object) => JSON.stringify({ ...config, ...changes });

/** The files of a run directory that a classifier reads. */
async function writeRun(weights: Record<string, never> | 'own'): Promise<string> {
  const folder = join(temporaryFolder(), 'run');
  mkdirSync(folder);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  manualSeed(3);
  const state = weights === 'own' ? models.create('alexnet-dy', modelOptions).stateDict() : weights;
  await saveSafetensors(join(folder, 'best.safetensors'), state);
  return folder;
}

const picture = (background: string) =>
  sharp({ create: { width: 50, height: 31, channels: 3, background } })
    .png()
    .toBuffer();

/** Tolerance: rounding depends on the other images of a batch. */
function expectSame(received: serve.ClassProbability[], expected: serve.ClassProbability[]): void {
  expect(received.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
  for (const [i, { probability }] of expected.entries())
    expect(received[i]!.probability).toBeCloseTo(probability, 5);
}

/** Sizes of the batches since the last call. */
function batchSizes({ pool }: serve.Classifier): () => number[] {
  let before = pool.metrics().batchSizes;
  return () => {
    const now = pool.metrics().batchSizes;
    const sizes = Object.entries(now).flatMap(([size, count]) =>
      new Array<number>(count - (before[Number(size)] ?? 0)).fill(Number(size)),
    );
    before = now;
    return sizes;
  };
}

describe('loadClassifier', () => {
  it('labels its metrics with the name of the network or the given one, in a registry that others use', async () => {
    const run = await writeRun('own');
    const registry = new Registry();
    await using first = await serve.loadClassifier(run, { registry });
    await using second = await serve.loadClassifier(run, { registry, name: 'second' });
    await second.predict(await picture('red'));
    expect(first.pool.registry).toBe(registry);
    const text = await registry.metrics();
    expect(text).toContain('dyconv_pool_queue_length{pool="alexnet-dy"} 0');
    expect(text).toContain('dyconv_pool_requests_total{pool="second",outcome="answered"} 1');
  });

  it('names what is missing or does not fit', async () => {
    await expect(serve.loadClassifier(temporaryFolder())).rejects.toThrow(CheckpointError);
    await expect(serve.loadClassifier(await writeRun({}))).rejects.toThrow(
      /does not fit alexnet-dy.*missing/,
    );
    const run = await writeRun('own');
    await expect(serve.loadClassifier(run, { checkpoint: 'last' })).rejects.toThrow('last.safetensors');
  });

  it.each([
    [[], 'Expected the path of a run directory for path but received undefined'],
    [[Symbol('s')], 'Expected the path of a run directory for path but received a symbol'],
    [[{}], 'Expected the path of a run directory for path but received Object (object)'],
    [['runs/dy', null], 'Expected an object for options but received null'],
    [['runs/dy', { checkpoint: 5 }], 'Expected a string for checkpoint but received 5 (number)'],
    [
      ['runs/dy', { device: 'tpu' }],
      "Expected 'cpu', 'cuda' or 'cuda:<number>' for device but received 'tpu' (string)",
    ],
  ])('refuses bad arguments: %j', async (args, message) => {
    const error = await serve.loadClassifier(...(args as [string])).catch((reason: Error) => reason);
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toBe(message);
  });

  it.each([
    ['null', 'Expected a JSON object but received null'],
    ['{}', 'Expected a string for model but received undefined'],
    [configText({ classes: [5] }), 'Expected a string for classes[0] but received 5'],
    [configText({ imageShape: [3, 28] }), 'Expected three numbers [C, H, W] for imageShape'],
    // The size that a file claims must not be allocated: 4.8 GB of pixels.
    [configText({ imageShape: [3, 40_000, 40_000] }), 'Expected an integer from 1 to 4096 for imageShape[1]'],
    [configText({ imageShape: [3, 28, 0.5] }), 'Expected an integer from 1 to 4096 for imageShape[2]'],
    [configText({ imageSize: 40_000 }), 'Expected an integer from 1 to 4096 for imageSize'],
    [configText({ modelOptions: null }), 'Expected an object for modelOptions but received null'],
    [
      configText({ modelOptions: { numClasses: 1e9 } }),
      'Expected 3, the number of classes for modelOptions.numClasses but received 1000000000',
    ],
  ])('names a config.json that is damaged: %s', async (text, message) => {
    const folder = await writeRun({});
    writeFileSync(join(folder, 'config.json'), text);
    const error = await serve.loadClassifier(folder).catch((reason: Error) => reason);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toContain(`config.json is damaged: ${message}`);
  });

  it('refuses a network for images that no picture file holds', async () => {
    const folder = await writeRun({});
    writeFileSync(join(folder, 'config.json'), configText({ imageShape: [2, 28, 28] }));
    const error = await serve.loadClassifier(folder).catch((reason: Error) => reason);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toBe(
      'Expected a network for images of 1 or 3 channels but received one for [2, 28, 28]',
    );
  });
});

describe('Classifier', () => {
  let classifier: serve.Classifier;
  beforeAll(async () => {
    classifier = await serve.loadClassifier(await writeRun('own'));
  });

  it('gives every class, the likeliest first', async () => {
    const predictions = await classifier.predict(await picture('#305070'));
    expect(predictions.map(({ name }) => name).sort()).toEqual(classes);
    const probabilities = predictions.map(({ probability }) => probability);
    expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a));
    expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
  });

  it('gives the same for a path and for bytes, and for requests at once', async () => {
    const bytes = await picture('#c0a000');
    const file = join(temporaryFolder(), 'coat.png');
    writeFileSync(file, bytes);
    const [fromPath, fromBytes] = await Promise.all([classifier.predict(file), classifier.predict(bytes)]);
    expectSame(fromPath, fromBytes);
  });

  it('computes concurrent requests in batches, and leaves no tensor', async () => {
    const sizes = batchSizes(classifier);
    const colours = Array.from({ length: 40 }, (_, i) => `#${(0x305070 + 5 * i).toString(16)}`);
    const pictures = await Promise.all(colours.map(picture));
    const alone = [];
    for (const bytes of pictures.slice(0, 3)) alone.push(await classifier.predict(bytes));
    expect(sizes()).toEqual([1, 1, 1]);
    await settleGarbage();
    const before = memory().numTensors;
    const answers = await Promise.all(pictures.map((bytes) => classifier.predict(bytes)));
    const batches = sizes();
    expect(batches.reduce((sum, size) => sum + size)).toBe(40);
    expect(batches.length).toBeLessThan(40);
    expect(memory().numTensors).toBe(before);
    for (const [i, answer] of alone.entries()) expectSame(answers[i]!, answer);
  });

  it('classifies a list of images in batches, in their order', async () => {
    const sizes = batchSizes(classifier);
    const colours = Array.from({ length: 70 }, (_, i) => `#${(0x305070 + 40 * i).toString(16)}`);
    const pictures = await Promise.all(colours.map(picture));
    await settleGarbage();
    const before = memory().numTensors;
    const answers = await classifier.predict(pictures);
    // One batch may wait for another and join it.
    expect(sizes().reduce((sum, size) => sum + size)).toBe(70);
    expect(memory().numTensors).toBe(before);
    for (const i of [0, 31, 32, 69]) expectSame(answers[i]!, await classifier.predict(pictures[i]!));
    expect(answers).toHaveLength(70);
    expect(await classifier.predict([])).toEqual([]);
    expect(await classifier.predict([pictures[0]!])).toHaveLength(1);
  });

  it('names the image of a list that cannot be read, and cancels the others', async () => {
    const good = await picture('#305070');
    const list = Array.from({ length: 200 }, (_, i) => (i === 40 ? new Uint8Array([1]) : good));
    await expect(classifier.predict(list)).rejects.toThrow('picture[40]: cannot be read as an image');
    await expect(classifier.predict([good, 'absent.png'])).rejects.toThrow('absent.png: cannot be read');
    await expect(classifier.predict([good, 5 as never])).rejects.toThrow('for picture[1] but received 5');
    const { accepted } = classifier.pool.metrics();
    await sleep(50);
    expect(classifier.pool.metrics().accepted).toBe(accepted);
  });

  it('stops at the signal and at timeoutMs', async () => {
    const good = await picture('#305070');
    const reason = new Error('gone');
    const predictions = [
      (options: serve.RequestOptions) => classifier.predict(good, options),
      (options: serve.RequestOptions) => classifier.predict(new Array<Uint8Array>(40).fill(good), options),
    ];
    for (const predict of predictions) {
      const controller = new AbortController();
      const predicted = predict({ signal: controller.signal });
      controller.abort(reason);
      await expect(predicted).rejects.toBe(reason);
      await expect(predict({ timeoutMs: 0.01 })).rejects.toThrow(RequestTimeoutError);
    }
    const { signal } = new AbortController();
    await expect(classifier.predict(good, { sigal: signal } as never)).rejects.toThrow(
      "did you mean 'signal'?",
    );
    await expect(classifier.predict([good], { signal: 5 as never })).rejects.toThrow(
      'an AbortSignal for signal',
    );
  });

  it('refuses images beyond maxQueue before it decodes them', async () => {
    const options = { batching: { maxBatch: 1, maxQueue: 2 }, timeoutMs: 10_000 };
    await using small = await serve.loadClassifier(await writeRun('own'), options);
    const good = await picture('#305070');
    const answers = await Promise.allSettled(Array.from({ length: 6 }, () => small.predict(good)));
    expect(answers.map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    const { reason } = answers[3] as PromiseRejectedResult;
    expect(reason).toBeInstanceOf(OverloadedError);
    expect(small.pool.metrics()).toMatchObject({ answered: 3, refused: { overloaded: 3 } });
  });

  it('keeps answering after requests that failed', async () => {
    const good = await picture('#305070');
    const answers = await Promise.allSettled([
      classifier.predict(good),
      classifier.predict('absent.png'),
      classifier.predict(good),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('does not wait for what is no regular file', async () => {
    const pipe = join(temporaryFolder(), 'pipe.png');
    execFileSync('mkfifo', [pipe]);
    await expect(classifier.predict(pipe)).rejects.toThrow('pipe.png: cannot be read as an image: expected');
  });

  it('names a file that is no picture', async () => {
    await expect(classifier.predict('absent.png')).rejects.toThrow(DatasetError);
    await expect(classifier.predict('absent.png')).rejects.toThrow(
      'absent.png: cannot be read as an image: no such file',
    );
    await expect(classifier.predict(new Uint8Array([1, 2, 3]))).rejects.toThrow('cannot be read as an image');
  });

  it.each([undefined, null, 5, Symbol('s'), {}, [1, 2]])(
    'refuses what is no picture: %s',
    async (picture) => {
      const predicted = classifier.predict(picture as never);
      await expect(predicted).rejects.toThrow(ArgumentError);
      const name = Array.isArray(picture) ? 'picture[0]' : 'picture';
      await expect(predicted).rejects.toThrow(`Expected a path or a Uint8Array for ${name} but received`);
    },
  );

  it('is made of a configuration, a module, a device and a pool', () => {
    const make = (...args: unknown[]) => new serve.Classifier(...(args as [never, never, never, never]));
    const { config, model } = classifier;
    expect(() => make()).toThrow('Expected a configuration for config but received undefined');
    expect(() => make({})).toThrow('Expected a string for config.model but received undefined');
    expect(() => make({ ...config, classes: [5] })).toThrow('Expected a string for config.classes[0]');
    expect(() => make(config, {})).toThrow('Expected a Module for model but received Object (object)');
    expect(() => make(config, model)).toThrow("'cuda:<number>' for device but received undefined");
    expect(() => make(config, model, 'cpu')).toThrow('Expected a Pool for pool but received undefined');
  });

  it('answers what it has accepted before dispose, and refuses more', async () => {
    const run = await writeRun('own');
    const good = await picture('#305070');
    await settleGarbage();
    const before = memory().numTensors;
    const other = await serve.loadClassifier(run);
    const answer = other.predict(good);
    other.dispose();
    await expect(other.predict(good)).rejects.toThrow(DisposedError);
    expect(await answer).toHaveLength(3);
    await other.close();
    await settleGarbage();
    expect(memory().numTensors).toBe(before);
    const idle = await serve.loadClassifier(run);
    const loaded = memory().numTensors;
    const own = [...idle.model.parameters(), ...idle.model.namedBuffers()].length;
    idle.dispose();
    expect(memory().numTensors).toBe(loaded - own);
  });

  it('drains on close', async () => {
    const other = await serve.loadClassifier(await writeRun('own'));
    const good = await picture('#305070');
    const answer = other.predict(good);
    const closed = other.close();
    await expect(other.predict(good)).rejects.toThrow(PoolClosedError);
    expect(await answer).toHaveLength(3);
    await closed;
    await expect(other.predict(good)).rejects.toThrow(PoolClosedError);
  });

  it('leaves the event loop free while the network computes', async () => {
    const pictures = await Promise.all(
      Array.from({ length: 32 }, (_, i) => picture(`#${(0x305070 + i).toString(16)}`)),
    );
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const forward = vi.spyOn(classifier.model, 'forward');
    await classifier.predict(pictures);
    clearInterval(timer);
    expect(forward).not.toHaveBeenCalled();
    expect(turns).toBeGreaterThan(2);
    forward.mockRestore();
  });

  it('swaps its weights', async () => {
    await using other = await serve.loadClassifier(await writeRun('own'));
    const good = await picture('#305070');
    const state = models.create('alexnet-dy', modelOptions).stateDict();
    for (const [name, value] of Object.entries(state))
      if (!name.endsWith('temperature')) noGrad(() => value.zero_());
    state['classifier.6.bias']!.copy_(tensor([0, 10, 0]));
    await other.pool.swap(state);
    const [best] = await other.predict(good);
    expect(best!.name).toBe('bag');
    expect(best!.probability).toBeGreaterThan(0.99);
  });
});
