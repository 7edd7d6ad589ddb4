/**
 * Whether an add-on works: it is loaded in a process of its own, since a library that does not fit can end the process
 * that loads it.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { librariesOf, pathWith } from '../native/load.js';

/** What a loaded add-on says of itself. */
export interface AddonFacts {
  /** The version of libtorch it runs with. */
  libtorch: string;
  /** The instruction set libtorch's own kernels were chosen for, such as `AVX512`. */
  capability: string;
  threads: number;
  /** Ways to compute a dynamic convolution that this machine has. */
  algorithms: string[];
  cudaBuilt: boolean;
  cudaDevices: number;
  /** Whether dyconv's own CUDA kernels are in it. */
  cudaKernels: boolean;
  /** Why no CUDA device can be used; empty where one can. */
  cudaProblem: string;
}

/** What {@link checkAddon} found. */
export type AddonCheck =
  | {
      ok: true;
      /** The folder the process took libtorch from, its `lib/`; undefined where the platform does not tell. */
      libtorchLib: string | undefined;
      /** Undefined for a library that is not dyconv's. */
      facts: AddonFacts | undefined;
    }
  | { ok: false; reason: string };

const LOAD = `
const { file, files, flags } = JSON.parse(process.argv[1]);
for (const library of files) {
  try {
    process.dlopen({ exports: {} }, library, flags);
  } catch (error) {
    if (!/did not self-register/.test(error.message)) throw error;
  }
}
const native = require(file);
process.report.excludeNetwork = true;
const loaded = process.report.getReport().sharedObjects.find((name) => /torch_cpu\\.(so|dylib|dll)$/.test(name));
const facts = native.libtorchVersion && {
  libtorch: native.libtorchVersion(),
  capability: native.cpuCapability(),
  threads: native.getNumThreads(),
  algorithms: native.dynamicConv2dAlgorithms(),
  cudaBuilt: native.cudaBuilt(),
  cudaDevices: native.cudaBuilt() ? native.cudaDeviceCount() : 0,
  cudaKernels: native.cudaKernels(),
  cudaProblem: native.cudaProblem(),
};
process.stdout.write(JSON.stringify({ loaded, facts }));
`;

/**
 * Loads the add-on in a child process.
 *
 * @param file - The add-on.
 * @param libtorch - For a ready-made one: the folder of the libtorch that is to be loaded first.
 */
export function checkAddon(file: string, libtorch?: string): AddonCheck {
  if (!existsSync(file)) return { ok: false, reason: `${file} does not exist` };
  const first = libtorch === undefined ? { files: [], flags: 0 } : librariesOf(libtorch);
  const env =
    libtorch !== undefined && process.platform === 'win32'
      ? { ...process.env, PATH: pathWith(libtorch, process.env.PATH) }
      : process.env;
  const child = spawnSync(process.execPath, ['-e', LOAD, JSON.stringify({ file, ...first })], {
    encoding: 'utf8',
    env,
  });
  if (child.error) return { ok: false, reason: child.error.message };
  if (child.status !== 0) {
    const end = child.signal ? `was ended by ${child.signal}` : `ended with code ${child.status}`;
    const why = /^.*Error: (.*)$/m.exec(child.stderr)?.[1] ?? child.stderr.trim().split('\n').at(-1);
    return { ok: false, reason: why || `the process that loaded it ${end}` };
  }
  const { loaded, facts } = JSON.parse(child.stdout) as { loaded?: string; facts?: AddonFacts };
  return { ok: true, libtorchLib: loaded === undefined ? undefined : dirname(realpathSync(loaded)), facts };
}
