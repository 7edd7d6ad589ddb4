import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, versionHeader, writeTree } from '../install/support.js';

function script(name: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const path = fileURLToPath(new URL(`../../scripts/${name}.js`, import.meta.url));
  return spawnSync(process.execPath, [path, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });
}

describe('scripts/build.js', () => {
  it('names the missing programs and the packages that hold them', () => {
    const libtorch = writeTree(temporaryFolder(), {
      'lib/libtorch_cpu.so': '',
      'include/ATen/ATen.h': '',
      'include/torch/headeronly/version.h': versionHeader('2.13.0'),
    });
    const { status, stderr } = script('build', [], { LIBTORCH: libtorch, PATH: temporaryFolder(), CXX: '' });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /Cannot build .*No C\+\+ compiler is installed\. CMake is not installed\. Install /,
    );
  });

  it.each([
    [['--config', 'Fast'], /Allowed choices are Release, Debug/],
    [['--jobs', '0'], /Expected a positive integer/],
    [['--fast'], /unknown option '--fast'/],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = script('build', args);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });
});

describe('scripts/install.js', () => {
  it('does nothing but say so when DYCONV_SKIP_BUILD is set', () => {
    const { status, stderr, stdout } = script('install', [], {
      DYCONV_SKIP_BUILD: '1',
      LIBTORCH: '/nowhere',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toMatch(/^dyconv: DYCONV_SKIP_BUILD is set.*\n$/);
  });

  it('refuses an argument', () => {
    const { status, stderr } = script('install', ['--force']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: unknown option '--force'/);
  });

  it('fails with one sentence when LIBTORCH is wrong', () => {
    const { status, stderr } = script('install', [], { LIBTORCH: '/nowhere', DYCONV_SKIP_BUILD: '' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^dyconv: Expected a folder with libtorch .* for LIBTORCH .*\n$/);
  });
});

it.each(['build', 'install', 'libtorch', 'format-cpp'])('scripts/%s.js has --help', (name) => {
  const { status, stdout } = script(name, ['--help']);
  expect(status).toBe(0);
  expect(stdout).toContain(`node scripts/${name}.js`);
});
