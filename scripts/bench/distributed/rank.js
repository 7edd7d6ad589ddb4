/**
 * One process of `bench.js distributed`: reads a request of a line, and answers with a line of JSON. Without the environment of a
 * launcher it trains alone.
 * @module
 */
import { createInterface } from 'node:readline';
import {
  distributed,
  functional as F,
  manualSeed,
  models,
  nn,
  optim,
  randint,
  randn,
  setNumThreads,
  tidy,
  zeros,
} from '../../../dist/index.js';
import { median } from '../turns.js';
import { makePart } from './parts.js';

/** @import { distributed as Distributed, Tensor } from '../../../dist/index.js' */
/** @typedef {{ model: string, batch: number, imageSize: number, threads: number }} RankConfig - `batch`: images of this process. */
/** @typedef {{ passes: { name: string, start: number, end: number }[], calls: Distributed.CollectiveCall[], origin: number }} StepTrace */

const TIMEOUT_MS = 120_000;

/** @type {RankConfig} */
const { model, batch, imageSize, threads } = JSON.parse(process.argv[2] ?? '');
setNumThreads(threads);
const group = distributed.isLaunched()
  ? await distributed.initProcessGroup({ timeoutMs: TIMEOUT_MS })
  : undefined;
manualSeed(0);
const network = models.create(/** @type {import('../../../dist/index.js').models.ModelName} */ (model), {
  numClasses: 10,
});
if (group) nn.SyncBatchNorm.convert(network);
const parallel = group && new distributed.DistributedDataParallel(network, { group });
const optimizer = new optim.SGD(network.parameters(), { lr: 0.01, momentum: 0.9 });
const images = randn([batch, 3, imageSize, imageSize]);
const labels = randint(0, 10, [batch]);

/** One training step. @param {(name: string, pass: () => void) => void} [measure] */
function step(measure = (_, pass) => pass()) {
  tidy(() => {
    /** @type {Tensor | undefined} */
    let loss;
    optimizer.zeroGrad();
    measure('forward', () => {
      loss = F.crossEntropy((parallel ?? network).forward(images), labels);
    });
    measure('backward', () => loss?.backward());
    measure('optimizer.step', () => optimizer.step());
  });
}

/** The parts that were measured before. @type {Map<number, import('./parts.js').Work>} */
const parts = new Map();

/** @type {Record<string, (...args: number[]) => Promise<unknown>>} */
const requests = {
  /** Milliseconds of processor time of one repetition of a part. @returns {Promise<import('./cost.js').Cost>} */
  async cost(index = 0, times = 1) {
    if (!group) throw new Error('A process alone exchanges nothing');
    const work = parts.get(index) ?? makePart(index, { model, group, images, labels });
    parts.set(index, work);
    await work();
    await group.barrier();
    const before = process.cpuUsage();
    for (let i = 0; i < times; i++) await work();
    const { user, system } = process.cpuUsage(before);
    return { userMs: user / 1000 / times, systemMs: system / 1000 / times };
  },
  /** Milliseconds of a number of steps. */
  async train(steps = 1) {
    await group?.barrier();
    const start = performance.now();
    for (let i = 0; i < steps; i++) step();
    return performance.now() - start;
  },
  /** Median milliseconds of an all-reduce of float32. */
  async allreduce(elements = 1, times = 1) {
    if (!group) throw new Error('A process alone reduces nothing');
    const values = zeros([elements]);
    /** @type {number[]} */
    const all = [];
    for (let i = 0; i <= times; i++) {
      await group.barrier();
      const start = performance.now();
      await group.allReduce(values);
      if (i > 0) all.push(performance.now() - start);
    }
    values.dispose();
    return median(all);
  },
  /** The passes and calls of one step. @returns {Promise<StepTrace>} */
  async trace() {
    await group?.barrier();
    const begun = performance.now();
    /** @type {StepTrace['passes']} */
    const passes = [];
    step((name, pass) => {
      const start = performance.now();
      pass();
      passes.push({ name, start, end: performance.now() });
    });
    const calls = (group?.recentCalls() ?? []).filter((call) => call.made >= begun);
    return { passes, calls, origin: performance.timeOrigin };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [what = '', ...args] = line.split(' ');
  const answer = requests[what];
  if (!answer) throw new Error(`Expected ${Object.keys(requests).join(', ')} but received ${line}`);
  console.log(JSON.stringify(await answer(...args.map(Number))));
}
await group?.destroy();
