/**
 * The figures of `bench.js serve`: event-loop delay under load, the cost of a pool for one request, and throughput.
 * @module
 */
import { models, nn, randn, serve, zeros } from '../../../dist/index.js';
import { machine, median, printRows } from '../turns.js';
import { startServer } from './child.js';
import { closedLoop, percentile, poster } from './load.js';
import { measureRequestCost } from './request-cost.js';

/** @import { Program, Tensor } from '../../../dist/index.js' */
/** @import { ServeOptions } from '../options.js' */

const SHAPE = [3, 128, 128];
const IN_PROCESS_CLIENTS = 64;

/** @typedef {{ figure: string, value: number, bound?: number, note?: string }} Figure */

/** @param {ServeOptions} options */
export async function measureFigures(options) {
  /** @type {Figure[]} */
  const figures = [...(await measureDelay(options))];
  if (options.onnxruntime !== undefined) {
    const peer = await measureDelay(options, options.onnxruntime);
    figures.push(
      ...peer.map(({ bound: _, ...figure }) => ({ ...figure, figure: `onnxruntime-node: ${figure.figure}` })),
    );
  }
  figures.push(...(await measureInProcess(options)));
  print(options, figures);
}

/**
 * Event-loop delay of a serving process while clients in this process post images.
 * @param {ServeOptions} options @param {string} [onnxruntime]
 * @returns {Promise<Figure[]>}
 */
async function measureDelay({ model, clients, seconds, maxBatch, replicas, threads }, onnxruntime) {
  const server = await startServer({
    ...{ model, maxBatch, replicas, maxQueue: 4 * clients },
    ...(threads !== undefined && { threads }),
    ...(onnxruntime !== undefined && { onnxruntime }),
  });
  const { post, close } = poster(server.url, new Uint8Array(3 * 128 * 128).fill(127), clients);
  try {
    await closedLoop({ clients, seconds: Math.min(1, seconds) }, post);
    await server.ask('startDelay');
    const { perSecond, p50, p99 } = await closedLoop({ clients, seconds }, post);
    /** @type {{ p50: number, p99: number }} */
    const delay = await server.ask('stopDelay');
    return [
      { figure: `event-loop delay p99, ${clients} clients over HTTP (ms)`, value: delay.p99, bound: 10 },
      { figure: 'event-loop delay p50 (ms)', value: delay.p50 },
      { figure: 'requests/s', value: perSecond },
      { figure: 'latency p50 (ms)', value: p50 },
      { figure: 'latency p99 (ms)', value: p99 },
    ];
  } finally {
    await close();
    await server.stop();
  }
}

/** What a pool adds to the program, without HTTP. @param {ServeOptions} options @returns {Promise<Figure[]>} */
async function measureInProcess({ model, seconds, maxBatch, replicas, turns }) {
  /** @type {Program<Tensor>} */
  const program = nn.compile(models.create(model, { numClasses: 10 }).eval(), zeros([1, ...SHAPE]));
  const batching = { maxBatch, maxQueue: 4 * IN_PROCESS_CLIENTS };
  const pool = await serve.createPool({ program, replicas, batching, warmup: zeros([1, ...SHAPE]) });
  const image = randn([1, ...SHAPE]);
  const bare = async () => (await program.run(image)).dispose();
  const pooled = async () => (await pool.run(image)).dispose();
  /** @type {Record<'bare' | 'pooled' | 'shares' | 'joined' | 'sizes' | 'loops', number[]>} */
  const measured = { bare: [], pooled: [], shares: [], joined: [], sizes: [], loops: [] };
  for (let turn = 0; turn < turns; turn++) {
    const slice = { clients: 1, seconds: seconds / turns };
    const single = await alternate(slice.seconds, bare, pooled);
    measured.bare.push(single.first);
    measured.pooled.push(single.second);
    const before = pool.metrics();
    const idle = performance.eventLoopUtilization();
    const { perSecond } = await closedLoop({ ...slice, clients: IN_PROCESS_CLIENTS }, pooled);
    measured.loops.push(performance.eventLoopUtilization(idle).utilization);
    const after = pool.metrics();
    const size = Math.max(
      1,
      Math.round((after.answered - before.answered) / (after.batches - before.batches)),
    );
    const batch = randn([size, ...SHAPE]);
    const whole = await closedLoop(slice, async () => (await program.run(batch)).dispose());
    batch.dispose();
    const requests = new Array(size).fill(image);
    const joined = await closedLoop({ ...slice, clients: 2 }, async () => {
      for (const output of await program.runBatch(requests)) output.dispose();
    });
    measured.joined.push(joined.perSecond / whole.perSecond);
    measured.shares.push(perSecond / (whole.perSecond * size));
    measured.sizes.push(size);
  }
  await pool.close();
  const cost = await measureRequestCost({ clients: IN_PROCESS_CLIENTS, maxBatch, seconds, turns });
  const differences = measured.pooled.map((ms, turn) => ms - /** @type {number} */ (measured.bare[turn]));
  return [
    { figure: 'single request p50, bare program (ms)', value: median(measured.bare) },
    { figure: 'single request p50, pool over bare (ms)', value: median(differences), bound: 0.5 },
    { figure: `batch size, ${IN_PROCESS_CLIENTS} clients`, value: percentile(measured.sizes, 0.5) },
    {
      figure: 'throughput of the pool / of the bare program at that size',
      value: median(measured.shares),
      bound: 0.95,
    },
    // Without the pool: what joining the inputs and splitting the outputs costs.
    {
      figure: 'throughput of program.runBatch, two at a time / of the bare program',
      value: median(measured.joined),
    },
    // The event loop, clients included, runs on the cores that compute: the share can hardly be above 1 - this / cores.
    { figure: `cores that JavaScript takes, ${IN_PROCESS_CLIENTS} clients`, value: median(measured.loops) },
    { figure: 'JavaScript of a request, with a program that computes nothing (µs)', value: cost },
  ];
}

/**
 * Medians of two calls in turn, so that slow moments of the machine affect both.
 * @param {number} seconds @param {() => Promise<unknown>} first @param {() => Promise<unknown>} second
 */
async function alternate(seconds, first, second) {
  const timed = async (/** @type {() => Promise<unknown>} */ call) => {
    const start = performance.now();
    await call();
    return performance.now() - start;
  };
  /** @type {{ first: number[], second: number[] }} */
  const times = { first: [], second: [] };
  const end = performance.now() + seconds * 1000;
  do {
    times.first.push(await timed(first));
    times.second.push(await timed(second));
  } while (performance.now() < end);
  return { first: median(times.first), second: median(times.second) };
}

/** @param {ServeOptions} options @param {Figure[]} figures */
function print({ json, model, clients, maxBatch, replicas }, figures) {
  const about = { what: 'serve', model, clients, maxBatch, replicas, machine: machine() };
  if (json) {
    const results = Object.fromEntries(
      figures.map(({ figure, value }) => [figure, Number(value.toFixed(3))]),
    );
    console.log(JSON.stringify({ ...about, results }));
    return;
  }
  console.log(JSON.stringify(about));
  printRows(
    figures.map(({ figure, value, bound }) => ({
      figure,
      value: value.toFixed(2),
      aim: bound === undefined ? '' : `${figure.includes('throughput') ? '>=' : '<='} ${bound}`,
    })),
  );
}
