/**
 * Writes a bundle that runs `gpu-check` on a machine without network, Node.js and packages: Node.js, this package with its sources
 * and the CUDA tests, and the packages that they need, in one compressed archive, with a shell script `run` that unpacks and starts it.
 * @module
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { ArgumentError, DyconvError } from '../../dist/errors.js';
import { SOURCE_FILE, sourceOf } from './source.js';

/** Most bytes of the whole bundle: 60 MiB. */
export const MOST_BYTES = 60 * 2 ** 20;
const PAYLOAD = 'payload.tar.xz';

/** What is copied of this package, in addition to the tests. */
const OWN = [
  'dist',
  'lib',
  'cpp',
  'scripts',
  'data/cuda-tuning',
  'CMakeLists.txt',
  'LICENSE',
  'THIRD_PARTY.md',
];
const OWN_FILES = [
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  'test/support/temporary.ts',
  'libtorch.lock.json',
  'libtorch-cuda.lock.json',
];
/** The tests, with everything that they import. */
const TESTS = ['test/cuda', 'test/install/cuda-build.test.ts'];

/** Packages that are needed in addition to the dependencies of package.json. */
const TOOLS = ['vitest'];
/** Packages without which vitest runs tests of TypeScript: the CSS of web pages. */
const NOT_NEEDED = /^lightningcss/;
/** Files that nothing reads at run time. Licenses are kept, and so are modules such as `history.js`. */
const LEFT_OUT =
  /\.(?:map|d\.[cm]?ts|tsbuildinfo)$|\/(?:README|CHANGELOG|HISTORY)[^/]*(?<!\.(?:[cm]?[jt]s|json))$/i;
/** What is kept of packages that are much larger than what is used of them. @type {Record<string, RegExp>} */
const KEPT = { echarts: /^(?:package\.json|LICENSE|NOTICE|index\.js|lib\/|dist\/echarts\.min\.js$)/ };

/**
 * @param {{ root: string, out: string, images?: string | undefined, node?: string, level?: number, most?: number }} options - `root`: folder of this
 *   package; `images`: an archive of images; `node`: the executable of Node.js (default: the one that runs); `level`: of xz (default: 9);
 *   `most`: bytes of the bundle (default: {@link MOST_BYTES}).
 * @returns {Promise<{ file: string, bytes: number, entries: number }>} The script to run, the bytes of the bundle, the files in it.
 * @throws {DyconvError} If a program is missing, or the bundle has more than {@link MOST_BYTES}; it is removed then.
 */
export async function writeBundle({
  root,
  out,
  images,
  node = process.execPath,
  level = 9,
  most = MOST_BYTES,
}) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new DyconvError(`Expected Linux x64 for a bundle but this is ${process.platform} ${process.arch}`);
  if (images !== undefined && !existsSync(images))
    throw new ArgumentError(`Expected an existing file for --bundle-images but received ${images}`);
  if (existsSync(out) && readdirSync(out).some((name) => ![PAYLOAD, 'run', 'data'].includes(name)))
    throw new ArgumentError(`Expected an empty folder or a bundle for --bundle but ${out} has other files`);
  const staging = mkdtempSync(join(tmpdir(), 'dyconv-bundle-'));
  try {
    const inner = join(staging, 'dyconv');
    copyPackage(root, inner);
    writeFileSync(join(inner, SOURCE_FILE), `${JSON.stringify(sourceOf(root))}\n`);
    for (const folder of packagesOf(root)) copyFiltered(join(root, folder), join(inner, folder));
    mkdirSync(join(inner, 'node'));
    copyFileSync(node, join(inner, 'node', 'node'));
    // Symbols are a sixth of it; a system without strip keeps them.
    spawnSync('strip', [join(inner, 'node', 'node')]);
    rmSync(out, { recursive: true, force: true });
    mkdirSync(join(out, 'data'), { recursive: true });
    const payload = join(out, PAYLOAD);
    compress(staging, payload, level);
    if (images !== undefined) copyFileSync(images, join(out, 'data', 'cifar10-jpeg.tar.gz'));
    const file = join(out, 'run');
    writeFileSync(file, startScript(stampOf(payload)));
    chmodSync(file, 0o755);
    const bytes = filesIn(out).reduce((sum, name) => sum + statSync(join(out, name)).size, 0);
    if (bytes > most) throw new DyconvError(tooLarge({ bytes, most, staging, out }));
    return { file, bytes, entries: filesIn(staging).length };
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Files below a folder, as relative paths. @param {string} folder */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** Removes the bundle, and says how large it was. @param {{ bytes: number, most: number, staging: string, out: string }} options */
function tooLarge({ bytes, most, staging, out }) {
  const mib = (/** @type {number} */ size) => `${(size / 2 ** 20).toFixed(1)} MiB`;
  const largest = filesIn(staging)
    .map((name) => ({ name, size: statSync(join(staging, name)).size }))
    .sort((one, other) => other.size - one.size)
    .slice(0, 5)
    .map(({ name, size }) => `${name} (${mib(size)})`);
  rmSync(out, { recursive: true, force: true });
  return `Expected at most ${mib(most)} for the bundle but it has ${mib(bytes)}; the largest files before compression: ${largest.join(', ')}`;
}

/** @param {string} root @param {string} to */
function copyPackage(root, to) {
  mkdirSync(to, { recursive: true });
  for (const name of [...OWN, ...OWN_FILES, ...testFiles(root)])
    copyFiltered(join(root, name), join(to, name));
}

/**
 * Whether the bundle has a file of a package or of this one.
 * @param {string} folder - The folder that is copied, as a path.
 * @param {string} name - The file, as a path below the folder.
 */
export function isKept(folder, name) {
  return !LEFT_OUT.test(`/${name}`) && (KEPT[basename(folder)]?.test(name) ?? true);
}

/** Copies a file or folder without {@link LEFT_OUT}, with the times: dist/ must not look older than lib/. @param {string} from @param {string} to */
function copyFiltered(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, {
    recursive: true,
    preserveTimestamps: true,
    dereference: true,
    filter: (path) => {
      const name = relative(from, path);
      // Packages inside a package are copied as packages.
      if (name === 'node_modules') return false;
      return name === '' || statSync(path).isDirectory() || isKept(from, name);
    },
  });
}

