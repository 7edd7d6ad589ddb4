/** Exported operations, layers and networks, computed by onnxruntime. `DYCONV_ONNX=all` takes every network. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exportOnnx, manualSeed, models, randn, type Tensor } from '../../lib/index.js';
import type { ModelOptions } from '../../lib/models/registry.js';
import type { ExportOnnxOptions } from '../../lib/onnx/export.js';
import { limit } from '../support/limit.js';
import { compareOnnx, hasOnnxruntime } from '../support/onnxruntime.js';
import { CASES, type Case } from './cases.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnxruntime-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BATCHES = [1, 3, 32] as const;

/** The largest difference of a case, relative to the largest output. */
async function differenceFor({ make, inputs, options }: Case, more: ExportOnnxOptions = {}): Promise<number> {
  manualSeed(0);
  const file = join(folder, 'case.onnx');
  const network = make();
  await exportOnnx(network, inputs(2), file, { ...options, ...more });
  const forward = (...x: Tensor[]) =>
    typeof network === 'function' ? network(...x) : network.forward(...(x as never[]));
  return compareOnnx(file, forward, BATCHES.map(inputs));
}

const HALF = [
  'residual block',
  'dynamic convolution',
  'dynamic convolution with mixed kernels',
  'CondConv2d',
  'ODConv2d',
  'norms',
  'transformer',
  'cells',
];

describe.skipIf(!hasOnnxruntime)('computed by onnxruntime (needs onnxruntime-node)', () => {
  it.each(Object.entries(CASES))('%s', async (_, one) => {
    expect(await differenceFor(one)).toBeLessThan(1e-5);
  });

  it.each(HALF)('%s in float16', async (name) => {
    const difference = await differenceFor(CASES[name]!, { precision: 'float16' });
    // Rounded to 11 bits.
    expect(difference).toBeGreaterThan(1e-6);
    expect(difference).toBeLessThan(1e-2);
  });
});

/** Networks that have the size of the images in their classifier or their positions. */
const FIXED_SIZE = /^(alexnet|torchvision_alexnet|vgg|vit)/;
/** One of each family, and those that differ most, for every run of the tests. */
const QUICK: readonly string[] = [
  ...['alexnet-dy', 'resnet10_dy', 'mobilenet_v2_dy', 'mobilenet_v3_small_dy', 'squeezenet1_1'],
  ...['densenet121', 'efficientnet_b0', 'convnext_tiny'],
];
const names = models.list().filter((name) => process.env.DYCONV_ONNX === 'all' || QUICK.includes(name));

/** Options that make a network smaller, and the sizes of images. */
function reduced(name: string): { options: ModelOptions; sizes: readonly (readonly [number, number])[] } {
  if (name.startsWith('alexnet')) return { options: {}, sizes: [[128, 128]] };
  if (name.startsWith('vit')) return { options: { imageSize: 32 }, sizes: [[32, 32]] };
  if (FIXED_SIZE.test(name)) return { options: {}, sizes: [[64, 64]] };
  return {
    options: {},
    sizes: [
      [32, 32],
      [48, 64],
    ],
  };
}

describe.skipIf(!hasOnnxruntime)('a model, computed by onnxruntime (needs onnxruntime-node)', () => {
  it.each(names)('%s', { timeout: limit(120_000) }, async (name) => {
    manualSeed(1);
    const { options, sizes } = reduced(name);
    const model = models.create(name, { ...options, numClasses: 10 }).eval();
    const file = join(folder, 'model.onnx');
    const [height, width] = sizes[0]!;
    await exportOnnx(model, randn([1, 3, height, width]), file, { dynamicSize: !FIXED_SIZE.test(name) });
    const inputs = function* () {
      for (const [height, width] of sizes)
        for (const batch of BATCHES) yield [randn([batch, 3, height, width])];
    };
    expect(await compareOnnx(file, (x) => model.forward(x!), inputs())).toBeLessThan(1e-5);
  });
});
