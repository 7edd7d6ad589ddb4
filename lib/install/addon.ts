/**
 * Whether a built add-on works: it is loaded in a process of its own, since a library that does not fit can end the
 * process that loads it.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/** What {@link checkAddon} found. */
export type AddonCheck =
  | {
      ok: true;
      /** The folder the process took libtorch from, its `lib/`; undefined where the platform does not tell. */
      libtorchLib: string | undefined;
    }
  | { ok: false; reason: string };

const LOAD = `
require(process.argv[1]);
process.report.excludeNetwork = true;
const loaded = process.report.getReport().sharedObjects.find((file) => /torch_cpu\\.(so|dylib|dll)$/.test(file));
process.stdout.write(JSON.stringify({ loaded }));
`;

/** Loads the add-on in a child process. */
export function checkAddon(file: string): AddonCheck {
  if (!existsSync(file)) return { ok: false, reason: `${file} does not exist` };
  const child = spawnSync(process.execPath, ['-e', LOAD, file], { encoding: 'utf8' });
  if (child.error) return { ok: false, reason: child.error.message };
  if (child.status !== 0) {
    const end = child.signal ? `was ended by ${child.signal}` : `ended with code ${child.status}`;
    const why = /^.*Error: (.*)$/m.exec(child.stderr)?.[1] ?? child.stderr.trim().split('\n').at(-1);
    return { ok: false, reason: why || `the process that loaded it ${end}` };
  }
  const { loaded } = JSON.parse(child.stdout) as { loaded?: string };
  return { ok: true, libtorchLib: loaded === undefined ? undefined : dirname(realpathSync(loaded)) };
}