/**
 * The test files and everything that they import, except lib/, as paths below the root.
 * @param {string} root
 */
export function testFiles(root) {
  /** @type {Set<string>} */
  const found = new Set();
  const add = (/** @type {string} */ file) => {
    if (found.has(file) || file.startsWith('lib/')) return;
    found.add(file);
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, target = ''] of text.matchAll(/\b(?:from |import\()'(\.[^']+)'/g)) {
      const path = join(dirname(file), target).replace(/\.js$/, '.ts');
      if (existsSync(join(root, path))) add(path);
    }
  };
  for (const name of TESTS) {
    const isFolder = statSync(join(root, name)).isDirectory();
    for (const file of isFolder ? readdirSync(join(root, name)).map((one) => join(name, one)) : [name])
      add(file);
  }
  return [...found].sort();
}

/**
 * The folders of the packages that package.json depends on, directly or not, and of {@link TOOLS}, as paths below the root.
 * @param {string} root
 */
export function packagesOf(root) {
  /** @type {Set<string>} */
  const found = new Set();
  const manifest = (/** @type {string} */ folder) =>
    JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  /** @param {string} name @param {string} from - The folder of the package that depends on it. */
  const add = (name, from) => {
    if (NOT_NEEDED.test(name)) return;
    const paths = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
    const folder = paths
      .map((path) => join(path, name))
      .find((path) => existsSync(join(path, 'package.json')));
    // An optional dependency for another platform.
    if (folder === undefined || !folder.startsWith(root)) return;
    const path = relative(root, folder);
    if (found.has(path)) return;
    found.add(path);
    const { dependencies = {}, optionalDependencies = {} } = manifest(folder);
    for (const other of Object.keys({ ...dependencies, ...optionalDependencies })) add(other, folder);
  };
  for (const name of [...Object.keys(manifest(root).dependencies), ...TOOLS]) add(name, root);
  return [...found].sort();
}

/** One archive of a folder. Sorted names, so that similar files are near each other; most of it is machine code, for which `--x86` is. @param {string} folder @param {string} file @param {number} level */
function compress(folder, file, level) {
  const names = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', 'dyconv'];
  const args = [
    '-C',
    folder,
    '--use-compress-program',
    `xz --x86 --lzma2=preset=${level}`,
    '-cf',
    file,
    ...names,
  ];
  const { status, error, stderr } = spawnSync('tar', args, { encoding: 'utf8' });
  if (status !== 0) throw new DyconvError(`tar with xz failed: ${error?.message ?? stderr.trim()}`);
}

/** What changes with the content. @param {string} payload */
function stampOf(payload) {
  const { size, mtimeMs } = statSync(payload);
  return `${size}-${Math.round(mtimeMs)}`;
}

/** @param {string} stamp */
function startScript(stamp) {
  return `#!/bin/sh
# Runs dyconv's GPU check on a machine with an NVIDIA driver, nvcc, CMake, a C++ compiler and a Python with PyTorch for CUDA.
# No network is used. Options: ./run --help. DYCONV_BUNDLE_DIR: where to unpack (default: unpacked, beside this script).
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
where=\${DYCONV_BUNDLE_DIR:-$here/unpacked}
# Without a driver there is nothing to unpack for.
case " $* " in
  *' --help '* | *' -h '* | *' --dry-run '*) ;;
  *)
    if ! command -v nvidia-smi >/dev/null 2>&1; then
      echo 'error: No NVIDIA GPU can be used: nvidia-smi is not installed' >&2
      exit 1
    fi
    ;;
esac
if [ "$(cat "$where/stamp" 2>/dev/null || true)" != '${stamp}' ]; then
  rm -rf "$where"
  mkdir -p "$where"
  if command -v xz >/dev/null 2>&1; then
    xz -dc "$here/${PAYLOAD}" | tar -xf - -C "$where"
  else
    "\${PYTHON:-python3}" -c 'import sys, tarfile; tarfile.open(sys.argv[1], "r:xz").extractall(sys.argv[2])' "$here/${PAYLOAD}" "$where"
  fi
  echo '${stamp}' >"$where/stamp"
fi
export PATH="$where/dyconv/node:$PATH" DYCONV_OFFLINE=1
exec "$where/dyconv/node/node" "$where/dyconv/scripts/gpu-check.js" --data-dir "$here/data" "$@"
`;
}
