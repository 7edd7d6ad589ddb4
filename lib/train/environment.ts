/**
 * The machine and the versions a run is made with.
 * @module
 */
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { dynamicConv2d } from '../ops/dynamic-conv.js';
import { getNumThreads, version } from '../runtime.js';
import type { RunEnvironment } from './records.js';

/** Describes this process and machine for `environment.json`. */
export function describeEnvironment(options: { device: string; command?: string[] }): RunEnvironment {
  return {
    dyconv: version.dyconv,
    node: process.versions.node,
    libtorch: version.libtorch,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    threads: getNumThreads(),
    device: options.device,
    algorithms: dynamicConv2d.algorithms(),
    command: options.command ?? [],
    time: new Date().toISOString(),
  };
}
