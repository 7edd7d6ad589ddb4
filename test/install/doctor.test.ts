import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type DoctorOptions, diagnose, isHealthy } from '../../lib/install/doctor.js';
import { cudaFindings } from '../../lib/install/doctor-cuda.js';
import type { Probe } from '../../lib/install/toolchain.js';
import type { Finding } from '../../lib/install/types.js';
import { native } from '../../lib/tensor/tensor.js';
import { temporaryFolder, versionHeader, writeTree } from './support.js';

const script = fileURLToPath(new URL('../../scripts/doctor.js', import.meta.url));

const TOOLS: Record<string, string> = {
  npm: '10.8.2\n',
  'c++': 'c++ (Debian 12.2.0-14) 12.2.0\n',
  cmake: 'cmake version 3.25.1\n',
};

const machine =
  (programs: Record<string, string>): Probe =>
  (command) =>
    programs[command];

/** The only finding with this name. */
function finding(name: string, options: DoctorOptions): Finding {
  const found = diagnose({ probe: machine(TOOLS), ...options }).filter((entry) => entry.name === name);
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe('the installation of this machine', () => {
  it('is found to work', () => {
    const findings = diagnose();
    expect(findings.filter(({ status }) => status === 'error')).toEqual([]);
    expect(isHealthy(findings)).toBe(true);
    const names = findings.map(({ name }) => name);
    for (const name of [
      'Node.js',
      'npm',
      'compiler',
      'CMake',
      'libtorch',
      'add-on',
      'kernels',
      'CPU',
      'cache',
    ]) {
      expect(names).toContain(name);
    }
    expect(findings.find(({ name }) => name === 'kernels')?.detail).toMatch(
      /^(avx512|avx2|portable|neon) chosen for .*fused/,
    );
    expect(findings.find(({ name }) => name === 'CPU')?.detail).toMatch(
      /\d+ threads, libtorch's kernels for \w+/,
    );
  });

  it('is printed, a line a finding, or as JSON', () => {
    // Without colors, also where CI is set: no terminal reads this.
    const text = spawnSync(process.execPath, [script], {
      encoding: 'utf8',
      env: { ...process.env, CI: 'true' },
    });
    expect(text.stdout).toMatch(/^ok {6}dyconv {8}0\.1\.0[\s\S]*\ndyconv works\.\n$/);
    expect(text.status).toBe(0);
    const { stdout } = spawnSync(process.execPath, [script, '--json'], { encoding: 'utf8' });
    expect(JSON.parse(stdout).healthy).toBe(true);
  });
});

describe('a problem', () => {
  it('an old Node.js', () => {
    const { status, detail, fix } = finding('Node.js', { nodeVersion: '18.20.0' });
    expect({ status, fix }).toEqual({ status: 'error', fix: expect.stringContaining('nodejs.org') });
    expect(detail).toContain('20.19 or later is needed');
    expect(finding('Node.js', { nodeVersion: '20.19.0' }).status).toBe('ok');
  });

  it('a C library that libtorch does not run with', () => {
    const of = (libc: DoctorOptions['libc']) =>
      diagnose({ probe: machine(TOOLS), addon: undefined, libc }).find(({ name }) => name === 'C library');
    const musl = { family: 'musl', version: '1.2.5' };
    expect(of(musl)).toEqual({
      ...{ name: 'C library', status: 'error' },
      detail: 'libtorch needs glibc 2.28 or later, and this system has musl 1.2.5',
      fix: 'use a Linux distribution with glibc (in a Dockerfile: FROM node:22-slim), or set LIBTORCH to a libtorch built for this system',
    });
    // With a libtorch of the user it may work after all.
    expect(finding('C library', { libc: musl })).toMatchObject({ status: 'ok', detail: 'musl 1.2.5' });
    expect(of({ family: 'glibc', version: '2.17' })?.status).toBe('error');
    expect(of({ family: 'glibc', version: '2.28' })).toMatchObject({ status: 'ok', detail: 'glibc 2.28' });
    expect(of(undefined)).toBeUndefined();
  });

  it('a Node.js of 32 bits', () => {
    expect(finding('platform', { addon: undefined, target: 'linux-arm' })).toEqual({
      ...{ name: 'platform', status: 'error' },
      detail: 'libtorch needs a 64-bit process, and this Node.js is for linux-arm',
      fix: expect.stringContaining('install the 64-bit Node.js'),
    });
  });

  it('a missing add-on', () => {
    const findings = diagnose({ addon: undefined, probe: machine(TOOLS) });
    expect(isHealthy(findings)).toBe(false);
    expect(findings).toContainEqual(
      expect.objectContaining({ name: 'add-on', status: 'error', fix: 'npm run build' }),
    );
  });

  it('an add-on that does not load', () => {
    const file = join(temporaryFolder(), 'dyconv.node');
    writeFileSync(file, 'not a library');
    const { status, detail } = finding('add-on', { addon: { file, kind: 'built' } });
    expect(status).toBe('error');
    expect(detail).toMatch(/does not load: .*(file too short|invalid ELF header|not a mach-o)/);
  });

  it('a prebuilt add-on for another libtorch', () => {
    const dir = writeTree(temporaryFolder(), {
      'lib/libtorch_cpu.so': '',
      'include/ATen/ATen.h': '',
      'include/torch/headeronly/version.h': versionHeader('2.12.0'),
    });
    const file = join(temporaryFolder(), 'dyconv.node');
    const { detail } = finding('add-on', {
      addon: { file, kind: 'prebuilt', libtorch: '2.13.0' },
      env: { LIBTORCH: dir },
    });
    expect(detail).toContain(
      `the prebuilt add-on is for libtorch 2.13.0, but ${dir} contains version 2.12.0`,
    );
  });

  it('a missing compiler if one is needed, otherwise only information', () => {
    const bare = machine({ npm: '10.8.2' });
    const needed = finding('compiler', { probe: bare, addon: undefined });
    expect(needed).toMatchObject({ status: 'error', detail: 'No C++ compiler is installed' });
    expect(needed.fix).toMatch(/g\+\+|gcc-c\+\+|xcode-select|Visual Studio/);
    expect(finding('CMake', { probe: bare }).status).toBe('info');
  });

  it('no libtorch, or a variable that leads to none', () => {
    const empty = finding('libtorch', { addon: undefined, env: { DYCONV_CACHE: temporaryFolder() } });
    expect(empty).toMatchObject({ status: 'error', fix: 'npm run build' });
    const wrong = finding('libtorch', { env: { LIBTORCH: '/does/not/exist' } });
    expect(wrong).toMatchObject({ status: 'error', fix: expect.stringContaining('unset LIBTORCH') });
    expect(wrong.detail).toContain('the folder does not exist');
  });

  it('npm that blocks install scripts', () => {
    const npm = (options: DoctorOptions) =>
      finding('npm', { probe: machine({ ...TOOLS, npm: '12.0.1' }), ...options });
    expect(npm({ addon: undefined })).toMatchObject({ status: 'info', fix: 'npx dyconv setup' });
    expect(npm({}).status).toBe('ok');
  });

  it('ends the command with code 1, on a machine with nothing on PATH', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin', 'c++'), '#!/bin/sh\necho "c++ (GCC) 9.4.0"\n');
    chmodSync(join(folder, 'bin', 'c++'), 0o755);
    const env = {
      ...{
        PATH: [join(folder, 'bin'), '/bin'].join(delimiter),
        HOME: folder,
        DYCONV_CACHE: join(folder, 'cache'),
      },
      LIBTORCH: join(folder, 'nowhere'),
    };
    const { status, stdout } = spawnSync(process.execPath, [script], { encoding: 'utf8', env });
    expect(status).toBe(1);
    expect(stdout).toMatch(/WRONG {3}libtorch .*the folder does not exist\n +fix: unset LIBTORCH/);
    expect(stdout).toMatch(/dyconv does not work: \d+ of \d+ findings are wrong\.\n$/);
  });
});

