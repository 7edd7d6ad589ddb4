/** Processes of Python and of Node.js in one group. Skipped where Python has no torch; `PYTHON` names another Python. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { version } from '../../lib/runtime/settings.js';
import { python, runPython } from '../support/python.js';
import { freePort, rankEnv, startCommand, startRank } from './support.js';

/** Why the test cannot run; undefined if it can. */
function obstacle(): string | undefined {
  let found: string;
  try {
    found = runPython(
      'import torch, torch.distributed as d\nprint(torch.__version__, d.is_gloo_available())',
    ).trim();
  } catch {
    return `${python} has no torch`;
  }
  const [theirs = '', gloo] = found.split(' ');
  if (gloo !== 'True') return `the torch of ${python} has no gloo`;
  const ours = version.libtorch.split('+')[0];
  return theirs.split('+')[0] === ours ? undefined : `${python} has torch ${theirs}, not ${ours}`;
}

const reason = obstacle();
const folder = mkdtempSync(join(tmpdir(), 'dyconv-group-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PYTHON = `
import json, os, torch, torch.distributed as dist
from datetime import timedelta
from torch import nn
def report(x): print('@' + json.dumps(x), flush=True)
torch.set_num_threads(1)
dist.init_process_group('gloo', timeout=timedelta(seconds=60))
rank = dist.get_rank()
x = torch.arange(4.) + 10 * rank
dist.all_reduce(x)
report(x.tolist())
parts = [torch.zeros(1) for _ in range(2)]
dist.all_gather(parts, torch.tensor([float(rank)]))
report([p.item() for p in parts])
sub = dist.new_group([1, 0])
y = torch.tensor([rank + 1.])
dist.broadcast(y, src=1, group=sub)
report(y.item())
torch.manual_seed(rank)
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3))
ddp = nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(ddp.parameters(), lr=0.1, momentum=0.9)
for step in range(5):
    images = torch.linspace(-1, 1, 4 * 36).reshape(4, 1, 6, 6) * (step + 1 + rank)
    labels = torch.tensor([0, 1, 2, 0])
    optimizer.zero_grad()
    nn.functional.cross_entropy(ddp(images), labels).backward()
    optimizer.step()
report([p.flatten().tolist() for p in model.parameters()])
dist.barrier()
dist.destroy_process_group()
`;

const NODE = `
const group = await distributed.initProcessGroup({ timeoutMs: 60_000 });
report(values(await group.allReduce(arange(4).to({ dtype: 'float32' }).add(10 * rank))));
report((await group.allGather(tensor([rank]))).map((x) => x.item()));
const sub = await distributed.newGroup([1, 0]);
report((await sub.broadcast(tensor([rank + 1]), { src: 1 })).item());
manualSeed(rank);
const model = new nn.Sequential(
  new nn.Conv2d(1, 4, 3), new nn.BatchNorm2d(4), new nn.ReLU(), new nn.Flatten(), new nn.Linear(4 * 16, 3));
const ddp = new distributed.DistributedDataParallel(model, { group });
const optimizer = new optim.SGD(ddp.parameters(), { lr: 0.1, momentum: 0.9 });
for (let step = 0; step < 5; step++) {
  const images = dyconv.linspace(-1, 1, 4 * 36).reshape([4, 1, 6, 6]).mul(step + 1 + rank);
  optimizer.zeroGrad();
  F.crossEntropy(ddp.forward(images), tensor([0, 1, 2, 0], { dtype: 'int64' })).backward();
  optimizer.step();
}
report([...model.parameters()].map((x) => [...x.detach().reshape([-1]).dataSync()]));
await group.barrier();
await group.destroy();
`;

it.skipIf(reason !== undefined).each([0, 1])(
  `Python with rank %i trains with Node.js${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async (pythonRank) => {
    const port = await freePort();
    const file = join(folder, 'rank.py');
    writeFileSync(file, PYTHON);
    const ranks = [0, 1].map((rank) => {
      const env = rankEnv(rank, 2, port);
      return rank === pythonRank ? startCommand(python, [file], env) : startRank(NODE, env);
    });
    const ended = await Promise.all(ranks.map(({ ended }) => ended));
    for (const { code, stderr } of ended) expect({ code, stderr }).toMatchObject({ code: 0 });
    const [first, second] = ended.map(({ reports }) => reports);
    expect(first!.slice(0, 3)).toEqual([[10, 12, 14, 16], [0, 1], 2]);
    expect(second!.slice(0, 3)).toEqual(first!.slice(0, 3));
    // The averaged gradients are the same bytes, and the steps the same operations.
    const difference = first![3].flatMap((values: number[], i: number) =>
      values.map((value, j) => Math.abs(value - second![3][i][j])),
    );
    expect(Math.max(...difference)).toBeLessThan(1e-6);
  },
);

it.skipIf(reason !== undefined)('a process with another version of libtorch is refused', async () => {
  const port = await freePort();
  const file = join(folder, 'store.py');
  // The store of a group whose rank 0 has another version.
  writeFileSync(
    file,
    `
import time, torch.distributed as dist
store = dist.TCPStore('127.0.0.1', ${port}, is_master=True, wait_for_workers=False)
store.set('dyconv/world', '0 2 2.12.1')
print('ready', flush=True)
time.sleep(60)
`,
  );
  const store = startCommand(python, [file], {});
  await store.printed('ready');
  const rank = startRank(
    `
try { await distributed.initProcessGroup({ timeoutMs: 10_000 }); report('joined'); } catch (error) { report(failure(error)); }
process.exit();
`,
    rankEnv(1, 2, port),
  );
  const { reports } = await rank.ended;
  store.process.kill('SIGKILL');
  await store.ended;
  expect(reports[0]).toMatchObject({ name: 'DistributedError', reason: 'mismatch', ranks: [1] });
  expect(reports[0].message).toMatch(
    /^The processes of the group do not fit: rank 1 has libtorch \d+\.\d+\.\d+\S*, and rank 0 has 2\.12\.1/,
  );
});
