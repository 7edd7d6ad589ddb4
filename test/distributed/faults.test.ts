import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePort, rankEnv, runRanks, startRank, startRanks } from './support.js';

const TIMEOUT_MS = 4000;
/** What a process needs beyond the timeout to find out who failed. */
const MARGIN_MS = 12_000;

const JOIN = `const group = await distributed.initProcessGroup({ timeoutMs: ${TIMEOUT_MS} });`;
/** Reports the error of an expression with the milliseconds it took, and ends with 1. */
const failing = (expression: string) => `
const start = performance.now();
try { ${expression}; report('no error'); }
catch (error) { report({ ...failure(error), ms: performance.now() - start }); process.exitCode = 1; }
`;

describe('a process that fails in a collective is named to the others', () => {
  it.each(['SIGKILL', 'SIGSTOP'] as const)('after %s', async (signal) => {
    const ranks = await startRanks(
      3,
      `${JOIN}
await group.allReduce(ones([4]));
if (rank === 1) { console.log('ready'); setInterval(() => {}, 1000); }
else { ${failing('while (true) await group.allReduce(ones([1000]))')} }
`,
    );
    await ranks[1]!.printed('ready');
    ranks[1]!.process.kill(signal);
    const ended = await Promise.all([ranks[0]!.ended, ranks[2]!.ended]);
    ranks[1]!.process.kill('SIGKILL');
    await ranks[1]!.ended;
    for (const { code, reports } of ended) {
      expect(code).toBe(1);
      expect(reports[0]).toMatchObject({ name: 'DistributedError', code: 'ERR_DISTRIBUTED', ranks: [1] });
      expect(['timeout', 'connection']).toContain(reports[0].reason);
      expect(reports[0].message).toMatch(
        /^allReduce\(float32\[1000\]\) failed on rank [02] because rank 1 gives no sign of life/,
      );
      expect(reports[0].ms).toBeLessThan(TIMEOUT_MS + MARGIN_MS);
    }
  });

  it('when it has left the group, or does not make the call', async () => {
    const [left, late] = await Promise.all([
      startRanks(
        2,
        `${JOIN}\nif (rank === 1) await group.destroy(); else { ${failing('await group.barrier()')} }`,
      ),
      startRanks(
        2,
        `${JOIN}
if (rank === 1) await new Promise((resolve) => setTimeout(resolve, ${TIMEOUT_MS + 4000}));
else { ${failing('await group.allReduce(ones([2]))')} }
process.exit();
`,
      ),
    ]);
    expect((await left[0]!.ended).reports[0]).toMatchObject({
      ranks: [1],
      message: expect.stringContaining('because rank 1 has left the group'),
    });
    expect((await late[0]!.ended).reports[0]).toMatchObject({
      ranks: [1],
      reason: 'timeout',
      message: expect.stringContaining('because rank 1 has not made this call yet'),
    });
    await Promise.all([left[1]!.ended, late[1]!.ended]);
  });

  it('when it is rank 0, which has the store', async () => {
    const ranks = await startRanks(
      2,
      `${JOIN}
await group.allReduce(ones([4]));
if (rank === 0) { console.log('ready'); setInterval(() => {}, 1000); }
else { ${failing('while (true) await group.allReduce(ones([1000]))')} }
`,
    );
    await ranks[0]!.printed('ready');
    ranks[0]!.process.kill('SIGKILL');
    const { code, reports } = await ranks[1]!.ended;
    expect(code).toBe(1);
    expect(reports[0]).toMatchObject({ name: 'DistributedError', ranks: [0] });
    expect(reports[0].message).toContain('rank 0, which has the store, cannot be reached');
  });

  it('also in the backward pass of a network', async () => {
    const ranks = await startRanks(
      2,
      `${JOIN}
const ddp = new distributed.DistributedDataParallel(new nn.Linear(4, 4), { group });
if (rank === 1) { console.log('ready'); setInterval(() => {}, 1000); }
else { ${failing('while (true) ddp.forward(ones([1, 4])).sum().backward()')} }
`,
    );
    await ranks[1]!.printed('ready');
    ranks[1]!.process.kill('SIGKILL');
    const { code, reports } = await ranks[0]!.ended;
    expect(code).toBe(1);
    expect(reports[0]).toMatchObject({ name: 'DistributedError', ranks: [1] });
  });
});

describe('processes that do not fit are refused', () => {
  it('with different world sizes', async () => {
    const port = await freePort();
    const body = failing(JOIN.replace('const group = ', ''));
    const ranks = [2, 3].map((size, rank) => startRank(body, rankEnv(rank, size, port)));
    const ended = await Promise.all(ranks.map(({ ended }) => ended));
    for (const { code, reports } of ended) {
      expect(code).toBe(1);
      expect(reports[0]).toMatchObject({ name: 'DistributedError', reason: 'mismatch' });
      expect(reports[0].message).toMatch(/rank [01] has the world size [23], and rank [01] has [23]/);
    }
  });

  it('with different models', async () => {
    const ranks = await startRanks(
      2,
      `${JOIN}
const model = new nn.Linear(4, rank === 0 ? 4 : 3);
${failing('new distributed.DistributedDataParallel(model, { group }).forward(ones([1, 4]))')}
process.exit();
`,
    );
    const [first, second] = await Promise.all(ranks.map(({ ended }) => ended));
    expect(second!.reports[0]).toMatchObject({ name: 'DistributedError', reason: 'mismatch', ranks: [1] });
    expect(first!.reports[0]).toMatchObject({ name: 'DistributedError', ranks: [1] });
  });

  it('with different shapes or dtypes in a collective', async () => {
    const ranks = await startRanks(
      2,
      `${JOIN}
${failing("await group.allReduce(ones([8], { dtype: rank === 0 ? 'float32' : 'float64' }))")}
process.exit();
`,
    );
    for (const { code, signal, reports, stderr } of await Promise.all(ranks.map(({ ended }) => ended))) {
      expect({ code, signal, stderr }).toMatchObject({ code: 1, signal: null });
      expect(reports[0]).toMatchObject({ name: 'DistributedError' });
    }
  });
});

