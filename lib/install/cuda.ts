/**
 * Requirements of an installation for CUDA other than libtorch: the driver, the runtime's headers and library, and nvcc.
 * Without nvcc the add-on still works on a GPU, with libtorch's kernels only.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { ArgumentError, describe } from '../errors.js';
import { type Probe, runProbe } from './toolchain.js';

/**
 * Values of `DYCONV_CUDA`: `off` (the default), `auto` (CUDA if there is a driver, otherwise CPU), or one CUDA version
 * such as `cu130`.
 */
export type CudaRequest = 'off' | 'auto' | `cu${number}`;

/** Reads `DYCONV_CUDA`. @throws ArgumentError for any other value. */
export function cudaRequest(env: NodeJS.ProcessEnv = process.env): CudaRequest {
  const value = env.DYCONV_CUDA?.trim() || 'off';
  if (value === 'off' || value === 'auto' || /^cu\d{3}$/.test(value)) return value as CudaRequest;
  throw new ArgumentError(
    `Expected off, auto or a CUDA version such as cu130 for DYCONV_CUDA but received ${describe(value)}`,
  );
}

/**
 * Reads `DYCONV_CUDA_ARCH`: the compute capabilities to compile kernels for, such as `90` or `80,90`. Empty if it is not set:
 * all that CMakeLists.txt lists.
 * @throws ArgumentError for any other value.
 */
export function cudaArchs(env: NodeJS.ProcessEnv = process.env): string[] {
  const value = env.DYCONV_CUDA_ARCH?.trim() ?? '';
  if (value === '') return [];
  const archs = value.split(/[,;]/).map((arch) => arch.trim());
  if (archs.every((arch) => /^\d{2,3}$/.test(arch))) return archs;
  throw new ArgumentError(
    `Expected compute capabilities such as 90 or 80,90 for DYCONV_CUDA_ARCH but received ${describe(value)}`,
  );
}

/** The GPUs that the driver reports: name, version of the driver, memory. Empty if there is no driver. */
export function findGpus(probe: Probe = runProbe): string[] {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
  return (probe('nvidia-smi', query) ?? '').trim().split('\n').filter(Boolean);
}

/** Whether an NVIDIA driver is loaded on this machine. */
export function hasNvidiaDriver(): boolean {
  return existsSync('/proc/driver/nvidia/version') || findGpus().length > 0;
}

/** Result of {@link cudaToolkit} for one libtorch. */
export interface CudaToolkit {
  /** Folder of `cuda_runtime_api.h`; undefined if there is none: then there are no device properties and no graphs. */
  include: string | undefined;
  /** The `libcudart.so.<major>` that libtorch loads. */
  cudart: string | undefined;
  /** The CUDA compiler; undefined if there is no suitable one: then there are no fused kernels on the GPU. */
  nvcc: string | undefined;
  /** Such as `13.0`. */
  nvccVersion: string | undefined;
  /** One sentence per missing part, with the consequence and the fix. */
  problems: string[];
}

// Two headers of two of NVIDIA's wheels: libtorch's own include both.
const HEADERS = ['cuda_runtime_api.h', 'crt/host_config.h'];

/** One nvcc. */
export interface Nvcc {
  file: string;
  /** Such as `13.0`; undefined if unknown. */
  version: string | undefined;
  /** An additional wheel that it needs to compile anything. */
  lacks?: string | undefined;
}

/** Every nvcc in `CUDA_HOME`, `CUDA_PATH`, on `PATH` and in the wheels, in this order. */
export function findNvcc(
  env: NodeJS.ProcessEnv = process.env,
  probe: Probe = runProbe,
  wheels: string[] = [],
): Nvcc[] {
  const bin = (home: string) => join(home, 'bin');
  const inWheels = wheels.map(bin);
  return [...cudaHomes(env).map(bin), ...onPath(env), ...inWheels]
    .filter((folder) => existsSync(join(folder, 'nvcc')))
    .map((folder) => {
      const file = join(folder, 'nvcc');
      const version = /release (\d+\.\d+)/.exec(probe(file, ['--version']) ?? '')?.[1];
      const lacks = inWheels.includes(folder) ? missingWheel(join(folder, '..')) : undefined;
      return { file, version, ...(lacks && { lacks }) };
    });
}

/** The dependencies of nvcc's wheel lack some headers that `cuda_fp16.h` includes. */
function missingWheel(root: string): string | undefined {
  const has = (name: string) => existsSync(join(root, name));
  if (!has('include/cuda_fp16.h')) return 'nvidia-cuda-runtime';
  return has('include/nv/target') || has('include/cccl/nv/target') ? undefined : 'nvidia-cuda-cccl';
}

function cudaHomes(env: NodeJS.ProcessEnv): string[] {
  return [env.CUDA_HOME, env.CUDA_PATH].filter((home): home is string => !!home);
}

/**
 * Searches CUDA's runtime and compiler: `CUDA_HOME` or `CUDA_PATH`, then `PATH`, then NVIDIA's wheels next to libtorch
 * or in the Python that is on `PATH`.
 * @param libtorchDir - A libtorch with CUDA; contains `lib/` and `include/`.
 */
