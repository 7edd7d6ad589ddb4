/**
 * What the control groups of Linux, and so containers, allow this process: processors and memory. Versions 1 and 2.
 * @module
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';

/** Reads a file of the system; undefined if it does not exist. */
export type ReadFile = (path: string) => string | undefined;

const readSystemFile: ReadFile = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not mounted, or no such group
  }
};

const CGROUPS = '/sys/fs/cgroup';

/** Reads the limit of one group from its folder; undefined without a limit. */
type Limit = (file: (name: string) => string | undefined) => number | undefined;

/** One controller, in both versions. */
interface Controller {
  name: 'cpu' | 'memory';
  v1: Limit;
  v2: Limit;
}

/** @see https://docs.kernel.org/scheduler/sched-bwc.html @see https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files */
const CPU: Controller = {
  name: 'cpu',
  // -1 means no quota.
  v1: (file) => ratio(file('cpu.cfs_quota_us'), file('cpu.cfs_period_us')),
  // "max 100000" means no quota.
  v2: (file) => ratio(...((file('cpu.max') ?? '').trim().split(/\s+/) as [string, string?])),
};

/** @see https://docs.kernel.org/admin-guide/cgroup-v1/memory.html @see https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files */
const MEMORY: Controller = {
  name: 'memory',
  // Without a limit: the largest multiple of a page below 2^63.
  v1: (file) => bytes(file('memory.limit_in_bytes')),
  // Beyond `high` the process is slowed down, beyond `max` it is killed. "max" means no limit.
  v2: (file) => least([bytes(file('memory.max')), bytes(file('memory.high'))]),
};

/**
 * The processors that the control groups of this process allow, such as 1.5 for `docker run --cpus 1.5`; undefined
 * without a quota. A quota of any parent counts too.
 */
export function cpuQuota(read: ReadFile = readSystemFile): number | undefined {
  return limitOf(CPU, read);
}

/**
 * The bytes of memory that the control groups of this process allow, such as 2^30 for `docker run --memory 1g`; undefined
 * without a limit below the machine's memory. A limit of any parent counts too.
 */
export function memoryLimit(read: ReadFile = readSystemFile, machine = totalmem()): number | undefined {
  const limit = limitOf(MEMORY, read);
  return limit === undefined || limit >= machine ? undefined : limit;
}

/** The number of threads that can run at once: usable cores, limited by the CPU quota, rounded up. At least 1. */
export function usableCores(read?: ReadFile, cores = availableParallelism()): number {
  return Math.max(1, Math.min(cores, Math.ceil(cpuQuota(read) ?? cores)));
}

/** The smallest limit of the groups of this process, and of their parents. */
function limitOf({ name, v1, v2 }: Controller, read: ReadFile): number | undefined {
  const limits: (number | undefined)[] = [];
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const isV2 = controllers === '';
    if (!isV2 && !controllers.split(',').includes(name)) continue;
    // The folder of version 1 has the name of all controllers of the hierarchy, and usually a link of each one's.
    const roots = isV2 ? ['', 'unified'] : [controllers, name];
    // Inside a container the path may name a group of the host that is not mounted here; the root is then the container's own.
    for (const group of withParents(path)) {
      const found = roots.map((root) => (isV2 ? v2 : v1)((file) => read(join(CGROUPS, root, group, file))));
      limits.push(found.find((limit) => limit !== undefined));
    }
  }
  return least(limits);
}

/** `/a/b` -> `/a/b`, `/a`, `/`. */
function withParents(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return [...parts.keys(), parts.length].map((count) => `/${parts.slice(0, count).join('/')}`).reverse();
}

function ratio(quota = '', period = ''): number | undefined {
  return positive(Number.parseInt(quota, 10) / Number.parseInt(period, 10));
}

function bytes(text = ''): number | undefined {
  return positive(Number.parseInt(text, 10));
}

function positive(value: number): number | undefined {
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

function least(values: (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
