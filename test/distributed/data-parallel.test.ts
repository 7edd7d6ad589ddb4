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

  it('SyncBatchNorm is as exact as batch norm of the whole batch, for inputs of any layout', async () => {
    const reports = await runRanks(
      2,
      `
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
const flat = (x) => x.to({ dtype: 'float64' }).reshape([-1]);
const error = (x, exact) => flat(x).sub(flat(exact)).norm().div(flat(exact).norm()).item();
const run = (norm, x, weight) => {
  const input = x.detach().requiresGrad_();
  const output = norm.train().forward(input);
  return [output, ...dyconv.autograd.grad([output.mul(weight).sum()], [input, norm.weight, norm.bias])];
};
const cases = {
  vectors: { shape: [], seed: 1 },
  sequences: { shape: [17], seed: 2 },
  images: { shape: [9, 7], seed: 3 },
  volumes: { shape: [3, 4, 5], seed: 4 },
  'images far from zero': { shape: [9, 7], seed: 5, offset: 300 },
  'transposed images': { shape: [9, 7], seed: 6, layout: (x) => x.transpose(2, 3) },
};
for (const [name, { shape, seed, offset = 0, layout = (x) => x }] of Object.entries(cases)) {
  manualSeed(seed);
  const rows = [5, 3], channels = 6;
  const all = randn([8, channels, ...shape]).add(offset), weight = randn([8, channels, ...shape]);
  const rowsOf = (x) => x.narrow(0, rank === 0 ? 0 : rows[0], rows[rank]);
  const own = (x) => layout(rowsOf(x).contiguous());
  const Norm = [nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d][shape.length];
  const affine = (norm) => dyconv.noGrad(() => {
    manualSeed(seed);
    norm.weight.copy_(randn([channels]));
    norm.bias.copy_(randn([channels]));
    return norm;
  });
  const single = run(affine(new Norm(channels)), layout(all), layout(weight));
  const exact = run(affine(new Norm(channels)).to({ dtype: 'float64' }), layout(all).to({ dtype: 'float64' }), layout(weight).to({ dtype: 'float64' }));
  const shared = run(nn.SyncBatchNorm.convert(affine(new Norm(channels))), own(all), own(weight));
  const errors = [];
  for (const [i, value] of shared.entries()) {
    const perSample = i < 2;
    if (!perSample) await group.allReduce(value); // of a parameter
    errors.push({ name, i, sync: error(value, perSample ? rowsOf(exact[i]) : exact[i]), single: error(single[i], exact[i]) });
  }
  report(errors);
}
const norm = nn.SyncBatchNorm.convert(new nn.BatchNorm1d(2)), input = randn([4, 2]).requiresGrad_();
try {
  dyconv.autograd.grad([norm.forward(input).square().sum()], [input], { createGraph: true });
} catch (error) {
  report(error.message);
}
await group.destroy();
`,
    );
    for (const rank of reports) {
      expect(rank).toHaveLength(7);
      const twice = rank.pop();
      expect(twice).toContain('SyncBatchNorm can be differentiated only once');
      for (const { name, i, sync, single } of rank.flat())
        expect(sync, `${name}, result ${i}, beside ${single}`).toBeLessThan(4 * single + 1e-7);
    }
  });

  it('trains in the background while the event loop is free, also while it waits for another process', async () => {
    const [first, second] = await runRanks(
      2,
      `${TRAINING}
const { background } = dyconv;
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
const make = () => {
  const ddp = new distributed.DistributedDataParallel(nn.SyncBatchNorm.convert(net()), { group });
  return { ddp, optimizer: new optim.SGD(ddp.parameters(), { lr: 0.05 }) };
};
const batch = (step) => [images, labels].map((x) => x.select(0, step).narrow(0, rank * 8, 8));
const there = make(), here = make();
let ticks = 0;
const timer = setInterval(() => ticks++, 20);
for (let step = 0; step < 3; step++) {
  if (step === 1 && rank === 1) await new Promise((resolve) => setTimeout(resolve, 1500));
  const before = ticks;
  const [x, y] = batch(step);
  there.optimizer.zeroGrad();
  const loss = await background(() => F.crossEntropy(there.ddp.forward(x), y));
  await background(() => loss.backward());
  await background(() => there.optimizer.step());
  if (step === 1) report(ticks - before);
}
clearInterval(timer);
for (let step = 0; step < 3; step++) {
  const [x, y] = batch(step);
  here.optimizer.zeroGrad();
  F.crossEntropy(here.ddp.forward(x), y).backward();
  here.optimizer.step();
}
report(weights(there.ddp));
report(weights(here.ddp));
await group.destroy();
`,
    );
    expect(first![0]).toBeGreaterThan(30);
    expect(first![1]).toEqual(first![2]); // to the bit
    expect(second![1]).toEqual(first![1]);
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

  it('gives the same weights whatever the buckets are, and whether or not gradients are views of them', async () => {
    const [first, second] = await runRanks(
      2,
      `${TRAINING}
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
const cases = [{}, { gradientAsBucketView: true }, { bucketCapMb: 0.001 }, { bucketCapMb: 0.001, gradientAsBucketView: true }];
for (const options of cases) {
  const model = net();
  const ddp = new distributed.DistributedDataParallel(nn.SyncBatchNorm.convert(model), { group, ...options });
  const pass = (step) => {
    const [x, y] = [images, labels].map((all) => all.select(0, step).narrow(0, rank * 8, 8));
    F.crossEntropy(ddp.forward(x), y).backward();
  };
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
  for (let step = 0; step < 8; step += 2) {
    optimizer.zeroGrad();
    ddp.noSync(() => pass(step));
    pass(step + 1);
    nn.utils.clipGradNorm_(model.parameters(), 1);
    optimizer.step();
  }
  const made = performance.now();
  pass(9);
  const buckets = group.recentCalls().filter((call) => call.made > made && call.dtype === 'float32' && call.operation === 'allReduce');
  report({ weights: weights(model), buckets: buckets.length });
}
await group.destroy();
`,
    );
    expect(second).toEqual(first);
    for (const { weights } of first!) expect(weights).toEqual(first![0].weights); // to the bit
    const [one, oneOfViews, many, manyOfViews] = first!.map(({ buckets }) => buckets);
    expect([one, oneOfViews]).toEqual([1, 1]);
    expect(many).toBeGreaterThan(1);
    expect(manyOfViews).toBe(many);
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
