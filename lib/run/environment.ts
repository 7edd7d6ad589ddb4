/**
 * The machine and the versions of a run.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { checkOptions, checkRecord, optionKeys } from '../check/index.js';
import { dynamicConv2d } from '../ops/dynamic-conv.js';
import { cpuCapability, getNumThreads, version } from '../runtime/settings.js';
import type { RunEnvironment } from './records.js';

const ENVIRONMENT_KEYS = optionKeys('device', 'command', 'kernels');

/**
 * Describes this process and machine for `environment.json`.
 * @param options.kernels - Result of {@link kernelChoices} for the model. Default: none.
 */
export function describeEnvironment(options: {
  device: string;
  command?: string[] | undefined;
  kernels?: Record<string, string> | undefined;
}): RunEnvironment {
  checkOptions(options, ENVIRONMENT_KEYS);
  checkRecord(options, 'options', 'an object', { device: 'string' });
  return {
    dyconv: version.dyconv,
    commit: commitOf(fileURLToPath(new URL('../..', import.meta.url))),
    node: process.versions.node,
    libtorch: version.libtorch,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    threads: getNumThreads(),
    cpuCapability: cpuCapability(),
    device: options.device,
    algorithms: dynamicConv2d.algorithms(),
    kernels: options.kernels ?? {},
    command: options.command ?? [],
    time: new Date().toISOString(),
  };
}

/** The git commit of a folder, with `-dirty` if files were changed; null if it is not a repository or git is missing. */
function commitOf(folder: string): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    // A package inside another project's repository has no commit.
    if (realpathSync(git('rev-parse', '--show-toplevel')) !== realpathSync(folder)) return null;
    return git('describe', '--always', '--dirty', '--abbrev=40', '--exclude=*');
  } catch {
    return null;
  }
}
