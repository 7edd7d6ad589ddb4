/**
 * Builds the add-on for CUDA, or finds it up to date, and loads it. Prints a JSON line with the seconds of each step, the files that
 * took longest to compile, and what the add-on reports. Exit code 1 if it cannot use the GPU.
 * @module
 */
import { fileURLToPath } from 'node:url';
import { watchBuild } from '../cli/ninja-log.js';
import { ensureDist } from '../dist.js';

ensureDist();
const { checkAddon } = await import('../../dist/install/addon.js');
const { buildAddon } = await import('../../dist/install/build.js');
const { ensureLibtorch } = await import('../../dist/install/libtorch.js');

const work = fileURLToPath(new URL('../../build/cmake/Release', import.meta.url));
const SLOWEST = 8;

const seconds = (/** @type {number} */ ms) => Number((ms / 1000).toFixed(1));

async function main() {
  const start = performance.now();
  const libtorch = await ensureLibtorch();
  const { result: addon, made } = watchBuild(work, () => buildAddon({ libtorch }));
  const total = performance.now() - start;
  const loading = performance.now();
  const check = checkAddon(addon);
  const facts = check.ok ? check.facts : undefined;
  const compiled = Math.max(0, ...made.map(({ end }) => end));
  const slowest = [...made]
    .sort((one, other) => other.end - other.start - (one.end - one.start))
    .slice(0, SLOWEST)
    .map((one) => ({ file: one.file, seconds: seconds(one.end - one.start) }));
  console.log(
    JSON.stringify({
      libtorch: libtorch.version,
      built: made.length,
      seconds: {
        ...{
          total: seconds(total),
          compileAndLink: seconds(compiled),
          configureAndLoad: seconds(total - compiled),
        },
        load: seconds(performance.now() - loading),
      },
      slowest,
      facts,
    }),
  );
  if (!check.ok) return `The add-on does not load: ${check.reason}`;
  if (!facts?.cudaBuilt) return 'The add-on was built without CUDA';
  if (!facts.cudaKernels) return 'The add-on was built without nvcc';
  return facts.cudaDevices === 0 ? `The add-on finds no device: ${facts.cudaProblem}` : undefined;
}

const problem = await main();
if (problem !== undefined) {
  console.error(problem);
  process.exitCode = 1;
}
