/**
 * The loops of scripts/soak.js: node scripts/soak/items.js <item> <share>. Prints {"mb": ...}.
 * @module
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import * as dyconv from '../../dist/index.js';

const MB = 2 ** 20;
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
const rss = () => process.memoryUsage.rss() / MB;

/** Peak of the resident memory so far, as the system counts it. */
function peak() {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}

/** Resident memory when everything that can go has gone. */
async function settled() {
  for (let i = 0; i < 3; i++) {
    gc();
    await sleep(20);
  }
  dyconv.emptyCache();
  return rss();
}

/** @type {Record<string, (share: number) => Promise<number>>} */
const ITEMS = {
  async sync(share) {
    for (let i = 0; i < 100_000 * share; i++) dyconv.zeros([1024, 1024]);
    return peak();
  },

  async async(share) {
    for (let i = 0; i < 100_000 * share; i++) {
      dyconv.zeros([1024, 1024]);
      await undefined;
    }
    return peak();
  },

  async small(share) {
    const one = dyconv.ones([1]);
    const loop = (/** @type {number} */ times) => {
      for (let i = 0; i < times; i++) one.add(1);
    };
    // Long enough that V8's young generation has its size, and every code path its machine code.
    loop(200_000);
    const before = await settled();
    loop(1_000_000 * share);
    return (await settled()) - before;
  },

  async epochs(share) {
    dyconv.manualSeed(1);
    const { nn, data, optim, train } = dyconv;
    const set = await data.bundled({ split: 'train' });
    const loader = data.loader(set, { batchSize: 64, shuffle: true, limit: 512 });
    const model = new nn.Sequential(
      new nn.Conv2d(3, 16, 3, { stride: 2, padding: 1 }),
      new nn.BatchNorm2d(16),
      new nn.ReLU(),
      new nn.DynamicConv2d(16, 32, 3, { stride: 2, padding: 1, numExperts: 2 }),
      new nn.ReLU(),
      new nn.AdaptiveAvgPool2d(1),
      new nn.Flatten(),
      new nn.Linear(32, set.classes.length),
    );
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
    // The growth is between epochs 2 and 20; a share of the loop has fewer images, not fewer epochs.
    const trainer = new train.Trainer({
      model,
      optimizer,
      epochs: 20,
      trainLoader: share >= 1 ? loader : data.loader(set, { batchSize: 64, limit: 128 }),
    });
    let second = 0;
    let tensors = 0;
    let last = 0;
    trainer.on('epoch', async (/** @type {{ epoch: number }} */ { epoch }) => {
      last = await settled();
      if (epoch === 2) {
        second = last;
        tensors = dyconv.memory().numTensors;
      }
    });
    await trainer.fit();
    if (dyconv.memory().numTensors > tensors + 8)
      throw new Error(`${tensors} tensors after epoch 2, ${dyconv.memory().numTensors} after the last`);
    return last - second;
  },

  async workers(share) {
    const rounds = Math.max(2, Math.round(50 * share));
    const round = async () => {
      const handle = source.share({ claims: 8 });
      const workers = Array.from({ length: 8 }, () => new Worker(WORKER, { workerData: handle }));
      // Listened to from the start: a message that nobody waits for yet would be lost.
      const answers = workers.map((worker) => once(worker, 'message'));
      for (const answer of answers) {
        const [handle] = await answer;
        const result = dyconv.Tensor.fromHandle(handle);
        if (result.item() !== 64 * 64 * 3)
          throw new Error(`Expected 12288 from a worker but received ${result.item()}`);
        result.dispose();
      }
      await Promise.all(workers.map((worker) => worker.terminate()));
    };
    const source = dyconv.full([64, 64], 1);
    await round();
    const before = await settled();
    for (let i = 1; i < rounds; i++) await round();
    return (await settled()) - before;
  },
};

const WORKER = new URL('worker.js', import.meta.url);

const [, , name = '', shareText = '1'] = process.argv;
const mb = await ITEMS[name]?.(Number(shareText));
if (mb === undefined) throw new Error(`Expected ${Object.keys(ITEMS).join(', ')} but received ${name}`);
console.log(JSON.stringify({ mb: Math.round(mb * 10) / 10 }));
process.exit(0);
