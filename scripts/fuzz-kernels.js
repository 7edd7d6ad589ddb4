#!/usr/bin/env node
/**
 * Runs the CPU kernels on random sizes, between pages that nothing may touch, and compares them with loops in float64:
 * node scripts/fuzz-kernels.js --cases 100000 --seed 1 --sanitize
 * Without --sanitize the kernels are those of the last build; with it they are compiled anew under AddressSanitizer.
 * Exit code 1 for a finding, which names the seed that repeats it as a single case.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requirePackages } from './cli/start.js';

requirePackages();
const { parseScript } = await import('./cli/command.js');
const { nonNegativeInteger, oneOf, path } = await import('./cli/value-types.js');

/** @import { OptionTable } from './cli/types.js' */

const root = fileURLToPath(new URL('..', import.meta.url));
const ISAS = { avx512: '-march=x86-64-v4', avx2: '-march=x86-64-v3', portable: '' };
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
  isa: {
    value: 'name',
    type: oneOf(Object.keys(ISAS)),
    help: 'instruction set (default: all of this processor)',
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

const folder = options.objects ?? mkdtempSync(join(tmpdir(), 'dyconv-fuzz-'));
mkdirSync(folder, { recursive: true });
try {
  const binary = join(folder, options.sanitize ? 'fuzz-sanitized' : 'fuzz');
  const harness = compileAll(sourcesOf(FOLDERS.harness), 'harness', []);
  const objects = options.sanitize ? kernelObjects() : builtObjects();
  run('c++', [...sanitizer(), ...harness, ...objects, '-o', binary]);
  for (const isa of options.isa ? [options.isa] : Object.keys(ISAS)) {
    const child = spawnSync(binary, [isa, options.seed, options.cases].map(String), {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' },
    });
    if (child.status === 3 && !options.isa) continue; // not on this processor
    if (child.status !== 0) process.exitCode = 1;
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

// Checks as calls: as code of their own they make the compiler take several times as long.
function sanitizer() {
  const calls = ['--param', 'asan-instrumentation-with-call-threshold=0'];
  return options.sanitize ? ['-fsanitize=address', ...calls, '-fno-omit-frame-pointer', '-g1'] : [];
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function run(command, args) {
  const child = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (child.status === 0) return;
  console.error(`${command} ${args.join(' ')}\n${child.stderr ?? child.error?.message}`);
  process.exit(1);
}

/**
 * Objects of `sources`; those that are there already stay.
 * @param {string[]} sources
 * @param {string} name
 * @param {string[]} flags
 */
function compileAll(sources, name, flags) {
  const compiler = process.env.CXX ?? 'c++';
  return sources.map((source) => {
    const object = join(folder, `${options.sanitize ? 'sanitized-' : ''}${name}-${basename(source)}.o`);
    if (name === 'harness' || !existsSync(object)) {
      run(compiler, ['-std=c++20', '-O1', '-Icpp', ...sanitizer(), ...flags, '-c', source, '-o', object]);
    }
    return object;
  });
}

function kernelObjects() {
  const x86 = process.arch === 'x64';
  const isas = Object.entries(ISAS).filter(([isa]) => x86 || isa === 'portable');
  return [
    ...compileAll(PLAIN, 'plain', []),
    ...isas.flatMap(([isa, arch]) =>
      compileAll(sourcesOf(FOLDERS.kernels), isa, [`-DDYCONV_ISA=${isa}`, ...(arch ? [arch] : [])]),
    ),
  ];
}

/** Those of the add-on's build. */
function builtObjects() {
  const built = join(root, 'build/cmake/Release/CMakeFiles');
  const objects = ['plain', ...Object.keys(ISAS)].flatMap((name) => {
    const directory = join(built, `dyconv_${name}.dir/cpp`);
    if (!existsSync(directory)) return [];
    return (
      readdirSync(directory, { recursive: true, encoding: 'utf8' })
        // Objects of sources that were moved or removed stay in the folder of a build.
        .filter((file) => file.endsWith('.o') && existsSync(join(root, 'cpp', file.slice(0, -'.o'.length))))
        .map((file) => join(directory, file))
    );
  });
  if (objects.length === 0) {
    console.error('There is no build of the kernels: run `npm run build`, or give --sanitize.');
    process.exit(1);
  }
  return objects;
}
