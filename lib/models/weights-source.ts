/**
 * Where trained weights are: paths, addresses, repositories of the Hugging Face hub; and the cache of downloads.
 * @module
 */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DownloadError, invalidArgument } from '../errors.js';
import { type DownloadProgress, download, type FileHash, hashFile } from '../files/download.js';
import { findHubEntry, hubAddresses, parseHubFile } from '../files/hub.js';
import { describeFile, kindOfFile } from '../formats/file-kind.js';
import { cacheDirectory } from '../libtorch/cache.js';

/** Where downloads of weights are kept, and how they are verified. */
export interface WeightsSourceOptions {
  /** Folder for downloaded files. Default: `weights` in `$DYCONV_CACHE`, or in `dyconv` in the user's cache folder. */
  cacheDir?: string | undefined;
  /**
   * Compare a download with the hash in its name: 8 to 64 hexadecimal digits after the last hyphen, as in `resnet18-f37072fd.pth`.
   * Default true; false if the digits are something else, such as a date.
   */
  checkHash?: boolean | undefined;
  /** Called as bytes of a download arrive. */
  onProgress?: DownloadProgress | undefined;
  /** Cancels the download. */
  signal?: AbortSignal | undefined;
}

/**
 * The path of weights on this machine; downloads them if necessary.
 * @throws ArgumentError for what is no source. @throws DownloadError naming the address and the reason.
 */
export async function locateWeights(source: string | URL, options: WeightsSourceOptions): Promise<string> {
  const given = source instanceof URL ? source.href : source;
  if (typeof given !== 'string' || given === '')
    throw invalidArgument('pretrained', 'a path, an http(s) address or hf:org/name', source);
  if (given.startsWith('hf:')) return fromHub(hubAddresses(parseHubFile(given)), options);
  if (given.startsWith('file:')) return pathOf(given);
  if (!/^https?:\/\//.test(given)) return given;
  if (!URL.canParse(given)) throw invalidArgument('pretrained', 'an http(s) address', source);
  return fromAddress(given, options);
}

function pathOf(address: string): string {
  try {
    return fileURLToPath(address);
  } catch {
    throw invalidArgument('pretrained', 'a file: address of this machine', address);
  }
}

async function fromHub(addresses: readonly string[], options: WeightsSourceOptions): Promise<string> {
  for (const address of addresses) {
    const { file, exists } = await cached(address, undefined, options);
    if (exists) return file;
  }
  const { signal, onProgress } = options;
  const { address, size, hash, headers } = await findHubEntry(addresses, { signal });
  const { file } = await cached(address, undefined, options);
  await download({ url: address, file, size, hash, headers, signal, onProgress, validate: problemOf });
  return file;
}

async function fromAddress(address: string, options: WeightsSourceOptions): Promise<string> {
  const { checkHash = true, signal, onProgress } = options;
  if (typeof checkHash !== 'boolean') throw invalidArgument('checkHash', 'a boolean', checkHash);
  const digest = checkHash ? hashInName(nameOf(address)) : undefined;
  const hash = digest === undefined ? undefined : ({ algorithm: 'sha256', digest } as const);
  const { file, exists } = await cached(address, hash, options);
  if (exists) return file;
  try {
    await download({ url: address, file, hash, signal, onProgress, validate: problemOf });
  } catch (error) {
    if (!(error instanceof DownloadError && digest && error.message.includes(`sha256 ${digest}`)))
      throw error;
    const advice = `${error.message}. If ${digest} in the name is not its hash, use loadPretrained with { checkHash: false }`;
    throw new DownloadError(advice, { cause: error }, error.attempts);
  }
  return file;
}

/** The place of a download in the cache. @param hash - An existing file with another one does not count. */
async function cached(
  address: string,
  hash: FileHash | undefined,
  { cacheDir = join(cacheDirectory(), 'weights') }: WeightsSourceOptions,
): Promise<{ file: string; exists: boolean }> {
  if (typeof cacheDir !== 'string' || cacheDir === '')
    throw invalidArgument('cacheDir', 'the path of a folder', cacheDir);
  const folder = createHash('sha256').update(address).digest('hex').slice(0, 16);
  const file = join(cacheDir, folder, nameOf(address) || 'weights');
  const isFile = await stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
  const exists = isFile && (!hash || (await hashFile(file, hash.algorithm)).startsWith(hash.digest));
  return { file, exists };
}

const MAX_NAME = 150;

/** The last part of the path of an address, as a file name. */
function nameOf(address: string): string {
  const name = posix.basename(new URL(address).pathname);
  return decode(name)
    .replaceAll(/[/\\\0]/g, '_')
    .slice(-MAX_NAME);
}

/** A name that is not a valid encoding is used unchanged. */
function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The hash in the name of a file of torchvision and others. */
function hashInName(name: string): string | undefined {
  return /-([0-9a-f]{8,64})(\.[a-z]+)+$/.exec(name)?.[1];
}

/** What is wrong with the contents of a download; undefined for weights. */
async function problemOf(path: string): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const kind = await kindOfFile(file);
    if (kind !== undefined && kind !== 'html' && kind !== 'git-lfs') return undefined;
    return describeFile(kind, 'it has none of the formats of weights');
  } finally {
    await file.close();
  }
}
