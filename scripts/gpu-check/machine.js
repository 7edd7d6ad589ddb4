/**
 * The machine that `gpu-check` runs on: GPU, driver, libtorch for CUDA, nvcc. Nothing here loads libtorch, so that a machine
 * that cannot be used is refused within seconds.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { DyconvError } from '../../dist/errors.js';
import { cudaToolkit } from '../../dist/install/cuda.js';
import { findLibtorch } from '../../dist/install/libtorch.js';
import { installHint, missingTools } from '../../dist/install/toolchain.js';

/** @import { Libtorch } from '../../dist/libtorch/types.js' */

/**
 * One GPU, as nvidia-smi reports it. `memory` and `freeMemory` are MiB, null if the driver does not report them.
 * @typedef {{ name: string, driver: string, memory: number | null, freeMemory: number | null, capability: string }} Gpu
 */

/**
 * What the parts run on. `env`: the variables with which the children find this libtorch. `cuda`: the CUDA version of libtorch,
 * such as `13`. `python`: the Python with PyTorch to compare with, `torch` its version; null without one. `sanitizer`: the path of
 * compute-sanitizer; null without it. `assumed`: the GPU is not that of this machine (`--dry-run`).
 * @typedef {{ gpu: Gpu, gpus: number, assumed: boolean, libtorch: Libtorch | null, cuda: string | null, nvcc: string | null,
 *   python: string, torch: string | null, sanitizer: string | null, env: Record<string, string> }} Machine
 */

/** The first driver of every CUDA version: https://docs.nvidia.com/deploy/cuda-compatibility. @type {Record<string, number>} */
const FIRST_DRIVER = { 12: 525, 13: 580 };
/** What the kernels are compiled for at least, as CMakeLists.txt lists it. */
const LEAST_CAPABILITY = 7.5;
/** MiB that a benchmark of two networks and PyTorch may take, with a margin. */
const LEAST_MEMORY = 8 * 1024;
const PROBE_MS = 4000;

/** The GPU that `--dry-run` assumes on a machine without one. @type {Gpu} */
const ASSUMED = {
  name: 'NVIDIA H200 (assumed)',
  driver: '580.65.06',
  memory: 143_771,
  freeMemory: 143_000,
  capability: '9.0',
};

/**
 * Runs a program of PATH: its output, or undefined if it is missing, fails, or takes more than {@link PROBE_MS}.
 * @param {NodeJS.ProcessEnv} env
 */
const prober = (env) => (/** @type {string} */ program, /** @type {string[]} */ args) => {
  const child = spawnSync(program, args, { encoding: 'utf8', timeout: PROBE_MS, env });
  return child.status === 0 ? child.stdout : undefined;
};

/**
 * Looks at the machine and refuses one on which the check cannot run.
 * @param {{ env?: NodeJS.ProcessEnv, python: string, dryRun?: boolean }} options - `dryRun`: without a GPU, an H200 is assumed and
 *   libtorch and nvcc may be missing.
 * @returns {Machine}
 * @throws {DyconvError} One sentence: no GPU, an old driver, too little memory, no libtorch for CUDA, or an nvcc of another version.
 */
export function lookAtMachine({ env = process.env, python, dryRun = false }) {
  const probe = prober(env);
  const gpus = findGpus(probe, env);
  const isAssumed = dryRun && typeof gpus === 'string';
  if (typeof gpus === 'string' && !dryRun) throw new DyconvError(gpus);
  const [gpu = ASSUMED] = typeof gpus === 'string' ? [] : gpus;
  checkGpu(gpu);
  const chosen = orNull(() => chooseLibtorch({ ...env, PYTHON: python }), isAssumed);
  const toolkit = chosen && cudaToolkit(chosen.libtorch.dir, env, probe);
  const cuda = /\.so\.(\d+)/.exec(toolkit?.cudart ?? '')?.[1] ?? null;
  if (!isAssumed) {
    if (cuda !== null) checkDriver(gpu, cuda);
    if (toolkit && toolkit.problems.length > 0)
      throw new DyconvError(`CUDA does not fit libtorch: ${toolkit.problems.join('. ')}`);
    const missing = missingTools(env, probe);
    if (missing.length > 0)
      throw new DyconvError(`${missing.map(({ problem }) => problem).join('. ')}. ${installHint(missing)}`);
  }
  const torch = probe(python, ['-c', 'import importlib.metadata as m; print(m.version("torch"))']);
  return {
    gpu,
    gpus: typeof gpus === 'string' ? 0 : gpus.length,
    assumed: isAssumed,
    libtorch: chosen?.libtorch ?? null,
    cuda,
    nvcc: toolkit?.nvccVersion ?? null,
    python,
    torch: torch?.trim() ?? null,
    sanitizer: findProgram('compute-sanitizer', env, toolkit?.nvcc),
    env: { ...chosen?.env, PYTHON: python, DYCONV_CUDA_ARCH: gpu.capability.replace('.', '') },
  };
}

