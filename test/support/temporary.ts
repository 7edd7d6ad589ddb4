/** The folder in which the tests of a run make their temporary files. */
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = join(tmpdir(), `dyconv-tests-${process.pid}`);

/** The environment of the tests: `os.tmpdir()` is the folder, also in the processes that tests start. */
export const TEMPORARY_ENV = { TMPDIR: folder, TEMP: folder, TMP: folder };

/**
 * Makes the folder before a run and removes it after the run, with what tests leave in it: those that fail, are skipped after their folder was made,
 * or have their process ended.
 */
export default function setup({ config }: { config: { env: { TMPDIR?: string } } }): () => void {
  const { TMPDIR } = config.env;
  if (TMPDIR === undefined) throw new Error('Expected TEMPORARY_ENV as the environment of the tests');
  mkdirSync(TMPDIR, { recursive: true });
  return () => rmSync(TMPDIR, { recursive: true, force: true, maxRetries: 3 });
}
