import { expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { runProcess } from '../support/program.js';

// Node-API rejects every call on a thread that is being terminated, also in the middle of an operation:
// creating a tensor must not depend on such calls. Each loop is terminated many times, as few terminations
// happen at that moment.
const entry = new URL('../../dist/index.js', import.meta.url).href;
const loops: [string, string][] = [
  ['tracking creations', 'd.setMemoryOptions({ trackCreation: true }); for (;;) d.ones([10]).add(1);'],
  [
    'a custom function',
    `const f = d.autograd.defineFunction({
       forward: (ctx, x) => { ctx.saveForBackward(x); return x.mul(2); }, backward: (ctx, g) => g.mul(ctx.savedTensors[0]) });
     const x = d.ones([10], { requiresGrad: true });
     x.registerHook((g) => g.mul(2));
     for (;;) f(x).sum().backward();`,
  ],
  [
    'tidy and arrays',
    'for (;;) d.tidy(() => d.fromTypedArray(new Float32Array(100)).add(1).dataSync({ copy: false }));',
  ],
];

it.each(loops)(
  'a worker may be terminated in the middle of %s',
  async (_, loop) => {
    const body = `
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    const source = ${JSON.stringify(`import * as d from '${entry}'; import { parentPort } from 'node:worker_threads'; parentPort.postMessage(1); ${loop}`)};
    for (let i = 0; i < 8; i++) {
      const workers = [1, 2].map(() => new Worker(new URL('data:text/javascript,' + encodeURIComponent(source))));
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      await new Promise((resolve) => setTimeout(resolve, 3 * i));
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    console.log(dyconv.ones([3]).sum().item());`;
    const { stdout, stderr } = await runProcess(body);
    expect([stdout, stderr]).toEqual(['3\n', '']);
  },
  limit(120_000),
);
