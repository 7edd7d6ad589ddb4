import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { ArgumentError, isTensor, memory, tensor, zeros } from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { runProcess, startWorker } from '../support/program.js';

describe('workers', () => {
  const compute = `
    const x = dyconv.full([64, 64], workerData);
    const y = dyconv.tidy(() => x.matmul(x).add(1));
    const leaf = dyconv.ones([4], { requiresGrad: true });
    leaf.square().sum().backward();
    parentPort.postMessage([(await y.data())[0], leaf.grad.arraySync()]);
  `;

  it('compute at the same time, round after round', async () => {
    for (let round = 0; round < 3; round++) {
      const workers = [1, 2, 3, 4].map((n) => startWorker(compute, n));
      const results = await Promise.all(
        workers.map(async (worker) => {
          const exit = once(worker, 'exit');
          const [message] = await once(worker, 'message');
          return [message, (await exit)[0]];
        }),
      );
      expect(results).toEqual([1, 2, 3, 4].map((n) => [[64 * n * n + 1, [2, 2, 2, 2]], 0]));
    }
  });

  it('leave this thread its own tensors, modes and counts', async () => {
    using mine = tensor([1, 2]);
    const before = memory().numTensors;
    const worker = startWorker(`
      dyconv.noGrad(() => new Promise((resolve) => setTimeout(resolve, 20)));
      const many = Array.from({ length: 100 }, () => dyconv.zeros([10]));
      parentPort.postMessage(dyconv.memory().numTensors);
    `);
    const exit = once(worker, 'exit');
    expect((await once(worker, 'message'))[0]).toBe(100);
    await exit;
    expect(memory().numTensors).toBeLessThanOrEqual(before);
    expect(mine.requiresGrad_().mul(2).requiresGrad).toBe(true);
  });

  it('can be terminated while reads are pending', async () => {
    for (let round = 0; round < 5; round++) {
      const worker = startWorker(`
        const x = dyconv.zeros([512, 1024]);
        parentPort.postMessage('started');
        for (;;) await Promise.all(Array.from({ length: 20 }, () => x.t().data()));
      `);
      await once(worker, 'message');
      await sleep(5 * round);
      expect(await worker.terminate()).toBe(1);
    }
    expect((await zeros([4]).data()).length).toBe(4);
  });

  it('can be terminated in the middle of an operation', async () => {
    const worker = startWorker(`
      const x = dyconv.ones([256, 256]);
      parentPort.postMessage('started');
      for (;;) x.matmul(x).dispose();
    `);
    await once(worker, 'message');
    await sleep(20);
    expect(await worker.terminate()).toBe(1);
  });
});

describe('environments', () => {
  it('do not accept what another one sends in place of a tensor', async () => {
    const worker = startWorker(`
      parentPort.once('message', (value) => {
        const errors = [];
        for (const call of [() => dyconv.zeros([1]).add(value), () => dyconv.cat([value])]) {
          try { call(); } catch (error) { errors.push([error.name, error.message]); }
        }
        parentPort.postMessage([dyconv.isTensor(value), errors]);
      });
    `);
    const exit = once(worker, 'exit');
    const answer = once(worker, 'message');
    worker.postMessage(tensor([1]));
    expect((await answer)[0]).toEqual([
      false,
      [
        ['ArgumentError', 'Expected a Tensor or a number for other of add but received an object'],
        ['ArgumentError', 'Expected a Tensor for tensors of cat but received an object'],
      ],
    ]);
    await exit;
  });

  it('do not take a copy for the tensor either', async () => {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(tensor([1]));
    const [copy] = await once(port2, 'message');
    port1.close();
    expect(isTensor(copy)).toBe(false);
    expect(() => zeros([1]).add(copy)).toThrow(ArgumentError);
    expect(() => zeros([1]).mul(structuredClone(tensor([1])))).toThrow('received an object');
  });

  it('share typed arrays, from which tensors are made', async () => {
    const worker = startWorker(`
      parentPort.once('message', (data) => parentPort.postMessage(dyconv.tensor(data).sum().item()));
    `);
    const exit = once(worker, 'exit');
    const answer = once(worker, 'message');
    worker.postMessage(await tensor([1, 2, 3]).data());
    expect((await answer)[0]).toBe(6);
    await exit;
  });
});

describe('processes', () => {
  it('stay small while 2,000 tensors of 4 MB are made in a loop and never disposed', {
    timeout: limit(180_000),
  }, async () => {
    const { stdout } = await runProcess(`
      let peak = 0;
      for (let i = 0; i < 2000; i++) {
        dyconv.zeros([1024, 1024]);
        if (i % 10 === 0) peak = Math.max(peak, process.memoryUsage.rss());
      }
      console.log(Math.round(peak / 2 ** 20));
    `);
    expect(Number(stdout)).toBeGreaterThan(0);
    expect(Number(stdout)).toBeLessThan(1024);
    // 8 GB of new pages take time.
  });

  const endings: [string, string][] = [
    ['with tensors that live', 'globalThis.x = dyconv.zeros([1000]);'],
    ['with a graph that lives', 'globalThis.x = dyconv.ones([3], { requiresGrad: true }).exp().sum();'],
    ['with reads that are pending', 'for (let i = 0; i < 20; i++) dyconv.zeros([512, 512]).data();'],
    [
      'in the middle of reads',
      'for (let i = 0; i < 20; i++) dyconv.zeros([512, 512]).data(); process.exit(0);',
    ],
    [
      'in the middle of a tidy block',
      'dyconv.tidy(async () => { dyconv.zeros([1]); await new Promise(() => {}); });',
    ],
    [
      'with a worker that is computing',
      `
      import { Worker } from 'node:worker_threads';
      const worker = new Worker("import('" + ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)} + "').then((d) => { for (;;) d.zeros([100]).exp(); })", { eval: true });
      await new Promise((resolve) => setTimeout(resolve, 1500));
      process.exit(0);`,
    ],
  ];
  it.each(endings)('end well %s', async (_, body) => {
    const { stderr } = await runProcess(body);
    expect(stderr).toBe('');
  });

  it('wait for reads that are pending', async () => {
    const { stdout } = await runProcess(
      'dyconv.ones([512, 512]).sum().data().then((d) => console.log(d[0]));',
    );
    expect(stdout).toBe('262144\n');
  });
});
