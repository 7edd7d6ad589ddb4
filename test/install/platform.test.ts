/** Machines and libraries that are refused, each before anything is downloaded, unpacked or built. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ArgumentError, DyconvError } from '../../lib/index.js';
import { abiProblem, wheelProblem } from '../../lib/install/abi.js';
import { type Libc, libcFix } from '../../lib/install/libc.js';
import { ensureLibtorch, findLibtorch } from '../../lib/install/libtorch.js';
import { lockFileProblem } from '../../lib/install/lock-file.js';
import { obstacleOf } from '../../lib/install/platform.js';
import { limit } from '../support/limit.js';
import { zip } from '../support/zip.js';
import {
  fakePython,
  goodWheel,
  isolated,
  sendFile,
  serve,
  temporaryFolder,
  versionHeader,
  wheelEntries,
  writeTree,
} from './support.js';

const GLIBC: Libc = { family: 'glibc', version: '2.36' };
const MUSL: Libc = { family: 'musl', version: '1.2.5' };
const X64 = { target: 'linux-x64', libc: GLIBC };

describe('obstacleOf', () => {
  it.each<[string, Libc | undefined, string | undefined]>([
    ['linux-x64', GLIBC, undefined],
    ['linux-x64', { family: 'glibc', version: '2.28' }, undefined],
    ['linux-x64', { family: 'glibc' }, undefined],
    ['linux-x64', undefined, undefined],
    ['darwin-arm64', undefined, undefined],
    ['linux-riscv64', MUSL, undefined], // no libtorch is pinned: another error says so
    [
      'linux-x64',
      { family: 'glibc', version: '2.27' },
      'libtorch needs glibc 2.28 or later, and this system has glibc 2.27',
    ],
    ['linux-arm64', MUSL, 'libtorch needs glibc 2.28 or later, and this system has musl 1.2.5'],
    ['linux-arm', GLIBC, 'libtorch needs a 64-bit process, and this Node.js is for linux-arm'],
    ['win32-ia32', undefined, 'libtorch needs a 64-bit process, and this Node.js is for win32-ia32'],
  ])('%s with %o', (target, libc, problem) => {
    expect(obstacleOf({ target, libc })?.problem).toBe(problem);
  });

  it('says what to do', () => {
    expect(libcFix(MUSL)).toMatch(
      /^use a Linux distribution with glibc \(in a Dockerfile: FROM node:22-slim\)/,
    );
    expect(libcFix(GLIBC)).toMatch(/^use a later Linux distribution \(in a Dockerfile: FROM node:22-slim\)/);
  });
});

describe('ensureLibtorch', () => {
  it('refuses 32 bits even with a libtorch of the user, and downloads nothing', async () => {
    const { base, requests } = await serve(sendFile(goodWheel()));
    const machine = { target: 'linux-arm', libc: GLIBC };
    const env = { LIBTORCH: temporaryFolder() };
    for (const more of [machine, { ...machine, env }]) {
      const { options } = isolated(goodWheel(), base, more);
      const refused = ensureLibtorch(options);
      await expect(refused).rejects.toThrow(DyconvError);
      await expect(refused).rejects.toThrow(/needs a 64-bit process.*: install the 64-bit Node\.js/);
    }
    expect(requests).toEqual([]);
  });

  it('refuses a C library before it looks for a CUDA build, and even with a finished cache', async () => {
    const { options, cacheDir } = isolated(goodWheel(), 'http://127.0.0.1:9', { libc: MUSL });
    options.lock!.artifacts['linux-x64-cpu']!.file = 'torch-cp311-manylinux_2_28_x86_64.whl';
    options.env = { DYCONV_CUDA: 'cu130', PATH: fakePython(`touch ${cacheDir}-asked`) };
    await expect(ensureLibtorch(options)).rejects.toThrow(
      /glibc 2\.28 or later, and this system has musl 1\.2\.5/,
    );
    expect(() => findLibtorch({ ...options, env: {} })).not.toThrow();
    const own = writeTree(temporaryFolder(), {
      'lib/libtorch_cpu.so': '',
      'include/ATen/ATen.h': '',
      'include/torch/headeronly/version.h': versionHeader('2.13.0'),
    });
    await expect(ensureLibtorch({ ...options, env: { LIBTORCH: own } })).resolves.toMatchObject({ dir: own });
  });
});

/** The start of a library of Linux, and the names in it. */
function elf(machine: number, names: string, bigEndian = false): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header[4] = 2;
  header[5] = bigEndian ? 2 : 1;
  if (bigEndian) header.writeUInt16BE(machine, 18);
  else header.writeUInt16LE(machine, 18);
  return Buffer.concat([header, Buffer.from(names)]);
}

