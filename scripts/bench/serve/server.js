/**
 * The serving process of `bench.js serve`: an HTTP server with a pool, or with onnxruntime-node, that the parent process
 * controls by messages. Its argument is a {@link ServerConfig} as JSON.
 * @module
 */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  DyconvError,
  manualSeed,
  memory,
  models,
  nn,
  serve,
  setNumThreads,
  tensor,
  zeros,
} from '../../../dist/index.js';

/** @import { Program, Tensor } from '../../../dist/index.js' */

/**
 * @typedef {object} ServerConfig
 * @property {string} model
 * @property {number} maxBatch
 * @property {number} maxQueue
 * @property {number} replicas
 * @property {number} [threads]
 * @property {number} [timeoutMs]
 * @property {boolean} [decode] - Bodies are image files, decoded in a worker thread; otherwise the bytes of 3 planes of 128x128 pixels.
 * @property {string} [onnxruntime] - A folder with onnxruntime-node and `<model>.onnx`.
 */

/** @typedef {{ classify: (body: Uint8Array, signal: AbortSignal) => Promise<number>, close: () => Promise<void>, metrics: () => object, swap?: () => Promise<void> }} Service */

/** @type {ServerConfig} */
const config = JSON.parse(process.argv[2] ?? '{}');
const SHAPE = [1, 3, 128, 128];

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
let unhandled = 0;
process.on('unhandledRejection', (error) => {
  unhandled++;
  console.error('Unhandled rejection:', error);
});
if (config.threads) setNumThreads(config.threads);

/** Takes pixels as uint8: the program converts them on its thread, not on that of the event loop. */
class PixelNet extends nn.Module {
  /** @param {nn.Module} net */
  constructor(net) {
    super();
    this.net = net;
  }

  /** @param {Tensor} pixels */
  forward(pixels) {
    return this.net.forward(pixels.to({ dtype: 'float32' }));
  }
}

/** @param {Uint8Array} pixels */
const image = (pixels) => tensor(pixels, { shape: SHAPE });

/** @param {import('node:http').IncomingMessage} request */
async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** @returns {Promise<Service>} */
async function poolService() {
  manualSeed(1);
  const model = new PixelNet(models.create(config.model, { numClasses: 10 })).eval();
  const example = zeros(SHAPE, { dtype: 'uint8' });
  /** @type {Program<Tensor>} */
  const program = nn.compile(model, example);
  const { maxBatch, maxQueue, replicas, timeoutMs } = config;
  const batching = { maxBatch, maxQueue };
  const pool = await serve.createPool({
    program,
    replicas,
    batching,
    timeoutMs,
    warmup: example,
    name: 'network',
  });
  const decoder = config.decode
    ? await serve.createPool({
        ...{ inputs: 'values', name: 'decoder', timeoutMs },
        module: { file: new URL('decode.js', import.meta.url) },
        batching: { maxBatch: 8, maxQueue },
        replicas: 2,
      })
    : undefined;
  return {
    async classify(body, signal) {
      const pixels = decoder ? /** @type {Uint8Array} */ (await decoder.run(body, { signal })) : body;
      const logits = await pool.run(() => image(pixels), { signal });
      const values = logits.dataSync({ dtype: 'float32' });
      logits.dispose();
      return values.indexOf(Math.max(...values));
    },
    async swap() {
      const state = model.stateDict();
      const next = Object.fromEntries(Object.entries(state).map(([name, value]) => [name, value.clone()]));
      try {
        await pool.swap(next);
      } finally {
        for (const value of Object.values(next)) value.dispose();
      }
    },
    metrics: () => ({ network: pool.metrics(), decoder: decoder?.metrics() }),
    async close() {
      await decoder?.close();
      await pool.close();
    },
  };
}

/** @param {string} folder @returns {Promise<Service>} */
async function onnxService(folder) {
  const { InferenceSession, Tensor: OnnxTensor } = createRequire(join(resolve(folder), 'index.js'))(
    'onnxruntime-node',
  );
  const session = await InferenceSession.create(join(folder, `${config.model}.onnx`));
  return {
    async classify(body) {
      const data = Float32Array.from(body);
      const results = await session.run({ [session.inputNames[0]]: new OnnxTensor('float32', data, SHAPE) });
      const logits = /** @type {number[]} */ (Array.from(results[session.outputNames[0]].data));
      return logits.indexOf(Math.max(...logits));
    },
    metrics: () => ({}),
    async close() {},
  };
}

const service = await (config.onnxruntime ? onnxService(config.onnxruntime) : poolService());

const STATUS = /** @type {Record<string, number>} */ ({
  ERR_OVERLOADED: 503,
  ERR_CLOSED: 503,
  ERR_TIMEOUT: 504,
  ERR_DATASET: 400,
});

const server = createServer(async (request, response) => {
  const left = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) left.abort(new Error('The client left'));
  });
  try {
    const body = await read(request);
    response.end(JSON.stringify({ best: await service.classify(body, left.signal) }));
  } catch (error) {
    if (response.destroyed || left.signal.aborted) return;
    const code = error instanceof DyconvError ? error.code : 'ERR_UNKNOWN';
    response.writeHead(STATUS[code] ?? 500).end(JSON.stringify({ code, message: String(error) }));
  }
});

const delay = monitorEventLoopDelay({ resolution: 1 });
const MS = 1e6;

/** What the parent process can ask. @type {Record<string, () => unknown>} */
const QUESTIONS = {
  startDelay() {
    delay.reset();
    delay.enable();
  },
  stopDelay() {
    delay.disable();
    return { p50: delay.percentile(50) / MS, p99: delay.percentile(99) / MS, max: delay.max / MS };
  },
  metrics: () => service.metrics(),
  swap: () => service.swap?.(),
  async memory() {
    for (let i = 0; i < 5; i++) {
      gc();
      await nextTurn();
    }
    const { numTensors, sharedTensors } = memory();
    return { rss: process.memoryUsage.rss(), numTensors, sharedTensors, unhandled };
  },
  async close() {
    server.close();
    server.closeIdleConnections();
    await service.close();
    return { ...service.metrics(), unhandled };
  },
};

process.on('message', async (/** @type {{ id: number, question: string }} */ { id, question }) => {
  try {
    process.send?.({ id, answer: (await QUESTIONS[question]?.()) ?? null });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit(1));
server.listen(0, '127.0.0.1', () =>
  process.send?.({ port: /** @type {{ port: number }} */ (server.address()).port }),
);
