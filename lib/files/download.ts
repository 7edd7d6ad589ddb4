/**
 * Downloads of large files: resumable, verified, and never an incomplete file under the final name.
 * It runs before the add-on is built (libtorch itself is downloaded with it), so it imports only Node.js, undici and the errors.
 * @module
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { checkOptions, checkRecord, optionKeys } from '../check/index.js';
import { DownloadError, invalidArgument, LockedError } from '../errors.js';
import { resolveTarget } from './atomic.js';
import { acquireLock, type Lock } from './lock.js';

/** A published checksum, as lower- or upper-case hexadecimal digits. */
export interface FileHash {
  /** Hash algorithm. */
  algorithm: 'md5' | 'sha256';
  /** Hexadecimal digits, of either case. The first 8 or more are enough, as in the names of torchvision's files. */
  digest: string;
}

/** Called while bytes arrive: bytes on disk so far (including resumed ones) and the total size if known. */
export type DownloadProgress = (done: number, total: number | undefined) => void;

/** Options of {@link download}. */
export interface DownloadOptions {
  /** An http or https address; redirects are followed. `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are respected. */
  url: string;
  /** The final path. Its folder is created if necessary. An existing file is replaced only by a complete one. */
  file: string;
  /** The exact size in bytes, if known. */
  size?: number | undefined;
  /**
   * The published checksum, if known. Only downloads with a checksum are continued by another call, since only those can be
   * verified. Without one, an interrupted connection is continued where the server has an ETag or a date for the file.
   */
  hash?: FileHash | undefined;
  /** Called as bytes arrive. */
  onProgress?: DownloadProgress | undefined;
  /** Cancels the download. Received bytes are kept for the next attempt. */
  signal?: AbortSignal | undefined;
  /** Milliseconds to wait for a connection. Default: 10 000. */
  connectTimeout?: number | undefined;
  /** Headers of the requests. `authorization` is not sent to other hosts after a redirect. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Checks the complete contents before the file gets its name. @returns What is wrong, or undefined. */
  validate?: ((path: string) => Promise<string | undefined>) | undefined;
}

const DOWNLOAD_KEYS = optionKeys(
  'url',
  'file',
  'size',
  'hash',
  'onProgress',
  'signal',
  'connectTimeout',
  'headers',
  'validate',
);

/** Attempts to continue after an interrupted connection. */
export const ATTEMPTS = 4;
const IDLE_TIMEOUT = 30_000;
const MAX_REDIRECTS = 10;

/** A failure after which another request may succeed, such as an interrupted connection. */
export class TransientError extends Error {}

/**
 * Downloads a file. Bytes go to `<file>.part`, which is kept after an interruption and continued
 * with a Range request by the next call; the part is checked, synced to disk and renamed once it is complete.
 * A second process that downloads the same file at the same time uses its own part file.
 *
 * @throws DownloadError that names the address and the reason: no connection, a rejected request, a wrong size or
 * checksum, an abort, a full disk. The final file is then unchanged.
 */
export async function download(options: DownloadOptions): Promise<void> {
  checkOptions(options, DOWNLOAD_KEYS);
  const { url, file, hash } = checkRecord(options, 'options', 'an object', { url: 'string', file: 'string' });
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw invalidArgument('url', 'an http(s) address', url);
  if (hash !== undefined && !/^[0-9a-f]{8,64}$/i.test(hash.digest))
    throw invalidArgument('hash.digest', 'at least 8 hexadecimal digits', hash.digest);
  try {
    await mkdir(dirname(file), { recursive: true });
    const target = await resolveTarget(file);
    const lock = await lockPart(target);
    const part = lock ? `${target}.part` : `${target}.${randomUUID()}.part`;
    // A part of an earlier call can only be verified by a checksum.
    const isKept = lock !== undefined && hash !== undefined;
    try {
      if (!isKept) await rm(part, { force: true });
      await fetchVerified(options, part);
      await rename(part, target);
    } finally {
      if (!isKept) await rm(part, { force: true });
      await lock?.release();
    }
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    if (options.signal?.aborted) {
      throw new DownloadError(`The download of ${url} was aborted`, { cause: options.signal.reason });
    }
    const problem = reason(error);
    const message = `The download of ${url} to ${file} failed: ${problem}`;
    throw new DownloadError(message, { cause: error }, [{ url, reason: problem }]);
  }
}

