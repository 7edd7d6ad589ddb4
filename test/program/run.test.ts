import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ArgumentError, memory, models, nn, randn, type Tensor, zeros } from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { runProcess } from '../support/program.js';

const entry = new URL('../../dist/index.js', import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), 'dyconv-run-'));
afterAll(() => rm(folder, { recursive: true }));

it(
  'runs off the event loop, in order, and may be aborted before it starts',
  async () => {
    const program = nn.compile(models.create('alexnet', { numClasses: 10 }).eval(), zeros([1, 3, 128, 128]));
    const x = randn([8, 3, 128, 128]);
    const expected = program.runSync(x).arraySync();
    const order: number[] = [];
    const runs = Array.from({ length: 6 }, async (_, i) => {
      const y = await program.run(x);
      order.push(i);
      return y;
    });
    const controller = new AbortController();
    const aborted = program.run(x, { signal: controller.signal });
    controller.abort(new Error('not needed'));
    await expect(aborted).rejects.toThrow('not needed');
    for (const y of await Promise.all(runs)) expect(y.arraySync()).toEqual(expected);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  },
  limit(30_000),
);

it('errors of a step name the operation, its parameter and the layer', async () => {
  const net = new nn.Sequential(new nn.Embedding(10, 4), new nn.Linear(4, 2)).eval();
  const program = nn.compile(net, zeros([1, 3], { dtype: 'int64' }));
  const wrong = zeros([1, 3], { dtype: 'int64' }).add(99);
  const place = /index out of range in self \(in embedding\(\) of 0\.weight at .* in 0 \(Embedding\)\)/;
  expect(() => program.runSync(wrong)).toThrow(place);
  expect(() => program.runSync(wrong)).toThrow(/^runSync: .*; received inputs \[int64 \[1, 3\]\]$/);
  await expect(program.run(wrong)).rejects.toThrow(/^run: /);
  await expect(program.runBatch([wrong])).rejects.toThrow(/^runBatch: /);
  const layers = new nn.Sequential(new nn.Linear(64, 64), new nn.ReLU(), new nn.Linear(64, 64)).eval();
  const quantized = await nn
    .compile(layers, zeros([1, 64]))
    .quantize({ calibration: [randn([2, 64])], floatLayers: [] });
  (layers.at(2) as nn.Linear).weight.detach().fill_(Number.NaN);
  expect(() => quantized.runSync(randn([1, 64]))).toThrow(
    'Expected finite weights for a layer in int8 but received one that is not (in packInt8() of 2.weight)',
  );
});

it('names the input that is not a tensor', async () => {
  const program = nn.compile((a: Tensor, b: Tensor) => a.add(b), [zeros([1]), zeros([1])]);
  const one = nn.compile((x: Tensor) => x.neg(), zeros([1]));
  for (const [value, text] of [
    [undefined, 'undefined'],
    [{}, 'Object (object)'],
    [() => zeros([1]), 'a function'],
    [Promise.resolve(zeros([1])), 'Promise (object)'],
  ]) {
    const message = `Expected a Tensor for input of the program but received ${text as string}`;
    expect(() => one.runSync(value as never)).toThrow(new ArgumentError(message));
    await expect(one.run(value as never)).rejects.toThrow(new ArgumentError(message));
    expect(() => program.runSync([zeros([1]), value as never])).toThrow(
      new ArgumentError(`Expected a Tensor for inputs[1] of the program but received ${text as string}`),
    );
  }
  await expect(one.profile(3 as never)).rejects.toThrow(
    new ArgumentError('Expected a Tensor or an array of tensors for x but received 3 (number)'),
  );
  for (const runs of [0, 2 ** 40])
    await expect(one.profile(zeros([1, 1]), { runs })).rejects.toThrow(
      new ArgumentError(`Expected an integer from 1 to 100000 for runs but received ${runs} (number)`),
    );
  for (const threads of [0, 2 ** 32])
    await expect(one.run(zeros([1, 1]), { threads })).rejects.toThrow(
      new ArgumentError(`Expected an integer from 1 to 1024 for threads but received ${threads} (number)`),
    );
});

