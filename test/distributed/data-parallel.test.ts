import { describe, expect, it } from 'vitest';
import { runRanks } from './support.js';

/** A network with batch norm, its data, and a training of `steps` steps on the images of `part`. */
const TRAINING = `
const net = () => {
  manualSeed(3);
  return new nn.Sequential(
    new nn.Conv2d(3, 8, 3), new nn.BatchNorm2d(8), new nn.ReLU(), new nn.Flatten(), new nn.Linear(8 * 36, 5));
};
manualSeed(9);
const images = randn([20, 16, 3, 8, 8]);
const labels = randn([20, 16, 5]).argmax({ dim: 2 });
const training = (model, forward, part, steps = 20) => {
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
  const losses = [];
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(forward(images.select(0, step).slice(0, ...part)), labels.select(0, step).slice(0, ...part));
    loss.backward();
    optimizer.step();
    losses.push(loss.item());
  }
  return losses;
};
const weights = (model) => [...model.parameters()].flatMap((x) => [...x.detach().reshape([-1]).dataSync()]);
const half = [rank * 8, rank * 8 + 8];
`.replaceAll(/\.slice\(0, \.\.\.part\)/g, '.narrow(0, part[0], part[1] - part[0])');

/** The largest difference, relative to the largest value. */
function difference(a: number[], b: number[]): number {
  const largest = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / largest;
}

describe('DistributedDataParallel', () => {
  it('trains as one process with the whole batch does, with SyncBatchNorm', async () => {
    const [first, second] = await runRanks(
      2,
      `${TRAINING}
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
const model = net();
if (rank === 1) dyconv.noGrad(() => { for (const x of model.parameters()) x.zero_(); }); // gets those of rank 0
const ddp = new distributed.DistributedDataParallel(nn.SyncBatchNorm.convert(model), { group });
training(ddp.module, (x) => ddp.forward(x), half);
report(weights(model));
report([...model.namedBuffers()].map(([name, x]) => [name, values(x)]));
await group.destroy();
const alone = net();
training(alone, (x) => alone.forward(x), [0, 16]);
report(weights(alone));
report([...alone.namedBuffers()].map(([name, x]) => [name, values(x)]));
`,
    );
    expect(second![0]).toEqual(first![0]); // to the bit
    expect(difference(first![0], first![2])).toBeLessThan(1e-4);
    const [pair, alone] = [first![1], first![3]] as [string, number[]][][];
    pair!.forEach(([name, values], i) => {
      expect(name).toBe(alone![i]![0]);
      expect(difference([values].flat(), [alone![i]![1]].flat())).toBeLessThan(1e-4);
    });
  });

  it('adds up gradients in each process under noSync', async () => {
    const [first, second] = await runRanks(
      2,
      `${TRAINING}
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
const model = new nn.Linear(3, 2);
const ddp = new distributed.DistributedDataParallel(model, { group });
const x = (i) => full([1, 3], i);
ddp.noSync(() => ddp.forward(x(rank + 1)).sum().backward());
report(values(model.weight.grad));
ddp.forward(x(10 * (rank + 1))).sum().backward();
report(values(model.weight.grad));
await group.destroy();
`,
    );
    const rows = (value: number) => [Array(3).fill(value), Array(3).fill(value)];
    expect(first).toEqual([rows(1), rows(16.5)]); // (1 + 10 + 2 + 20) / 2
    expect(second).toEqual([rows(2), rows(16.5)]);
  });

  it('averages parameters that one process does not use, if they are looked for', async () => {
    const [first, second] = await runRanks(
      2,
      `
class Two extends nn.Module {
  a = new nn.Linear(2, 1, { bias: false });
  b = new nn.Linear(2, 1, { bias: false });
  never = new nn.Linear(2, 1, { bias: false });
  forward(x, both) { return both ? this.a.forward(x).add(this.b.forward(x)) : this.a.forward(x); }
}
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
const model = new Two();
const ddp = new distributed.DistributedDataParallel(model, { group, findUnusedParameters: true });
for (let i = 0; i < 3; i++) {
  model.zeroGrad();
  ddp.forward(ones([1, 2]), rank === 0).sum().backward();
}
report([model.a, model.b].map((layer) => values(layer.weight.grad)));
report(model.never.weight.grad === null);
await group.destroy();
`,
    );
    expect(first).toEqual([[[[1, 1]], [[0.5, 0.5]]], true]);
    expect(second).toEqual(first);
  });

  it('sends gradients as bfloat16 if asked to', async () => {
    const [first] = await runRanks(
      2,
      `
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
manualSeed(1);
const model = new nn.Linear(64, 8);
const ddp = new distributed.DistributedDataParallel(model, { group, commHook: 'bf16-compress' });
manualSeed(rank);
const x = randn([4, 64]);
ddp.forward(x).square().sum().backward();
const compressed = model.weight.grad.clone();
model.zeroGrad();
model.forward(x).square().sum().backward();
const exact = await group.allReduce(model.weight.grad.clone(), { op: 'avg' });
report(compressed.sub(exact).abs().max().item() / exact.abs().max().item());
await group.destroy();
`,
    );
    expect(first![0]).toBeGreaterThan(0); // it is rounded
    expect(first![0]).toBeLessThan(2 ** -7);
  });

  it('copies the buffers of rank 0 before each pass of the training', async () => {
    const results = await runRanks(
      2,
      `
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
const model = new nn.BatchNorm1d(1, { momentum: 1 });
const ddp = new distributed.DistributedDataParallel(model, { group });
for (let i = 0; i < 2; i++) ddp.forward(full([4, 1], rank + 1));
ddp.eval();
report(values(model.runningMean));
ddp.train();
ddp.forward(full([4, 1], 5));
report(model.numBatchesTracked.item());
await group.destroy();
`,
    );
    expect(results).toEqual([
      [[1], 3],
      [[2], 3],
    ]);
  });
});
