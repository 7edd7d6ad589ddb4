/**
 * Memory for a whole data set.
 * @module
 */
import { constants } from 'node:buffer';
import { native } from '../native/index.js';

/** From here on the add-on's huge pages are worth a call. */
const LARGE = 1 << 22;

/**
 * Bytes that the caller fills: not zeroed where there are many. They come from the allocator of the tensors, whose huge
 * pages make the first touch of hundreds of megabytes several times cheaper than in an ordinary typed array.
 * @throws RangeError or NativeError when there is not that much memory.
 */
export function allocateBytes(length: number): Uint8Array<ArrayBuffer> {
  // Buffers made by add-ons end where those of Node.js do, V8's own may be longer; and a runtime such as Electron takes none.
  const own = length < LARGE || length > constants.MAX_LENGTH ? null : native.allocateBytes(length);
  return own === null ? new Uint8Array(length) : new Uint8Array(own);
}

/**
 * The bytes of a file on its own pages, which other processes share and which come when they are first used. Writing to
 * them leaves the file alone. It must not be cut short while they are in use: the system ends a process that reads pages
 * which are gone.
 * @throws NativeError when the file cannot be mapped, or is shorter than `length`.
 */
export function mapBytes(path: string, length: number): Uint8Array {
  const mapped = native.mapFile(path, length);
  try {
    return native.onTypedArray(mapped) as Uint8Array;
  } finally {
    native.dispose(mapped);
  }
}