/** Hexadecimal digest of a file's content. */
export async function hashFile(file: string, algorithm: FileHash['algorithm']): Promise<string> {
  const digest = createHash(algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
    digest.update(chunk as Buffer);
  return digest.digest('hex');
}

/** Fills `part` until it passes the checks; a resumed part that fails is deleted and downloaded again once. */
async function fetchVerified(options: DownloadOptions, part: string): Promise<void> {
  const resumed = await sizeOf(part);
  // A part that is longer than the file, or of unknown origin, is useless.
  if (resumed > 0 && options.size !== undefined && resumed > options.size) await rm(part);
  if (resumed === 0 || resumed !== options.size) await fetchWithRetries(options, part);
  let problem = await findProblem(options, part);
  if (problem !== undefined && resumed > 0) {
    await rm(part, { force: true });
    await fetchWithRetries(options, part);
    problem = await findProblem(options, part);
  }
  if (problem === undefined) return;
  await rm(part, { force: true });
  const { url } = options;
  const message = `The download of ${url} is not the expected file: ${problem}`;
  throw new DownloadError(message, {}, [{ url, reason: problem }]);
}

async function findProblem(options: DownloadOptions, part: string): Promise<string | undefined> {
  const { size, hash, validate } = options;
  const received = await sizeOf(part);
  if (size !== undefined && received !== size) return `expected ${size} bytes but received ${received}`;
  if (hash === undefined) return validate?.(part);
  const digest = await hashFile(part, hash.algorithm);
  if (digest.startsWith(hash.digest.toLowerCase())) return validate?.(part);
  return `expected ${hash.algorithm} ${hash.digest.toLowerCase()} but received ${digest}`;
}

/** Options of requests. */
export type RequestOptions = Pick<DownloadOptions, 'url' | 'signal' | 'connectTimeout' | 'headers'>;

/** Runs requests until one succeeds, fails for good, or has failed too often. */
async function withRetries<T>(
  options: RequestOptions,
  attempt: (dispatcher: Dispatcher) => Promise<T>,
  maxRedirections = MAX_REDIRECTS,
): Promise<T> {
  const { dispatcher, close } = await openAgent(options.connectTimeout, maxRedirections);
  try {
    for (let count = 1; ; count++) {
      try {
        return await attempt(dispatcher);
      } catch (error) {
        if (!(error instanceof TransientError) || count === ATTEMPTS || options.signal?.aborted) throw error;
        await sleep(250 * 2 ** count, undefined, { signal: options.signal });
      }
    }
  } finally {
    await close();
  }
}

/**
 * Connections to http servers and proxies, for `request` of undici.
 * @param connectTimeout - Milliseconds to wait for a connection. Default: 10 000.
 * @param maxRedirections - Number of redirects that are followed. Default: 10.
 */
export async function openAgent(
  connectTimeout = 10_000,
  maxRedirections = MAX_REDIRECTS,
): Promise<{ dispatcher: Dispatcher; close: () => Promise<void> }> {
  // Loaded only here: importing this module is then cheap, and works without undici.
  const { EnvHttpProxyAgent, interceptors } = await import('undici');
  const agent = new EnvHttpProxyAgent({
    connect: { timeout: connectTimeout },
    headersTimeout: IDLE_TIMEOUT,
    bodyTimeout: IDLE_TIMEOUT,
  });
  const dispatcher =
    maxRedirections === 0 ? agent : agent.compose(interceptors.redirect({ maxRedirections }));
  return { dispatcher, close: () => agent.destroy() };
}

/**
 * The status and the headers of a HEAD request; redirects are not followed.
 * @throws Errors of the connection; an error for status 429 and from 500 after several attempts.
 */
export async function requestHead(
  options: RequestOptions,
): Promise<{ status: number; headers: Readonly<Record<string, string | string[] | undefined>> }> {
  const { request } = await import('undici');
  return withRetries(
    options,
    async (dispatcher) => {
      const { statusCode, headers, body } = await request(options.url, {
        dispatcher,
        method: 'HEAD',
        signal: options.signal,
        headers: { 'accept-encoding': 'identity', ...options.headers },
      });
      body.on('error', () => {}).destroy();
      if (isTransient(statusCode)) throw new TransientError(statusMessage(statusCode));
      return { status: statusCode, headers };
    },
    0,
  );
}

const isTransient = (status: number) => status >= 500 || status === 429;
const statusMessage = (status: number) => `the server answered with status ${status}`;

async function fetchWithRetries(options: DownloadOptions, part: string): Promise<void> {
  const version: Version = {};
  await withRetries(options, (dispatcher) => fetchOnce(options, part, version, dispatcher));
}

/** The version of the file that the first request received, so that the next ones do not continue another. */
interface Version {
  /** A strong ETag, or a date. */
  validator?: string | undefined;
}

async function fetchOnce(
  options: DownloadOptions,
  part: string,
  version: Version,
  dispatcher: Dispatcher,
): Promise<void> {
  const { request } = await import('undici');
  const { validator } = version;
  const isVerifiable = options.hash !== undefined || validator !== undefined;
  const have = isVerifiable ? await sizeOf(part) : 0;
  const { statusCode, headers, body } = await request(options.url, {
    dispatcher,
    signal: options.signal,
    headers: {
      // `identity`: a server must not wrap a .gz in a second gzip, whose size and Range would mean something else.
      'accept-encoding': 'identity',
      ...options.headers,
      ...(have > 0 && { range: `bytes=${have}-` }),
      ...(have > 0 && validator !== undefined && { 'if-range': validator }),
    },
  });
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers['content-range'] ?? ''));
  const resumes = statusCode === 206 && range !== null && Number(range[1]) === have;
  if (statusCode !== 200 && !resumes) {
    // An error page is not read to its end; destroying it frees the connection.
    body.on('error', () => {}).destroy();
    if (statusCode === 416 || statusCode === 206) {
      await rm(part, { force: true });
      throw new TransientError(`the server cannot continue at byte ${have}`);
    }
    const message = statusMessage(statusCode);
    throw isTransient(statusCode) ? new TransientError(message) : new Error(message);
  }
  const etag = String(headers.etag ?? '');
  // A weak ETag, W/"...", is also that of a file with other bytes.
  if (!resumes) version.validator = etag.startsWith('"') ? etag : headers['last-modified']?.toString();
  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const start = resumes ? have : 0;
  await store(body, part, start, length === undefined ? options.size : start + length, options);
}

