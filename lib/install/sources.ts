/**
 * Sources of a pinned libtorch, tried in order: the official wheel and the official archive (or a mirror
 * of them), then pip, which supports company mirrors and folders of wheels.
 * @module
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadError } from '../errors.js';
import { download, hashFile } from '../files/download.js';
import type { LibtorchArtifact, PinnedFile } from '../libtorch/lock.js';
import type { SourceName } from '../libtorch/types.js';
import type { Reporter } from './reporter.js';

/** Arguments of a source. */
export interface SourceContext {
  artifact: LibtorchArtifact;
  /** Address of the official wheels, or of a mirror. */
  base: string;
  /** Address of the official libtorch archives, or of a mirror. */
  zipBase: string;
  /** A folder in the cache for files before they are unpacked. */
  workDir: string;
  env: NodeJS.ProcessEnv;
  reporter: Reporter;
  signal?: AbortSignal | undefined;
}

/** A wheel or archive on disk. */
export interface FetchedFile {
  file: string;
  sha256: string;
  /** Removes the file after unpacking. */
  discard(): Promise<void>;
}

/** One source of libtorch. */
export interface LibtorchSource {
  name: SourceName;
  /** Whether this source has a file for the platform. Default: yes. */
  applies?(artifact: LibtorchArtifact): boolean;
  /** A description for the error message. */
  describe(context: SourceContext): string;
  /** @throws DownloadError with the reason why there is no file from this source. */
  fetch(context: SourceContext): Promise<FetchedFile>;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Whether downloads are disabled: `DYCONV_OFFLINE=1`, or `npm install --offline`. */
export function isOffline(env: NodeJS.ProcessEnv): boolean {
  return env.DYCONV_OFFLINE === '1' || env.npm_config_offline === 'true';
}

/** The wheel from its pinned address, checked by size and SHA-256. An interrupted download is continued. */
export const downloadSource: LibtorchSource = {
  name: 'download',
  describe: ({ artifact, base }) => address(artifact, base),
  fetch: (context) => fetchPinned(context.artifact, context.base, context),
};

/** The libtorch archive of the same release, in the same way; it is smaller because it does not contain Python's part. */
export const zipSource: LibtorchSource = {
  name: 'zip',
  applies: (artifact) => artifact.zip !== undefined,
  describe: ({ artifact, zipBase }) => address(artifact.zip!, zipBase),
  fetch: (context) => fetchPinned(context.artifact.zip!, context.zipBase, context),
};

/** The wheel through `pip download`, with the index, mirror or wheel folder in pip's configuration. */
export const pipSource: LibtorchSource = {
  name: 'pip',
  describe: ({ artifact }) => ['python3', ...pipArguments(artifact)].join(' '),
  fetch: (context) => fetchWithPip(context.artifact, context),
};

/**
 * One wheel through `pip download`, without its dependencies.
 *
 * @throws DownloadError when pip finds none, or one with another checksum.
 */
export async function fetchWithPip(
  wheel: Pick<LibtorchArtifact, 'file' | 'sha256' | 'pip'>,
  { workDir, env, reporter, signal }: Pick<SourceContext, 'workDir' | 'env' | 'reporter' | 'signal'>,
): Promise<FetchedFile> {
  await mkdir(workDir, { recursive: true });
  const folder = await mkdtemp(join(workDir, 'pip-'));
  const discard = () => rm(folder, { recursive: true, force: true });
  try {
    reporter.line(`Asking pip for ${wheel.pip.requirement} ...`);
    const python = process.platform === 'win32' ? 'python' : 'python3';
    await run(python, [...pipArguments(wheel), '--dest', folder], { env, signal });
    const name = (await readdir(folder)).find((entry) => entry.endsWith('.whl'));
    if (name === undefined) throw new DownloadError('pip finished without downloading a wheel');
    const file = join(folder, name);
    const sha256 = await hashFile(file, 'sha256');
    // pip may find a wheel of the same version with another platform tag, which it verifies itself.
    if (name === wheel.file && sha256 !== wheel.sha256) {
      throw new DownloadError(`Expected sha256 ${wheel.sha256} for ${name} but received ${sha256}`);
    }
    return { file, sha256, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function fetchPinned(pinned: PinnedFile, base: string, context: SourceContext): Promise<FetchedFile> {
  const { workDir, reporter, signal } = context;
  const { size, sha256 } = pinned;
  const file = join(workDir, pinned.file);
  const discard = () => rm(file, { force: true });
  // From an earlier attempt that could not unpack it, or copied by hand.
  if (await matches(file, pinned)) return { file, sha256, discard };
  await download({
    url: address(pinned, base),
    file,
    size,
    hash: { algorithm: 'sha256', digest: sha256 },
    connectTimeout: CONNECT_TIMEOUT_MS,
    signal,
    onProgress: (done, total) => reporter.progress('Downloading libtorch', done, total),
  }).finally(() => reporter.end());
  return { file, sha256, discard };
}

function address({ url }: PinnedFile, base: string): string {
  return url.replace('{base}', base.replace(/\/+$/, ''));
}

function pipArguments({ pip }: Pick<LibtorchArtifact, 'pip'>): string[] {
  const fixed = ['-m', 'pip', 'download', '--retries', '0', '--no-deps', '--only-binary=:all:'];
  return [...fixed, '--python-version', pip.pythonVersion, pip.requirement];
}

async function matches(file: string, { size, sha256 }: PinnedFile): Promise<boolean> {
  if (!existsSync(file) || (size !== undefined && (await stat(file)).size !== size)) return false;
  return (await hashFile(file, 'sha256')) === sha256;
}

function run(
  command: string,
  args: string[],
  options: { env: NodeJS.ProcessEnv; signal?: AbortSignal | undefined },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-4000);
      });
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(new DownloadError(error.code === 'ENOENT' ? `${command} is not installed` : error.message));
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new DownloadError(`it ended with code ${code}: ${lastLine(output)}`));
    });
  });
}

/** The reason is in the last ERROR line of pip. */
function lastLine(output: string): string {
  const lines = output.trim().split('\n').filter(Boolean);
  return (lines.findLast((line) => line.startsWith('ERROR')) ?? lines.at(-1) ?? 'no output').trim();
}