/**
 * The value of a function; null if it throws and `mayFail`.
 * @template T
 * @param {() => T} fn @param {boolean} mayFail
 * @returns {T | null}
 */
function orNull(fn, mayFail) {
  try {
    return fn();
  } catch (error) {
    if (mayFail) return null;
    throw error;
  }
}

/**
 * The GPUs, or a sentence that says why there is none.
 * @param {ReturnType<typeof prober>} probe @param {NodeJS.ProcessEnv} env
 * @returns {Gpu[] | string}
 */
function findGpus(probe, env) {
  const fields = '--query-gpu=name,driver_version,memory.total,memory.free,compute_cap';
  const text = probe('nvidia-smi', [fields, '--format=csv,noheader,nounits']);
  if (text === undefined) {
    const isThere = findProgram('nvidia-smi', env) !== null;
    return `No NVIDIA GPU can be used: nvidia-smi ${isThere ? 'fails or does not answer' : 'is not installed'}`;
  }
  const gpus = text.split('\n').flatMap((line) => {
    const [name, driver, memory, freeMemory, capability] = line.split(',').map((field) => field.trim());
    if (!name || !driver || !/^\d+\.\d+$/.test(capability ?? '')) return [];
    const number = (/** @type {string | undefined} */ value) =>
      /^\d+$/.test(value ?? '') ? Number(value) : null;
    return [
      { name, driver, memory: number(memory), freeMemory: number(freeMemory), capability: capability ?? '' },
    ];
  });
  return gpus.length > 0 ? gpus : `No NVIDIA GPU can be used: nvidia-smi reports ${text.trim() || 'none'}`;
}

/** @param {Gpu} gpu */
function checkGpu({ name, capability, freeMemory, memory }) {
  if (Number(capability) < LEAST_CAPABILITY)
    throw new DyconvError(
      `Expected a GPU of compute capability ${LEAST_CAPABILITY} or later but found ${name} of ${capability}`,
    );
  if (freeMemory !== null && freeMemory < LEAST_MEMORY)
    throw new DyconvError(
      `Expected ${LEAST_MEMORY} MiB of free GPU memory but ${name} has ${freeMemory} of ${memory ?? 'unknown'} MiB`,
    );
}

/** @param {Gpu} gpu @param {string} cuda */
function checkDriver({ driver }, cuda) {
  const first = FIRST_DRIVER[cuda];
  if (first !== undefined && Number.parseInt(driver, 10) < first)
    throw new DyconvError(`Expected NVIDIA driver ${first} or later for CUDA ${cuda} but found ${driver}`);
}

/**
 * The libtorch that the environment names; without such a variable that of the Python with PyTorch, then the one of the cache.
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ libtorch: Libtorch, env: Record<string, string> }}
 */
function chooseLibtorch(env) {
  const named = ['LIBTORCH', 'LIBTORCH_USE_PYTORCH', 'DYCONV_CUDA'].some((name) => env[name]);
  /** @type {Record<string, string>[]} */
  const choices = named ? [{}] : [{ LIBTORCH_USE_PYTORCH: '1' }, { DYCONV_CUDA: 'cu130' }];
  /** @type {string[]} */
  const reasons = [];
  for (const own of choices) {
    try {
      const libtorch = findLibtorch({ env: { ...env, ...own } });
      if (libtorch?.flavour === 'cuda') return { libtorch, env: own };
      const where = Object.keys(own)[0] ?? 'this environment';
      reasons.push(libtorch ? `${libtorch.dir} is a CPU build` : `${where}: none is installed`);
    } catch (error) {
      reasons.push(/** @type {Error} */ (error).message.split('\n')[0] ?? '');
    }
  }
  throw new DyconvError(`No libtorch for CUDA is found: ${reasons.join('; ')}`);
}

/**
 * The path of a program: on PATH, or in the folder of nvcc; null if there is none.
 * @param {string} name @param {NodeJS.ProcessEnv} env @param {string | undefined} [nvcc]
 */
function findProgram(name, env, nvcc) {
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean);
  const beside = nvcc === undefined ? [] : [join(nvcc, '..'), join(nvcc, '..', '..', 'compute-sanitizer')];
  return [...folders, ...beside].map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? null;
}
