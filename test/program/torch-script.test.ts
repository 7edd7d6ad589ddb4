import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  arange,
  CheckpointError,
  loadSafetensors,
  loadTorchScript,
  ones,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { hasModule, python, runPython } from '../support/python.js';
import { deviation } from '../support/values.js';

/** Modules as TorchScript files, and what PyTorch computes with them. */
const MAKE = `
import sys, torch, torch.nn as nn
from typing import Dict, List, NamedTuple, Optional, Tuple
from torch import Tensor
from safetensors.torch import save_file
folder = sys.argv[1]
torch.manual_seed(0)

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.drop(self.bn2(self.conv2(y))) + x)

class Flow(nn.Module):
    def forward(self, x: Tensor, steps: int, scale: float = 2.0, names: Optional[List[str]] = None):
        for i in range(steps):
            x = x * scale if i % 2 == 0 else x + 1
        return x, (0 if names is None else len(names))

class Sizes(NamedTuple):
    rows: int
    ratio: float

class Outputs(nn.Module):
    def forward(self, xs: List[Tensor], extra: Dict[str, Tensor]) -> Tuple[Dict[str, Tensor], Sizes, Optional[Tensor]]:
        total = xs[0]
        for x in xs[1:]:
            total = total + x
        return {'total': total, 'bias': extra['bias']}, Sizes(total.size(0), 0.5), None

class Look(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 3)
    def forward(self, index):
        return self.table(index)

class Raises(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.size(0) > 2:
            raise ValueError('at most two rows')
        return x.view(2, 3)

block = Block()
x = torch.randn(2, 8, 6, 6)
block(x)
block.eval()
torch.jit.script(block.train()).save(f'{folder}/scripted.pt')
block.eval()
torch.jit.trace(block, x).save(f'{folder}/traced.pt')
torch.jit.freeze(torch.jit.script(block)).save(f'{folder}/frozen.pt')
torch.jit.script(Block().eval().to(torch.bfloat16)).save(f'{folder}/bf16.pt')
torch.jit.script(Flow()).save(f'{folder}/flow.pt')
torch.jit.script(Outputs()).save(f'{folder}/outputs.pt')
look = Look()
torch.jit.script(look).save(f'{folder}/look.pt')
torch.jit.script(Raises()).save(f'{folder}/raises.pt')
torch.save(block.state_dict(), f'{folder}/weights.pt')
save_file({'x': x, 'y': block(x), 'look': look(torch.tensor([[4, 0]]))}, f'{folder}/values.safetensors')
# A module that calls an operator that this libtorch does not have.
lib = torch.library.Library('foreign_test', 'DEF')
lib.define('twice(Tensor x) -> Tensor')
class Custom(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.foreign_test.twice(x)
torch.jit.script(Custom()).save(f'{folder}/custom.pt')
`;

const hasTorch = hasModule('torch, safetensors');

