/**
 * The default number of threads, and how long threads wait for each other before they sleep. Both are
 * set when the add-on is loaded: libgomp, whose threads libtorch and the kernels use, reads its settings once, when
 * it is loaded.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

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

/**
 * The processors that the control groups of this process allow, such as 1.5 for `docker run --cpus 1.5`; undefined
 * without a quota. A quota of any parent counts too.
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
 * @see https://docs.kernel.org/scheduler/sched-bwc.html
 */
export function cpuQuota(read: ReadFile = readSystemFile): number | undefined {
  let least: number | undefined;
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (controllers !== '' && !controllers.split(',').includes('cpu')) continue;
    // Inside a container the path may name a group of the host that is not mounted here; the root is then the container's own.
    for (const group of withParents(path)) {
      const quota = controllers === '' ? quotaOfV2(group, read) : quotaOfV1(group, controllers, read);
      if (quota !== undefined && (least === undefined || quota < least)) least = quota;
    }
  }
  return least;
}

/** `/a/b` -> `/a/b`, `/a`, `/`. */
function withParents(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return [...parts.keys(), parts.length].map((count) => `/${parts.slice(0, count).join('/')}`).reverse();
}

function quotaOfV2(group: string, read: ReadFile): number | undefined {
  for (const root of [CGROUPS, join(CGROUPS, 'unified')]) {
    // "max 100000" means no quota.
    const [quota, period] = (read(join(root, group, 'cpu.max')) ?? '').trim().split(/\s+/);
    const cpus = cpusOf(quota, period);
    if (cpus !== undefined) return cpus;
  }
  return undefined;
}

function quotaOfV1(group: string, controllers: string, read: ReadFile): number | undefined {
  // The folder has the name of all controllers of the hierarchy, and usually a link of each one's.
  for (const name of [controllers, 'cpu']) {
    const folder = join(CGROUPS, name, group);
    // -1 means no quota.
    const cpus = cpusOf(read(join(folder, 'cpu.cfs_quota_us')), read(join(folder, 'cpu.cfs_period_us')));
    if (cpus !== undefined) return cpus;
  }
  return undefined;
}

function cpusOf(quota = '', period = ''): number | undefined {
  const cpus = Number.parseInt(quota, 10) / Number.parseInt(period, 10);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : undefined;
}

/**
 * The largest useful number of threads under the CPU quota, or undefined if the environment sets a number or there is no
 * quota. Rounded down, because a process that exceeds the quota is stopped, and then all threads wait.
 */
export function threadLimit(env: NodeJS.ProcessEnv = process.env, read?: ReadFile): number | undefined {
  if (process.platform !== 'linux' || env.OMP_NUM_THREADS || env.MKL_NUM_THREADS) return undefined;
  const quota = cpuQuota(read);
  return quota === undefined ? undefined : Math.max(1, Math.floor(quota));
}

/**
 * Number of iterations of the loop in which a thread waits for the others before it sleeps; a thousand take some microseconds. libgomp's own
 * default is 300,000: if the core of one thread is used by another process, the waiting threads then waste the
 * rest of their time at every parallel loop.
 */
const SPIN_COUNT = '1000';

/**
 * Calls `load` with bounded spinning of libgomp, unless the environment sets it. The variable is set only
 * while libgomp is loaded, so child processes do not inherit it. A worker thread has its own environment, which
 * libgomp does not read: there the environment of the process decides, unless the main thread loaded the add-on before.
 */
export function withBoundedSpinning<T>(load: () => T, env: NodeJS.ProcessEnv = process.env): T {
  if (!isMainThread || env.GOMP_SPINCOUNT !== undefined || env.OMP_WAIT_POLICY !== undefined) return load();
  env.GOMP_SPINCOUNT = SPIN_COUNT;
  try {
    return load();
  } finally {
    delete env.GOMP_SPINCOUNT;
  }
}
