/** Files of PyTorch's two exporters: small ones that are checked in, and those of networks of timm where Python has it. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadOnnx, nn, optim } from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { hasModule, python } from '../support/python.js';
import { checkFile, type Expected, expectClose, inputsOf, readExpected } from './pytorch.js';

const GOLDEN = fileURLToPath(new URL('../golden/onnx', import.meta.url));
const GENERATOR = fileURLToPath(new URL('../golden/make_onnx.py', import.meta.url));
const small = readExpected(GOLDEN);
const files = Object.values(small).flatMap((expected) =>
  expected.files.filter((file) => !file.includes('.train.')).map((file) => [file, expected] as const),
);

describe('files of PyTorch', () => {
  it.each(files)('%s gives the outputs and gradients of PyTorch', async (file, expected) => {
    await checkFile(GOLDEN, file, expected);
  });

  it.each(files)('%s can be compiled', async (file, expected) => {
    const module = await loadOnnx(join(GOLDEN, file));
    const x = inputsOf(expected);
    const program = nn.compile(module, x.narrow(0, 0, 2));
    expectClose(program.runSync(x), expected.output, 1e-5);
  });

  it('a network in training mode keeps the names of its parameters, and trains as in PyTorch', async () => {
    const expected = small['residual-train']!;
    const module = await loadOnnx(join(GOLDEN, expected.files[0]!));
    expect([...module.namedParameters()].map(([name]) => name).sort()).toEqual(expected.keys);
    const state = Object.keys(module.stateDict());
    expect(state).toContain('bn1.running_mean');
    const x = inputsOf(expected);
    expectClose(module.forward(x), expected.output, 1e-5);
    module.train();
    const optimizer = new optim.SGD(module.parameters(), { lr: 0.01 });
    const before = module.forward(x);
    expectClose(before, expected.trained!.before, 1e-5);
    before.square().sum().backward();
    optimizer.step();
    expectClose(module.eval().forward(x), expected.trained!.after, 1e-5);
  });
});

const NETWORKS = [
  'test_resnet',
  'mobilenetv3_small_050',
  'test_efficientnet',
  'test_convnext',
  'test_vit',
  'sequence',
  'shapes',
] as const;

/** Importing torchvision, which timm needs, fails where its compiled part is missing: the generator gets around that. */
const HAS_PYTORCH = hasModule(
  "importlib.util; assert all(importlib.util.find_spec(name) for name in ('torch', 'onnx', 'onnxscript', 'timm'))",
);

describe.skipIf(!HAS_PYTORCH)(
  `files of timm's networks (needs torch, onnx, onnxscript and timm in ${python})`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-timm-'));
    let made: Record<string, Expected>;
    beforeAll(() => {
      const { status, stderr } = spawnSync(python, [GENERATOR, folder, ...NETWORKS], { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      made = readExpected(folder);
    }, limit(300_000));
    afterAll(() => rmSync(folder, { recursive: true }));

    it.each(NETWORKS)('%s', { timeout: limit(60_000) }, async (name) => {
      const expected = made[name]!;
      expect(expected.files.length).toBe(2);
      for (const file of expected.files) await checkFile(folder, file, expected);
    });
  },
);
