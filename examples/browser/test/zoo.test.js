/** Networks of the zoo in onnxruntime-web, in Chromium: outputs equal to those of dyconv. */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { exportOnnx, manualSeed, models, noGrad, randn } from 'dyconv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium, launch, serve, skipped } from './support/site.js';

/** @import { Browser } from 'playwright-core' */

/** A page of its own loads them as they are in the package. */
const WASM = createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm');
const FILES = ['ort.wasm.bundle.min.mjs', basename(WASM)];

const PAGE = `<!doctype html>
<link rel="icon" href="data:,">
<script type="module">
  import * as ort from './ort.wasm.bundle.min.mjs';
  globalThis.ort = ort;
</script>`;

describe.skipIf(!hasChromium)(`networks in onnxruntime-web${skipped}`, () => {
  /** @type {string} */
  let folder;
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {Browser} */
  let browser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dyconv-zoo-'));
    for (const name of FILES) await copyFile(join(dirname(WASM), name), join(folder, name));
    await writeFile(join(folder, 'index.html'), PAGE);
    [server, browser] = await Promise.all([serve(folder), launch()]);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await rm(folder, { recursive: true });
  });

  it.each(/** @type {const} */ (['squeezenet1_1', 'mobilenet_v3_small_dy', 'resnet10_dy']))(
    '%s',
    async (name) => {
      manualSeed(1);
      const model = models.create(name, { numClasses: 10 }).eval();
      const x = randn([2, 3, 32, 32]);
      const expected = noGrad(() => model.forward(x));
      await exportOnnx(model, x, join(folder, `${name}.onnx`));
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.waitForFunction(() => 'ort' in globalThis);
      const { data, dims } = await page.evaluate(compute, {
        url: `${server.url}${name}.onnx`,
        values: Array.from(x.dataSync({ dtype: 'float32' })),
        shape: x.shape,
      });
      expect(dims).toEqual(expected.shape);
      const values = expected.dataSync({ dtype: 'float32' });
      const scale = Math.max(...values.map(Math.abs));
      expect(Math.max(...values.map((value, i) => Math.abs(value - data[i])))).toBeLessThan(1e-5 * scale);
      await page.close();
    },
  );
});

/** Runs in the browser. @param {{ url: string, values: number[], shape: number[] }} input */
async function compute({ url, values, shape }) {
  const { ort } = /** @type {{ ort: typeof import('onnxruntime-web/wasm') }} */ (
    /** @type {unknown} */ (globalThis)
  );
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(url, { executionProviders: ['wasm'] });
  const feeds = { input: new ort.Tensor('float32', Float32Array.from(values), shape) };
  const { output } = await session.run(feeds);
  const result = { data: Array.from(/** @type {Float32Array} */ (output?.data)), dims: output?.dims };
  await session.release();
  return result;
}