describe.skipIf(!hasTorch)(`loadTorchScript (needs torch and safetensors in ${python})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'dyconv-script-'));
  const file = (name: string) => join(folder, name);
  let values: Record<string, Tensor>;

  beforeAll(async () => {
    runPython(MAKE, folder);
    values = await loadSafetensors(file('values.safetensors'));
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(['scripted.pt', 'traced.pt', 'frozen.pt'])('%s computes what PyTorch computes', async (name) => {
    using program = await loadTorchScript(file(name));
    for (let i = 0; i < 3; i++)
      expect(deviation(await program.run(values.x!), values.y!)).toBeLessThanOrEqual(1e-5);
    expect(deviation(program.runSync(values.x!), values.y!)).toBeLessThanOrEqual(1e-5);
  });

  it('takes any batch size, also from several runs at once', async () => {
    using program = await loadTorchScript(file('traced.pt'));
    const runs = [1, 2, 3, 4].map((batch) => program.run(ones([batch, 8, 6, 6])));
    expect((await Promise.all(runs)).map(({ shape }) => shape[0])).toEqual([1, 2, 3, 4]);
  });

  it('runs control flow, with numbers, strings and defaults', async () => {
    using program = await loadTorchScript<[Tensor, number]>(file('flow.pt'));
    const [y, count] = await program.run([ones([2]), 3, 3, ['a', 'b']]);
    expect(y.arraySync()).toEqual([12, 12]);
    expect(count).toBe(2);
    const [z] = await program.run([ones([2]), 1]);
    expect(z.arraySync()).toEqual([2, 2]);
    expect(program.inputs.map(({ name, optional }) => [name, optional])).toEqual([
      ['x', false],
      ['steps', false],
      ['scale', true],
      ['names', true],
    ]);
    expect(program.signature).toBe(
      'Flow.forward(x: Tensor, steps: int, scale?: float, names?: Optional[List[str]]) -> Tuple[Tensor, int]',
    );
  });

  it('takes lists and dictionaries, and returns tuples, dictionaries, named tuples and null', async () => {
    type Out = [{ total: Tensor; bias: Tensor }, { rows: number; ratio: number }, null];
    using program = await loadTorchScript<Out>(file('outputs.pt'));
    const [sums, sizes, nothing] = await program.run([[ones([2]), ones([2])], { bias: zeros([1]) }]);
    expect(sums.total.arraySync()).toEqual([2, 2]);
    expect(sums.bias.arraySync()).toEqual([0]);
    expect(sizes).toEqual({ rows: 2, ratio: 0.5 });
    expect(nothing).toBeNull();
  });

  it('takes int64 and bfloat16 tensors', async () => {
    using look = await loadTorchScript(file('look.pt'));
    const rows = await look.run(tensor([[4, 0]], { dtype: 'int64' }));
    expect(deviation(rows, values.look!)).toBeLessThanOrEqual(0);
    using half = await loadTorchScript(file('bf16.pt'));
    expect((await half.run(values.x!.to({ dtype: 'bfloat16' }))).dtype).toBe('bfloat16');
  });

  it('has the parameters and buffers of the module', async () => {
    using program = await loadTorchScript(file('scripted.pt'));
    const state = program.stateDict();
    expect(Object.keys(state)).toContain('bn1.running_mean');
    expect(state['conv1.weight']!.shape).toEqual([8, 8, 3, 3]);
    expect(String(program)).toMatch(
      /^TorchScriptProgram\(scripted\.pt\) Block\.forward\(x: Tensor\) -> Tensor\n {2}12 tensors, /,
    );
  });

  it('names what is wrong with the inputs', async () => {
    using flow = await loadTorchScript(file('flow.pt'));
    await expect(flow.run([ones([2])])).rejects.toThrow(
      'Expected 2 to 4 inputs (x: Tensor, steps: int, scale: float, names: Optional[List[str]]) for x of run but received 1',
    );
    await expect(flow.run([ones([2]), 1.5])).rejects.toThrow(
      'Expected int for steps of run but received 1.5',
    );
    await expect(flow.run([3, 1])).rejects.toThrow('Expected Tensor for x of run but received 3 (number)');
    await expect(flow.run([ones([2]), 1, 1, ['a', 2]])).rejects.toThrow(
      'Expected str for names[1] of run but received 2 (number)',
    );
    using block = await loadTorchScript(file('traced.pt'));
    const error = await block.run(ones([2, 3, 6, 6])).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ShapeError);
    expect((error as Error).message).not.toContain('Traceback');
  });

  it('puts the message of an error inside the script first, and its line', async () => {
    using program = await loadTorchScript(file('raises.pt'));
    await expect(program.run(ones([3]))).rejects.toThrow(/^run: .*at most two rows/);
    const error = (await program.run(ones([2])).catch((reason: unknown) => reason)) as Error;
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(
      /^run: shape '\[2, 3\]' is invalid for input of size 2 \(in `return x\.view\(2, 3\)/,
    );
  });

  it('refuses what is no TorchScript module', async () => {
    writeFileSync(file('text.pt'), 'not a zip archive');
    writeFileSync(file('damaged.pt'), 'PK\x03\x04 and then nothing');
    await expect(loadTorchScript(file('missing.pt'))).rejects.toThrow(
      /Cannot read .*missing\.pt: no such file/,
    );
    for (const [name, reason] of [
      ['text.pt', /it is not a zip archive/],
      ['damaged.pt', /its zip archive is damaged/],
      ['weights.pt', /it has no code\. loadTorch reads files of torch\.save/],
      ['custom.pt', /it uses foreign_test::twice, which is not an operator of libtorch/],
    ] as const) {
      const error = await loadTorchScript(file(name)).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(CheckpointError);
      expect((error as Error).message).toMatch(reason);
    }
    await expect(loadTorchScript('')).rejects.toThrow('Expected the path of a file for path');
  });

  it('cannot be used after dispose, but finishes what was asked for', async () => {
    const program = await loadTorchScript(file('look.pt'));
    const pending = program.run(arange(5, { dtype: 'int64' }));
    program.dispose();
    expect((await pending).shape).toEqual([5, 3]);
    await expect(program.run(arange(2, { dtype: 'int64' }))).rejects.toThrow('Expected a live program');
  });
});
