/**
 * What the doctor says of CUDA: the driver, the toolkit, the flavour of libtorch, and the devices a process gets.
 * @module
 */

import { setupCommand } from '../native/load.js';
import type { AddonFacts } from './addon.js';
import { cudaToolkit, findGpus, findNvcc } from './cuda.js';
import type { Probe } from './toolchain.js';
import type { Finding, Libtorch } from './types.js';

/** What {@link cudaFindings} looks at. */
export interface CudaState {
  env: NodeJS.ProcessEnv;
  probe: Probe;
  libtorch?: Pick<Libtorch, 'dir' | 'flavour'> | undefined;
  facts?: AddonFacts | undefined;
}

/** Without a GPU there is nothing wrong: a line of information. A GPU that stays unused is a warning. */
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

/** Needed by a CUDA build of libtorch alone, and by that only for speed. */
function toolkitFinding({ env, probe, libtorch }: CudaState): Finding {
  const name = 'CUDA toolkit';
  if (libtorch?.flavour !== 'cuda') {
    const [nvcc] = findNvcc(env, probe);
    const detail = nvcc ? `${nvcc.version ?? 'unknown version'}: ${nvcc.file}` : 'no nvcc is found';
    return { name, status: nvcc ? 'ok' : 'info', detail };
  }
  const { nvcc, nvccVersion, problems } = cudaToolkit(libtorch.dir, env, probe);
  if (problems.length === 0) return { name, status: 'ok', detail: `${nvccVersion}: ${nvcc}` };
  // Without a variable that leads to this libtorch, the next build would be one for CPUs.
  const asked = /-(cu\d+)$/.exec(libtorch.dir)?.[1];
  const variable = asked ? `DYCONV_CUDA=${asked}` : `LIBTORCH=${libtorch.dir}`;
  const mend = `${variable} CUDA_HOME=<folder of the toolkit> ${setupCommand()}`;
  return { name, status: 'warning', detail: problems.join('. '), mend };
}

function runtimeFinding(gpus: number, { libtorch, facts }: CudaState): Finding {
  const name = 'CUDA runtime';
  const mend = `DYCONV_CUDA=auto ${setupCommand()}`;
  const warning = (detail: string): Finding => ({ name, status: 'warning', detail, mend });
  if (libtorch?.flavour !== 'cuda') return warning('there is a GPU, but this libtorch is the CPU build');
  if (!facts) return { name, status: 'info', detail: 'not known: the add-on does not load' };
  if (!facts.cudaBuilt) return warning('libtorch is a CUDA build, but the add-on was built without it');
  if (facts.cudaDevices === 0) {
    const unused: Finding = { name, status: 'warning', detail: facts.cudaProblem, mend: 'nvidia-smi' };
    return gpus > 0 ? unused : { name, status: 'info', detail: facts.cudaProblem };
  }
  const devices = `${facts.cudaDevices} usable ${facts.cudaDevices === 1 ? 'device' : 'devices'}`;
  if (facts.cudaKernels) return { name, status: 'ok', detail: devices };
  return warning(`${devices}, but the add-on was built without nvcc: libtorch's kernels alone`);
}
