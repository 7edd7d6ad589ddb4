import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const index = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

// Limits of a running process need Linux and prlimit. ThreadSanitizer and AddressSanitizer reserve more address
// space than any limit allows.
const limits =
  process.platform === 'linux' && !process.env.LD_PRELOAD && spawnSync('prlimit', ['--version']).status === 0;

/**
 * Runs a program in which `limit(bytes)` limits the address space to that much more and `limit()` removes the
 * limit. Threads get stacks of 1 GB, so that a thread cannot be started within 512 MB, but everything else
 * works.
 */
async function run(program: string): Promise<unknown> {
  const code = `
    import { execFileSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    import { empty, ones } from ${JSON.stringify(index)};
    const limit = (bytes) => {
      const size = Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
      execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (bytes === undefined ? 'unlimited' : size + bytes) + ':']);
    };
    const outcome = async (call) => {
      try { const value = await call(); return value.length ?? value; } catch (error) { return [error.name, error.code, error.message]; }
    };
    const results = [];
    ${program}
    console.log(JSON.stringify(results));`;
  const { stdout } = await promisify(execFile)(
    'sh',
    ['-c', 'ulimit -S -s 1048576; exec "$0" --input-type=module -e "$1"', process.execPath, code],
    { env: { ...process.env, OMP_NUM_THREADS: '1' } },
  );
  return JSON.parse(stdout);
}

it.skipIf(!limits)(
  'a thread that cannot be started is an error, and the next call tries again',
  async () => {
    const results = await run(`
    const x = ones([3]);
    limit(2 ** 29);
    results.push(await outcome(() => x.data()), await outcome(() => x.array()));
    limit();
    results.push(await outcome(() => x.data()), await outcome(() => x.array()));`);
    const refused = [
      'NativeError',
      'ERR_NATIVE',
      expect.stringContaining("'dyconv compute' could not be started"),
    ];
    expect(results).toEqual([refused, refused, 3, 3]);
  },
  60_000,
);

it.skipIf(!limits)(
  'values without memory for the copy are an error, and the tensor stays',
  async () => {
    const results = await run(`
    const x = empty([2 ** 28]);
    await ones([1]).data(); // starts the thread
    limit(2 ** 29);
    results.push(await outcome(() => x.data()), await outcome(() => x.dataSync()));
    limit();
    results.push(await outcome(() => x.narrow(0, 0, 5).data()));`);
    const refused = [
      'NativeError',
      'ERR_NATIVE',
      'Expected memory for a Float32Array of 268435456 elements but JavaScript has none: Array buffer allocation failed',
    ];
    expect(results).toEqual([refused, refused, 5]);
  },
  60_000,
);
