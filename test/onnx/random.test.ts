/**
 * Networks of random layers, exported and computed by onnxruntime. `DYCONV_ONNX=all` takes all seeds, another number of
 * `DYCONV_ONNX_SEED` the network of one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exportOnnx } from '../../lib/index.js';
import { compareOnnx, hasOnnxruntime } from '../support/onnxruntime.js';
import { randomNetwork } from './random-network.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-random-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ALL = 300;
const QUICK = 60;
const one = process.env.DYCONV_ONNX_SEED;
const count = process.env.DYCONV_ONNX === 'all' ? ALL : QUICK;
const seeds = one === undefined ? Array.from({ length: count }, (_, seed) => seed) : [Number(one)];

describe.skipIf(!hasOnnxruntime)('a random network, computed by onnxruntime (needs onnxruntime-node)', () => {
  it.each(seeds)('of seed %i', async (seed) => {
    const { network, inputs, options } = randomNetwork(seed);
    const file = join(folder, `${seed}.onnx`);
    const batches = [inputs(1), inputs(3), inputs(32), ...(options.dynamicSize ? [inputs(2, 5)] : [])];
    try {
      await exportOnnx(network, inputs(2), file, options);
      const difference = await compareOnnx(file, (x) => network.forward(x!), batches);
      expect(difference).toBeLessThan(1e-5);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${network}`, { cause: error });
    }
    rmSync(file);
  });
});
