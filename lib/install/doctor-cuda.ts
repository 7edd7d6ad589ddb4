/**
 * What the doctor says of CUDA: the driver, the toolkit, the flavour of libtorch, and the devices a process gets.
 * @module
 */
import type { AddonFacts } from './addon.js';
import type { Finding } from './doctor.js';
import type { Flavour } from './lock.js';
import type { Probe } from './toolchain.js';

/** Without a GPU there is nothing wrong: a line of information. A GPU that stays unused is a warning. */
export function cudaFindings(
  probe: Probe,
  { flavour, facts }: { flavour?: Flavour; facts?: AddonFacts },
): Finding[] {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
  const gpus = (probe('nvidia-smi', query) ?? '').trim().split('\n').filter(Boolean);
  const toolkit = /release (\d+\.\d+)/.exec(probe('nvcc', ['--version']) ?? '')?.[1];
  const findings: Finding[] = [
    {
      name: 'CUDA driver',
      status: gpus.length > 0 ? 'ok' : 'info',
      detail: gpus.join('; ') || 'no NVIDIA GPU is seen',
    },
    { name: 'CUDA toolkit', status: toolkit ? 'ok' : 'info', detail: toolkit ?? 'nvcc is not on PATH' },
  ];
  if (gpus.length === 0 && flavour !== 'cuda') return findings;
  return [...findings, runtimeFinding(gpus.length, flavour, facts)];
}

function runtimeFinding(gpus: number, flavour?: Flavour, facts?: AddonFacts): Finding {
  const name = 'CUDA runtime';
  if (flavour !== 'cuda') {
    const detail = 'there is a GPU, but this libtorch is the CPU build';
    return {
      name,
      status: 'warning',
      detail,
      mend: 'LIBTORCH=<folder of a CUDA build> npx dyconv setup --from-source',
    };
  }
  if (facts && !facts.cudaBuilt) {
    const detail = 'libtorch is a CUDA build, but the add-on was built without it';
    return { name, status: 'warning', detail, mend: 'npx dyconv setup --from-source' };
  }
  if (facts?.cudaDevices) return { name, status: 'ok', detail: `${facts.cudaDevices} usable devices` };
  const detail =
    gpus > 0 ? 'no device can be used: is the driver older than the CUDA of libtorch?' : 'no device';
  return { name, status: 'warning', detail, mend: 'nvidia-smi' };
}
