/**
 * Unpacks the parts of a PyTorch wheel or a libtorch archive that a C++ program needs. Both are zip files.
 * @module
 */
import { createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import type { Entry, ZipFile } from 'yauzl';
import { DownloadError } from '../errors.js';
import { openZip } from '../files/zip.js';

// Libraries are synced to disk before the folder gets its name. Syncing thousands of headers would take minutes.
const SYNC_FROM = 1 << 20;

// Compression methods of the zip format.
const STORED = 0;
const DEFLATED = 8;

/** Options of {@link unpackLibtorch}. */
export interface UnpackOptions {
  /** The wheel or libtorch archive. */
  file: string;
  /** An existing folder; gets `lib/`, `include/`, `share/cmake/` and `licenses/`. */
  into: string;
  /** Required files of `lib`. */
  libraries: string[];
  /** Also keep all other libraries except those of Python. Default: false. */
  allLibraries?: boolean | undefined;
  /** Called as bytes are written: bytes so far, and the total. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Unpacks headers, CMake files, licenses and the named libraries.
 *
 * @returns Sizes in bytes of the libraries.
 * @throws DownloadError when the file is damaged, contains a name outside of `into`, or lacks a library.
 */
export async function unpackLibtorch(options: UnpackOptions): Promise<Record<string, number>> {
  const { file, into, libraries, allLibraries = false, onProgress } = options;
  try {
    // yauzl itself rejects absolute names, drive letters, backslashes and `..`, and checks the sizes.
    const zip = await openZip(file, { strictFileNames: true });
    try {
      const wanted = await selectEntries(zip, into, allLibraries ? undefined : new Set(libraries));
      const missing = libraries.filter((name) => !wanted.some(({ path }) => path === `lib/${name}`));
      if (missing.length > 0) throw new DownloadError(`it does not hold lib/${missing.join(', lib/')}`);
      const total = wanted.reduce((sum, { entry }) => sum + entry.uncompressedSize, 0);
      let done = 0;
      for (const { entry, path } of wanted) {
        await extract(zip, entry, resolve(into, path));
        done += entry.uncompressedSize;
        onProgress?.(done, total);
      }
      return Object.fromEntries(
        wanted
          .filter(({ path }) => path.startsWith('lib/'))
          .map(({ path, entry }) => [path.slice('lib/'.length), entry.uncompressedSize]),
      );
    } finally {
      zip.close();
    }
  } catch (error) {
    throw new DownloadError(`Could not unpack ${file}: ${(error as Error).message}`, { cause: error });
  }
}

interface Wanted {
  entry: Entry;
  /** Relative to the target folder. */
  path: string;
}

async function selectEntries(zip: ZipFile, into: string, libraries?: Set<string>): Promise<Wanted[]> {
  const wanted: Wanted[] = [];
  for await (const entry of zip.eachEntry()) {
    const path = targetPath(entry.fileName, libraries);
    if (path === undefined) continue;
    // A second check that nothing is written outside the folder.
    if (!resolve(into, path).startsWith(resolve(into) + sep))
      throw new Error(`invalid name: ${entry.fileName}`);
    wanted.push({ entry, path });
  }
  return wanted;
}

/** The path of an entry, or undefined if it is not kept. Without a list, all libraries except Python's are kept. */
function targetPath(name: string, libraries?: Set<string>): string | undefined {
  if (name.endsWith('/')) return undefined;
  // `torch/` in a wheel, `libtorch/` in the archive.
  const inside = /^(?:lib)?torch\/(.+)$/.exec(name)?.[1];
  const library = /^lib\/([^/]+)$/.exec(inside ?? '')?.[1];
  if (library !== undefined) {
    const kept = libraries
      ? libraries.has(library)
      : /\.(so|dylib|dll|lib)(\.\d+)*$/.test(library) && !library.includes('python');
    return kept ? inside : undefined;
  }
  if (inside !== undefined && /^((include|share\/cmake)\/|build-version$)/.test(inside)) return inside;
  // The licenses of libtorch and its dependencies must be distributed with the libraries.
  const licence = /^[^/]+\.dist-info\/(?:licenses\/)?(.*(?:LICEN[CS]E|NOTICE|COPYING)[^/]*)$/i.exec(
    name,
  )?.[1];
  return licence === undefined ? undefined : `licenses/${licence}`;
}

/** Writes one entry of an archive, with checks, to a new file. */
export async function extract(zip: ZipFile, entry: Entry, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const packed = await zip.openReadStreamPromise(entry, { decodeFileData: false });
  let checksum = 0;
  let size = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      checksum = crc32(chunk, checksum);
      size += chunk.length;
      // An entry that exceeds its announced size is stopped before it fills the disk.
      if (size > entry.uncompressedSize) callback(new Error(`${entry.fileName} is larger than declared`));
      else callback(null, chunk);
    },
    flush(callback) {
      const whole = size === entry.uncompressedSize && checksum === entry.crc32;
      callback(whole ? null : new Error(`${entry.fileName} does not match its checksum`));
    },
  });
  await pipeline(packed, unpacking(entry), check, createWriteStream(file, { flags: 'wx', mode: 0o644 }));
  if (entry.uncompressedSize > SYNC_FROM) await syncFile(file);
}

/** yauzl inflates in pieces of 16 KB with a thread switch each, which is very slow on a busy machine. */
function unpacking({ compressionMethod, fileName }: Entry): Transform {
  if (compressionMethod === STORED) return new PassThrough();
  if (compressionMethod === DEFLATED) return createInflateRaw({ chunkSize: 1 << 20 });
  throw new Error(`${fileName} is compressed by method ${compressionMethod}, which is not supported`);
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
