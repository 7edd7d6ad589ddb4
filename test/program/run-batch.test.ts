import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { background, DisposedError, memory, nn, randn, type Tensor, tensor, zeros } from '../../lib/index.js';
import { settleGarbage } from '../support/garbage.js';

/** Two inputs, several outputs by name, of any batch size. */
const pair = () =>
  nn.compile(
    (a: Tensor, b: Tensor) => ({ sum: a.add(b.sum({ dim: 1, keepdim: true })), top: a.amax({ dim: 1 }) }),
    [zeros([2, 5]), zeros([2, 3])],
  );

describe('runBatch', () => {
  it('gives each request what it gets alone, whatever their rows and strides', async () => {
    const program = nn.compile(new nn.Linear(4, 3).eval(), zeros([1, 4]));
    const requests = [
      randn([1, 4]),
      randn([3, 4]),
      randn([4, 2]).t(),
      randn([5, 8]).narrow(1, 2, 4),
      zeros([0, 4]),
    ];
    const outputs = await program.runBatch(requests);
    expect(outputs.map(({ shape }) => shape)).toEqual([
      [1, 3],
      [3, 3],
      [2, 3],
      [5, 3],
      [0, 3],
    ]);
    for (const [i, request] of requests.entries()) {
      if (request.shape[0] === 0) continue;
      const alone = program.runSync(request);
      expect(outputs[i]!.sub(alone).abs().amax().item()).toBeLessThan(1e-6);
    }
    // Outputs are copies: none keeps the memory of the batch.
    outputs[0]!.fill_(7);
    expect(outputs[1]!.sub(program.runSync(requests[1]!)).abs().amax().item()).toBeLessThan(1e-6);
  });

  it('joins every input and splits every output', async () => {
    const program = pair();
    const requests = [1, 4, 2].map((rows) => [randn([rows, 5]), randn([rows, 3])] as const);
    const outputs = (await program.runBatch(requests)) as unknown as Record<'sum' | 'top', Tensor>[];
    for (const [i, inputs] of requests.entries()) {
      const alone = program.runSync(inputs) as unknown as Record<'sum' | 'top', Tensor>;
      for (const name of ['sum', 'top'] as const)
        expect(outputs[i]![name].arraySync()).toEqual(alone[name].arraySync());
    }
  });

  it('joins large inputs on several threads', async () => {
    const program = nn.compile((x: Tensor) => x.mul(2), zeros([1, 3, 64, 64]));
    const requests = Array.from({ length: 40 }, (_, i) => zeros([1 + (i % 3), 3, 64, 64]).fill_(i));
    const outputs = await program.runBatch(requests);
    for (const [i, output] of outputs.entries()) {
      expect(output.shape).toEqual(requests[i]!.shape);
      expect([output.amin().item(), output.amax().item()]).toEqual([2 * i, 2 * i]);
    }
  });

  it('leaves no tensor', async () => {
    const program = pair();
    const requests = [1, 4].map((rows) => [randn([rows, 5]), randn([rows, 3])]);
    await settleGarbage();
    const before = memory().numTensors;
    for (const output of (await program.runBatch(requests)) as unknown as Record<string, Tensor>[])
      for (const part of Object.values(output)) part.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it('names the request that does not fit', async () => {
    const program = nn.compile((x: Tensor) => x.relu(), zeros([1, 4]));
    const x = zeros([1, 4]);
    await expect(program.runBatch([])).rejects.toThrow(
      'Expected an array of at least one input for requests',
    );
    await expect(program.runBatch([x, zeros([1, 5])])).rejects.toThrow(
      'Expected the sizes of requests[0][0] after the first, [4], for requests[1][0] but received [1, 5]',
    );
    await expect(program.runBatch([x, x.to({ dtype: 'float64' })])).rejects.toThrow(
      'Expected float32, as in requests[0], for requests[1][0] but received float64',
    );
    await expect(program.runBatch([x, tensor(3)])).rejects.toThrow(
      'Expected a Tensor [rows, ...] for requests[1][0] but received one without dimensions',
    );
    await expect(program.runBatch([x, 3])).rejects.toThrow(
      'Expected a Tensor [rows, ...] for requests[1][0] but received 3',
    );
    await expect(pair().runBatch([[zeros([2, 5]), zeros([3, 3])]])).rejects.toThrow(
      'Expected 2 rows, as in requests[0][0], for requests[0][1] but received 3',
    );
    await expect(pair().runBatch([[zeros([2, 5]), zeros([2, 3])], zeros([2, 5])])).rejects.toThrow(
      'Expected as many inputs in requests[1] as in requests[0] but received 1',
    );
    await expect(pair().runBatch([zeros([2, 5]), [zeros([2, 5]), zeros([2, 3])]])).rejects.toThrow(
      'Expected as many inputs in requests[1] as in requests[0] but received 2',
    );
    await expect(program.runBatch([[], []])).rejects.toThrow(
      'Expected at least one input in requests[0] but received none',
    );
    const whole = nn.compile((y: Tensor) => y.sum({ dim: 0 }), zeros([2, 4]));
    await expect(whole.runBatch([x, x])).rejects.toThrow(
      'Expected [2, ...], a row for each input row, for the output but received [4]',
    );
  });
});

it('a run is canceled by its signal after the program was disposed', async () => {
  const program = nn.compile(new nn.Linear(512, 512).eval(), zeros([1, 512]));
  const x = randn([4096, 512]);
  const controller = new AbortController();
  const first = program.run(x);
  const second = program.run(x, { signal: controller.signal });
  program.dispose();
  controller.abort(new Error('gone'));
  await expect(second).rejects.toThrow('gone');
  expect((await first).shape).toEqual([4096, 512]);
  await expect(program.run(x)).rejects.toThrow(DisposedError);
});

it('a program inside of background() asks for computed tensors', async () => {
  const program = nn.compile(new nn.Linear(3, 2).eval(), zeros([1, 3]));
  await expect(background(() => program.runSync(zeros([1, 3])))).rejects.toThrow(
    'Expected a computed Tensor for inputs of runSync but received one that background() has not computed yet',
  );
  await expect(background(() => program.run(zeros([1, 3])))).rejects.toThrow('not async');
});

it.runIf(process.platform === 'linux')('threads of programs yield to the event loop', async () => {
  const nices = () =>
    readdirSync('/proc/self/task').map((id) => {
      const [, rest = ''] = readFileSync(`/proc/self/task/${id}/stat`, 'utf8').split(/\) (?=[A-Z] )/);
      return Number(rest.split(' ')[16]);
    });
  const program = nn.compile(new nn.Linear(3, 2).eval(), zeros([1, 3]));
  await program.run(zeros([1, 3]));
  const own = Math.min(...nices());
  expect(nices()).toContain(Math.min(19, own + 5));
});
