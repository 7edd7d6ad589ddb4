/**
 * Checks the installation: problems and the commands that fix them. It works even if the add-on does not, because it loads
 * the add-on only in a child process.
 * @module
 */
import { readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import satisfies from 'semver/functions/satisfies.js';
import { memoryLimit, usableCores } from '../control-groups.js';
import { cacheDirectory } from '../libtorch/cache.js';
import { inspectLibtorch } from '../libtorch/inspect.js';
import { type LibtorchArtifact, readLock } from '../libtorch/lock.js';
import type { Libtorch } from '../libtorch/types.js';
import {
  type Addon,
  dyconvCommand,
  findAddon,
  findPrebuilt,
  isClone,
  libtorchOf,
  packageRoot,
  setupCommand,
} from '../native/load.js';
import { type AddonCheck, checkAddon } from './addon.js';
import { cudaFindings } from './doctor-cuda.js';
import { detectLibc, type Libc, libcText } from './libc.js';
import { findLibtorch } from './libtorch.js';
import { lockFileProblem } from './lock-file.js';
import { obstacleOf, TARGET } from './platform.js';
import { installHint, missingTools, type Probe, runProbe } from './toolchain.js';
import type { Finding } from './types.js';

/** Input of {@link diagnose}; replaced in tests. */
export interface DoctorOptions {
  env?: NodeJS.ProcessEnv | undefined;
  probe?: Probe | undefined;
  nodeVersion?: string | undefined;
  addon?: Addon | undefined;
  /** `<platform>-<arch>`. */
  target?: string | undefined;
  libc?: Libc | undefined;
}

const GB = 1e9;

/** Runs all checks, in the order of dependence: earlier problems may cause later ones. */
export function diagnose(options: DoctorOptions = {}): Finding[] {
  const { env = process.env, probe = runProbe, nodeVersion = process.versions.node } = options;
  const addon = 'addon' in options ? options.addon : findAddon();
  const check = addon && checkFound(addon, env);
  const libtorch = lookForLibtorch(env, check);
  const works = check?.ok === true;
  return [
    packageFinding(),
    nodeFinding(nodeVersion, options.target ?? TARGET),
    ...platformFindings(options, works),
    npmFinding(probe, works),
    ...toolchainFindings(env, probe, works),
    libtorch.finding,
    ...addonFindings(addon, check, libtorch.found),
    cpuFinding(check),
    ...cudaFindings({ env, probe, libtorch: libtorch.found, facts: check?.ok ? check.facts : undefined }),
    cacheFinding(env),
  ];
}

/** Whether dyconv works. */
export function isHealthy(findings: Finding[]): boolean {
  return findings.every(({ status }) => status !== 'error');
}

function readPackage(): { version: string; engines: { node: string } } {
  return JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
}

function packageFinding(): Finding {
  const kind = isClone() ? 'a clone of the repository' : 'the published package';
  return { name: 'dyconv', status: 'ok', detail: `${readPackage().version}, ${kind} in ${packageRoot}` };
}

function nodeFinding(version: string, target: string): Finding {
  const { node: range } = readPackage().engines;
  const detail = `${version}, ${target}`;
  if (satisfies(version, range, { includePrerelease: true }))
    return { name: 'Node.js', status: 'ok', detail };
  const minimum = range.replace(/^\D+/, '');
  const fix = 'install a current Node.js: https://nodejs.org/en/download';
  return { name: 'Node.js', status: 'error', detail: `${detail}; ${minimum} or later is needed`, fix };
}

/** Only Linux has several C libraries. A libtorch of the user may work with another one. */
function platformFindings({ target = TARGET, ...options }: DoctorOptions, works: boolean): Finding[] {
  const libc = 'libc' in options ? options.libc : detectLibc();
  const obstacle = works ? undefined : obstacleOf({ target, libc });
  if (obstacle === undefined)
    return libc === undefined ? [] : [{ name: 'C library', status: 'ok', detail: libcText(libc) }];
  const { subject: name, problem: detail, fix } = obstacle;
  return [{ name, status: 'error', detail, fix }];
}

function npmFinding(probe: Probe, works: boolean): Finding {
  const version = probe('npm', ['--version'])?.trim();
  if (version === undefined) return { name: 'npm', status: 'info', detail: 'not found on PATH' };
  // From version 12 on, npm does not run unapproved install scripts of dependencies.
  if (satisfies(version, '<12') || works) return { name: 'npm', status: 'ok', detail: version };
  const detail = `${version}, which runs install scripts of approved packages only`;
  return { name: 'npm', status: 'info', detail, fix: dyconvCommand('setup') };
}

function toolchainFindings(env: NodeJS.ProcessEnv, probe: Probe, works: boolean): Finding[] {
  const missing = missingTools(env, probe);
  const needed = !works && typeof findPrebuilt() === 'string';
  const tool = (name: string, key: 'compiler' | 'cmake', command: string): Finding => {
    const found = missing.find((entry) => entry.tool === key);
    if (!found) {
      const text = probe(command, ['--version']) ?? '';
      return { name, status: 'ok', detail: text.split('\n')[0]?.trim() || 'found by CMake' };
    }
    const detail = needed ? found.problem : `${found.problem}; only a build would need it`;
    return { name, status: needed ? 'error' : 'info', detail, fix: installHint([found]) };
  };
  const compiler = env.CXX || ['c++', 'g++', 'clang++'].find((name) => probe(name, ['--version'])) || 'c++';
  const extra = ['ninja', 'ccache'].filter((name) => probe(name, ['--version']) !== undefined);
  return [
    tool('compiler', 'compiler', compiler),
    tool('CMake', 'cmake', 'cmake'),
    {
      name: 'faster builds',
      status: 'info',
      detail: extra.join(', ') || 'neither ninja nor ccache is installed',
    },
  ];
}

type Found = Pick<Libtorch, 'dir' | 'version' | 'flavour'>;

function lookForLibtorch(
  env: NodeJS.ProcessEnv,
  check: AddonCheck | undefined,
): { finding: Finding; found?: Found | undefined } {
  const name = 'libtorch';
  const ok = (found: Found, from: string) => {
    const detail = `${found.version} (${found.flavour}), from ${from}: ${found.dir}`;
    return { finding: { name, status: 'ok' as const, detail }, found };
  };
  try {
    const ofAddon = usedCudaLibtorch(env, check);
    if (ofAddon) return ok(ofAddon, 'the add-on');
    const found = findLibtorch({ env });
    if (found) return ok(found, found.source === 'cache' ? 'the cache' : found.source);
    const detail = `${readLock().version} is not in ${cacheDirectory(env)}${pinnedText()}`;
    return { finding: { name, status: 'error', detail, fix: setupCommand() } };
  } catch (error) {
    const variable = ['LIBTORCH', 'LIBTORCH_USE_PYTORCH'].find((name) => env[name]) ?? 'DYCONV_CUDA';
    const fix = `unset ${variable}, or set it to a valid value`;
    return { finding: { name, status: 'error', detail: (error as Error).message, fix } };
  }
}

/** A CUDA build is found only with certain variables, which need not be set after the installation. */
function usedCudaLibtorch(env: NodeJS.ProcessEnv, check: AddonCheck | undefined): Found | undefined {
  if (env.LIBTORCH || env.LIBTORCH_USE_PYTORCH === '1' || env.DYCONV_CUDA) return undefined;
  if (!check?.ok || check.libtorchLib === undefined) return undefined;
  const dir = dirname(check.libtorchLib);
  const info = inspectLibtorch(dir);
  return typeof info === 'string' || info.flavour !== 'cuda' ? undefined : { dir, ...info };
}

function pinnedText(): string {
  const artifact = pinnedArtifact();
  if (!artifact) return `; none is pinned for ${TARGET}: set LIBTORCH`;
  return artifact.tried ? '' : `; the one pinned for ${TARGET} has not been tried`;
}

function pinnedArtifact(): LibtorchArtifact | undefined {
  return readLock().artifacts[`${TARGET}-cpu`];
}

function checkFound(addon: Addon, env: NodeJS.ProcessEnv): AddonCheck {
  if (addon.kind === 'built') return checkAddon(addon.file);
  try {
    return checkAddon(addon.file, libtorchOf(addon, env));
  } catch (error) {
    return { ok: false, reason: (error as Error).message };
  }
}

function addonFindings(addon: Addon | undefined, check: AddonCheck | undefined, libtorch?: Found): Finding[] {
  const name = 'add-on';
  const fix = setupCommand();
  if (!addon) {
    const detail = `not built, and ${findPrebuilt()}`;
    const lock = lockFileProblem();
    if (lock) return [{ name, status: 'error', detail: `${detail}: ${lock.problem}`, fix: lock.fix }];
    return [{ name, status: 'error', detail, fix }];
  }
  const kind = addon.kind === 'built' ? 'built here' : 'prebuilt';
  if (!check?.ok) {
    return [{ name, status: 'error', detail: `${addon.file} does not load: ${check?.reason}`, fix }];
  }
  if (!check.facts) {
    return [{ name, status: 'error', detail: `${addon.file} loads, but is not dyconv's add-on`, fix }];
  }
  const findings: Finding[] = [{ name, status: 'ok', detail: `${kind}, loads: ${addon.file}` }];
  if (libtorch && check.facts.libtorch.split('+')[0] !== libtorch.version) {
    findings.push({
      name,
      status: 'warning',
      detail: `it runs with libtorch ${check.facts.libtorch} in ${check.libtorchLib}, not with the one above`,
      fix,
    });
  }
  findings.push({ name: 'kernels', status: 'ok', detail: kernelsText(check.facts.algorithms) });
  return findings;
}

/** Unsuffixed names are of the best instruction set; lower ones have its name as a suffix. ARM has one. */
function kernelsText(algorithms: string[]): string {
  if (process.arch === 'arm64') return `neon chosen for ${algorithms.join(', ')}`;
  const below = ['avx2', 'portable'].filter((isa) => algorithms.includes(`fused-${isa}`));
  const chosen = ['avx512', 'avx2', 'portable'][2 - below.length];
  const plain = algorithms.filter((name) => !below.some((isa) => name.endsWith(`-${isa}`)));
  const rest = below.length > 0 ? `; also there: ${below.join(', ')}` : '';
  return `${chosen} chosen for ${plain.join(', ')}${rest}`;
}

function cpuFinding(check: AddonCheck | undefined): Finding {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const limit = memoryLimit();
  const allowed = limit === undefined ? '' : `, ${(limit / GB).toFixed(1)} GB of it for this container`;
  const memory = `${(totalmem() / GB).toFixed(1)} GB of memory${allowed}`;
  const facts = check?.ok ? check.facts : undefined;
  const used = facts ? `, ${facts.threads} threads, libtorch's kernels for ${facts.capability}` : '';
  return {
    name: 'CPU',
    status: 'ok',
    detail: `${model}, ${usableCores()} usable cores${used}, ${memory}`,
  };
}

function cacheFinding(env: NodeJS.ProcessEnv): Finding {
  const dir = cacheDirectory(env);
  const name = 'cache';
  let entries: string[];
  try {
    entries = readdirSync(dir);
  } catch {
    return { name, status: 'info', detail: `${dir} is empty` };
  }
  const sizes = entries.sort().map((entry) => `${entry} ${(sizeOf(join(dir, entry)) / GB).toFixed(2)} GB`);
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  const detail = `${dir}: ${sizes.join(', ') || 'nothing'}; ${(free / GB).toFixed(1)} GB free`;
  // A wheel and its unpacked files.
  if (free > 1.2 * GB || entries.some((entry) => entry.startsWith('libtorch-'))) {
    return { name, status: 'ok', detail };
  }
  const fix = 'free 1.2 GB there, or set DYCONV_CACHE to a folder on another disk';
  return { name, status: 'warning', detail, fix };
}

function sizeOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found?.size ?? 0;
  return readdirSync(path).reduce((sum, entry) => sum + sizeOf(join(path, entry)), 0);
}