describe('every wrong finding', () => {
  /** The form of a fix: an existing command, a variable, or an action that no command can do. */
  const FIXES = [
    /^(?:(?:DYCONV_CUDA|LIBTORCH|CUDA_HOME)=\S.* )?(?:npm run build|npx dyconv setup|pnpm exec dyconv setup)$/,
    /^Install(?: with)?: (?:sudo apt-get install|sudo dnf install|xcode-select|brew install|winget install|Visual)/,
    /^Install them with this system's package manager/,
    /^unset (?:LIBTORCH|LIBTORCH_USE_PYTORCH|DYCONV_CUDA), or set it to a valid value$/,
    /^install (?:a current|the 64-bit) Node\.js[\w -]*: https:\/\/nodejs\.org\//,
    /^use a Linux distribution with glibc \(in a Dockerfile: FROM node:22-slim\), or set LIBTORCH /,
    /^free 1\.2 GB there, or set DYCONV_CACHE/,
    /^nvidia-smi$/,
  ];

  const folder = () => temporaryFolder();
  const oldLibtorch = () =>
    writeTree(folder(), {
      'lib/libtorch_cpu.so': '',
      'include/ATen/ATen.h': '',
      'include/torch/headeronly/version.h': versionHeader('2.4.0'),
    });
  const library = (content: string) => ({ file: join(writeTree(folder(), { 'x.cjs': content }), 'x.cjs') });
  const gpu = { ...TOOLS, 'nvidia-smi': 'NVIDIA T4, 580.65.06, 15360 MiB\n' };

  const machines: [string, () => DoctorOptions, string[]][] = [
    [
      'nothing is installed',
      () => ({ addon: undefined, probe: machine({}), env: empty() }),
      ['compiler', 'CMake', 'libtorch', 'add-on'],
    ],
    [
      'all is too old',
      () => ({
        ...{ nodeVersion: '18.1.0', addon: undefined, env: { LIBTORCH: oldLibtorch() } },
        probe: machine({ npm: '9.0.0', 'c++': 'c++ (GCC) 9.4.0', cmake: 'cmake version 3.10.2' }),
      }),
      ['Node.js', 'compiler', 'CMake', 'libtorch', 'add-on'],
    ],
    [
      'libtorch cannot run on the machine',
      () => ({ addon: undefined, env: empty(), libc: { family: 'musl', version: '1.2.5' } }),
      ['C library'],
    ],
    ['Node.js has 32 bits', () => ({ addon: undefined, env: empty(), target: 'win32-ia32' }), ['platform']],
    ['CXX names nothing', () => ({ addon: undefined, env: { ...empty(), CXX: 'g++-99' } }), ['compiler']],
    ['LIBTORCH leads nowhere', () => ({ env: { LIBTORCH: '/does/not/exist' } }), ['libtorch']],
    [
      'there is no PyTorch for LIBTORCH_USE_PYTORCH',
      () => ({
        env: { LIBTORCH_USE_PYTORCH: '1', PATH: folder() },
      }),
      ['libtorch'],
    ],
    ['DYCONV_CUDA has no such value', () => ({ env: { DYCONV_CUDA: 'cuda' } }), ['libtorch']],
    [
      'the add-on ends its process',
      () => ({
        addon: { ...library('process.kill(process.pid, "SIGABRT")'), kind: 'built' },
      }),
      ['add-on'],
    ],
    ['the add-on is another library', () => ({ addon: { ...library(''), kind: 'built' } }), ['add-on']],
    [
      'the prebuilt add-on has no libtorch',
      () => ({
        addon: { ...library(''), kind: 'prebuilt', libtorch: '2.13.0' },
        env: empty(),
      }),
      ['libtorch', 'add-on'],
    ],
    ['a GPU is not used', () => ({ probe: machine(gpu) }), native.cudaBuilt() ? [] : ['CUDA runtime']],
  ];
  const empty = () => ({ DYCONV_CACHE: folder() });

  it.each(machines)('has a fix: %s', (_what, options, expected) => {
    const wrong = diagnose({ probe: machine(TOOLS), ...options() }).filter(
      ({ status }) => status === 'error' || status === 'warning',
    );
    for (const name of expected) expect(wrong.map((entry) => entry.name)).toContain(name);
    for (const { name, fix } of wrong) {
      expect(fix, name).toSatisfy((text: string) => FIXES.some((form) => form.test(text)));
    }
  });

  it('cannot be written without one', () => {
    // @ts-expect-error: `fix` is missing
    const finding: Finding = { name: 'x', status: 'error', detail: 'y' };
    expect(finding).toBeDefined();
  });
});