describe('starting', () => {
  it('names the port that is in use, the missing rank, and the store that does not answer', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const used = await startRank(failing(JOIN.replace('const group = ', '')), rankEnv(0, 2, port)).ended;
    server.close();
    expect(used.reports[0]).toMatchObject({
      reason: 'connection',
      message: `The store cannot listen on 127.0.0.1:${port}: Address already in use`,
    });

    const free = await freePort();
    const [alone, orphan] = await Promise.all([
      startRank(failing(JOIN.replace('const group = ', '')), rankEnv(0, 2, free)).ended,
      startRank(failing(JOIN.replace('const group = ', '')), rankEnv(1, 2, await freePort())).ended,
    ]);
    expect(alone.reports[0]).toMatchObject({ reason: 'timeout', ranks: [1] });
    expect(orphan.reports[0]).toMatchObject({ ranks: [0] });
    expect(orphan.reports[0].message).toMatch(/^The store of rank 0 at 127.0.0.1:\d+ could not be reached/);
  });

  it('checks options and environment', async () => {
    const [reports] = await runRanks(
      1,
      `
for (const options of [{ rank: 3 }, { worldSize: 0 }, { backend: 'nccl' }, { backend: 'mpi' }, { masterPort: 70000 }, { timeOutMs: 1 }])
  try { await distributed.initProcessGroup(options); } catch (error) { report([error.name, error.message]); }
process.env.RANK = 'first';
try { await distributed.initProcessGroup(); } catch (error) { report([error.name, error.message]); }
delete process.env.RANK;
try { await distributed.initProcessGroup(); } catch (error) { report([error.name, error.message]); }
try { distributed.getRank(); } catch (error) { report([error.name, error.message]); }
const group = await distributed.initProcessGroup({ rank: 0, timeoutMs: 10_000 });
try { await distributed.initProcessGroup({ rank: 0 }); } catch (error) { report([error.name, error.message]); }
for (const call of [
  () => group.allReduce(ones([2], { dtype: 'bool' })),
  () => group.allReduce(ones([2, 3]).t()),
  () => group.allReduce(ones([2]), { op: 'mean' }),
  () => group.allReduce(ones([2], { dtype: 'int64' }), { op: 'avg' }),
  () => group.allReduce(ones([2]), { op: 'band' }),
  () => group.broadcast(ones([2]), { src: 1 }),
  () => group.send(ones([2]), { dst: 0 }),
  () => group.reduceScatter([ones([2]), ones([2])]),
  () => distributed.newGroup([0, 0]),
  () => group.store.set('key', 5),
]) try { await call(); report('no error'); } catch (error) { report([error.name, error.message]); }
await group.destroy();
try { await group.barrier(); } catch (error) { report([error.name, error.message]); }
`,
    );
    expect(reports).toEqual([
      ['ArgumentError', 'Expected a rank below the world size, 1, for rank but received 3'],
      ['ArgumentError', 'Expected an integer from 1 to 65536 for worldSize but received 0 (number)'],
      ['ArgumentError', "Expected 'gloo' for backend but received 'nccl', which dyconv does not support yet"],
      ['ArgumentError', "Expected one of 'gloo', 'nccl' for backend but received 'mpi' (string)"],
      ['ArgumentError', 'Expected an integer from 0 to 65535 for masterPort but received 70000 (number)'],
      ['ArgumentError', expect.stringContaining("did you mean 'timeoutMs'?")],
      [
        'ArgumentError',
        "Expected an integer from 0 to 65535 for the environment variable RANK but received 'first'",
      ],
      ['ArgumentError', expect.stringContaining('Expected the environment variable RANK')],
      ['ArgumentError', 'Expected a default process group: call initProcessGroup first'],
      ['ArgumentError', 'Expected no default process group for initProcessGroup, but there is one'],
      ['DTypeError', expect.stringContaining('for input but received bool')],
      ['ArgumentError', 'Expected a contiguous Tensor for input but received one with other strides'],
      ['ArgumentError', expect.stringContaining("for op of allReduce but received 'mean'")],
      ['DTypeError', "Expected a floating-point Tensor for op 'avg' but received int64"],
      ['DTypeError', "Expected a Tensor of integers for op 'band', 'bor' or 'bxor' but received float32"],
      ['ArgumentError', 'Expected a rank of the group for src but received 1'],
      ['ArgumentError', 'Expected the rank of another process for dst but received 0'],
      ['ArgumentError', 'Expected 1 Tensors for inputs, one for each process of the group, but received 2'],
      ['ArgumentError', expect.stringContaining('an array with each rank once')],
      ['ArgumentError', 'Expected a string or a Uint8Array for value but received 5 (number)'],
      ['DisposedError', 'Expected a live process group but received one that was destroyed'],
    ]);
  });

  it('ends with the process, without destroy() and in the middle of a call', async () => {
    const ranks = await startRanks(
      2,
      `const group = await distributed.initProcessGroup();
await group.barrier();
if (rank === 0) {
  group.barrier().catch(() => {});
  setTimeout(() => process.exit(0), 200);
} else await new Promise((resolve) => setTimeout(resolve, 1500));
`,
    );
    for (const { code, signal } of await Promise.all(ranks.map(({ ended }) => ended)))
      expect({ code, signal }).toEqual({ code: 0, signal: null });
  });
});
