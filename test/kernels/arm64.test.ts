// The kernels for ARM on another machine: cross-compiled with the flags of CMakeLists.txt, run by an emulator, and
// disassembled. Nothing here measures time. On ARM itself, fuzz.test.ts runs them.
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { functionsOf, hottestLoop } = await import(join(root, 'scripts/kernels/loops.js'));

const lacks = (programs: string[]) =>
  programs.filter((program) => spawnSync(program, ['--version']).status !== 0).join(', ');
const tools = ['cmake', 'ninja', 'aarch64-linux-gnu-g++', 'aarch64-linux-gnu-objdump', 'qemu-aarch64-static'];
const missing = process.arch === 'arm64' ? 'another processor' : lacks(tools);
const missingClang = lacks(['clang++', 'aarch64-linux-gnu-g++']);
const because = (programs: string) =>
  programs
    ? ` (skipped: needs ${programs}: apt-get install g++-aarch64-linux-gnu qemu-user-static clang)`
    : '';

interface Loop {
  function: string;
  multiplies: number;
  problems: string[];
}

/** Runs a script of the repository; returns the lines it printed, as JSON. */
function lines(script: string, ...args: string[]): unknown[] {
  const child = spawnSync(process.execPath, [join(root, 'scripts', script), ...args], { encoding: 'utf8' });
  expect(child.stderr).toBe('');
  expect(child.status, child.stdout).toBe(0);
  return child.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe.skipIf(missing)(`the kernels for ARM${because(missing)}`, () => {
  it('access only their buffers, and agree with loops in float64', { timeout: limit(300_000) }, () => {
    const runs = lines('fuzz-kernels.js', '--arch', 'arm64', '--cases', '500', '--seed', '1');
    expect(runs).toEqual([
      { isa: 'neon', bf16: true, seed: 1, cases: 500 },
      { isa: 'neon', bf16: false, seed: 1, cases: 500 },
    ]);
  });

  it('keep their sums in registers, and multiply vectors', { timeout: limit(120_000) }, () => {
    const loops = lines('kernel-loops.js', '--json') as Loop[];
    expect(loops.length).toBeGreaterThanOrEqual(8);
    for (const { problems, function: name } of loops) expect(problems, name).toEqual([]);
  });
});

describe('the count of instructions in loops', () => {
  const code = (spill: string) => `
0000000000000000 <void dyconv::kernels::neon::(anonymous namespace)::Tile<2>(float const*)>:
   0:\tmov\tx1, #0x0
   4:\tldr\ts1, [x0, x1]
   8:\tfmla\tv0.4s, v2.4s, v1.s[0]
   c:\t${spill}
  10:\tfmla\tv3.4s, v2.4s, v1.s[0]
  14:\tadd\tx1, x1, #0x4
  18:\tcmp\tx1, x2
  1c:\tb.ne\t4 <dyconv::kernels::neon::Tile<2>(float const*)+0x4>
  20:\tldr\tq5, [sp, #16]
  24:\tret
`;
  const loop = (spill: string) => hottestLoop(functionsOf(code(spill)), 'neon::Tile<2>');

  it('finds the loop, without what is around it', () => {
    expect(loop('nop')).toMatchObject({
      instructions: 7,
      multiplies: 2,
      loads: 1,
      stores: 0,
      stack: 0,
      scalars: 0,
    });
  });

  it('finds spilled registers and single numbers', () => {
    expect(loop('str\tq0, [sp, #32]')).toMatchObject({ stores: 1, stack: 1 });
    expect(loop('fmadd\ts0, s1, s2, s0')).toMatchObject({ scalars: 1 });
    expect(hottestLoop(functionsOf(code('nop')), 'neon::Other')).toBeUndefined();
  });
});

// Without the SDK of macOS there is no C library of it: headers of Linux stand in, which the kernels use little of.
// cpp/kernels/augment needs its threads.
describe.skipIf(missingClang)(`the kernels for macOS on ARM${because(missingClang)}`, () => {
  const cpp = '/usr/aarch64-linux-gnu/include/c++';
  const flags = () => {
    const version = readdirSync(cpp)[0];
    const headers = [
      `${cpp}/${version}`,
      `${cpp}/${version}/aarch64-linux-gnu`,
      '/usr/aarch64-linux-gnu/include',
    ];
    return [
      ...['-target', 'arm64-apple-macos13', '-std=c++20', '-fsyntax-only', '-Icpp', '-Itest/kernels/apple'],
      ...['-DDYCONV_ISA=neon', '-U__nonnull', '-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter'],
      ...['-nostdinc++', '-nostdlibinc', ...headers.flatMap((folder) => ['-isystem', folder])],
    ];
  };
  const sources = [
    'cpp/kernels/dispatch.cc',
    'cpp/kernels/ref/dynamic_conv.cc',
    ...readdirSync(join(root, 'cpp/kernels/cpu'))
      .filter((name) => name.endsWith('.cc'))
      .map((name) => `cpp/kernels/cpu/${name}`),
  ];

  it('are valid for clang, as far as their syntax goes', { timeout: limit(120_000) }, async () => {
    const waiting = [...sources];
    const worker = async () => {
      for (let source = waiting.shift(); source; source = waiting.shift()) {
        await promisify(execFile)('clang++', [...flags(), source], { cwd: root });
      }
    };
    await Promise.all([worker(), worker()]);
    expect(sources.length).toBeGreaterThan(20);
  });
});
