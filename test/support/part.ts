/**
 * Waits for the part file of a download.
 * @module
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { arrived } from '../install/support.js';

/** Waits until a part file of that size is in the folder or in a folder in it. */
export async function partArrived(folder: string, size: number): Promise<void> {
  for (;;) {
    const names = await readdir(folder, { recursive: true });
    const part = names.find((name) => name.endsWith('.part'));
    if (part !== undefined) return await arrived(join(folder, part), size);
    await new Promise((done) => setTimeout(done, 10));
  }
}
