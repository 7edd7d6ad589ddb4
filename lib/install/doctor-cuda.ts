/**
 * The CUDA checks of the doctor: the driver, the toolkit, the libtorch build, and the available devices.
 * @module
 */

import type { Libtorch } from '../libtorch/types.js';
import { setupCommand } from '../native/load.js';
import type { AddonFacts } from './addon.js';
import { cudaToolkit, findGpus, findNvcc } from './cuda.js';
import type { Probe } from './toolchain.js';
import type { Finding } from './types.js';

/** Input of {@link cudaFindings}. */
export interface CudaState {
  env: NodeJS.ProcessEnv;
  probe: Probe;
  libtorch?: Pick<Libtorch, 'dir' | 'flavour'> | undefined;
  facts?: AddonFacts | undefined;
}

/** A missing GPU is information; an unused GPU is a warning. */
export function cudaFindings(state: CudaState): Finding[] {
  const gpus = findGpus(state.probe);
  const driver: Finding = {
    name: 'CUDA driver',
    status: gpus.length > 0 ? 'ok' : 'info',
    detail: gpus.join('; ') || 'no NVIDIA GPU is seen',
  };
  const findings = [driver, toolkitFinding(state)];
  if (gpus.length === 0 && state.libtorch?.flavour !== 'cuda') return findings;
  return [...findings, runtimeFinding(gpus.length, state)];
}

/** Needed only by a CUDA build of libtorch, and only for speed. */
function toolkitFinding({ env, probe, libtorch }: CudaState): Finding {
  const name = 'CUDA toolkit';
  if (libtorch?.flavour !== 'cuda') {
    const [nvcc] = findNvcc(env, probe);
    const detail = nvcc ? `${nvcc.version ?? 'unknown version'}: ${nvcc.file}` : 'no nvcc is found';
    return { name, status: nvcc ? 'ok' : 'info', detail };
  }
  const { nvcc, nvccVersion, problems } = cudaToolkit(libtorch.dir, env, probe);
  if (problems.length === 0) return { name, status: 'ok', detail: `${nvccVersion}: ${nvcc}` };
  // Without a variable for this libtorch, the next build would be for CPUs.
  const asked = /-(cu\d+)$/.exec(libtorch.dir)?.[1];
  const variable = asked ? `DYCONV_CUDA=${asked}` : `LIBTORCH=${libtorch.dir}`;
  const fix = `${variable} CUDA_HOME=<folder of the toolkit> ${setupCommand()}`;
  return { name, status: 'warning', detail: problems.join('. '), fix };
}

function runtimeFinding(gpus: number, { libtorch, facts }: CudaState): Finding {
  const name = 'CUDA runtime';
  const fix = `DYCONV_CUDA=auto ${setupCommand()}`;
  const warning = (detail: string): Finding => ({ name, status: 'warning', detail, fix });
  if (libtorch?.flavour !== 'cuda') return warning('there is a GPU, but this libtorch is the CPU build');
  if (!facts) return { name, status: 'info', detail: 'not known: the add-on does not load' };
  if (!facts.cudaBuilt) return warning('libtorch is a CUDA build, but the add-on was built without it');
  if (facts.cudaDevices === 0) {
    const unused: Finding = { name, status: 'warning', detail: facts.cudaProblem, fix: 'nvidia-smi' };
    return gpus > 0 ? unused : { name, status: 'info', detail: facts.cudaProblem };
  }
  const devices = `${facts.cudaDevices} usable ${facts.cudaDevices === 1 ? 'device' : 'devices'}`;
  if (facts.cudaKernels) return { name, status: 'ok', detail: devices };
  return warning(`${devices}, but the add-on was built without nvcc: libtorch's kernels alone`);
}