describe('CUDA', () => {
  const gpu = { 'nvidia-smi': 'NVIDIA T4, 580.65.06, 15360 MiB\n' };
  const base = { libtorch: '2.14.1', capability: 'AVX2', threads: 1, algorithms: [], cudaBuilt: true };
  const facts = { ...base, cudaDevices: 1, cudaKernels: true, cudaProblem: '' };

  /** A libtorch with CUDA, and a toolkit with an nvcc of this version. */
  function installed(version: string) {
    const dir = writeTree(temporaryFolder(), {
      'lib/libcudart.so.13': '',
      'cuda/include/cuda_runtime_api.h': '',
      'cuda/include/crt/host_config.h': '',
    });
    const home = writeTree(temporaryFolder(), { 'bin/nvcc': '' });
    const nvcc = join(home, 'bin', 'nvcc');
    const probe = machine({ ...gpu, [nvcc]: `Cuda compilation tools, release ${version}, V${version}.88` });
    return { env: { CUDA_HOME: home }, nvcc, probe, libtorch: { dir, flavour: 'cuda' as const } };
  }

  it('is no problem without a GPU', () => {
    const cpu = cudaFindings({ env: {}, probe: machine({}), libtorch: { dir: '', flavour: 'cpu' } });
    expect(cpu.map(({ status }) => status)).toEqual(['info', 'info']);
    const idle = { ...facts, cudaDevices: 0, cudaProblem: 'Found no NVIDIA driver on your system.' };
    const findings = cudaFindings({ ...installed('13.0'), probe: machine({}), facts: idle });
    expect(findings.at(-1)).toMatchObject({ name: 'CUDA runtime', status: 'info', detail: idle.cudaProblem });
  });

  it('reports the driver, the toolkit and the devices', () => {
    const found = installed('13.0');
    const findings = cudaFindings({ ...found, facts });
    expect(findings.map(({ detail }) => detail)).toEqual([
      'NVIDIA T4, 580.65.06, 15360 MiB',
      `13.0: ${found.nvcc}`,
      '1 usable device',
    ]);
  });

  it.each([
    [
      'a GPU and the CPU build',
      { libtorch: { dir: '', flavour: 'cpu' as const } },
      'this libtorch is the CPU build',
    ],
    [
      'an add-on built without CUDA',
      { facts: { ...facts, cudaBuilt: false, cudaDevices: 0 } },
      'the add-on was built without it',
    ],
    [
      'a driver that is too old',
      { facts: { ...facts, cudaDevices: 0, cudaProblem: 'The NVIDIA driver on your system is too old' } },
      'too old',
    ],
    ['an add-on built without nvcc', { facts: { ...facts, cudaKernels: false } }, 'built without nvcc'],
  ])('warns of %s', (_what, state, text) => {
    const [warning] = cudaFindings({ ...installed('13.0'), ...state }).filter(
      ({ status }) => status === 'warning',
    );
    expect(warning?.detail).toContain(text);
    expect(warning?.fix).toBeDefined();
  });

  it('reports the consequence of an nvcc of another CUDA version', () => {
    const found = installed('12.6');
    const [, toolkit] = cudaFindings({ ...found, facts });
    // The variable that selected this libtorch is included: without it, the next build would be one for CPUs.
    const fix = `LIBTORCH=${found.libtorch.dir} CUDA_HOME=<folder of the toolkit> npm run build`;
    expect(toolkit).toMatchObject({ name: 'CUDA toolkit', status: 'warning', fix });
    const cached = { dir: '/cache/libtorch-2.14.1-cu130', flavour: 'cuda' as const };
    const [, other] = cudaFindings({ ...found, libtorch: cached, facts });
    expect(other?.fix).toMatch(/^DYCONV_CUDA=cu130 CUDA_HOME=/);
    expect(toolkit?.detail).toMatch(/nvcc is of CUDA 12\.6: dyconv's own CUDA kernels are left out/);
  });
});
