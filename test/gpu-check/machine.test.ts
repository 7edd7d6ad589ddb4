/** What `gpu-check` says about machines: programs of PATH stand for the driver and the toolkit. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../install/support.js';
import { root } from '../scripts/support.js';
import { type Fakes, fakeMachine, load } from './support.js';

const { lookAtMachine } = await load('machine');

const look = (fakes: Fakes) => lookAtMachine({ env: fakeMachine(fakes), python: 'python3' });

describe('lookAtMachine', () => {
  it('describes the GPU, libtorch, the toolkit and PyTorch', () => {
    const env = fakeMachine({ programs: { 'compute-sanitizer': 'exit 0' } });
    expect(lookAtMachine({ env, python: 'python3' })).toEqual({
      gpu: {
        name: 'NVIDIA H200',
        driver: '580.65.06',
        memory: 143_771,
        freeMemory: 143_100,
        capability: '9.0',
      },
      gpus: 1,
      assumed: false,
      libtorch: { dir: env.LIBTORCH, version: '2.14.0', flavour: 'cuda', source: 'LIBTORCH' },
      cuda: '13',
      nvcc: '13.0',
      python: 'python3',
      torch: '2.14.0+cu130',
      sanitizer: join(env.PATH, 'compute-sanitizer'),
      env: { PYTHON: 'python3', DYCONV_CUDA_ARCH: '90' },
    });
  });

  it('uses the libtorch of the Python where no variable names another', () => {
    const { PATH, LIBTORCH } = fakeMachine();
    const answer = `case "$2" in *find_spec*torch*) echo ${LIBTORCH};; *nvidia*) ;; *) echo 2.14.0;; esac`;
    const env = { PATH: `${fakeMachine({ programs: { python3: answer } }).PATH}:${PATH}` };
    expect(lookAtMachine({ env, python: 'python3' })).toMatchObject({
      libtorch: { dir: LIBTORCH, source: 'LIBTORCH_USE_PYTORCH' },
      env: { LIBTORCH_USE_PYTORCH: '1', PYTHON: 'python3' },
    });
  });

  it('accepts a driver that does not report memory', () => {
    expect(look({ gpu: 'NVIDIA GB10, 580.95.05, [N/A], [N/A], 12.1' }).gpu).toMatchObject({
      memory: null,
      freeMemory: null,
      capability: '12.1',
    });
  });

  it.each<[string, Fakes, RegExp]>([
    ['no driver', { gpu: null }, /^No NVIDIA GPU can be used: nvidia-smi is not installed$/],
    [
      'a driver that fails',
      { nvidiaSmi: 'exit 9' },
      /^No NVIDIA GPU can be used: nvidia-smi fails or does not answer$/,
    ],
    [
      'no devices',
      { gpu: 'No devices were found' },
      /^No NVIDIA GPU can be used: nvidia-smi reports No devices were found$/,
    ],
    [
      'an old driver',
      { gpu: 'NVIDIA H200, 570.86.10, 143771, 143100, 9.0' },
      /^Expected NVIDIA driver 580 or later for CUDA 13 but found 570\.86\.10$/,
    ],
    [
      'an old GPU',
      { gpu: 'Tesla V100, 580.65.06, 32768, 32000, 7.0' },
      /^Expected a GPU of compute capability 7\.5 or later but found Tesla V100 of 7\.0$/,
    ],
    [
      'too little memory',
      { gpu: 'NVIDIA H200, 580.65.06, 143771, 900, 9.0' },
      /^Expected 8192 MiB of free GPU memory but NVIDIA H200 has 900 of 143771 MiB$/,
    ],
    ['a libtorch for CPUs', { cpuBuild: true }, /^No libtorch for CUDA is found: .*libtorch is a CPU build$/],
    ['an unsupported libtorch', { libtorch: '2.9.1' }, /^No libtorch for CUDA is found: .*2\.9\.1/],
    ['another CUDA of nvcc', { nvcc: '12.4' }, /^CUDA does not fit libtorch: .*nvcc is of CUDA 12\.4: /],
    ['no CMake', { programs: { cmake: 'exit 1' } }, /^CMake is not installed\. Install/],
  ])('refuses %s', (_name, fakes, expected) => {
    expect(() => look(fakes)).toThrow(expected);
  });

  it('reads the driver of every CUDA version', () => {
    const gpu = 'NVIDIA H200, 570.86.10, 143771, 143100, 9.0';
    expect(look({ gpu, runtime: '12', nvcc: '12.8' })).toMatchObject({ cuda: '12', nvcc: '12.8' });
  });
});

/** Runs the command on a machine of fakes. */
function gpuCheck(fakes: Fakes, ...words: string[]) {
  const out = join(temporaryFolder(), 'out');
  const script = join(root, 'scripts', 'gpu-check.js');
  const start = performance.now();
  const child = spawnSync(process.execPath, [script, '--out', out, ...words], {
    encoding: 'utf8',
    env: { HOME: temporaryFolder(), ...fakeMachine(fakes) },
  });
  return { ...child, out, seconds: (performance.now() - start) / 1000 };
}

