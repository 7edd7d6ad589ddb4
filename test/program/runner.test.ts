import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  loadTorchScript,
  memory,
  ones,
  type Tensor,
  type TorchScriptProgram,
  tidy,
} from '../../lib/index.js';
import { runProcess } from '../support/program.js';
import { hasModule, python, runPython } from '../support/python.js';

// A program that computes for as long as it is asked to.
const MAKE = `
import sys, torch
from torch import Tensor
class Busy(torch.nn.Module):
    def forward(self, x: Tensor, times: int) -> Tensor:
        y = x
        for i in range(times):
            y = torch.mm(y, x)
            y = y / y.norm()
        return y
torch.jit.script(Busy()).save(sys.argv[1] + '/busy.pt')
`;

describe.skipIf(!hasModule('torch'))(`runs of programs (needs torch in ${python})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-runner-'));
  const file = (name: string) => join(folder, name);
  let program: TorchScriptProgram;
  const x = ones([256, 256]);

  beforeAll(async () => {
    runPython(MAKE, folder);
    program = await loadTorchScript(file('busy.pt'));
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are made in the order of the calls, while the event loop is free', async () => {
    const order: number[] = [];
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const start = performance.now();
    await Promise.all(
      [300, 1, 100].map(async (times, i) => {
        await program.run([x, times]);
        order.push(i);
      }),
    );
    const elapsed = performance.now() - start;
    delay.disable();
    expect(order).toEqual([0, 1, 2]);
    // A run on this thread would hold it for about three quarters of the time.
    expect(delay.max / 1e6).toBeLessThan(Math.max(50, elapsed / 2));
  });

  it('hold their inputs, which may be disposed after the call', async () => {
    const input = ones([2, 2]);
    const first = program.run([x, 100]);
    const second = program.run([input, 1]);
    input.dispose();
    await first;
    expect((await second).shape).toEqual([2, 2]);
  });

  it('are not made when the signal is aborted before they start', async () => {
    const controller = new AbortController();
    const reason = new Error('no longer needed');
    const first = program.run([x, 300]);
    const before = performance.now();
    const second = program.run([x, 1_000_000], { signal: controller.signal });
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    await first;
    await program.run([x, 1]);
    // A million products would take minutes.
    expect(performance.now() - before).toBeLessThan(30_000);
    await expect(program.run([x, 1], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const late = new AbortController();
    expect((await program.run([x, 1], { signal: late.signal })).shape).toEqual([256, 256]);
    late.abort();
    await expect(program.run([x, 1], { signal: 1 as never })).rejects.toThrow(
      'Expected an AbortSignal for signal',
    );
  });

  it('are not made when the signal is aborted after they started, but do not reject either', async () => {
    const controller = new AbortController();
    const run = program.run([x, 500], { signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    expect((await run).shape).toEqual([256, 256]);
  });

  it('of replicas are made at the same time', async () => {
    const long = program.run([x, 1500]);
    let settled = false;
    void long.then(() => {
      settled = true;
    });
    using replica = program.replicate();
    await replica.run([x, 1]);
    expect(settled).toBe(false);
    await long;
    await expect(program.run([x, 1], { threads: 0 })).rejects.toThrow('threads');
  });

  it.skipIf(process.platform !== 'linux')('share the threads', async () => {
    // A thread that runs a loop over n threads for the first time makes n - 1 of them.
    const { stdout } = await runProcess(`
      import { readdirSync } from 'node:fs';
      const threads = () => readdirSync('/proc/self/task').length;
      dyconv.setNumThreads(4);
      const program = await dyconv.loadTorchScript(${JSON.stringify(file('busy.pt'))});
      const other = program.replicate();
      const x = dyconv.ones([1024, 1024]);
      const idle = () => new Promise((resolve) => setTimeout(resolve, 100));
      // Both threads of the pool are there from now on.
      await Promise.all([program, other].map((one) => one.run([x, 5], { threads: 1 })));
      await idle();
      const before = threads();
      await program.run([x, 1], { threads: 2 });
      await idle();
      const two = threads() - before;
      const long = program.run([x, 60]);
      await idle();
      const four = threads() - before;
      await other.run([x, 1]);
      const shared = threads() - before;
      await long;
      console.log([two, four, shared].join());`);
    // The other thread of the pool has half of the four.
    expect(stdout).toBe('1,3,4\n');
  });

  it('give their outputs to the tidy block of the call', async () => {
    await program.run([x, 1]);
    const before = memory().numTensors;
    let made: Tensor | undefined;
    await tidy(async () => {
      made = await program.run([x, 1]);
      expect(made.isDisposed).toBe(false);
    });
    expect(made!.isDisposed).toBe(true);
    expect(memory().numTensors).toBe(before);
  });

  it('end with a worker that is terminated while they are pending', async () => {
    const source = (
      entry: string,
    ) => `import * as d from '${entry}'; import { parentPort } from 'node:worker_threads';
      const program = await d.loadTorchScript(${JSON.stringify(file('busy.pt'))});
      const x = d.ones([128, 128]);
      for (let i = 0; i < 20; i++) void program.run([x, 200]);
      const other = program.replicate();
      void other.run([x, 200]);
      other.dispose();
      parentPort.postMessage(1);`;
    const entry = new URL('../../dist/index.js', import.meta.url).href;
    const { stdout, stderr } = await runProcess(`
      import { Worker } from 'node:worker_threads';
      import { once } from 'node:events';
      for (let i = 0; i < 4; i++) {
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(source(entry))})));
        await once(worker, 'message');
        await worker.terminate();
      }
      const program = await dyconv.loadTorchScript(${JSON.stringify(file('busy.pt'))});
      console.log((await program.run([dyconv.ones([2, 2]), 1])).shape.join());`);
    expect([stdout, stderr]).toEqual(['2,2\n', '']);
  });

  it('keep the process alive until they are done, and not longer', async () => {
    const { stdout } = await runProcess(`
      const program = await dyconv.loadTorchScript(${JSON.stringify(file('busy.pt'))});
      program.run([dyconv.ones([64, 64]), 50]).then(() => console.log('done'));`);
    expect(stdout).toBe('done\n');
  });
});
