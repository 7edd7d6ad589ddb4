// An add-on that was built for CUDA: its dependencies, and its use without a GPU.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { addonPath } from '../../lib/native/load.js';
import { native } from '../../lib/tensor/tensor.js';

const built = native.cudaBuilt();
const hasReadelf = spawnSync('readelf', ['--version']).status === 0;
const why = built ? (hasReadelf ? '' : ' (skipped: no readelf)') : ' (skipped: the add-on is a CPU build)';

describe.skipIf(why !== '')(`an add-on for CUDA${why}`, () => {
  it('depends on libtorch_cuda and the others, and finds them', () => {
    const { stdout } = spawnSync('readelf', ['-d', addonPath()], { encoding: 'utf8' });
    const needed = [...stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
    expect(needed).toEqual(
      expect.arrayContaining([
        'libtorch.so',
        'libtorch_cpu.so',
        'libtorch_cuda.so',
        'libc10.so',
        'libc10_cuda.so',
      ]),
    );
    if (native.cudaRuntime()) expect(needed).toContainEqual(expect.stringMatching(/^libcudart\b.*\.so\./));
    expect(stdout).toMatch(/\((?:RUNPATH|RPATH)\)/);
  });

  it('loads in a process without LD_LIBRARY_PATH', () => {
    const { LD_LIBRARY_PATH: _path, ...env } = process.env;
    const script = 'const a = require(process.argv[1]); console.log(a.cudaBuilt(), a.cudaDeviceCount() >= 0)';
    const child = spawnSync(process.execPath, ['-e', script, addonPath()], { encoding: 'utf8', env });
    expect(child.stdout.trim(), child.stderr).toBe('true true');
  });
});

describe.skipIf(built)(`an add-on for CPUs${built ? ' (skipped: the add-on is a CUDA build)' : ''}`, () => {
  it('does not depend on CUDA', { skip: !hasReadelf }, () => {
    const { stdout } = spawnSync('readelf', ['-d', addonPath()], { encoding: 'utf8' });
    expect(stdout).toMatch(/NEEDED.*libtorch_cpu/);
    expect(stdout).not.toMatch(/NEEDED.*(?:cuda|cudart|nvidia)/i);
  });
});
