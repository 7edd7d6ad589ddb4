import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cpuQuota, type ReadFile, threadLimit, withBoundedSpinning } from '../../lib/native/threads.js';
import { limit } from '../support/limit.js';

const library = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

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

describe.runIf(process.platform === 'linux')('threadLimit', () => {
  const quota = (cpus: number) =>
    files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': `${cpus * 100000} 100000\n` });

  it('rounds the quota down, to one thread at least', () => {
    expect(threadLimit({}, quota(3.9))).toBe(3);
    expect(threadLimit({}, quota(0.2))).toBe(1);
    expect(threadLimit({}, files({}))).toBeUndefined();
  });

  it('leaves a number of threads in the environment alone', () => {
    expect(threadLimit({ OMP_NUM_THREADS: '8' }, quota(2))).toBeUndefined();
    expect(threadLimit({ MKL_NUM_THREADS: '8' }, quota(2))).toBeUndefined();
  });
});

describe('withBoundedSpinning', () => {
  it('sets the variable during the load only, whether it succeeds or not', () => {
    const env: NodeJS.ProcessEnv = {};
    expect(withBoundedSpinning(() => env.GOMP_SPINCOUNT, env)).toMatch(/^\d+$/);
    expect(() =>
      withBoundedSpinning(() => {
        throw new Error('no add-on');
      }, env),
    ).toThrow('no add-on');
    expect(env).toEqual({});
  });

  it.each([{ GOMP_SPINCOUNT: '5' }, { OMP_WAIT_POLICY: 'active' }])('leaves %o alone', (given) => {
    const env: NodeJS.ProcessEnv = { ...given };
    withBoundedSpinning(() => expect(env).toEqual(given), env);
    expect(env).toEqual(given);
  });

  it.runIf(process.platform === 'linux')('reaches libgomp', { timeout: limit(60_000) }, () => {
    const run = (more: NodeJS.ProcessEnv) => {
      const { GOMP_SPINCOUNT: _count, OMP_WAIT_POLICY: _policy, ...env } = process.env;
      const program = `await import(${JSON.stringify(library)}); console.log(process.env.GOMP_SPINCOUNT)`;
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        env: { ...env, OMP_DISPLAY_ENV: 'verbose', ...more },
        encoding: 'utf8',
      });
      return [/GOMP_SPINCOUNT = '(\d+)'/.exec(stderr)?.[1], stdout.trim()];
    };
    expect(run({})).toEqual(['1000', 'undefined']);
    expect(run({ GOMP_SPINCOUNT: '77' })).toEqual(['77', '77']);
  });
});
