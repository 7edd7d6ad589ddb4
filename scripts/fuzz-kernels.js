#!/usr/bin/env node
/**
 * Runs the CPU kernels on random sizes, between pages that nothing may touch, and compares them with loops in float64:
 * node scripts/fuzz-kernels.js --cases 100000 --seed 1 --sanitize
 * Without --sanitize the kernels are those of the last build; with it they are compiled again with AddressSanitizer.
 * --arch arm64 cross-compiles them on another machine, and runs them by an emulator of user programs.
 * Exit code 1 for a finding, which names the seed that repeats it as a single case.
 * @module
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { requirePackages } from './cli/start.js';
import { builtObjects, crossObjects, FAMILIES, requireTools, root, run, runs } from './kernels/families.js';

requirePackages();
const { parseScript } = await import('./cli/command.js');
const { nonNegativeInteger, oneOf, path } = await import('./cli/value-types.js');

/** @import { OptionTable } from './cli/types.js' */

/** @type {Record<string, import('./kernels/families.js').Family>} */
const families = FAMILIES;
const FOLDERS = { harness: 'test/kernels/cpu', kernels: 'cpp/kernels/cpu' };
const PLAIN = [
  'cpp/kernels/dispatch.cc',
  'cpp/kernels/ref/dynamic_conv.cc',
  ...['augment', 'choices', 'colour', 'output'].map((name) => `cpp/kernels/augment/${name}.cc`),
];

const OPTIONS = /** @satisfies {OptionTable} */ ({
  cases: {
    value: 'n',
    type: nonNegativeInteger,
    default: 2000,
    help: 'number of cases for each instruction set',
  },
  seed: { value: 'n', type: nonNegativeInteger, default: 1, help: 'seed of the first case' },
  arch: {
    value: 'name',
    type: oneOf(Object.keys(families)),
    default: process.arch,
    help: 'family of processors; another one than that of this machine is emulated',
  },
  isa: {
    value: 'name',
    type: oneOf(Object.values(families).flatMap(({ isas }) => Object.keys(isas))),
    help: 'instruction set (default: all of the processor)',
  },
  sanitize: { flag: 'plain', help: 'compile the kernels with AddressSanitizer; takes minutes' },
  objects: {
    value: 'folder',
    type: path,
    help: 'keep the objects of --sanitize in this folder and reuse them',
  },
});

const { options } = parseScript({
  script: 'fuzz-kernels.js',
  description: 'Runs the CPU kernels on random sizes between guard pages.',
  options: OPTIONS,
});

// Other processors have the portable kernels alone.
const { isas, cross } = families[options.arch] ?? { isas: { portable: '' }, cross: undefined };
const emulated = options.arch === process.arch ? undefined : cross;
if (options.arch !== process.arch && (!emulated || options.sanitize)) {
  console.error(
    `Expected ${process.arch} for --arch${options.sanitize ? ' with --sanitize' : ''} on this machine but received ${options.arch}`,
  );
  process.exit(1);
}
if (emulated) requireTools(options.arch, emulated);
const compiler = emulated?.compiler ?? process.env.CXX ?? 'c++';

const folder = options.objects ?? mkdtempSync(join(tmpdir(), 'dyconv-fuzz-'));
mkdirSync(folder, { recursive: true });
try {
  const binary = join(folder, options.sanitize ? 'fuzz-sanitized' : 'fuzz');
  const objects = [...(await compileAll(sourcesOf(FOLDERS.harness), 'harness', [])), ...(await kernels())];
  run(compiler, [...(emulated ? ['-static'] : sanitizer()), ...objects, '-o', binary]);
  const runners = emulated
    ? emulated.cpus.map((cpu) => [emulated.emulator, '-cpu', cpu, binary])
    : [[binary]];
  for (const isa of options.isa ? [options.isa] : Object.keys(isas)) {
    for (const [program = '', ...before] of runners) {
      const child = spawnSync(program, [...before, isa, options.seed, options.cases].map(String), {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' },
      });
      if (child.status === 3 && !options.isa) continue; // not on this processor
      if (child.status !== 0) process.exitCode = 1;
    }
  }
} finally {
  if (!options.objects) rmSync(folder, { recursive: true, force: true });
}

/** @param {string} directory */
function sourcesOf(directory) {
  return readdirSync(join(root, directory))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join(directory, name));
}

// Checks as calls: inlined, they multiply the compile time.
function sanitizer() {
  const calls = ['--param', 'asan-instrumentation-with-call-threshold=0'];
  return options.sanitize ? ['-fsanitize=address', ...calls, '-fno-omit-frame-pointer', '-g1'] : [];
}

/**
 * Objects of `sources`, compiled on all cores; those that are there already stay.
 * @param {string[]} sources
 * @param {string} name
 * @param {string[]} flags
 */
async function compileAll(sources, name, flags) {
  const object = (/** @type {string} */ source) =>
    join(folder, `${options.sanitize ? 'sanitized-' : ''}${name}-${basename(source)}.o`);
  const waiting = sources.filter((source) => name === 'harness' || !existsSync(object(source)));
  const worker = async () => {
    for (let source = waiting.shift(); source; source = waiting.shift()) {
      const args = ['-std=c++20', '-O1', '-Icpp', ...sanitizer(), ...flags, '-c', source];
      await compile([...args, '-o', object(source)]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return sources.map(object);
}

/** @param {string[]} args */
async function compile(args) {
  const [program = '', ...before] = runs('ccache') ? ['ccache', compiler] : [compiler];
  try {
    await promisify(execFile)(program, [...before, ...args], { cwd: root });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? error.stderr : error;
    console.error(`${compiler} ${args.join(' ')}\n${said}`);
    process.exit(1);
  }
}

async function kernels() {
  if (emulated) return crossObjects(options.arch, Object.keys(isas), emulated);
  if (!options.sanitize) return builtObjects(Object.keys(isas));
  const objects = await compileAll(PLAIN, 'plain', []);
  for (const [isa, arch] of Object.entries(isas)) {
    const flags = [`-DDYCONV_ISA=${isa}`, ...(arch ? [arch] : [])];
    objects.push(...(await compileAll(sourcesOf(FOLDERS.kernels), isa, flags)));
  }
  return objects;
}
