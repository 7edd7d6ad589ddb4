/**
 * The package as a dependency: its tarballs, unpacked into the node_modules of a project whose path has a space
 * and non-ASCII letters, as npm does when install scripts are blocked. `npm run test:package` does the same
 * with npm itself, and with a build from source.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installHint, type MissingTool } from '../../lib/install/toolchain.js';
import { dyconvCommand } from '../../lib/native/load.js';
import { native } from '../../lib/tensor/tensor.js';
import { limit } from '../support/limit.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const modules = join(root, 'node_modules');
const work = mkdtempSync(join(tmpdir(), 'dyconv größe '));
const folder = join(work, 'mein Projekt');
const bin = join(folder, 'node_modules', 'dyconv', 'scripts', 'dyconv.js');
let tarballs: string[];

function node(args: string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

function tar(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('tar', args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

// The published package is for CPUs.
const why = native.cudaBuilt() ? ' (skipped: the add-on is a CUDA build)' : '';

function pack(...more: string[]) {
  const args = ['--no-build', '--out', join(work, more.length > 0 ? 'others' : 'packages'), ...more];
  return node([join(root, 'scripts', 'pack.js'), ...args], { PWD: root });
}

beforeAll(() => {
  if (why) return;
  const packed = pack();
  expect(packed.stderr).toBe('');
  tarballs = packed.stdout.trim().split('\n');
}, limit(300_000));

afterAll(() => rmSync(work, { recursive: true, force: true }));
mkdirSync(folder);

it.runIf(native.cudaBuilt())('an add-on for CUDA is not packed as the prebuilt one', () => {
  const { status, stderr } = pack();
  expect(status).toBe(1);
  expect(stderr).toContain('the prebuilt add-on is for CPUs, and this one is for CUDA');
});

describe.skipIf(why)(`the tarballs${why}`, () => {
  it('are two, of at most 3.5 MB each', () => {
    const names = tarballs.map((file) => basename(file).replace(/-\d.*$/, ''));
    expect(names).toEqual([`dyconv-${process.platform}-${process.arch}`, 'dyconv']);
    for (const file of tarballs) expect(statSync(file).size).toBeLessThan(3.5e6);
  });

  it('contain the needed files only', () => {
    const files = tar('-tzf', tarballs[1]!)
      .trim()
      .split('\n')
      .map((name) => name.replace(/^package\//, ''));
    const kinds = new Set(files.map((name) => (name.includes('/') ? `${name.split('/')[0]}/` : name)));
    expect([...kinds].sort()).toEqual(
      [
        ...['cpp/', 'data/', 'dist/', 'docs/', 'scripts/', 'binding.gyp', 'CMakeLists.txt'],
        ...['CHANGELOG.md', 'LICENSE', 'README.md', 'THIRD_PARTY.md', 'package.json'],
        ...['libtorch.lock.json', 'libtorch-cuda.lock.json'],
      ].sort(),
    );
    expect(
      files.filter((name) =>
        /\.map$|\.test\.|check-layout|scripts\/layout|prebuild|sanitize|test-package/.test(name),
      ),
    ).toEqual([]);
    expect(files).toContain('dist/index.d.ts');
    expect(files).toContain('scripts/install.js');
  });
});

describe.skipIf(why)(`package.json${why}`, () => {
  const manifests = () =>
    tarballs.map((file) => JSON.parse(tar('-xzOf', file, 'package/package.json')) as Record<string, unknown>);

  it('says what a search, a bundler and an installation need', () => {
    const [prebuilt, main] = manifests();
    expect(main).toMatchObject({
      keywords: expect.arrayContaining(['libtorch', 'tensor', 'dynamic-convolution']),
      sideEffects: ['./dist/vitest.js', './scripts/**'],
      scripts: { install: 'node scripts/install.js' },
      optionalDependencies: { [prebuilt!.name as string]: main!.version },
    });
    expect(main).not.toHaveProperty('devDependencies');
    expect(prebuilt).toMatchObject({
      ...{ main: 'dyconv.node', sideEffects: false, os: [process.platform], cpu: [process.arch] },
      dyconv: { libtorch: '2.13.0' },
    });
    if (process.platform === 'linux') {
      expect(prebuilt!.libc).toEqual(['glibc']);
      expect(prebuilt!.dyconv).toMatchObject({ needs: { glibc: expect.stringMatching(/^2\.\d+$/) } });
    }
  });

  it('leads to a repository only where one is given', () => {
    for (const manifest of manifests())
      for (const field of ['repository', 'homepage', 'bugs']) expect(manifest).not.toHaveProperty(field);
    const { status, stderr } = pack('--repository', 'github.com/a/b');
    expect(status).toBe(1);
    expect(stderr).toContain(
      "such as https://host/owner/name for --repository but received 'github.com/a/b'",
    );
    const { stdout } = pack(
      '--source-only',
      '--repository',
      'https://example.org/a/b',
      '--prebuilt',
      'linux-x64',
    );
    expect(JSON.parse(tar('-xzOf', stdout.trim(), 'package/package.json'))).toMatchObject({
      repository: { type: 'git', url: 'git+https://example.org/a/b.git' },
      homepage: 'https://example.org/a/b#readme',
      bugs: { url: 'https://example.org/a/b/issues' },
      optionalDependencies: { '@dyconv/linux-x64': '0.1.0' },
    });
  });
});

describe.skipIf(why)(`in a project${why}`, () => {
  beforeAll(() => {
    cpSync(join(root, 'test', 'package', 'project'), folder, { recursive: true });
    const target = `${process.platform}-${process.arch}`;
    for (const [name, tarball] of [
      ['dyconv', tarballs[1]!],
      [`@dyconv/${target}`, tarballs[0]!],
    ] as const) {
      const into = join(folder, 'node_modules', name);
      mkdirSync(into, { recursive: true });
      tar('-xzf', tarball, '-C', into, '--strip-components=1');
    }
    for (const name of readdirSync(modules)) {
      if (name.startsWith('.') || name === 'dyconv' || name === '@dyconv') continue;
      const link = join(folder, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(modules, name), link, 'junction');
    }
  });

  it.each([
    ['/home/a/node_modules/dyconv/', 'npx dyconv setup'],
    ['/home/a/node_modules/.pnpm/dyconv@0.1.0/node_modules/dyconv/', 'pnpm exec dyconv setup'],
    ['C:\\a\\node_modules\\.pnpm\\dyconv@0.1.0\\node_modules\\dyconv\\', 'pnpm exec dyconv setup'],
  ])('in %s, commands run as %s', (where, expected) => {
    expect(dyconvCommand('setup', where)).toBe(expected);
  });

  it('says which command fixes a missing libtorch, which then does', () => {
    const before = node(['esm.mjs'], { DYCONV_CACHE: join(work, 'empty'), LIBTORCH: '' });
    expect(before.status).toBe(1);
    expect(before.stderr).toContain('libtorch 2.13.0 is not in');
    expect(before.stderr).toContain('Run `npx dyconv setup`; `npx dyconv doctor` reports the problem');
    const doctor = node([bin, 'doctor', '--json'], { DYCONV_CACHE: join(work, 'empty'), LIBTORCH: '' });
    expect(doctor.status).toBe(1);
    expect(JSON.parse(doctor.stdout).findings).toContainEqual(
      expect.objectContaining({ name: 'add-on', status: 'error', fix: 'npx dyconv setup' }),
    );

    const setup = node([bin, 'setup']);
    expect(setup.stderr).toMatch(/^dyconv is ready: the prebuilt add-on, with libtorch /);
    expect(setup.status).toBe(0);
    // The folder of libtorch was recorded: the variables of the installation are no longer needed.
    expect(node(['esm.mjs'], { DYCONV_CACHE: join(work, 'empty'), LIBTORCH: '' }).status).toBe(0);
    expect(node([bin, 'doctor']).stdout).toMatch(/prebuilt, loads[\s\S]*dyconv works\.\n$/);
  });

  it('names the packages to install if a build is requested without a compiler', () => {
    const { status, stderr } = node([bin, 'setup', '--from-source'], { PATH: join(work, 'nothing') });
    expect(status).toBe(1);
    const missing: MissingTool[] = [
      { tool: 'compiler', problem: 'No C++ compiler is installed' },
      { tool: 'cmake', problem: 'CMake is not installed' },
    ];
    const absent = process.platform === 'win32' ? missing.slice(1) : missing;
    const problems = absent.map(({ problem }) => problem).join('. ');
    expect(stderr).toContain(`dyconv: Cannot build the native add-on: ${problems}. ${installHint(absent)}`);
  });

  it('does not report success if the prebuilt add-on does not load', () => {
    const name = `@dyconv/${process.platform}-${process.arch}`;
    const file = join(folder, 'node_modules', name, 'dyconv.node');
    renameSync(file, `${file}.kept`);
    writeFileSync(file, 'not a library');
    const { status, stderr } = node([bin, 'setup'], { PATH: join(work, 'nothing') });
    renameSync(`${file}.kept`, file);
    expect(status).toBe(1);
    // It continues with a build, as it reports, which fails on this machine without compilers.
    expect(stderr).toMatch(/Building the native add-on \(the prebuilt one does not load: /);
    expect(stderr).not.toMatch(/is ready/);
    expect(node([bin, 'setup']).stderr).toMatch(/^dyconv is ready/);
  });

  it('says which system library a prebuilt add-on lacks, before it is tried', () => {
    const manifest = join(
      folder,
      'node_modules',
      `@dyconv/${process.platform}-${process.arch}`,
      'package.json',
    );
    const kept = readFileSync(manifest, 'utf8');
    const content = JSON.parse(kept);
    content.dyconv.needs = { glibc: '2.99' };
    writeFileSync(manifest, JSON.stringify(content));
    const { status, stderr } = node([bin, 'setup'], { PATH: join(work, 'nothing') });
    writeFileSync(manifest, kept);
    expect(status).toBe(1);
    if (process.platform === 'linux')
      expect(stderr).toMatch(/\(the prebuilt one needs glibc 2\.99 or later, and this system has glibc \d/);
    expect(node([bin, 'setup']).status).toBe(0);
  });

  it('does not compile where the lock file keeps npm from installing the prebuilt add-on', () => {
    const own = `@dyconv/${process.platform}-${process.arch}`;
    const installed = join(folder, 'node_modules', own);
    const lock = join(folder, 'package-lock.json');
    renameSync(installed, `${installed}.kept`);
    writeFileSync(
      lock,
      JSON.stringify({ packages: { 'node_modules/dyconv': {}, 'node_modules/@dyconv/none-x64': {} } }),
    );
    const nothing = { PATH: join(work, 'nothing') };
    try {
      const { status, stderr } = node([bin, 'setup'], nothing);
      expect(status).toBe(1);
      expect(stderr).toBe(
        `dyconv: The prebuilt add-on is missing: ${lock} was made on another platform: it has @dyconv/none-x64, but not ${own}. ` +
          `Fix: npm install --save-optional ${own}@0.1.0, or delete node_modules and the lock file and run npm install. ` +
          'To build the add-on from source instead, set DYCONV_BUILD_FROM_SOURCE=1.\n',
      );
      const { findings } = JSON.parse(node([bin, 'doctor', '--json']).stdout);
      expect(findings).toContainEqual(
        expect.objectContaining({ name: 'add-on', fix: expect.stringContaining('--save-optional') }),
      );
      for (const wish of [{ DYCONV_BUILD_FROM_SOURCE: '1' }, { npm_config_omit: 'optional' }])
        expect(node([bin, 'setup'], { ...nothing, ...wish }).stderr).toContain(
          'Cannot build the native add-on',
        );
    } finally {
      rmSync(lock);
      renameSync(`${installed}.kept`, installed);
    }
  });

  it.each([
    ['an ECMAScript module', 'esm.mjs', { shape: [2, 8, 8, 8], grad: [4, 8, 3, 3, 3] }],
    ['a CommonJS module', 'cjs.cjs', { shape: [1, 2] }],
    ['worker threads', 'worker.mjs', { answers: [9, 9], own: 4 }],
    ['what every runtime has to do', 'smoke.mjs', { centre: 128, runSync: true, run: true }],
  ])('works from %s', (_what, file, expected) => {
    const { stdout, stderr, status } = node([file]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject(expected);
  });

  it('works under node --test and vitest', () => {
    expect(node(['--test', 'suite.node.mjs']).stdout).toMatch(/pass 1\n/);
    const vitest = join(modules, 'vitest', 'vitest.mjs');
    const { status, stdout } = node([vitest, 'run', '--root', folder], { NO_COLOR: '1' });
    expect(stdout).toMatch(/1 passed/);
    expect(status).toBe(0);
  });

  it.each([
    ['node16', ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16, 'types.mts'],
    ['bundler', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler, 'types.mts'],
    ['nodenext', ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext, 'types.cts'],
  ])(
    'has types for the %s resolution, without a mistake of their own',
    (...[_name, module, moduleResolution, file]) => {
      const program = ts.createProgram([join(folder, file)], {
        ...{ module, moduleResolution, target: ts.ScriptTarget.ES2022, noEmit: true, strict: true },
        ...{ skipLibCheck: false, types: ['node'], typeRoots: [join(modules, '@types')] },
        lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      });
      const problems = ts.getPreEmitDiagnostics(program);
      const text = problems.map(({ file, messageText }) => {
        return `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
      });
      expect(text).toEqual([]);
      expect(program.getSourceFiles().map(({ fileName }) => fileName.includes('dist/index.d.ts'))).toContain(
        true,
      );
    },
  );

  it('has the commands', () => {
    expect(node([bin, '--version']).stdout).toBe('0.1.0\n');
    expect(node([bin, 'summary', '--help']).stdout).toMatch(/^Usage: npx dyconv summary/);
    const unknown = node([bin, 'tarin']);
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toMatch(
      /^error: unknown command 'tarin'\n\(Did you mean train\?\)\n\nUsage: npx dyconv/,
    );
  });
});
