/**
 * Exported operations, layers and networks, run by loadTorchScript and by PyTorch. `DYCONV_ONNX=all` takes every model and 300 random
 * networks.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { manualSeed, models, randn, type Tensor } from '../../lib/index.js';
import { CASES } from '../onnx/cases.js';
import { randomNetwork } from '../onnx/random-network.js';
import { limit } from '../support/limit.js';
import { hasModule, python } from '../support/python.js';
import { Comparison } from './compare.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-torch-script-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hasTorch = hasModule('torch') && hasModule('safetensors');
const comparison = new Comparison(folder, hasTorch);
const BATCHES = [1, 3];
const CLOSE = 1e-5;
const all = process.env.DYCONV_ONNX === 'all';

describe('exportTorchScript: operations and layers', () => {
  it.each(Object.entries(CASES))('%s', async (_, { make, inputs, options }) => {
    manualSeed(0);
    const { dynamicSize } = options ?? {};
    const difference = await comparison.differenceFor({
      ...{ network: make(), example: inputs(2), inputs: BATCHES.map(inputs), options: { dynamicSize } },
    });
    expect(difference).toBeLessThan(CLOSE);
  });
});

const seeds = Array.from({ length: all ? 300 : 40 }, (_, seed) => seed);

describe('exportTorchScript: a random network', () => {
  it.each(seeds)('of seed %i', async (seed) => {
    const { network, inputs, options } = randomNetwork(seed);
    const batches = [
      ...BATCHES.map((batch) => inputs(batch)),
      ...(options.dynamicSize ? [inputs(2, 5)] : []),
    ];
    try {
      const difference = await comparison.differenceFor({
        ...{ network, example: inputs(2), inputs: batches, options: { dynamicSize: options.dynamicSize } },
      });
      expect(difference).toBeLessThan(CLOSE);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${network}`, { cause: error });
    }
  });
});

/** Networks that have the size of the images in their classifier or their positions, and that size. */
const fixedSize = (name: string): [number, number] | undefined => {
  if (name.startsWith('alexnet')) return [128, 128];
  if (name.startsWith('vit')) return [32, 32];
  return /^(torchvision_alexnet|vgg)/.test(name) ? [64, 64] : undefined;
};

/** One of each family, and the dynamic networks. */
const QUICK: readonly string[] = [
  ...['alexnet', 'alexnet-dy', 'resnet10_dy', 'mobilenet_v2_dy', 'mobilenet_v3_small_dy'],
  ...['densenet121', 'efficientnet_b0', 'convnext_tiny'],
];

describe('exportTorchScript: a model', () => {
  const names = models.list().filter((name) => all || QUICK.includes(name));
  it.each(names)('%s', { timeout: limit(120_000) }, async (name) => {
    manualSeed(1);
    const fixed = fixedSize(name);
    const free: readonly (readonly [number, number])[] = [
      [32, 32],
      [48, 64],
    ];
    const sizes = fixed ? [fixed] : free;
    const model = models
      .create(name, { ...(name.startsWith('vit') && { imageSize: 32 }), numClasses: 10 })
      .eval();
    const difference = await comparison.differenceFor({
      network: model,
      example: randn([1, 3, ...sizes[0]!]),
      inputs: sizes.flatMap((size) => BATCHES.map((batch) => [randn([batch, 3, ...size])])),
      options: { dynamicSize: fixed === undefined },
    });
    expect(difference).toBeLessThan(CLOSE);
  });
});

describe('exportTorchScript: what ONNX cannot express', () => {
  it('changes in place of what a view is read of afterwards', async () => {
    const network = (x: Tensor) => {
      const y = x.clone();
      const row = y.select(1, 0);
      y.add_(1);
      row.mul_(2).clamp_({ max: 1 });
      y.index(0).relu_();
      return [y, row];
    };
    const inputs = BATCHES.map((batch) => [randn([batch, 4, 6])]);
    expect(await comparison.differenceFor({ network, example: inputs[1]!, inputs })).toBeLessThan(CLOSE);
  });

  it('orders, quantiles of a row, scans, masks', async () => {
    const network = (x: Tensor) => [
      x.cumprod({ dim: 1 }),
      x.median({ dim: 1 }).values,
      x.flatten().maskedSelect(x.flatten().gt(0)),
      x.maximum(0.1).minimum(x.neg()),
      x.to({ dtype: 'int64' }).maximum(2),
    ];
    const inputs = BATCHES.map((batch) => [randn([batch, 4, 6])]);
    expect(await comparison.differenceFor({ network, example: inputs[1]!, inputs })).toBeLessThan(CLOSE);
  });
});

describe.skipIf(!hasTorch)(`exportTorchScript, by PyTorch (needs torch and safetensors in ${python})`, () => {
  it('gives the results of all networks above', { timeout: limit(240_000) }, () => {
    const differences = comparison.byPython();
    expect(differences.length).toBeGreaterThanOrEqual(Object.keys(CASES).length);
    expect(Math.max(...differences)).toBeLessThan(CLOSE);
  });
});
