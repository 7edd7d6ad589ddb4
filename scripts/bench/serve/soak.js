/**
 * A service under load with injected faults: workers that end, images that cannot be decoded, slow and vanishing clients, weights
 * that are swapped, more requests than the queue takes.
 * @module
 */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { Agent, request } from 'undici';
import { machine } from '../turns.js';
import { startServer } from './child.js';

/** @import { PoolMetricsSnapshot } from '../../../dist/serve/pool-metrics.js' */
/** @import { ServeOptions } from '../options.js' */

/** Codes of errors that a request may get, by what it sends. */
const ALLOWED = /** @type {const} */ ({
  good: ['ERR_OVERLOADED', 'ERR_TIMEOUT'],
  broken: ['ERR_DATASET', 'ERR_OVERLOADED', 'ERR_TIMEOUT'],
  kill: ['ERR_WORKER', 'ERR_OVERLOADED', 'ERR_TIMEOUT'],
});
const SWAP_EVERY_MS = 10_000;
/** The part of the time before memory is measured for the first time. */
const WARM_UP = 0.3;
/** Resident memory may grow by this until the end. */
const MAX_GROWTH = 100 * 2 ** 20;

/** Number of samples of the memory. */
const SAMPLES = 10;

/** @typedef {{ rssMb: number, tensorMb: number, cachedMb: number }} Usage - Resident, in tensors, kept by the allocator. */
/** @typedef {{ rss: number, numTensors: number, sharedTensors: number, unhandled: number }} Memory */

/** @param {number} bytes */
const megabytes = (bytes) => Math.round(bytes / 2 ** 20);

/** What the clients saw. */
class Tally {
  /** Answers by kind of request and result. @type {Record<string, number>} */
  counts = {};
  /** What must not happen. @type {string[]} */
  faults = [];
  sent = 0;
  ended = 0;

  /** @param {string} kind @param {string} result */
  count(kind, result) {
    const key = `${kind}: ${result}`;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
    this.ended++;
  }
}

/**
 * @param {ServeOptions} options
 * @returns {Promise<number>} The exit code.
 */
export async function soakService(options) {
  const { model, clients, maxBatch, replicas, soak = 1, threads } = options;
  const server = await startServer({
    ...{ model, maxBatch, replicas, decode: true, timeoutMs: 2000, maxQueue: Math.max(8, clients) },
    ...(threads !== undefined && { threads }),
  });
  const dispatcher = new Agent({ connections: 4 * clients });
  const tally = new Tally();
  const bodies = await makeBodies();
  /** @param {keyof typeof ALLOWED} kind @param {{ signal?: AbortSignal, slow?: boolean }} [how] */
  const post = (kind, how = {}) => send({ url: server.url, dispatcher, tally }, kind, bodies[kind], how);
  let swaps = 0;
  const swap = async () => {
    await server.ask('swap');
    swaps++;
  };
  /** @type {Usage[]} */
  const usage = [];
  const sampling = setInterval(
    async () => {
      /** @type {{ network: PoolMetricsSnapshot }} */
      const { network } = await server.ask('metrics');
      const { rss, allocatedBytes, cachedBytes } = network.memory;
      usage.push({
        rssMb: megabytes(rss),
        tensorMb: megabytes(allocatedBytes),
        cachedMb: megabytes(cachedBytes),
      });
    },
    (soak * 60_000) / (SAMPLES + 1),
  );
  try {
    // Allocators and workers have reached their size after a part of the time.
    const warmup = WARM_UP * soak * 60_000;
    await injectFaults({ clients, post, swap, ms: warmup });
    const before = await quietMemory(server);
    await injectFaults({ clients, post, swap, ms: soak * 60_000 - warmup });
    const after = await quietMemory(server);
    clearInterval(sampling);
    /** @type {{ network: PoolMetricsSnapshot, decoder: PoolMetricsSnapshot, unhandled: number }} */
    const figures = await server.ask('close');
    return report(options, { tally, before, after, figures, swaps, usage });
  } finally {
    clearInterval(sampling);
    await dispatcher.destroy();
    await server.stop();
  }
}

/**
 * Load from well-behaved clients, together with every kind of fault.
 * @param {object} options
 * @param {number} options.clients
 * @param {(kind: keyof typeof ALLOWED, how?: { signal?: AbortSignal, slow?: boolean }) => Promise<void>} options.post
 * @param {() => Promise<void>} options.swap
 * @param {number} options.ms
 */
async function injectFaults({ clients, post, swap, ms }) {
  const end = performance.now() + ms;
  const repeat = async (/** @type {(turn: number) => Promise<unknown>} */ call) => {
    for (let turn = 0; performance.now() < end; turn++) await call(turn);
  };
  const leave = (/** @type {number} */ turn) => AbortSignal.timeout(1 + ((17 * turn) % 60));
  await Promise.all([
    ...Array.from({ length: clients }, () => repeat(() => post('good'))),
    repeat(() => Promise.all([post('broken'), sleep(20)])),
    repeat(() => Promise.all([post('kill'), sleep(3000)])),
    repeat(() => Promise.all([post('good', { slow: true }), sleep(50)])),
    repeat((turn) => Promise.all([post('good', { signal: leave(turn) }), sleep(10)])),
    repeat(async () => {
      await sleep(Math.min(2000, ms / 3));
      await Promise.all(Array.from({ length: 4 * clients }, () => post('good')));
    }),
    repeat(async () => {
      await sleep(Math.min(SWAP_EVERY_MS, ms / 3));
      await swap();
    }),
  ]);
}

