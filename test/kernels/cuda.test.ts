// The CUDA kernels, compiled for the host and run by cpp/kernels/cuda/emulation.h: no GPU, no CUDA, no libtorch.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const kernels = join(root, 'cpp', 'kernels', 'cuda');
const sources = readdirSync(kernels).filter((name) => name.endsWith('.cu'));

interface Finding {
  kernel: string;
  check: string;
  worst: number;
  allowed: number;
}

let folder: string;
let findings: Finding[] = [];

async function compileAll(sources: string[]): Promise<string> {
  const compiler = process.env.CXX ?? 'c++';
  const ccache = spawnSync('ccache', ['--version']).status === 0;
  const [program, ...first] = ccache ? ['ccache', compiler] : [compiler];
  const flags = ['-std=c++20', '-O0', '-Wall', '-Wextra', '-Werror', '-Wno-unknown-pragmas', '-Icpp'];
  const objects = sources.map((source) => join(folder, `${basename(source)}.o`));
  const waiting = sources.map(
    (source, i) => () =>
      run(program!, [...first, ...flags, '-x', 'c++', '-c', source, '-o', objects[i]!], { cwd: root }),
  );
  const worker = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) await job();
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  const binary = join(folder, 'kernels');
  await run(compiler, [...objects, '-o', binary, '-pthread']);
  return binary;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dyconv-kernels-'));
  const binary = await compileAll([
    ...sources.map((name) => join('cpp/kernels/cuda', name)),
    ...readdirSync(join(root, 'test/kernels'))
      .filter((name) => name.endsWith('.cc'))
      .map((name) => join('test/kernels', name)),
    'cpp/kernels/ref/dynamic_conv.cc',
    ...['augment', 'choices', 'colour', 'output'].map((name) => `cpp/kernels/augment/${name}.cc`),
  ]);
  const { stdout } = await run(binary, { maxBuffer: 1 << 26 });
  findings = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Finding);
}, limit(300_000));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function failures(kernel: string): Finding[] {
  return findings.filter((one) => one.kernel === kernel && !(one.worst <= one.allowed));
}

describe('CUDA kernels, run on the host in several orders of threads', () => {
  it.each([
    ['routing', 100],
    ['mix', 100],
    ['dynamic convolution', 100],
    ['augmentation', 15],
  ])('%s agrees with the CPU and does not depend on the order', (kernel, atLeast) => {
    expect(findings.filter((one) => one.kernel === kernel).length).toBeGreaterThanOrEqual(atLeast);
    expect(failures(kernel)).toEqual([]);
  });

  it('the emulation detects wrong kernels and launches', () => {
    expect(findings.filter((one) => one.kernel === 'emulation')).toHaveLength(12);
    expect(failures('emulation')).toEqual([]);
  });

  it('leaving out any one barrier of any kernel is noticed', () => {
    const barriers = sources.flatMap((name) =>
      readFileSync(join(kernels, name), 'utf8')
        .split('\n')
        .flatMap((line, i) => (/__sync(threads|warp)\(\)/.test(line) ? [`${name}:${i + 1}`] : [])),
    );
    const left = findings.filter(({ kernel }) => kernel === 'barriers');
    expect(left.map(({ check }) => check.split(' ').at(-1)).sort()).toEqual(barriers.sort());
    expect(failures('barriers')).toEqual([]);
  });
});
