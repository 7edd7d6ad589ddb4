/**
 * The command lines of README.md.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the example. */
export const folder = fileURLToPath(new URL('../..', import.meta.url));

/** The lines of the shell blocks, without comments. */
export async function commandLines() {
  const text = await readFile(join(folder, 'README.md'), 'utf8');
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code);
  return blocks
    .flatMap((code) => code.split('\n'))
    .map((line) => line.replace(/\s+#.*/, '').trim())
    .filter((line) => line !== '');
}
