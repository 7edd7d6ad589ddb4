/**
 * The programs that a native build needs, and how to install them.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import coerce from 'semver/functions/coerce.js';
import satisfies from 'semver/functions/satisfies.js';

/** A program that is missing or too old. */
export interface MissingTool {
  tool: 'compiler' | 'cmake';
  /** A sentence about what was found instead. */
  problem: string;
}

const MINIMUM_CMAKE = '3.18';
// The first releases with C++20 as libtorch's headers use it and with -march=x86-64-v4.
const MINIMUM_GCC = 11;
const MINIMUM_CLANG = 13;

const PACKAGES: Record<'debian' | 'fedora' | 'macos' | 'windows', Record<MissingTool['tool'], string>> = {
  debian: { compiler: 'g++', cmake: 'cmake' },
  fedora: { compiler: 'gcc-c++', cmake: 'cmake' },
  macos: { compiler: 'xcode-select --install', cmake: 'brew install cmake' },
  windows: {
    compiler: 'Visual Studio Build Tools with "Desktop development with C++"',
    cmake: 'winget install Kitware.CMake',
  },
};

/** Runs `command` and returns its output, or undefined if it is missing or fails. */
export type Probe = (command: string, args: string[]) => string | undefined;

/** Searches a C++20 compiler (`$CXX` first) and CMake. An empty list means that nothing is missing. */
export function missingTools(
  env: NodeJS.ProcessEnv = process.env,
  probe: Probe = runProbe,
  platform: NodeJS.Platform = process.platform,
): MissingTool[] {
  const missing: MissingTool[] = [];
  // On Windows CMake itself finds Visual Studio, which is not on PATH.
  if (platform !== 'win32') {
    const problem = compilerProblem(env.CXX ? [env.CXX] : ['c++', 'g++', 'clang++'], probe, platform);
    if (problem) missing.push({ tool: 'compiler', problem });
  }
  const cmake = coerce(/version (\S+)/.exec(probe('cmake', ['--version']) ?? '')?.[1]);
  if (cmake === null) {
    missing.push({ tool: 'cmake', problem: 'CMake is not installed' });
  } else if (!satisfies(cmake, `>=${MINIMUM_CMAKE}`)) {
    missing.push({ tool: 'cmake', problem: `CMake ${MINIMUM_CMAKE} or later is needed, not ${cmake}` });
  }
  return missing;
}

/**
 * One sentence with the packages to install.
 *
 * @param osRelease - Content of `/etc/os-release`. Default: read from the file.
 */
export function installHint(
  missing: MissingTool[],
  platform: NodeJS.Platform = process.platform,
  osRelease: string = readOsRelease(),
): string {
  const on = (system: keyof typeof PACKAGES) => missing.map(({ tool }) => PACKAGES[system][tool]);
  if (platform === 'darwin') return `Install with: ${on('macos').join(' && ')}`;
  if (platform === 'win32') return `Install: ${on('windows').join(', ')}`;
  const debian = `sudo apt-get install ${on('debian').join(' ')}`;
  const fedora = `sudo dnf install ${on('fedora').join(' ')}`;
  const ids = /^ID(?:_LIKE)?=.*$/gm;
  const family = (osRelease.match(ids) ?? []).join(' ');
  if (/debian|ubuntu/.test(family)) return `Install with: ${debian}`;
  if (/fedora|rhel|centos/.test(family)) return `Install with: ${fedora}`;
  return `Install them with this system's package manager (Debian, Ubuntu: ${debian}; Fedora: ${fedora})`;
}

function compilerProblem(commands: string[], probe: Probe, platform: NodeJS.Platform): string | undefined {
  for (const command of commands) {
    const text = probe(command, ['--version']);
    if (text === undefined) continue;
    const clang = /clang version (\d+)/.exec(text);
    const gcc = clang ? null : /^\S*(?:g\+\+|gcc|c\+\+)\S* \(.*\) (\d+)\.\d+/m.exec(text);
    const [name, version, minimum] = clang
      ? ['clang', Number(clang[1]), MINIMUM_CLANG]
      : ['gcc', Number(gcc?.[1] ?? Number.NaN), MINIMUM_GCC];
    if (clang && platform === 'linux') {
      return `${command} is clang, whose OpenMP is another than libtorch's: gcc ${MINIMUM_GCC} or later is needed (CXX=g++)`;
    }
    // An unknown compiler is accepted; it reports missing features itself.
    if (Number.isNaN(version) || version >= minimum) return undefined;
    return `${command} is ${name} ${version}, and ${name} ${minimum} or later is needed for C++20`;
  }
  return commands.length === 1
    ? `The C++ compiler that CXX names, ${commands[0]}, is not found`
    : 'No C++ compiler is installed';
}

/** Runs the program, if it is on `PATH`. A command may contain its first arguments, such as `ccache g++`. */
export function runProbe(command: string, args: string[]): string | undefined {
  const [program = command, ...first] = existsSync(command) ? [command] : command.split(' ');
  const child = spawnSync(program, [...first, ...args], { encoding: 'utf8' });
  return child.status === 0 ? child.stdout : undefined;
}

function readOsRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
