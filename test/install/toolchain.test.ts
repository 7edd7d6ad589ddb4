import { describe, expect, it } from 'vitest';
import { installHint, type MissingTool, missingTools, type Probe } from '../../lib/install/toolchain.js';

/** Answers `--version` for the named programs; all others are missing. */
const machine =
  (programs: Record<string, string>): Probe =>
  (command) =>
    programs[command];

const CMAKE = 'cmake version 3.25.1\n';
const GCC = 'c++ (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.\n';
const BOTH: MissingTool[] = [
  { tool: 'compiler', problem: 'No C++ compiler is installed' },
  { tool: 'cmake', problem: 'CMake is not installed' },
];

describe('missingTools', () => {
  it.each([
    ['gcc', { 'c++': GCC, cmake: CMAKE }],
    ['g++ where there is no c++', { 'g++': 'g++ (GCC) 14.2.1 20250110', cmake: CMAKE }],
  ])('is content with %s', (_what, programs) => {
    expect(missingTools({}, machine(programs), 'linux')).toEqual([]);
  });

  it('is content with clang on macOS only', () => {
    const apple = { 'c++': 'Apple clang version 16.0.0 (clang-1600.0.26.6)', cmake: CMAKE };
    expect(missingTools({}, machine(apple), 'darwin')).toEqual([]);
    const ubuntu = { 'clang++': 'Ubuntu clang version 14.0.0-1ubuntu1', cmake: CMAKE };
    expect(missingTools({}, machine(ubuntu), 'linux')[0]?.problem).toBe(
      "clang++ is clang, whose OpenMP is another than libtorch's: gcc 11 or later is needed (CXX=g++)",
    );
  });

  it('names missing programs', () => {
    expect(missingTools({}, machine({}))).toEqual(BOTH);
  });

  it('names programs that are too old', () => {
    const old = { 'c++': 'c++ (Ubuntu 9.4.0-1ubuntu1~20.04.2) 9.4.0', cmake: 'cmake version 3.16.3' };
    expect(missingTools({}, machine(old)).map(({ problem }) => problem)).toEqual([
      'c++ is gcc 9, and gcc 11 or later is needed for C++20',
      'CMake 3.18 or later is needed, not 3.16.3',
    ]);
  });

  it('only checks CXX if it is set', () => {
    const [missing] = missingTools({ CXX: 'g++-13' }, machine({ 'c++': GCC, cmake: CMAKE }));
    expect(missing?.problem).toBe('The C++ compiler that CXX names, g++-13, is not found');
  });
});

describe('installHint', () => {
  it.each([
    ['linux', 'ID=debian\n', 'Install with: sudo apt-get install g++ cmake'],
    ['linux', 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'Install with: sudo apt-get install g++ cmake'],
    ['linux', 'ID=fedora\n', 'Install with: sudo dnf install gcc-c++ cmake'],
    ['linux', 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'Install with: sudo dnf install gcc-c++ cmake'],
    ['darwin', '', 'Install with: xcode-select --install && brew install cmake'],
    [
      'win32',
      '',
      'Install: Visual Studio Build Tools with "Desktop development with C++", winget install Kitware.CMake',
    ],
  ] as const)('on %s with %j', (platform, osRelease, expected) => {
    expect(installHint(BOTH, platform, osRelease)).toBe(expected);
  });

  it('offers both on an unknown Linux, and names only what is missing', () => {
    const hint = installHint([BOTH[1]!], 'linux', 'ID=arch\n');
    expect(hint).toContain('sudo apt-get install cmake');
    expect(hint).toContain('sudo dnf install cmake');
    expect(hint).not.toContain('g++');
  });
});
