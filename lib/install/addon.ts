/**
 * Checks that an add-on works. It is loaded in a child process, because an incompatible library can end the process
 * that loads it.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { librariesOf, NOT_AN_ADDON, pathWith } from '../native/load.js';

/** Information from a loaded add-on. */
export interface AddonFacts {
  /** The version of libtorch it runs with. */
  libtorch: string;
  /** The instruction set libtorch's own kernels were chosen for, such as `AVX512`. */
  capability: string;
  threads: number;
  /** Available algorithms of the dynamic convolution. */
  algorithms: string[];
  cudaBuilt: boolean;
  cudaDevices: number;
  /** Whether it contains dyconv's CUDA kernels. */
  cudaKernels: boolean;
  /** Why no CUDA device can be used; empty if one can. */
  cudaProblem: string;
}

/** Result of {@link checkAddon}. */
export type AddonCheck =
  | {
      ok: true;
      /** The `lib/` folder from which the process loaded libtorch; undefined if the platform does not report it. */
      libtorchLib: string | undefined;
      /** Undefined for a library that is not a dyconv add-on. */
      facts: AddonFacts | undefined;
    }
  | { ok: false; reason: string };

const LOAD = `
const { file, files, flags } = JSON.parse(process.argv[1]);
for (const library of files) {
  try {
    process.dlopen({ exports: {} }, library, flags);
  } catch (error) {
    if (!${NOT_AN_ADDON}.test(error.message)) throw error;
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
 * @param libtorch - For a prebuilt add-on: the folder of the libtorch to load first.
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