const NAMES = '_ZN3c105ErrorC2ENSt7__cxx1112basic_stringIcEE\0libc.so.6\0';

describe('abiProblem', () => {
  it.each<[string, Buffer | string, string | undefined]>([
    ['what this machine can use', elf(62, NAMES), undefined],
    ['another architecture', elf(183, NAMES), 'its libraries are for arm64, and this Node.js is for x64'],
    [
      'bytes in the other order',
      elf(22, NAMES, true),
      'its libraries are for s390x, and this Node.js is for x64',
    ],
    [
      'an unknown architecture',
      elf(999, NAMES),
      'its libraries are for machine 999 of ELF, and this Node.js is for x64',
    ],
    [
      'musl',
      elf(62, `${NAMES}libc.musl-x86_64.so.1\0`),
      'its libraries are for musl, and this system has glibc',
    ],
    [
      'the C++ interface of before GCC 5',
      elf(62, '_ZN3c105ErrorC2ESs\0libc.so.6\0'),
      'its libraries are not built with the C++11 interface of libstdc++ (_GLIBCXX_USE_CXX11_ABI=1)',
    ],
    ['a file that is no library', 'text', undefined],
  ])('of %s', (_what, content, problem) => {
    const dir = writeTree(temporaryFolder(), { 'lib/libc10.so': content });
    expect(abiProblem(dir, X64)).toBe(problem);
  });

  it('of libraries for glibc on a system with musl', () => {
    const dir = writeTree(temporaryFolder(), { 'lib/libc10.so': elf(62, NAMES) });
    expect(abiProblem(dir, { ...X64, libc: MUSL })).toBe(
      'its libraries are for glibc, and this system has musl',
    );
    expect(abiProblem(dir, { target: 'darwin-arm64', libc: undefined })).toBeUndefined();
  });

  it('is reported for a folder and for an archive, as an argument', async () => {
    const dir = writeTree(temporaryFolder(), {
      'lib/libtorch_cpu.so': '',
      'lib/libc10.so': elf(183, NAMES),
      'include/ATen/ATen.h': '',
      'include/torch/headeronly/version.h': versionHeader('2.13.0'),
    });
    const { options } = isolated(goodWheel(), 'http://127.0.0.1:9', { ...X64, env: { LIBTORCH: dir } });
    expect(() => findLibtorch(options)).toThrow(ArgumentError);
    expect(() => findLibtorch(options)).toThrow(
      /a folder with libtorch 2\.11 to 2\.14 .* for LIBTORCH .*: its libraries are for arm64/,
    );
    const entries = wheelEntries().map((entry) =>
      entry.name === 'torch/lib/libc10.so' ? { ...entry, content: elf(183, NAMES) } : entry,
    );
    const file = join(writeTree(temporaryFolder(), { 'torch.whl': zip(entries) }), 'torch.whl');
    await expect(ensureLibtorch({ ...options, env: { LIBTORCH: file } })).rejects.toThrow(
      /a wheel or archive with .* for LIBTORCH .*torch\.whl'.*: its libraries are for arm64/,
    );
  });
});

