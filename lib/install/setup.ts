/**
 * Makes the package ready for use: libtorch, and an add-on that loads with it, ready-made or built.
 * @module
 */
import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DyconvError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { type Addon, addonPath, findAddon, findPrebuilt, libtorchNote } from '../native/load.js';
import { checkAddon } from './addon.js';
import { buildAddon, isUpToDate } from './build.js';
import { ensureLibtorch } from './libtorch.js';
import { sameRelease } from './lock.js';
import type { Libtorch } from './types.js';

/** Options of {@link setup}. */
export interface SetupOptions {
  /** Build the add-on even where there is a ready-made one. Default: `DYCONV_BUILD_FROM_SOURCE=1` or false. */
  fromSource?: boolean | undefined;
  /** Compilers at once. Default: one a core, as far as memory allows. */
  jobs?: number | undefined;
  /** Called with a sentence as the work goes on. Default: standard error output. */
  log?: ((line: string) => void) | undefined;
}

/** What {@link setup} left behind. */
export interface SetupResult {
  addon: Addon;
  libtorch: Libtorch;
}

/**
 * Finds or fetches libtorch, then takes the ready-made add-on or builds one. It has been loaded in a process of its own
 * when this returns. A second call does next to nothing.
 *
 * @throws DyconvError that says which step failed, and what to do.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  const { fromSource = process.env.DYCONV_BUILD_FROM_SOURCE === '1', jobs } = options;
  const log = options.log ?? ((line: string) => console.error(line));
  const libtorch = await ensureLibtorch();
  const where = `libtorch ${libtorch.version} (${libtorch.flavour}) in ${libtorch.dir}`;
  if (isUpToDate(libtorch)) {
    log(`dyconv is up to date with ${where}`);
    return { addon: findAddon()!, libtorch };
  }
  const prebuilt = fromSource ? 'a build from source is asked for' : findPrebuilt();
  const problem = typeof prebuilt === 'string' ? prebuilt : await usePrebuilt(prebuilt, libtorch);
  if (problem === undefined) {
    log(`dyconv is ready: the ready-made add-on, with ${where}`);
    return { addon: prebuilt as Addon, libtorch };
  }
  log(`Building the native add-on (${problem}) against ${where}; this takes a few minutes.`);
  const file = buildAddon({ libtorch, jobs });
  log('dyconv is ready.');
  return { addon: { file, kind: 'built' }, libtorch };
}

/** Loads the ready-made add-on with this libtorch; returns a sentence where that cannot be. */
async function usePrebuilt(addon: Addon, libtorch: Libtorch): Promise<string | undefined> {
  if (libtorch.flavour === 'cuda') return 'the ready-made one is for CPUs';
  if (!sameRelease(addon.libtorch!, libtorch.version)) {
    return `the ready-made one is for libtorch ${addon.libtorch}`;
  }
  const check = checkAddon(addon.file, libtorch.dir);
  if (!check.ok) return `the ready-made one does not load: ${check.reason}`;
  // A built one, out of date, would go before it.
  rmSync(addonPath(), { force: true });
  await note(libtorch);
  return undefined;
}

/** A process that loads the package later should not need the variables of the installation. */
async function note({ dir, source }: Libtorch): Promise<void> {
  try {
    await mkdir(dirname(libtorchNote), { recursive: true });
    await writeFileAtomic(libtorchNote, `${JSON.stringify({ dir })}\n`);
  } catch (error) {
    // The cache is where a process looks without a note, too.
    if (source === 'cache') return;
    throw new DyconvError(
      `The folder of the package cannot be written, and so cannot note where libtorch is: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
