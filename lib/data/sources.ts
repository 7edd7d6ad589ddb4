/**
 * Finds the files of a published data set: in local folders first, then by download.
 * @module
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { checkStrings, optionKeys } from '../check/index.js';
import { DatasetError, type DownloadAttempt, invalidArgument } from '../errors.js';
import { type DownloadProgress, hashFile } from '../files/download.js';
import { downloadFromMirrors } from '../files/mirrors.js';
import { datasetError } from './dataset.js';

/** Options that every published data set shares. */
export interface SourceOptions {
  /** The folder of the files, and of downloads. Default: `data` in the working directory. */
  root?: string | undefined;
  /** Download missing files. Default: false. */
  download?: boolean | undefined;
  /** Compare the files with the published checksums. Default: true. Use false for your own archive. */
  verify?: boolean | undefined;
  /**
   * Addresses of folders that have the files under their usual names. They are tried first, in this order; then that of the environment variable
   * `DYCONV_DATA_MIRROR`, the publisher's own, and other hosts that are known to have the same files. Default: none.
   */
  mirrors?: readonly string[] | undefined;
  /** The only address of such a folder, instead of all others. */
  url?: string | undefined;
  /** Called when an address has failed or is slow, before the next one is tried. */
  onMirrorFailure?: ((file: string, failed: DownloadAttempt) => void) | undefined;
  /** Called after a download with the address that the file came from. */
  onDownloaded?: ((file: string, url: string) => void) | undefined;
  /** Called while a file is downloaded or parsed: bytes so far, and the total if known. */
  onProgress?:
    | ((file: string, done: number, total: number | undefined, phase: 'download' | 'parse') => void)
    | undefined;
  /** Cancels a download. */
  signal?: AbortSignal | undefined;
  /** What error messages say to do. Default: {@link HINTS}. Commands name their flags. @internal */
  hints?: SourceHints | undefined;
}

/** Fixes that error messages name. @internal */
export interface SourceHints {
  /** For a missing file, at the start of a sentence. */
  download: string;
  /** For a file with another checksum, after `or`. */
  verify: string;
}

/** In terms of the options. @internal */
export const HINTS: SourceHints = {
  download: 'Set download: true',
  verify: 'set verify: false for an archive from another source',
};

/** @internal */
export const SOURCE_KEYS = optionKeys(
  'root',
  'download',
  'verify',
  'mirrors',
  'url',
  'onMirrorFailure',
  'onDownloaded',
  'onProgress',
  'signal',
  'hints',
);

/** A file as it was published. */
export interface PublishedFile {
  name: string;
  /** MD5 of the file. */
  md5: string;
  /** MD5 of the decompressed content, which identifies a .gz that was compressed again. */
  contentMd5?: string | undefined;
}

/** Which file to find, and where. */
export interface FindOptions extends SourceOptions {
  /** Acceptable files, the preferred one first; that one is downloaded. */
  files: readonly [PublishedFile, ...PublishedFile[]];
  /** Folders to search; a download goes to the first one. */
  folders: readonly [string, ...string[]];
  /** Addresses of folders that hold the files: the publisher's, then other hosts. */
  hosts: readonly [string, ...string[]];
  /** A sentence with an alternative, if the file is not found. */
  advice?: string | undefined;
}

/** A file that was found or downloaded. */
export interface FoundFile {
  path: string;
  published: PublishedFile;
  /** Whether its checksum was already compared during the download. */
  verified: boolean;
}

/**
 * Finds a published file, or downloads it if requested. Call {@link verifyFile} afterwards.
 * @throws DatasetError with the searched folders when it is missing; DownloadError when the download fails.
 */
export async function findFile(options: FindOptions): Promise<FoundFile> {
  const { files, folders, verify = true, hints = HINTS } = options;
  for (const published of files) {
    for (const folder of folders) {
      const path = join(folder, published.name);
      if (await isFile(path)) return { path, published, verified: false };
    }
  }
  const [wanted] = files;
  const target = join(folders[0], wanted.name);
  const urls = addressesOf(wanted.name, options);
  if (options.download !== true) {
    throw new DatasetError(
      `Expected ${files.map(({ name }) => name).join(' or ')} in ${folders.join(' or ')} but found no such file. ` +
        `${hints.download}, or put the file from ${urls[0]} there${options.advice ? `; ${options.advice}` : ''}`,
    );
  }
  const report: DownloadProgress | undefined =
    options.onProgress && ((done, total) => options.onProgress?.(wanted.name, done, total, 'download'));
  const served = await downloadFromMirrors({
    urls,
    file: target,
    hash: verify ? { algorithm: 'md5', digest: wanted.md5 } : undefined,
    onProgress: report,
    onFailure: (failed) => options.onMirrorFailure?.(wanted.name, failed),
    signal: options.signal,
  });
  options.onDownloaded?.(wanted.name, served);
  return { path: target, published: wanted, verified: verify };
}

/** The folder given as `root`, checked. */
export function rootFolder(root: unknown): string {
  if (root === undefined) return 'data';
  if (typeof root !== 'string' || root === '') throw invalidArgument('root', 'the path of a folder', root);
  return root;
}

/** The addresses of a file, without repetitions, in the order in which they are tried. */
function addressesOf(name: string, { url, mirrors = [], hosts }: FindOptions): [string, ...string[]] {
  const given = checkStrings(mirrors, 'mirrors', 'an array of URLs');
  for (const [i, folder] of given.entries()) checkFolder(`mirrors[${i}]`, folder);
  if (url !== undefined) checkFolder('url', url);
  const { DYCONV_DATA_MIRROR: mirror } = process.env;
  if (mirror) checkFolder('DYCONV_DATA_MIRROR', mirror);
  const [publisher, ...others] = hosts;
  const folders = url === undefined ? [...given, ...(mirror ? [mirror] : []), publisher, ...others] : [url];
  const addresses = folders.map((folder) => `${folder.replace(/\/+$/, '')}/${name}`);
  return [...new Set(addresses)] as [string, ...string[]];
}

function checkFolder(name: string, folder: unknown): void {
  if (typeof folder !== 'string' || !/^https?:\/\//.test(folder) || !URL.canParse(folder))
    throw invalidArgument(name, 'the http(s) URL of a folder', folder);
}

/**
 * Compares the checksum of a file, or that of its decompressed content.
 * @throws DatasetError when it differs from the published one.
 */
export async function verifyFile(
  { path, published, verified }: FoundFile,
  hints: SourceHints = HINTS,
): Promise<void> {
  if (verified) return;
  const { md5, contentMd5 } = published;
  const found = await hashFile(path, 'md5');
  if (found === md5) return;
  if (contentMd5 !== undefined && (await hashContent(path)) === contentMd5) return;
  throw datasetError(
    path,
    `expected the published file with MD5 ${md5} but found ${found}: it is damaged or from another source. ` +
      `Remove it to download it again, or ${hints.verify}`,
  );
}

async function hashContent(path: string): Promise<string | undefined> {
  const digest = createHash('md5');
  const gunzip = createGunzip();
  const file = createReadStream(path).on('error', (error) => gunzip.destroy(error));
  try {
    for await (const chunk of file.pipe(gunzip)) digest.update(chunk as Buffer);
  } catch {
    return undefined; // Not a gzip file: the caller reports the error.
  } finally {
    file.destroy();
  }
  return digest.digest('hex');
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw datasetError(path, `cannot be read: ${(error as Error).message}`, error);
  }
}