describe('wheelProblem', () => {
  const other = (made: string) => `it is for ${made}, and this Node.js is for linux-x64`;
  it.each([
    ['torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl', undefined],
    ['torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl', undefined],
    ['torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_aarch64.whl', other('linux-arm64')],
    ['torch-2.13.0-cp311-cp311-macosx_14_0_arm64.whl', other('darwin-arm64')],
    ['torch-2.13.0+cpu-cp311-cp311-win_amd64.whl', other('win32-x64')],
    ['libtorch-shared-with-deps-2.13.0+cpu.zip', undefined],
    [
      'torch-2.13.0+cpu-cp311-cp311-manylinux_2_40_x86_64.whl',
      'libtorch needs glibc 2.40 or later, and this system has glibc 2.36',
    ],
  ])('%s', (file, problem) => expect(wheelProblem(file, X64)).toBe(problem));

  it('is reported before the file is unpacked', async () => {
    const name = 'torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_aarch64.whl';
    const file = join(writeTree(temporaryFolder(), { [name]: 'no archive at all' }), name);
    const { options } = isolated(goodWheel(), 'http://127.0.0.1:9', { ...X64, env: { LIBTORCH: file } });
    await expect(ensureLibtorch(options)).rejects.toThrow(ArgumentError);
    await expect(ensureLibtorch(options)).rejects.toThrow(other('linux-arm64'));
  });
});

describe('lockFileProblem', () => {
  const MANIFEST = {
    version: '0.1.0',
    optionalDependencies: { '@dyconv/darwin-arm64': '0.1.0', '@dyconv/linux-x64': '0.1.0' },
  };

  /** A project with dyconv in its node_modules, and this lock file. */
  function project(packages: string[], { manifest = MANIFEST as object, file = 'package-lock.json' } = {}) {
    const folder = writeTree(temporaryFolder(), {
      'node_modules/dyconv/package.json': JSON.stringify(manifest),
      [file]: JSON.stringify({ packages: Object.fromEntries(packages.map((path) => [path, {}])) }),
    });
    return { folder, found: lockFileProblem(join(folder, 'node_modules', 'dyconv'), 'linux-x64') };
  }

  it('names the file and the command where the package of this platform alone is missing', () => {
    const { folder, found } = project(['', 'node_modules/dyconv', 'node_modules/@dyconv/darwin-arm64']);
    expect(found).toEqual({
      problem: `${join(folder, 'package-lock.json')} was made on another platform: it has @dyconv/darwin-arm64, but not @dyconv/linux-x64`,
      fix: 'npm install --save-optional @dyconv/linux-x64@0.1.0, or delete node_modules and the lock file and run npm install',
    });
    const nested = 'node_modules/dyconv/node_modules/@dyconv/darwin-arm64';
    expect(project([nested], { file: 'npm-shrinkwrap.json' }).found?.problem).toContain(
      'npm-shrinkwrap.json was made',
    );
  });

  it.each<[string, string[], { manifest?: object; file?: string }]>([
    ['has both', ['node_modules/@dyconv/darwin-arm64', 'node_modules/@dyconv/linux-x64'], {}],
    ['has none: it was made without optional packages', ['node_modules/dyconv'], {}],
    [
      'belongs to a version without prebuilt add-ons',
      ['node_modules/@dyconv/darwin-arm64'],
      { manifest: {} },
    ],
    ['is of another package manager', ['node_modules/@dyconv/darwin-arm64'], { file: 'pnpm-lock.yaml' }],
  ])('is none where the lock file %s', (_what, packages, options) => {
    expect(project(packages, options).found).toBeUndefined();
  });
});