/** Writes the body at byte `start` of the part, and syncs it to disk. */
async function store(
  body: AsyncIterable<Buffer>,
  part: string,
  start: number,
  total: number | undefined,
  { onProgress, signal, size }: DownloadOptions,
): Promise<void> {
  const handle = await open(part, start > 0 ? 'r+' : 'w');
  try {
    let done = start;
    onProgress?.(done, total);
    const chunks = body[Symbol.asyncIterator]();
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        if (signal?.aborted) throw error;
        throw new TransientError(`the connection was cut after ${done} bytes (${reason(error)})`, {
          cause: error,
        });
      });
      if (next.done) break;
      await writeAll(handle, next.value, done);
      done += next.value.length;
      onProgress?.(done, total);
      if (size !== undefined && done > size) break;
    }
    await handle.truncate(done);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes all bytes: a disk that gets full may accept a part and fail only with the rest. */
async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}

/** Claims `<file>.part` for this process; undefined if another process has it. */
async function lockPart(file: string): Promise<Lock | undefined> {
  return acquireLock(`${file}.part.lock`, { wait: false }).catch((error) => {
    if (error instanceof LockedError) return undefined;
    throw error;
  });
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found?.size ?? 0;
}

/** The reason of a failed request. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Connection failures to several addresses are an AggregateError without a message.
  if (error.message !== '') return error.message;
  return (error as NodeJS.ErrnoException).code ?? error.name;
}
