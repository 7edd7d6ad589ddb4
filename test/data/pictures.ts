/** Folders of small images for the tests of image folders. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

/** A small PNG. */
const png = await sharp({ create: { width: 6, height: 6, channels: 3, background: '#204060' } })
  .png()
  .toBuffer();

/** Writes it to paths in a folder, whose folders are made. */
export async function putPictures(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), png);
  }
}
