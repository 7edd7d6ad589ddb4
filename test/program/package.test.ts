import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointError, loadPackage, loadSafetensors, ones, type Tensor, zeros } from '../../lib/index.js';
import { hasModule, python, runPython } from '../support/python.js';
import { deviation } from '../support/values.js';

/** A network with several inputs, keyword arguments and nested outputs, compiled for batches of 2 to 16. */
const MAKE = `
import sys, torch, torch.nn as nn
from safetensors.torch import save_file
folder = sys.argv[1]
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.linear = nn.Linear(4, 2)
    def forward(self, x, shift, *, scale):
        h = self.conv(x).relu().mean((2, 3)) * scale
        return {'logits': self.linear(h), 'sums': (h.sum(1) + shift, [h.max()])}
net = Net().eval()
x, shift, scale = torch.randn(3, 3, 8, 8), torch.randn(3), torch.full((4,), 2.0)
batch = torch.export.Dim('batch', min=2, max=16)
program = torch.export.export(net, (x, shift), {'scale': scale},
    dynamic_shapes={'x': {0: batch}, 'shift': {0: batch}, 'scale': {}})
torch._inductor.aoti_compile_and_package(program, package_path=f'{folder}/net.pt2')
out = net(x, shift, scale=scale)
save_file({'x': x, 'shift': shift, 'scale': scale, 'logits': out['logits'].detach().clone(),
    'first': out['sums'][0].detach().clone(), 'weight': net.linear.weight.detach().clone()}, f'{folder}/values.safetensors')
torch.save(net.state_dict(), f'{folder}/weights.pt')
`;

const hasCompiler = spawnSync('g++', ['--version']).status === 0;

describe.skipIf(!hasCompiler || !hasModule('torch, safetensors'))(
  `loadPackage (needs g++, and torch and safetensors in ${python})`,
  () => {
    type Out = { logits: Tensor; sums: [Tensor, [Tensor]] };
    const folder = mkdtempSync(join(tmpdir(), 'dyconv-package-'));
    const file = (name: string) => join(folder, name);
    let values: Record<string, Tensor>;

    beforeAll(async () => {
      runPython(MAKE, folder);
      values = await loadSafetensors(file('values.safetensors'));
    }, 600_000);
    afterAll(() => rmSync(folder, { recursive: true }));

    it('computes what PyTorch computes, with nested outputs', async () => {
      using program = await loadPackage<Out>(file('net.pt2'));
      const { x, shift, scale } = values;
      const { logits, sums } = await program.run([x!, shift!, { scale: scale! }]);
      expect(deviation(logits, values.logits!)).toBeLessThanOrEqual(1e-5);
      expect(deviation(sums[0], values.first!)).toBeLessThanOrEqual(1e-5);
      expect(sums[1][0].shape).toEqual([]);
      expect(deviation(program.runSync([x!, shift!, { scale: scale! }]).logits, logits)).toBe(0);
      const batches = [2, 5, 15].map((batch) =>
        program.run([ones([batch, 3, 8, 8]), zeros([batch]), { scale: scale! }]),
      );
      expect((await Promise.all(batches)).map((out) => out.logits.shape)).toEqual([
        [2, 2],
        [5, 2],
        [15, 2],
      ]);
    });

    it('describes itself, and has the weights', async () => {
      using program = await loadPackage<Out>(file('net.pt2'));
      expect(program.signature).toBe(
        '(Tensor, Tensor, { scale: Tensor }) -> { logits: Tensor, sums: [Tensor, [Tensor]] }',
      );
      expect(program.metadata.AOTI_DEVICE_KEY).toBe('cpu');
      expect(String(program)).toContain('PackageProgram(net.pt2)');
      expect(deviation(program.stateDict()['linear.weight']!, values.weight!)).toBe(0);
    });

    it('names what is wrong with the inputs', async () => {
      using program = await loadPackage<Out>(file('net.pt2'));
      const { x, shift, scale } = values;
      await expect(program.run([x!, shift!])).rejects.toThrow(/Expected 3 inputs .* but received 2/);
      await expect(program.run([x!, shift!, {}])).rejects.toThrow('Expected a Tensor for x.scale of run');
      await expect(program.run([ones([3, 3, 8, 9]), shift!, { scale: scale! }])).rejects.toThrow(
        /inputs\[0\]: unmatched dim value at 3, expected: 8, but got: 9/,
      );
      await expect(program.run([x!.to({ dtype: 'float64' }), shift!, { scale: scale! }])).rejects.toThrow(
        /unmatched dtype/,
      );
      await expect(program.run([ones([1, 3, 8, 8]), zeros([1]), { scale: scale! }])).rejects.toThrow(
        /too small at 0/,
      );
      expect((await program.run([x!, shift!, { scale: scale! }])).logits.shape).toEqual([3, 2]);
    });

    it('refuses what is no package', async () => {
      writeFileSync(file('text.pt2'), 'not a zip archive');
      await expect(loadPackage(file('missing.pt2'))).rejects.toThrow(/no such file/);
      for (const [name, reason] of [
        ['text.pt2', /it is not a zip archive/],
        ['weights.pt', /weights\.pt is not a package of AOTInductor .* it has no compiled code/],
      ] as const) {
        const error = await loadPackage(file(name)).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(CheckpointError);
        expect((error as Error).message).toMatch(reason);
      }
    });
  },
);
