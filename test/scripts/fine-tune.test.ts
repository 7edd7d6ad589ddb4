/** Fine-tuning with train.js: weights for other classes, frozen parts, another optimizer. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSafetensors, manualSeed, models, saveSafetensors } from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { command } from './support.js';

let folder: string;
let init: string;
const OPTIONS = { widthMult: 0.35, numClasses: 10 };
const base = () => [
  ...['--model', 'mobilenet_v2', '--model-options', '{"widthMult":0.35}', '--image-size', '32'],
  ...['--dataset', 'folder', '--data-dir', join(folder, 'pictures'), '--threads', '1', '--device', 'cpu'],
  ...['--epochs', '1', '--batch-size', '4', '--init', init],
];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dyconv-fine-tune-'));
  for (const split of ['train', 'test']) {
    for (const [name, background] of [
      ['blue', '#0000c0'],
      ['red', '#c00000'],
    ] as const) {
      const place = join(folder, 'pictures', split, name);
      mkdirSync(place, { recursive: true });
      for (let i = 0; i < 6; i++)
        await sharp({ create: { width: 20 + i, height: 24, channels: 3, background } })
          .png()
          .toFile(join(place, `${i}.png`));
    }
  }
  manualSeed(1);
  init = join(folder, 'ten-classes.safetensors');
  await saveSafetensors(init, models.create('mobilenet_v2', OPTIONS).stateDict());
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('train.js --init', () => {
  it('trains a new last layer for other classes, and keeps frozen parts to the bit', {
    timeout: limit(120_000),
  }, async () => {
    const out = join(folder, 'frozen');
    const options = ['--freeze', 'features', '--optimizer', 'adamw', '--lr', '0.01', '--out', out];
    const { status, stderr } = command('train', ...base(), ...options);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain(
      `initial weights: 312 of 314 tensors from ${init}; not classifier.1.weight, classifier.1.bias, because the classes differ\n`,
    );
    const given = await loadSafetensors(init);
    const trained = await loadSafetensors(join(out, 'last.safetensors'));
    const changed = Object.keys(given).filter((key) => {
      const [a, b] = [given[key]!, trained[key]!];
      return a.shape.join() !== b.shape.join() || Number(a.ne(b).sum().item()) > 0;
    });
    expect(changed).toEqual(['classifier.1.weight', 'classifier.1.bias']);
    expect(trained['classifier.1.weight']!.shape).toEqual([2, 1280]);
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    expect(config).toMatchObject({ init, freeze: ['features'], optimizer: 'adamw', imageShape: [3, 33, 33] });
  });

  it('validates with the folder of validation images, with a rate that is found, weights of classes and equal shares', {
    timeout: limit(120_000),
  }, () => {
    const pictures = join(folder, 'with-val');
    cpSync(join(folder, 'pictures'), pictures, { recursive: true });
    cpSync(join(pictures, 'test/red'), join(pictures, 'valid/red'), { recursive: true });
    const out = join(folder, 'val');
    const options = ['--preset', 'imagenet', '--class-weights', '1,2', '--sampling', 'balanced', '--find-lr'];
    const run = ['train', ...base(), '--data-dir', pictures, ...options, '--json', '--out', out];
    const { status, stderr, stdout } = command(run[0]!, ...run.slice(1));
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/^learning rate: [\d.e-]+, at which the loss fell fastest in 60 steps$/m);
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    expect(config).toMatchObject({
      ...{ valSplit: 'folder', valImages: 6, trainImages: 12, classWeights: [1, 2], sampling: 'balanced' },
      ...{ preset: 'imagenet', imageShape: [3, 37, 37], imageSize: 32, findLr: true },
    });
    expect(stderr).toContain(`learning rate: ${config.lr},`);
    const end = JSON.parse(stdout.trim().split('\n').at(-1)!);
    const evaluation = JSON.parse(readFileSync(join(out, 'evaluation.json'), 'utf8'));
    expect(evaluation.images).toBe(12); // the test images, which did not choose the epoch
    expect(end.test.accuracy).toBe(evaluation.accuracy);
    const again = command('evaluate', '--run', out, '--json', '--threads', '1', '--device', 'cpu');
    expect(JSON.parse(again.stdout).accuracy).toBe(evaluation.accuracy);
    expect(command('predict', '--run', out, join(pictures, 'test/red/0.png')).status).toBe(0);
    const share = command('train', ...run.slice(1, -2), '--val-split', '0.2', '--out', join(folder, 'both'));
    expect(share.stderr).toContain('Expected no --val-split with');
  });

  it.each([
    [['--freeze', 'backbone'], /^error: Expected the names of parts of the network \(features, classifier/m],
    [['--freeze', 'features', '--freeze', 'classifier'], /^error: Expected parts for --freeze that leave/m],
    [
      ['--model-options', '{"widthMult":0.5}'],
      /^error: Expected weights of mobilenet_v2 in .* but the shapes of/m,
    ],
    [
      ['--model', 'mobilenet_v3_small', '--model-options', '{}'],
      /^error: .*ten-classes.safetensors has the weights of another network than mobilenet_v3_small: missing /m,
    ],
    [['--init', 'hf:only-a-name'], /^error: Expected hf:org\/name, .* but received 'hf:only-a-name'/m],
    [['--init', join(tmpdir(), 'none.safetensors')], /^error: Cannot read .*none.safetensors: no such file/m],
  ])('refuses %j', { timeout: limit(60_000) }, (words, message) => {
    const out = join(folder, 'refused');
    const { status, stderr } = command('train', ...base(), ...words, '--out', out);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });
});
