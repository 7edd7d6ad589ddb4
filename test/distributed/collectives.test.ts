import { describe, expect, it } from 'vitest';
import { runRanks } from './support.js';

describe('collectives of three processes', () => {
  it('give every process the values that PyTorch documents', async () => {
    const results = await runRanks(
      3,
      `
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
report([group.rank, group.size, group.backend, distributed.getRank(), distributed.getWorldSize()]);
const mine = () => tensor([rank + 1, 10 * (rank + 1)]);
for (const op of ['sum', 'avg', 'product', 'min', 'max'])
  report(values(await group.allReduce(mine(), { op })));
for (const op of ['band', 'bor', 'bxor'])
  report(values(await group.allReduce(tensor([rank + 5], { dtype: 'int32' }), { op })));
report(values(await group.broadcast(mine(), { src: 2 })));
report(values(await group.allGather(mine())));
report(values(await group.gather(mine(), { dst: 1 })));
const reduced = await group.reduce(mine(), { dst: 2, op: 'avg' });
report(rank === 2 ? values(reduced) : null);
const parts = [0, 1, 2].map((to) => tensor([100 * rank + to]));
report(values(await group.scatter(zeros([1]), rank === 1 ? parts : null, { src: 1 })));
report(values(await group.reduceScatter(parts, { op: 'sum' })));
report(values(await group.reduceScatter(parts, { op: 'avg' })));
report(values(await group.allToAllSingle(tensor([0, 1, 2]).add(10 * rank))));
await group.barrier();
await distributed.destroyProcessGroup();
report(distributed.isInitialized());
`,
    );
    results.forEach((reports, rank) => {
      expect(reports).toEqual([
        [rank, 3, 'gloo', rank, 3],
        [6, 60],
        [2, 20],
        [6, 6000],
        [1, 10],
        [3, 30],
        [4], // 5 & 6 & 7
        [7],
        [4],
        [3, 30],
        [
          [1, 10],
          [2, 20],
          [3, 30],
        ],
        rank === 1
          ? [
              [1, 10],
              [2, 20],
              [3, 30],
            ]
          : null,
        rank === 2 ? [2, 20] : null,
        [100 + rank],
        [300 + 3 * rank],
        [100 + rank],
        [rank, 10 + rank, 20 + rank],
        false,
      ]);
    });
  });

  it('take all dtypes that they name, empty tensors and scalars', async () => {
    const [first] = await runRanks(
      2,
      `
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
for (const dtype of ['float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'int8', 'uint8'])
  report([dtype, values((await group.allReduce(full([3], rank + 1, { dtype }))).to({ dtype: 'float32' }))]);
report((await group.allReduce(zeros([0, 4]))).shape);
report((await group.allReduce(tensor(2))).item());
await group.destroy();
`,
    );
    const dtypes = ['float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'int8', 'uint8'];
    expect(first).toEqual([...dtypes.map((dtype) => [dtype, [3, 3, 3]]), [0, 4], 4]);
  });

  it('run side by side, in the order of their calls, while the event loop is free', async () => {
    const [first] = await runRanks(
      2,
      `
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
if (rank === 1) await new Promise((resolve) => setTimeout(resolve, 400));
let turns = 0;
const timer = setInterval(() => turns++, 5);
const calls = Array.from({ length: 20 }, (_, i) => group.allReduce(full([1000], i)));
const sums = (await Promise.all(calls)).map((x) => x.mean().item());
clearInterval(timer);
report({ sums, free: turns > 10 });
await group.destroy();
`,
    );
    expect(first).toEqual([{ sums: Array.from({ length: 20 }, (_, i) => 2 * i), free: true }]);
  });
});

describe('messages', () => {
  it('are received by rank and tag, or from any process', async () => {
    const [first, second] = await runRanks(
      2,
      `
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
if (rank === 0) {
  // The later message first: a receive that waits must not hold up a send.
  const later = zeros([2]), early = zeros([2]), any = zeros([1]);
  const waiting = group.recv(later, { src: 1, tag: 7 });
  report(await group.recv(early, { src: 1 }));
  await group.send(early.mul(2), { dst: 1 });
  report(await waiting);
  report(await group.recv(any, { tag: 9 }));
  report([values(early), values(later), values(any)]);
} else {
  await group.send(tensor([1, 2]), { dst: 0 });
  const answer = zeros([2]);
  await group.recv(answer, { src: 0 });
  await group.send(answer.add(1), { dst: 0, tag: 7 });
  await group.send(tensor([5]), { dst: 0, tag: 9 });
  report(values(answer));
}
await group.destroy();
`,
    );
    expect(first).toEqual([1, 1, 1, [[1, 2], [3, 5], [5]]]);
    expect(second).toEqual([[2, 4]]);
  });
});

describe('groups of some processes', () => {
  it('have ranks of the world, and are null elsewhere', async () => {
    const results = await runRanks(
      3,
      `
await distributed.initProcessGroup({ timeoutMs: 20_000 });
const outer = await distributed.newGroup([2, 0]);
const all = await distributed.newGroup();
if (outer !== null) {
  report([outer.rank, outer.size, outer.ranks]);
  report(values(await distributed.allReduce(tensor([rank + 1]), { group: outer })));
  report(values(await distributed.broadcast(tensor([rank]), { src: 2, group: outer })));
  try { await outer.broadcast(tensor([1]), { src: 1 }); } catch (error) { report(error.message); }
} else report(null);
report(values(await all.allReduce(tensor([rank + 1]))));
await distributed.barrier();
await distributed.destroyProcessGroup();
`,
    );
    const refused = 'Expected a rank of the group for src but received 1';
    expect(results).toEqual([
      [[0, 2, [0, 2]], [4], [2], refused, [6]],
      [null, [6]],
      [[1, 2, [0, 2]], [4], [2], refused, [6]],
    ]);
  });
});

describe('the store', () => {
  it('has the same values in all processes', async () => {
    const [first, second] = await runRanks(
      2,
      `
const { store, ...group } = await distributed.initProcessGroup({ timeoutMs: 20_000 });
if (rank === 0) {
  // A wait holds up no other call.
  const waiting = store.get('late');
  await store.set('text', 'grüße');
  await store.set('bytes', Uint8Array.of(0, 255));
  report((await waiting).toString());
} else {
  report((await store.get('text')).toString());
  report([...(await store.get('bytes'))]);
  await store.set('late', 'now');
}
report([2, 4].includes(await store.add('count', 2)));
await store.wait(['late', 'text']);
report((await store.compareSet('lock', '', 'mine')).toString());
report((await store.compareSet('lock', 'other', 'third')).toString());
report(await store.check(['text', 'nothing']));
try { await store.get('nothing', { timeoutMs: 50 }); } catch (error) { report(failure(error)); }
await distributed.barrier();
if (rank === 0) report([await store.deleteKey('text'), await store.deleteKey('text'), await store.add('count', 0)]);
await distributed.destroyProcessGroup();
`,
    );
    const same = [
      true,
      'mine',
      'mine',
      false,
      {
        name: 'DistributedError',
        code: 'ERR_DISTRIBUTED',
        reason: 'timeout',
        ranks: [],
        message: "The store got no value for 'nothing' within 50 ms",
      },
    ];
    expect(first).toEqual(['now', ...same, [true, false, 4]]);
    expect(second).toEqual(['grüße', [0, 255], ...same]);
  });
});

describe('recentCalls()', () => {
  it('has the calls of a process with their times', async () => {
    const results = await runRanks(
      2,
      `
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
const before = performance.now();
if (rank === 1) await new Promise((resolve) => setTimeout(resolve, 300));
await group.allReduce(ones([2, 5]));
await group.barrier();
const model = new nn.Linear(3, 2);
const ddp = new distributed.DistributedDataParallel(model, { group });
ddp.forward(ones([1, 3])).sum().backward();
const calls = group.recentCalls();
const after = performance.now();
report(calls.slice(0, 2).map(({ number, operation, dtype, elements, failed }) => [number, operation, dtype, elements, failed]));
report(calls.every((x, i) => before <= x.made && x.made <= x.begun && x.begun <= x.ended && x.ended <= after && (i === 0 || x.number > calls[i - 1].number)));
report(calls[0].begun - calls[0].made);
report(calls.some((x) => x.operation === 'allReduce' && x.elements === 8)); // the bucket of weight and bias
await group.allReduce(ones([rank + 1])).catch(() => {});
const last = group.recentCalls().at(-1);
report([last.failed, last.begun]);
await group.destroy();
try { group.recentCalls(); } catch (error) { report(failure(error).name); }
`,
    );
    results.forEach((reports, rank) => {
      const [first, ordered, waited, bucket, failed, destroyed] = reports;
      expect(first).toEqual([
        [1, 'allReduce', 'float32', 10, false],
        [2, 'barrier', null, 0, false],
      ]);
      expect(ordered).toBe(true);
      if (rank === 0) expect(waited).toBeGreaterThan(200); // for the other process
      expect(bucket).toBe(true);
      expect(failed).toEqual([true, null]);
      expect(destroyed).toBe('DisposedError');
    });
  });
});
