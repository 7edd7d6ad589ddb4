/**
 * Generated photographs in the forms that data sets have: a folder of class folders, tar shards, parquet files.
 * @module
 */
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { noise } from './data-contestants.js';

/** Where the images are. */
export const SOURCES = /** @type {const} */ (['folder', 'shards', 'parquet']);
/** @typedef {(typeof SOURCES)[number]} Source */

export const CLASSES = Array.from({ length: 10 }, (_, i) => `class ${i}`);
/** Different images: the others are copies, as encoding takes longer than decoding. */
const DIFFERENT = 200;
/** Images of a shard or a parquet file, and of a row group. */
const PER_FILE = 1000;
const PER_GROUP = 100;

/** The path of an image in the folder. @param {string} root @param {number} index */
export function picturePath(root, index) {
  return join(root, CLASSES[index % CLASSES.length] ?? '', `${index}.jpg`);
}

/**
 * JPEGs of soft shapes in color, as large as those of photographs.
 * @param {number} size - Height and width, in pixels.
 * @returns {Promise<Buffer[]>}
 */
async function jpegs(size) {
  const { default: sharp } = await import('sharp');
  const next = noise(11);
  const side = 24;
  const one = () => {
    const pixels = Buffer.from(Uint8Array.from({ length: 3 * side * side }, () => next() & 255));
    return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
      .resize(size, size, { kernel: 'cubic' })
      .jpeg({ quality: 90 })
      .toBuffer();
  };
  return Promise.all(Array.from({ length: DIFFERENT }, one));
}

/**
 * Writes the images.
 * @param {string} root - An empty folder.
 * @param {{ images: number, size: number, sources: readonly Source[] }} options
 * @returns {Promise<Partial<Record<Source, string[]>>>} The paths of each source: a folder, or files. The folder is always there; parquet is
 *   missing where hyparquet-writer, which writes it, is not installed.
 */
export async function writePictures(root, { images, size, sources }) {
  const different = await jpegs(size);
  const content = (/** @type {number} */ index) => different[index % DIFFERENT] ?? Buffer.alloc(0);
  const folder = join(root, 'pictures');
  for (const name of CLASSES) await mkdir(join(folder, name), { recursive: true });
  for (let i = 0; i < images; i++) await writeFile(picturePath(folder, i), content(i));
  /** @type {Partial<Record<Source, string[]>>} */
  const written = { folder: [folder] };
  const files = Array.from({ length: Math.ceil(images / PER_FILE) }, (_, i) => ({
    first: i * PER_FILE,
    end: Math.min(images, (i + 1) * PER_FILE),
  }));
  if (sources.includes('shards'))
    written.shards = await Promise.all(
      files.map((part, i) => writeShard(join(root, `${i}.tar`), part, content)),
    );
  const writer = sources.includes('parquet') ? await parquetWriter() : null;
  if (writer)
    written.parquet = await Promise.all(
      files.map(async ({ first, end }, i) => {
        const indices = Array.from({ length: end - first }, (_, at) => first + at);
        const rows = writer({
          columnData: [
            { name: 'image', data: indices.map(content), type: 'BYTE_ARRAY', encoding: 'PLAIN' },
            { name: 'label', data: indices.map((index) => index % CLASSES.length), type: 'INT32' },
          ],
          rowGroupSize: PER_GROUP,
          codec: 'UNCOMPRESSED',
        });
        const file = join(root, `${i}.parquet`);
        await writeFile(file, Buffer.from(rows));
        return file;
      }),
    );
  return written;
}

/** @param {string} file @param {{ first: number, end: number }} part @param {(index: number) => Buffer} content */
async function writeShard(file, { first, end }, content) {
  const archive = pack();
  const done = pipeline(Readable.from(archive), createWriteStream(file));
  for (let i = first; i < end; i++) {
    await new Promise((resolve) => archive.entry({ name: `${i}.jpg` }, content(i), resolve));
    await new Promise((resolve) => archive.entry({ name: `${i}.cls` }, String(i % CLASSES.length), resolve));
  }
  archive.finalize();
  await done;
  return file;
}

/** The writer of parquet files, which is not a dependency of the package; null if it is not installed. */
async function parquetWriter() {
  try {
    return (await import('hyparquet-writer')).parquetWriteBuffer;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return null;
  }
}
