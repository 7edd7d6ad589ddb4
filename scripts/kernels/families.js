/**
 * Families of processors with their own kernels: their instruction sets, and the tools that compile, disassemble and run
 * the kernels of a family on a machine of another one.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @typedef {object} Family
 * @property {Record<string, string>} isas Instruction sets as CMakeLists.txt names them, with the flag of the compiler.
 * @property {Cross} [cross] How a machine of another family builds and runs them.
 */

/**
 * @typedef {object} Cross
 * @property {string} processor CMAKE_SYSTEM_PROCESSOR
 * @property {string} compiler
 * @property {string} objdump
 * @property {string} emulator
 * @property {string[]} cpus What the emulator emulates: each has another set of optional instructions.
 * @property {string} packages Debian's packages with these tools.
 */

export const FAMILIES = /** @satisfies {Record<string, Family>} */ ({
  x64: { isas: { avx512: '-march=x86-64-v4', avx2: '-march=x86-64-v3', portable: '' } },
  arm64: {
    isas: { neon: '' },
    cross: {
      processor: 'aarch64',
      compiler: 'aarch64-linux-gnu-g++',
      objdump: 'aarch64-linux-gnu-objdump',
      emulator: 'qemu-aarch64-static',
      // With and without products of bfloat16.
      cpus: ['max', 'neoverse-n1'],
      packages: 'g++-aarch64-linux-gnu qemu-user-static',
    },
  },
});

/**
 * Whether a program is installed.
 * @param {string} program
 */
export const runs = (program) => spawnSync(program, ['--version']).status === 0;

/**
 * The tools of a family that this machine lacks.
 * @param {Cross} cross
 */
export function missingTools({ compiler, objdump, emulator }) {
  return ['cmake', 'ninja', compiler, objdump, emulator].filter((program) => !runs(program));
}

/**
 * Ends the process with one line if a tool is missing.
 * @param {string} family
 * @param {Cross} cross
 */
export function requireTools(family, cross) {
  const missing = missingTools(cross);
  if (missing.length === 0) return;
  console.error(
    `The kernels of ${family} need ${missing.join(', ')}, which this machine lacks: apt-get install ${cross.packages}`,
  );
  process.exit(1);
}

/**
 * Runs a program, and ends the process with what it said if it fails.
 * @param {string} program
 * @param {string[]} args
 */
export function run(program, args) {
  const child = spawnSync(program, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (child.status === 0) return child.stdout;
  console.error(`${program} ${args.join(' ')}\n${child.stdout}${child.stderr ?? child.error?.message}`);
  process.exit(1);
}

/**
 * The objects of the kernels in a build folder of CMake.
 * @param {string} folder
 * @param {string[]} isas
 */
export function objectsIn(folder, isas) {
  return ['plain', ...isas].flatMap((name) => {
    const directory = join(folder, `CMakeFiles/dyconv_${name}.dir/cpp`);
    if (!existsSync(directory)) return [];
    return (
      readdirSync(directory, { recursive: true, encoding: 'utf8' })
        // Objects of sources that were moved or removed stay in the folder of a build.
        .filter((file) => file.endsWith('.o') && existsSync(join(root, 'cpp', file.slice(0, -'.o'.length))))
        .map((file) => join(directory, file))
    );
  });
}

/**
 * Objects of the kernels of this machine's build.
 * @param {string[]} isas
 */
export function builtObjects(isas) {
  const objects = objectsIn(join(root, 'build/cmake/Release'), isas);
  if (objects.length > 0) return objects;
  console.error('There is no build of the kernels: run `npm run build`, or give --sanitize.');
  process.exit(1);
}

/**
 * Compiles the kernels of another family with the flags of CMakeLists.txt; what is up to date stays. Returns their objects.
 * @param {string} family
 * @param {string[]} isas
 * @param {Cross} cross
 */
export function crossObjects(family, isas, cross) {
  const folder = join(root, 'build', family);
  const cache = join(root, 'build/cmake/Release/CMakeCache.txt');
  if (!existsSync(cache)) {
    console.error('There is no build to take the settings of: run `npm run build`.');
    process.exit(1);
  }
  // Of libtorch and Node-API, kernels use nothing: those of this machine will do for the description of the add-on.
  const settings = readFileSync(cache, 'utf8');
  const kept = ['CMAKE_JS_INC', 'LIBTORCH_DIR'].map(
    (name) => `-D${name}=${new RegExp(`^${name}:\\w+=(.*)$`, 'm').exec(settings)?.[1] ?? ''}`,
  );
  run('cmake', [
    ...['-G', 'Ninja', '-S', '.', '-B', folder, '-DCMAKE_BUILD_TYPE=Release', ...kept],
    ...['-DCMAKE_SYSTEM_NAME=Linux', `-DCMAKE_SYSTEM_PROCESSOR=${cross.processor}`],
    `-DCMAKE_CXX_COMPILER=${cross.compiler}`,
  ]);
  run('cmake', ['--build', folder, '--target', 'dyconv_plain', ...isas.map((isa) => `dyconv_${isa}`)]);
  return objectsIn(folder, isas);
}