it(
  'several programs at once give the same results, and memory is flat',
  async () => {
    const programs = [1, 2, 3].map((i) =>
      nn.compile((x: Tensor) => x.matmul(x.transpose(1, 2)).mul(i).softmax({ dim: 1 }), zeros([1, 40, 30])),
    );
    const x = [2, 5].map((batch) => randn([batch, 40, 30]));
    const expected = programs.map((program) => x.map((input) => program.runSync(input).arraySync()));
    const round = () =>
      Promise.all(
        programs.flatMap((program, p) =>
          x.map(async (input, i) => {
            const y = await program.run(input);
            expect(y.arraySync()).toEqual(expected[p]![i]);
            y.dispose();
          }),
        ),
      );
    for (let i = 0; i < 20; i++) await round();
    const before = memory();
    for (let i = 0; i < 30; i++) await round();
    const after = memory();
    expect(after.numTensors).toBe(before.numTensors);
    expect(after.allocatedBytes - before.allocatedBytes).toBeLessThan(1 << 20);
  },
  limit(30_000),
);

it(
  'profile measures every step and writes a trace',
  async () => {
    const program = nn.compile(models.create('alexnet', { numClasses: 10 }).eval(), zeros([1, 3, 128, 128]));
    const trace = join(folder, 'trace.json');
    const profile = await program.profile(randn([2, 3, 128, 128]), { runs: 3, trace });
    expect(profile.rows.length).toBeGreaterThan(5);
    expect(profile.milliseconds).toBeGreaterThan(0);
    expect(profile.rows.reduce((sum, row) => sum + row.share, 0)).toBeCloseTo(1, 5);
    const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8'));
    expect(traceEvents.map(({ name }: { name: string }) => name)).toEqual(
      profile.rows.map((row) => row.operation),
    );
    expect(String(profile)).toMatch(/^step +operation +shape +FLOPs +ms/);
    await expect(
      program.profile(randn([2, 3, 128, 128]), { trace: join(folder, 'no', 'x') }),
    ).rejects.toThrow('no such folder');
  },
  limit(30_000),
);

it('the FLOPs of a listing are those of the summary', async () => {
  const model = models.create('alexnet-dy', { numClasses: 10 }).eval();
  const { flops } = (await import('../../lib/index.js')).report.summary(model, [1, 3, 128, 128]);
  const program = nn.compile(model, zeros([1, 3, 128, 128]), { optimize: false });
  const recorded = await program.profile(zeros([1, 3, 128, 128]), { runs: 1 });
  expect(recorded.flops).toBe(flops);

  const fused = await nn
    .compile(model, zeros([1, 3, 128, 128]))
    .profile(zeros([1, 3, 128, 128]), { runs: 1 });
  const of = (name: string, { rows }: typeof fused) =>
    rows.filter(({ operation }) => operation === name).map((row) => row.flops);
  expect(of('fusedDynamicConv2d', fused)).toEqual(of('dynamicConv2d', recorded));
  expect(of('fusedConv2d', fused)).toEqual(of('conv2d', recorded));
});

it(
  'workers that end while they compile or run do not end the process',
  async () => {
    const source = `
    import * as d from '${entry}'; import { parentPort } from 'node:worker_threads';
    const model = d.models.create('alexnet', { numClasses: 10 }).eval();
    const x = d.zeros([4, 3, 128, 128]);
    parentPort.postMessage(1);
    for (;;) {
      const program = d.nn.compile(model, x);
      program.run(x); program.run(x);
      await program.run(x);
    }`;
    const body = `
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    for (let i = 0; i < 6; i++) {
      const workers = [1, 2].map(() => new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(source)}))));
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      await new Promise((resolve) => setTimeout(resolve, 20 * i));
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    console.log(dyconv.ones([3]).sum().item());`;
    const { stdout, stderr } = await runProcess(body);
    expect([stdout, stderr]).toEqual(['3\n', '']);
  },
  limit(120_000),
);