export function cudaToolkit(
  libtorchDir: string,
  env: NodeJS.ProcessEnv = process.env,
  probe: Probe = runProbe,
): CudaToolkit {
  const wheels = wheelFolders(libtorchDir, probe);
  const compilers = findNvcc(env, probe, wheels);
  const toolkits = [...cudaHomes(env), ...compilers.map(({ file }) => join(dirname(file), '..'))];
  const cudart = findCudart(libtorchDir, wheels) ?? findNeededCudart(libtorchDir, toolkits);
  const major = /\.so\.(\d+)/.exec(basename(cudart ?? ''))?.[1];
  const problems: string[] = [];
  const fitting = compilers.find(({ version, lacks }) => version?.split('.')[0] === major && !lacks);
  if (!fitting) problems.push(nvccProblem(compilers, major));

  const include = [
    join(libtorchDir, 'cuda', 'include'),
    ...wheels.map((wheel) => join(wheel, 'include')),
    ...cudaHomes(env).map((home) => join(home, 'include')),
    ...(fitting ? [join(dirname(fitting.file), '..', 'include')] : []),
    '/usr/local/cuda/include',
  ].find((folder) => HEADERS.every((header) => existsSync(join(folder, header))) && isOfCuda(folder, major));
  if (!cudart) {
    problems.push(
      `libcudart is missing next to ${libtorchDir}: the add-on cannot query devices or capture graphs`,
    );
  } else if (!include) {
    problems.push(
      "CUDA's runtime headers are missing: the add-on cannot query devices or capture graphs. " +
        `Install the wheels nvidia-cuda-runtime and nvidia-cuda-crt of CUDA ${major}, or set CUDA_HOME`,
    );
  }
  const usable = cudart !== undefined && include !== undefined;
  return {
    include: usable ? include : undefined,
    cudart: usable ? cudart : undefined,
    nvcc: usable ? fitting?.file : undefined,
    nvccVersion: usable ? fitting?.version : undefined,
    problems,
  };
}

/** Headers of another CUDA version declare functions that differ from those of the runtime. */
function isOfCuda(include: string, major: string | undefined): boolean {
  const text = readFileSync(join(include, HEADERS[0]!), 'utf8');
  const version = /^#define\s+CUDART_VERSION\s+(\d+)/m.exec(text)?.[1];
  return version === undefined || String(Math.floor(Number(version) / 1000)) === major;
}

function nvccProblem(compilers: Nvcc[], major: string | undefined): string {
  const found = compilers.map(({ file, version, lacks }) => {
    const ofMajor = version?.split('.')[0] === major;
    return lacks && ofMajor
      ? `${file} lacks the wheel ${lacks}`
      : `${file} is of CUDA ${version ?? 'unknown'}`;
  });
  const what =
    found.length > 0 ? found.join(', ') : 'nvcc is not found (CUDA_HOME, PATH, the wheel nvidia-cuda-nvcc)';
  const cost = "dyconv's own CUDA kernels are left out and libtorch's are used instead, which is slower";
  const wheels = `the wheels nvidia-cuda-nvcc and nvidia-cuda-cccl of CUDA ${major ?? ''}`.trimEnd();
  return `${what}: ${cost}. Install ${wheels} with pip, or the toolkit and set CUDA_HOME, and build again`;
}

function findCudart(libtorchDir: string, wheels: string[]): string | undefined {
  for (const folder of [join(libtorchDir, 'lib'), ...wheels.map((wheel) => join(wheel, 'lib'))]) {
    const name = existsSync(folder)
      ? readdirSync(folder).find((entry) => /^libcudart.*\.so\.\d+/.test(entry))
      : undefined;
    if (name !== undefined) return join(folder, name);
  }
  return undefined;
}

/** A PyTorch without NVIDIA's wheels uses the toolkit: its libcudart of the version that libtorch is linked with. */
function findNeededCudart(libtorchDir: string, toolkits: string[]): string | undefined {
  const library = join(libtorchDir, 'lib', 'libc10_cuda.so');
  const name = existsSync(library)
    ? /libcudart\.so\.\d+(?:\.\d+)*/.exec(readFileSync(library, 'latin1'))?.[0]
    : undefined;
  if (name === undefined) return undefined;
  return toolkits.map((home) => join(home, 'lib64', name)).find((file) => existsSync(file));
}

/** `nvidia/<package>/` folders of the wheels: next to a libtorch that pip installed, and in the Python on PATH. */
function wheelFolders(libtorchDir: string, probe: Probe): string[] {
  const python = probe('python3', [
    '-c',
    'import importlib.util as u; s = u.find_spec("nvidia"); print(*(s.submodule_search_locations if s else []), sep="\\n")',
  ]);
  const parents = [join(libtorchDir, '..', 'nvidia'), ...(python ?? '').split('\n').filter(Boolean)];
  return parents
    .filter((parent) => existsSync(parent))
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)));
}

function onPath(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? '').split(delimiter).filter(Boolean);
}
