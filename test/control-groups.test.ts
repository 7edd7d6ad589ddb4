import { describe, expect, it } from 'vitest';
import { cpuQuota, memoryLimit, type ReadFile, usableCores } from '../lib/control-groups.js';

/** The root of a file system that has these files only. */
function files(contents: Record<string, string>): ReadFile {
  return (path) => contents[path];
}

describe('cpuQuota', () => {
  it.each<[string, number | undefined, Record<string, string>]>([
    ['no control groups', undefined, {}],
    [
      'version 2 without a quota',
      undefined,
      { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' },
    ],
    [
      'version 2, the root of a container',
      1.5,
      { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '150000 100000\n' },
    ],
    [
      'version 2, the smallest of all parents',
      2,
      {
        '/proc/self/cgroup': '0::/pods/a/b\n',
        '/sys/fs/cgroup/pods/a/b/cpu.max': '800000 100000\n',
        '/sys/fs/cgroup/pods/a/cpu.max': 'max 100000\n',
        '/sys/fs/cgroup/pods/cpu.max': '200000 100000\n',
      },
    ],
    [
      'version 2, a path of the host that is not mounted',
      0.5,
      { '/proc/self/cgroup': '0::/docker/1234\n', '/sys/fs/cgroup/cpu.max': '50000 100000\n' },
    ],
    [
      'version 1',
      3,
      {
        '/proc/self/cgroup': '4:memory:/x\n3:cpu,cpuacct:/docker/1\n',
        '/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us': '300000\n',
        '/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us': '100000\n',
      },
    ],
    [
      'version 1 without a quota',
      undefined,
      {
        '/proc/self/cgroup': '1:cpu:/\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
    ],
    [
      'a quota of another controller',
      undefined,
      { '/proc/self/cgroup': '2:cpuset:/\n', '/sys/fs/cgroup/cpuset/cpu.cfs_quota_us': '100000\n' },
    ],
    [
      'a damaged file',
      undefined,
      { '/proc/self/cgroup': '0::/\nnonsense\n', '/sys/fs/cgroup/cpu.max': '\n' },
    ],
  ])('%s', (_, quota, contents) => {
    expect(cpuQuota(files(contents))).toBe(quota);
  });
});

describe('memoryLimit', () => {
  const GB = 2 ** 30;

  it.each<[string, number | undefined, Record<string, string>]>([
    ['no control groups', undefined, {}],
    [
      'version 2 without a limit',
      undefined,
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': 'max\n',
        '/sys/fs/cgroup/memory.high': 'max\n',
      },
    ],
    [
      'version 2, the root of a container',
      GB,
      { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': '1073741824\n' },
    ],
    [
      'version 2, the bytes from which on the process is slowed down',
      GB / 2,
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': '1073741824\n',
        '/sys/fs/cgroup/memory.high': '536870912\n',
      },
    ],
    [
      'version 2, the smallest of all parents',
      2 * GB,
      {
        '/proc/self/cgroup': '0::/pods/a\n',
        '/sys/fs/cgroup/pods/a/memory.max': '4294967296\n',
        '/sys/fs/cgroup/pods/memory.max': '2147483648\n',
      },
    ],
    [
      'both versions mounted, the limit in version 1',
      GB,
      {
        '/proc/self/cgroup': '5:memory:/docker/1\n0::/\n',
        '/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes': '1073741824\n',
      },
    ],
    [
      'version 1, a path of the host that is not mounted',
      GB,
      {
        '/proc/self/cgroup': '5:memory:/docker/1\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '1073741824\n',
      },
    ],
    [
      'version 1 without a limit',
      undefined,
      {
        '/proc/self/cgroup': '5:memory:/\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      },
    ],
    [
      'a limit above the memory of the machine',
      undefined,
      { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': '17179869184\n' },
    ],
    [
      'a limit of another controller',
      undefined,
      { '/proc/self/cgroup': '2:cpu:/\n', '/sys/fs/cgroup/memory/memory.limit_in_bytes': '1073741824\n' },
    ],
  ])('%s', (_, limit, contents) => {
    expect(memoryLimit(files(contents), 8 * GB)).toBe(limit);
  });
});

describe('usableCores', () => {
  const quota = (cpus: number) =>
    files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': `${cpus * 100000} 100000\n` });

  it.each([
    [16, 2, 2],
    [16, 1.5, 2],
    [16, 0.1, 1],
    [2, 8, 2],
  ])('of %i cores with a quota of %d: %i', (cores, cpus, usable) => {
    expect(usableCores(quota(cpus), cores)).toBe(usable);
  });

  it('is the number of cores without a quota', () => expect(usableCores(files({}), 6)).toBe(6));
});