async function makeBodies() {
  const pixels = Uint8Array.from({ length: 3 * 96 * 64 }, (_, i) => (i * 7919) % 251);
  const good = await sharp(pixels, { raw: { width: 96, height: 64, channels: 3 } })
    .jpeg()
    .toBuffer();
  return { good, broken: good.subarray(0, 200), kill: Buffer.from('kill') };
}

/**
 * @param {{ url: string, dispatcher: Agent, tally: Tally }} to
 * @param {keyof typeof ALLOWED} kind @param {Uint8Array} body
 * @param {{ signal?: AbortSignal, slow?: boolean }} how
 */
async function send({ url, dispatcher, tally }, kind, body, { signal, slow }) {
  tally.sent++;
  try {
    const sent = slow ? Readable.from(trickle(body)) : body;
    const answer = await request(url, { method: 'POST', body: sent, dispatcher, ...(signal && { signal }) });
    const { code } = /** @type {{ code?: string }} */ (await answer.body.json());
    if (code !== undefined && !(/** @type {readonly string[]} */ (ALLOWED[kind]).includes(code)))
      tally.faults.push(`${kind}: ${answer.statusCode} ${code}`);
    if (code === undefined && kind !== 'good') tally.faults.push(`${kind}: answered`);
    tally.count(kind, code ?? 'answered');
  } catch (error) {
    if (!signal?.aborted) tally.faults.push(`${kind}: ${error}`);
    tally.count(kind, 'left');
  }
}

/** A body that arrives in pieces. @param {Uint8Array} body */
async function* trickle(body) {
  for (let start = 0; start < body.length; start += 512) {
    yield body.subarray(start, start + 512);
    await sleep(5);
  }
}

/** @param {Awaited<ReturnType<typeof startServer>>} server @returns {Promise<Memory>} */
async function quietMemory(server) {
  await sleep(200); // Batches that nobody waits for end, weights are copied.
  return server.ask('memory');
}

/**
 * @param {ServeOptions} options
 * @param {{ tally: Tally, before: Memory, after: Memory, swaps: number, usage: Usage[], figures: { network: PoolMetricsSnapshot, decoder: PoolMetricsSnapshot, unhandled: number } }} result
 */
function report({ json, soak }, { tally, before, after, swaps, usage, figures }) {
  const { network, decoder, unhandled } = figures;
  const faults = [...tally.faults];
  if (tally.ended !== tally.sent) faults.push(`${tally.sent} requests were sent, ${tally.ended} ended`);
  for (const [name, pool] of Object.entries({ network, decoder })) {
    const { accepted, answered, failed, timedOut, aborted, crashed, queued, running } = pool;
    const ended = answered + failed + timedOut + aborted + crashed;
    if (ended !== accepted || queued + running > 0)
      faults.push(`${name}: ${accepted} requests were accepted, ${ended} settled`);
  }
  if (network.failed > 0) faults.push(`${network.failed} requests of the network failed`);
  if (network.swaps !== swaps || swaps === 0) faults.push(`${network.swaps} of ${swaps} swaps succeeded`);
  for (const [what, happened] of Object.entries({
    'no worker ended': decoder.workerExits,
    'no image was undecodable': decoder.failed,
    'no request was refused': decoder.refused.overloaded,
    'no client left': tally.counts['good: left'] ?? 0,
  }))
    if (happened === 0) faults.push(`${what}: the fault was not injected`);
  if (unhandled > 0) faults.push(`${unhandled} unhandled rejections`);
  if (after.numTensors > before.numTensors + 8 || after.sharedTensors > before.sharedTensors)
    faults.push(
      `${before.numTensors} tensors (${before.sharedTensors} shared) before, ${after.numTensors} (${after.sharedTensors}) after`,
    );
  const growth = after.rss - before.rss;
  if (growth > MAX_GROWTH) faults.push(`resident memory grew by ${(growth / 2 ** 20).toFixed(0)} MB`);
  const ok = faults.length === 0;
  const about = {
    what: 'serve-soak',
    minutes: soak,
    ok,
    requests: tally.sent,
    answers: tally.counts,
    growthMb: megabytes(growth),
    memory: usage,
  };
  const pools = {
    batchSizes: network.batchSizes,
    workerExits: decoder.workerExits,
    retried: decoder.retried,
    swaps,
  };
  if (json)
    console.log(JSON.stringify({ ...about, ...pools, faults: faults.slice(0, 50), machine: machine() }));
  else console.log({ ...about, ...pools, faults: faults.slice(0, 50) });
  return ok ? 0 : 1;
}
