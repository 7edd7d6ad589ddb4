import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ReadFile } from '../../lib/control-groups.js';
import { memoryLimits, threadLimit, withBoundedSpinning } from '../../lib/native/defaults.js';
import { temporaryFolder, writeTree } from '../install/support.js';
import { limit } from '../support/limit.js';

const library = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

function files(contents: Record<string, string>): ReadFile {
  return (path) => contents[path];
}

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

describe.runIf(process.platform === 'linux')('memoryLimits', () => {
  const MB = 2 ** 20;
  const limits = (megabytes: number) => {
    const read = files({
      '/proc/self/cgroup': '0::/\n',
      '/sys/fs/cgroup/memory.max': `${megabytes * MB}\n`,
    });
    const found = memoryLimits(read, 64 * 1024 * MB);
    return found && [found.memoryLimit / MB, found.cacheLimit / MB];
  };

  it('leaves 256 MB to Node.js, a quarter at most, and keeps an eighth', () => {
    expect(limits(8192)).toEqual([8192 - 256, 1024]);
    expect(limits(1024)).toEqual([768, 256]);
    expect(limits(256)).toEqual([192, 64]);
  });

  it('are none without a limit of the container', () => {
    expect(limits(65536)).toBeUndefined();
    expect(memoryLimits(files({}))).toBeUndefined();
  });
});

describe.runIf(process.platform === 'linux')('in a container', () => {
  /** Replaces files of the system before the package reads them. */
  const preload = (contents: Record<string, string>) => `
    const fs = require('node:fs');
    const { readFileSync } = fs;
    const contents = ${JSON.stringify(contents)};
    fs.readFileSync = (path, ...rest) => contents[path] ?? readFileSync(path, ...rest);
    require('node:module').syncBuiltinESMExports();`;

  function run(contents: Record<string, string>, program: string) {
    const folder = writeTree(temporaryFolder(), { 'container.cjs': preload(contents) });
    const code = `const { getNumThreads, memory, setMemoryOptions, zeros } = await import(${JSON.stringify(library)});
      ${program}`;
    const { OMP_NUM_THREADS: _omp, MKL_NUM_THREADS: _mkl, ...env } = process.env;
    const args = ['--require', join(folder, 'container.cjs'), '--input-type=module', '-e', code];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  }

  const CONTAINER = {
    '/proc/self/cgroup': '0::/\n',
    '/sys/fs/cgroup/cpu.max': '100000 100000\n',
    '/sys/fs/cgroup/memory.max': `${256 * 2 ** 20}\n`,
  };
  const ALLOCATE = `
    const allocate = (megabytes) => {
      try {
        zeros([megabytes * 2 ** 20], { dtype: 'uint8' }).dispose();
        return 'allocated';
      } catch (error) {
        return error.constructor.name + ': ' + error.message;
      }
    };`;

  it('threads and memory are limited', { timeout: limit(60_000) }, () => {
    const result = run(
      CONTAINER,
      `${ALLOCATE}
      const first = [allocate(150), allocate(200)];
      const kept = memory().cachedBytes;
      allocate(40);
      console.log(JSON.stringify({ threads: getNumThreads(), first, kept, small: memory().cachedBytes }));`,
    );
    expect(result).toEqual({
      threads: 1,
      first: ['allocated', expect.stringMatching(/^NativeError: .*out of memory/)],
      // A block of 150 MB is more than the 64 MB that may be kept; one of 40 MB is not.
      kept: 0,
      small: expect.toSatisfy((bytes: number) => bytes >= 40 * 2 ** 20 && bytes <= 64 * 2 ** 20),
    });
  });

  it('what is kept goes back before both exceed the limit', { timeout: limit(60_000) }, () => {
    const result = run(
      CONTAINER,
      `${ALLOCATE}
      allocate(40);
      const large = zeros([170 * 2 ** 20], { dtype: 'uint8' });
      console.log(JSON.stringify({ kept: memory().cachedBytes }));`,
    );
    expect(result).toEqual({ kept: 0 });
  });

  it('the program may set other limits, which worker threads do not change', {
    timeout: limit(60_000),
  }, () => {
    const result = run(
      CONTAINER,
      `${ALLOCATE}
      setMemoryOptions({ memoryLimit: Number.POSITIVE_INFINITY });
      const { Worker } = await import('node:worker_threads');
      const code = ${JSON.stringify(`import(${JSON.stringify(library)})`)};
      await new Promise((resolve, reject) => new Worker(code, { eval: true }).once('exit', resolve).once('error', reject));
      console.log(JSON.stringify([allocate(200)]));`,
    );
    expect(result).toEqual(['allocated']);
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
