import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { dynamicConv2d } from '../../lib/index.js';
import { runProcess } from '../support/program.js';

/** Operations with kernels per instruction set. */
const FILES = [
  ...['batch-norm', 'conv2d', 'dropout', 'max-pool'].map((name) => `test/ops/${name}.test.ts`),
  'test/nn/dynamic-conv.test.ts',
  'test/program/fuse.test.ts',
];

const narrower = dynamicConv2d
  .algorithms()
  .flatMap((name) =>
    name.startsWith('fused-') && !name.endsWith('cuda') ? [name.slice('fused-'.length)] : [],
  );

/**
 * Whether the fused form and that of one instruction set are bit-identical: attention's gradient is summed by
 * vector lanes.
 */
const SAME = (capability: string) => `
  dyconv.manualSeed(1);
  const [x, w] = [dyconv.randn([2, 40, 6, 6]), dyconv.randn([3, 20, 40, 3, 3])];
  const a = dyconv.randn([2, 3]).requiresGrad_();
  const gradient = (algorithm) =>
    dyconv.autograd.grad(dyconv.dynamicConv2d(x, w, a, null, { padding: 1, algorithm }).sum(), [a])[0];
  console.log(gradient('fused').equal(gradient('fused-${capability}')));`;

describe.each(narrower)('DYCONV_CPU_CAPABILITY=%s', (capability) => {
  const env = { DYCONV_CPU_CAPABILITY: capability };

  it('picks those kernels', async () => {
    expect((await runProcess(SAME(capability), env)).stdout.trim()).toBe('true');
  });

  it('passes the tests of kernels', async () => {
    const outside = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'));
    const args = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=json', ...FILES];
    const options = { env: { ...Object.fromEntries(outside), ...env }, maxBuffer: 1 << 26 };
    const { stdout } = await promisify(execFile)(process.execPath, args, options);
    const { numPassedTests, numFailedTests } = JSON.parse(stdout.slice(stdout.indexOf('{')));
    expect(numFailedTests).toBe(0);
    expect(numPassedTests).toBeGreaterThan(100);
  }, 180_000);
});

it('an unsupported capability is a warning, and the widest supported one is used', async () => {
  const { stdout, stderr } = await runProcess(
    'console.log(dyconv.functional.dropout(dyconv.ones([4]), { p: 0.5 }).shape)',
    { DYCONV_CPU_CAPABILITY: 'avx9' },
  );
  expect(stdout).toContain('[ 4 ]');
  const names =
    process.arch === 'arm64' ? 'neon' : process.arch === 'x64' ? 'portable, avx2, avx512' : 'portable';
  expect(stderr).toContain(`this CPU has no DYCONV_CPU_CAPABILITY=avx9 (${names})`);
});
