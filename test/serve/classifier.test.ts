import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  CheckpointError,
  DatasetError,
  DisposedError,
  manualSeed,
  models,
  saveSafetensors,
  serve,
} from '../../lib/index.js';
import { madeUpConfig } from '../report/support/made-up-runs.js';
import { temporaryFolder } from '../train/support.js';

const classes = ['ankle boot', 'bag', 'coat'];
const modelOptions = { numClasses: 3, numExperts: 2 };

const config = { ...madeUpConfig(), modelOptions, classes, imageShape: [3, 28, 28] };
const configText = (changes: object) => JSON.stringify({ ...config, ...changes });

/** A run directory as far as a classifier reads it. */
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

describe('loadClassifier', () => {
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
    // What a file claims must not cost its memory: 4.8 GB of pixels.
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
    expect(fromPath).toEqual(fromBytes);
  });

  it('answers many requests in order, with a turn of the event loop before each forward', async () => {
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const started: number[] = [];
    const hook = classifier.model.registerForwardPreHook(() => void started.push(turns));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const bytes = await picture('#305070');
    const answered: number[] = [];
    const start = performance.now();
    const requests = Array.from({ length: 32 }, (_, i) =>
      classifier.predict(bytes).then(() => void answered.push(i)),
    );
    await Promise.all(requests);
    const total = performance.now() - start;
    delay.disable();
    counting = false;
    hook.remove();
    expect(answered).toEqual(Array.from({ length: 32 }, (_, i) => i));
    expect(started).toHaveLength(32);
    expect(new Set(started).size).toBe(32);
    // In nanoseconds. All at once, the loop would stand still for most of the time.
    expect(delay.max / 1e6).toBeLessThan(total / 2);
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
    await expect(classifier.predict(pipe)).rejects.toThrow('pipe.png: cannot be read as a picture: expected');
  });

  it('names a file that is no picture', async () => {
    await expect(classifier.predict('absent.png')).rejects.toThrow(DatasetError);
    await expect(classifier.predict('absent.png')).rejects.toThrow(
      'absent.png: cannot be read as a picture: no such file',
    );
    await expect(classifier.predict(new Uint8Array([1, 2, 3]))).rejects.toThrow(
      'cannot be read as a picture',
    );
  });

  it.each([undefined, null, 5, Symbol('s'), {}, [1, 2]])(
    'refuses what is no picture: %s',
    async (picture) => {
      const predicted = classifier.predict(picture as never);
      await expect(predicted).rejects.toThrow(ArgumentError);
      await expect(predicted).rejects.toThrow('Expected a path or a Uint8Array for picture but received');
    },
  );

  it('is made of a configuration, a module and a device', () => {
    const make = (...args: unknown[]) => new serve.Classifier(...(args as [never, never, never]));
    const { config, model } = classifier;
    expect(() => make()).toThrow('Expected a configuration for config but received undefined');
    expect(() => make({})).toThrow('Expected a string for config.model but received undefined');
    expect(() => make({ ...config, classes: [5] })).toThrow('Expected a string for config.classes[0]');
    expect(() => make(config, {})).toThrow('Expected a Module for model but received Object (object)');
    expect(() => make(config, model)).toThrow("'cuda:<number>' for device but received undefined");
  });

  it('refuses to work after dispose', async () => {
    using other = await serve.loadClassifier(await writeRun('own'));
    other.dispose();
    await expect(other.predict('absent.png')).rejects.toThrow(DisposedError);
  });
});
