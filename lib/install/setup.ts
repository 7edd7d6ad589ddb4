/**
 * Sets up the package: libtorch, and a prebuilt or built add-on that loads with it.
 * @module
 */
import { existsSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DyconvError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { sameRelease } from '../libtorch/lock.js';
import type { Libtorch } from '../libtorch/types.js';
import { type Addon, addonPath, findAddon, findPrebuilt, libtorchNote } from '../native/load.js';
import { checkAddon } from './addon.js';
import { buildAddon, isUpToDate } from './build.js';
import { detectLibc, glibcProblem } from './libc.js';
import { ensureLibtorch } from './libtorch.js';
import { lockFileProblem } from './lock-file.js';

/** Options of {@link setup}. */
export interface SetupOptions {
  /** Build the add-on even if there is a prebuilt one. Default: `DYCONV_BUILD_FROM_SOURCE=1` or false. */
  fromSource?: boolean | undefined;
  /** Compilers at once. Default: one a core, as far as memory allows. */
  jobs?: number | undefined;
  /** Called with progress messages. Default: standard error output. */
  log?: ((line: string) => void) | undefined;
}

/** Result of {@link setup}. */
export interface SetupResult {
  addon: Addon;
  libtorch: Libtorch;
}

/**
 * Finds or downloads libtorch, then uses the prebuilt add-on or builds one, and checks it by loading it in a child
 * process. A second call finishes at once.
 *
 * @throws DyconvError that names the failed step and the fix; also where npm left the prebuilt add-on out because of the lock file,
 *   which nobody would notice otherwise: npm does not print what the install script prints.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  const { fromSource = process.env.DYCONV_BUILD_FROM_SOURCE === '1', jobs } = options;
  const log = options.log ?? ((line: string) => console.error(line));
  if (!fromSource) requirePrebuilt();
  const libtorch = await ensureLibtorch();
  const where = `libtorch ${libtorch.version} (${libtorch.flavour}) in ${libtorch.dir}`;
  if (isUpToDate(libtorch)) {
    log(`dyconv is up to date with ${where}`);
    return { addon: findAddon()!, libtorch };
  }
  const prebuilt = fromSource ? 'a build from source is asked for' : findPrebuilt();
  const problem = typeof prebuilt === 'string' ? prebuilt : await usePrebuilt(prebuilt, libtorch);
  if (problem === undefined) {
    log(`dyconv is ready: the prebuilt add-on, with ${where}`);
    return { addon: prebuilt as Addon, libtorch };
  }
  log(`Building the native add-on (${problem}) against ${where}; this takes a few minutes.`);
  const file = buildAddon({ libtorch, jobs });
  log('dyconv is ready.');
  return { addon: { file, kind: 'built' }, libtorch };
}

function requirePrebuilt(): void {
  const omitted = /\boptional\b/.test(process.env.npm_config_omit ?? '');
  if (omitted || existsSync(addonPath()) || typeof findPrebuilt() !== 'string') return;
  const found = lockFileProblem();
  if (found === undefined) return;
  throw new DyconvError(
    `The prebuilt add-on is missing: ${found.problem}. Fix: ${found.fix}. ` +
      'To build the add-on from source instead, set DYCONV_BUILD_FROM_SOURCE=1.',
  );
}

/** Loads the prebuilt add-on with this libtorch; returns a sentence with the reason if that fails. */
async function usePrebuilt(addon: Addon, libtorch: Libtorch): Promise<string | undefined> {
  if (libtorch.flavour === 'cuda') return 'the prebuilt one is for CPUs';
  if (!sameRelease(addon.libtorch!, libtorch.version)) {
    return `the prebuilt one is for libtorch ${addon.libtorch}`;
  }
  const glibc = addon.needs?.glibc;
  const problem = glibc === undefined ? undefined : glibcProblem('the prebuilt one', glibc, detectLibc());
  if (problem !== undefined) return problem;
  const check = checkAddon(addon.file, libtorch.dir);
  if (!check.ok) return `the prebuilt one does not load: ${check.reason}`;
  // An outdated built add-on would be loaded first.
  rmSync(addonPath(), { force: true });
  await note(libtorch);
  return undefined;
}

/** Processes that load the package later should not need the variables of the installation. */
async function note({ dir, source }: Libtorch): Promise<void> {
  try {
    await mkdir(dirname(libtorchNote), { recursive: true });
    await writeFileAtomic(libtorchNote, `${JSON.stringify({ dir })}\n`);
  } catch (error) {
    // Processes find the cache without this record.
    if (source === 'cache') return;
    throw new DyconvError(
      `The folder of the package cannot be written, and so cannot note where libtorch is: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
