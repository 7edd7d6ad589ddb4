/**
 * Downloads of a file that several hosts have: the next one is tried if one fails or is slow.
 * @module
 */
import { type DownloadAttempt, DownloadError } from '../errors.js';
import { type DownloadOptions, download } from './download.js';

/** Milliseconds to wait for a connection to each host. */
const CONNECT_TIMEOUT = 5_000;
/** Length in milliseconds of an interval in which the speed of a host is measured. */
const INTERVAL = 10_000;
/** Bytes per second below which another host is tried: CIFAR-10 would take more than ten minutes. */
const SLOW = 256_000;

/** Options of {@link downloadFromMirrors}. */
export interface MirrorOptions extends Omit<DownloadOptions, 'url'> {
  /** Addresses of the same file, in the order in which they are tried; at least one. */
  urls: readonly [string, ...string[]];
  /** Called when an address has failed or is slow. */
  onFailure?: ((failed: DownloadAttempt) => void) | undefined;
  /** Milliseconds in which an address must send at least 256 kB per second on average. Default: 10 000. */
  interval?: number | undefined;
}

/**
 * Downloads a file from the first address that has it. If there is a checksum, what an address sent before it failed is continued by
 * the next one. An address that is slow is left for the next one; if none is faster, the first slow one is used at its speed.
 *
 * @returns The address that sent the last byte.
 * @throws DownloadError that lists all addresses with their reasons; at once if the caller aborts, or if the file cannot be written.
 */
export async function downloadFromMirrors(options: MirrorOptions): Promise<string> {
  const { urls, onFailure, interval = INTERVAL, connectTimeout = CONNECT_TIMEOUT, ...rest } = options;
  const failures = new Map<string, DownloadAttempt>();
  const slow: string[] = [];
  let first: unknown;
  const attempt = async (url: string, limit: number | undefined) => {
    try {
      await downloadAtSpeed({ ...rest, url, connectTimeout }, limit);
      return true;
    } catch (error) {
      if (rest.signal?.aborted || isLocal(error)) throw error;
      first ??= error;
      const isSlow = causeOf(error) instanceof SlowError;
      if (isSlow) slow.push(url);
      const reason = isSlow ? (causeOf(error) as SlowError).message : reasonOf(error);
      failures.set(url, { url, reason });
      onFailure?.({ url, reason });
      return false;
    }
  };
  // A single address has no alternative, however slow it is.
  const limit = urls.length > 1 ? interval : undefined;
  for (const url of urls) if (await attempt(url, limit)) return url;
  for (const url of [...slow]) if (await attempt(url, undefined)) return url;
  if (urls.length === 1) throw first;
  const attempts = [...failures.values()];
  const lines = attempts.map(({ url, reason }) => `\n  ${url}: ${reason}`).join('');
  throw new DownloadError(`No address has the file ${rest.file}:${lines}`, { cause: first }, attempts);
}

/** An address that sends fewer bytes than it must. */
class SlowError extends Error {}

/** @param limit - Milliseconds of an interval with at least {@link SLOW} bytes per second; undefined for no limit. */
async function downloadAtSpeed(options: DownloadOptions, limit: number | undefined): Promise<void> {
  if (limit === undefined) return download(options);
  const { onProgress, signal } = options;
  const slow = new AbortController();
  let received = 0;
  let at: number | undefined;
  const timer = setInterval(() => {
    const speed = (received * 1000) / limit;
    if (speed < SLOW) slow.abort(new SlowError(`slow, ${Math.round(speed / 1000)} kB per second`));
    received = 0;
  }, limit);
  try {
    await download({
      ...options,
      signal: signal ? AbortSignal.any([signal, slow.signal]) : slow.signal,
      onProgress(done, total) {
        // The first call reports what was there before; a restart begins at 0 again.
        received += Math.max(0, done - (at ?? done));
        at = done;
        if (done === total) clearInterval(timer);
        onProgress?.(done, total);
      },
    });
  } finally {
    clearInterval(timer);
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function reasonOf(error: unknown): string {
  if (error instanceof DownloadError && error.attempts[0]) return error.attempts[0].reason;
  return error instanceof Error ? error.message : String(error);
}

/** Errors of the file system, for which another host is no remedy. */
const LOCAL = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EACCES',
  'EPERM',
  'EEXIST',
  'EISDIR',
  'ENOTDIR',
  'EMFILE',
]);

function isLocal(error: unknown): boolean {
  const cause = causeOf(error) as NodeJS.ErrnoException | undefined;
  return cause?.code !== undefined && LOCAL.has(cause.code) && cause.syscall !== 'connect';
}
