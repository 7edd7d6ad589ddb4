/**
 * Reads files and http addresses in sequence or in parts, without storing them.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { DownloadError } from '../errors.js';
import { ATTEMPTS, openAgent, reason, TransientError } from './download.js';
import { openFile } from './open.js';

/** Bytes of a file that are read at a time. */
const CHUNK = 1 << 18;

/** Whether a source is an http(s) address, not a path. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/**
 * The bytes of a file or an http(s) address in order. Leaving the loop closes the file or the connection. An interrupted
 * connection is continued where it was cut.
 * @throws Errors of the file system; DownloadError naming the address.
 */
export function readSource(source: string): AsyncGenerator<Uint8Array> {
  return isUrl(source) ? readUrl(source) : readFileBytes(source);
}

/** A file of which parts can be read. */
export interface RandomAccess {
  /** Size in bytes. */
  byteLength: number;
  /** The bytes from `start` to before `end`; by default to the end. */
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

/**
 * Opens a file or an http(s) address, whose server has to support range requests, for reading parts.
 * @throws Errors of the file system; DownloadError naming the address.
 */
export async function openParts(source: string): Promise<RandomAccess> {
  return isUrl(source) ? openUrlParts(source) : openFileParts(source);
}

async function* readFileBytes(path: string): AsyncGenerator<Uint8Array> {
  const file = await openFile(path);
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.allocUnsafe(CHUNK) });
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function openFileParts(path: string): Promise<RandomAccess> {
  const file = await openFile(path);
  const { size } = await file.stat();
  await file.close();
  return {
    byteLength: size,
    async slice(start, end = size) {
      const bytes = Buffer.from(new ArrayBuffer(end - start));
      const part = await openFile(path);
      try {
        for (let at = 0; at < bytes.length; ) {
          const { bytesRead } = await part.read(bytes, at, bytes.length - at, start + at);
          if (bytesRead === 0) throw new Error(`it ends after ${start + at} bytes`);
          at += bytesRead;
        }
      } finally {
        await part.close();
      }
      return bytes.buffer;
    },
  };
}

async function* readUrl(url: string): AsyncGenerator<Uint8Array> {
  const { dispatcher, close } = await openAgent();
  let at = 0;
  let failures = 0;
  try {
    for (;;) {
      try {
        const body = await bodyFrom(url, at, undefined, dispatcher);
        for await (const chunk of body) {
          at += (chunk as Buffer).length;
          failures = 0;
          yield chunk as Buffer;
        }
        return;
      } catch (error) {
        await pauseOrFail(url, error, ++failures);
      }
    }
  } finally {
    await close();
  }
}

async function openUrlParts(url: string): Promise<RandomAccess> {
  const { request } = await import('undici');
  const { dispatcher, close } = await openAgent();
  try {
    const { statusCode, headers, body } = await request(url, { dispatcher, method: 'HEAD' });
    await body.dump();
    const byteLength = Number(headers['content-length']);
    if (statusCode !== 200) throw new Error(`the server answered with status ${statusCode}`);
    if (!Number.isSafeInteger(byteLength)) throw new Error('the server did not send the size');
    return { byteLength, slice: (start, end = byteLength) => readPart(url, start, end) };
  } catch (error) {
    throw failed(url, error);
  } finally {
    await close();
  }
}

async function readPart(url: string, start: number, end: number): Promise<ArrayBuffer> {
  const { dispatcher, close } = await openAgent();
  const bytes = new Uint8Array(end - start);
  let at = 0;
  let failures = 0;
  try {
    while (at < bytes.length) {
      try {
        for await (const chunk of await bodyFrom(url, start + at, end, dispatcher)) {
          if (at + (chunk as Buffer).length > bytes.length)
            throw new Error('the server sent more than requested');
          bytes.set(chunk as Buffer, at);
          at += (chunk as Buffer).length;
        }
        if (at < bytes.length) throw new TransientError(`the connection was cut after ${start + at} bytes`);
      } catch (error) {
        await pauseOrFail(url, error, ++failures);
      }
    }
    return bytes.buffer;
  } finally {
    await close();
  }
}

/** The body of an answer that begins at byte `start` and ends before `end`. */
async function bodyFrom(url: string, start: number, end: number | undefined, dispatcher: Dispatcher) {
  const { request } = await import('undici');
  const range =
    start > 0 || end !== undefined ? `bytes=${start}-${end === undefined ? '' : end - 1}` : undefined;
  const { statusCode, headers, body } = await request(url, {
    dispatcher,
    headers: { 'accept-encoding': 'identity', ...(range && { range }) },
  }).catch((cause: unknown) => {
    throw new TransientError(reason(cause), { cause });
  });
  const first = /^bytes (\d+)-/.exec(String(headers['content-range'] ?? ''))?.[1];
  if (range === undefined ? statusCode === 200 : statusCode === 206 && Number(first) === start) return body;
  body.on('error', () => {}).destroy();
  const message =
    statusCode === 200
      ? `the server does not support range requests (byte ${start})`
      : `the server answered with status ${statusCode}`;
  throw statusCode >= 500 || statusCode === 429 ? new TransientError(message) : new Error(message);
}

/** Waits before the next attempt. @throws DownloadError if there is none. */
async function pauseOrFail(url: string, error: unknown, failures: number): Promise<void> {
  // Errors of a body are those of the connection.
  const isTransient = error instanceof TransientError || (error instanceof Error && 'code' in error);
  if (!isTransient || failures >= ATTEMPTS) throw failed(url, error);
  await sleep(250 * 2 ** failures);
}

function failed(url: string, error: unknown): DownloadError {
  const problem = reason(error);
  return new DownloadError(`Reading ${url} failed: ${problem}`, { cause: error }, [{ url, reason: problem }]);
}