describe('the command', () => {
  it.each<[string, Fakes, string | RegExp]>([
    ['no GPU', { gpu: null }, 'error: No NVIDIA GPU can be used: nvidia-smi is not installed\n'],
    [
      'a driver that hangs',
      { nvidiaSmi: 'exec sleep 60', programs: { sleep: 'exec /bin/sleep "$1"' } },
      'error: No NVIDIA GPU can be used: nvidia-smi fails or does not answer\n',
    ],
    [
      'an old driver',
      { gpu: 'NVIDIA H200, 570.86.10, 143771, 143100, 9.0' },
      'error: Expected NVIDIA driver 580 or later for CUDA 13 but found 570.86.10\n',
    ],
    [
      'too little memory',
      { gpu: 'NVIDIA H200, 580.65.06, 143771, 900, 9.0' },
      'error: Expected 8192 MiB of free GPU memory but NVIDIA H200 has 900 of 143771 MiB\n',
    ],
    [
      'another CUDA version',
      { nvcc: '12.4' },
      /^error: CUDA does not fit libtorch: .*nvcc is of CUDA 12\.4: .*\n$/,
    ],
  ])('refuses %s with one line, within seconds', (_name, fakes, expected) => {
    const { status, stderr, stdout, seconds, out } = gpuCheck(fakes);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    if (typeof expected === 'string') expect(stderr).toBe(expected);
    else expect(stderr).toMatch(expected);
    expect(seconds).toBeLessThan(process.env.DYCONV_TIME_SCALE ? 120 : 10);
    expect(existsSync(out)).toBe(false);
  });

  it('writes its plan and runs nothing with --dry-run', () => {
    const { status, stderr, stdout, out } = gpuCheck(
      {},
      '--dry-run',
      '--minutes',
      '10',
      '--data-dir',
      temporaryFolder(),
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^environment: planned for 10 s$/m);
    const plan = JSON.parse(readFileSync(join(out, 'plan.json'), 'utf8'));
    expect(plan.parts.build).toMatchObject({ status: 'planned', seconds: null });
    expect(plan.parts.suite.commands[0]).toContain('vitest.mjs run test/cuda');
    expect(plan.parts['train-alexnet'].reason).toMatch(/has neither cifar-10-python\.tar\.gz/);
    expect(plan.parts.memcheck.reason).toMatch(/compute-sanitizer is neither on PATH nor beside nvcc/);
    const planned = Object.values<{ status: string; planned: number }>(plan.parts).filter(
      (part) => part.status === 'planned',
    );
    expect(planned.reduce((sum, part) => sum + part.planned, 0)).toBeLessThanOrEqual(600);
    expect(readFileSync(join(out, 'plan.md'), 'utf8')).toContain(
      '| build | builds or reuses the add-on for CUDA | planned |',
    );
    expect(existsSync(join(out, 'results.json'))).toBe(false);
  });

  it('assumes an H200 with --dry-run where there is no GPU', () => {
    const { status, stderr, out } = gpuCheck(
      { gpu: null, cpuBuild: true },
      '--dry-run',
      '--parts',
      'build,suite',
    );
    expect(status, stderr).toBe(0);
    const plan = JSON.parse(readFileSync(join(out, 'plan.json'), 'utf8'));
    expect(plan.machine).toMatchObject({ assumed: true, gpu: { capability: '9.0' }, libtorch: null });
    expect(Object.keys(plan.parts)).toEqual(['build', 'suite']);
  });
});