describe.runIf(process.platform === 'linux')('scripts/install.js on another machine', () => {
  const script = fileURLToPath(new URL('../../scripts/install.js', import.meta.url));
  interface Fake {
    version?: string;
    arch?: string;
    /** Output of `ldd --version`, for musl. */
    musl?: string;
    glibc?: string;
  }

  /** Programs that detect-libc asks where the report of Node.js has no version of glibc. */
  function programs(musl: string): string {
    const folder = writeTree(temporaryFolder(), {
      ldd: `#!/bin/sh\nprintf '${musl}' >&2\n`,
      getconf: '#!/bin/sh\necho "getconf: GNU_LIBC_VERSION: unknown variable" >&2\nexit 1\n',
    });
    for (const name of ['ldd', 'getconf']) chmodSync(join(folder, name), 0o755);
    return folder;
  }

  /** Node.js sees another machine: its version, its architecture, its C library. */
  function preload({ version = process.versions.node, arch = process.arch, musl, glibc }: Fake) {
    const folder = writeTree(temporaryFolder(), { ldd: musl ?? '', node: Buffer.alloc(2048) });
    const files =
      musl === undefined
        ? {}
        : { '/usr/bin/ldd': join(folder, 'ldd'), '/proc/self/exe': join(folder, 'node') };
    const code = `
      const { getReport } = process.report;
      process.report.getReport = () => {
        const report = getReport.call(process.report);
        if (${musl !== undefined}) delete report.header.glibcVersionRuntime;
        if (${glibc !== undefined}) report.header.glibcVersionRuntime = ${JSON.stringify(glibc)};
        return report;
      };
      Object.defineProperty(process, 'arch', { value: ${JSON.stringify(arch)} });
      Object.defineProperty(process, 'versions', { value: { ...process.versions, node: ${JSON.stringify(version)} } });
      const fs = require('node:fs');
      const { openSync } = fs;
      const files = ${JSON.stringify(files)};
      fs.openSync = (path, ...rest) => openSync(files[path] ?? path, ...rest);`;
    return join(writeTree(folder, { 'machine.cjs': code }), 'machine.cjs');
  }

  it.each([
    [
      'an old Node.js',
      { version: '20.18.3' },
      'dyconv: Node.js 20.19 or later is needed, and this is 20.18.3. Install a current Node.js: https://nodejs.org/en/download\n',
    ],
    [
      'Alpine',
      { musl: 'musl libc (x86_64)\\nVersion 1.2.5\\n' },
      'dyconv: libtorch needs glibc 2.28 or later, and this system has musl 1.2.5: use a Linux distribution with glibc ' +
        '(in a Dockerfile: FROM node:22-slim), or set LIBTORCH to a libtorch built for this system\n',
    ],
    [
      'Debian 9',
      { glibc: '2.24' },
      'dyconv: libtorch needs glibc 2.28 or later, and this system has glibc 2.24: use a later Linux distribution ' +
        '(in a Dockerfile: FROM node:22-slim), or set LIBTORCH to a libtorch built for this system\n',
    ],
    [
      '32 bits',
      { arch: 'ia32' },
      'dyconv: libtorch needs a 64-bit process, and this Node.js is for linux-ia32: install the 64-bit Node.js on a 64-bit ' +
        'system: https://nodejs.org/en/download\n',
    ],
  ] as [string, Fake, string][])(
    '%s: one line, and nothing is downloaded',
    { timeout: limit(60_000) },
    async (_what, machine, expected) => {
      const { base, requests } = await serve(sendFile(goodWheel()));
      const {
        LIBTORCH: _dir,
        LIBTORCH_USE_PYTORCH: _torch,
        DYCONV_SKIP_BUILD: _skip,
        ...inherited
      } = process.env;
      const asked = join(temporaryFolder(), 'pip-was-asked');
      const env = {
        ...inherited,
        DYCONV_LIBTORCH_URL: base,
        DYCONV_CACHE: temporaryFolder(),
        PATH: [...(machine.musl ? [programs(machine.musl)] : []), fakePython(`touch '${asked}'`)].join(
          delimiter,
        ),
      };
      const child = spawn(process.execPath, ['--require', preload(machine), script], { env });
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      const [code] = await once(child, 'close');
      expect(stderr).toBe(expected);
      expect(code).toBe(1);
      expect(requests).toEqual([]);
      expect(existsSync(asked)).toBe(false);
    },
  );
});
