/**
 * Memory for a whole data set.
 * @module
 */
import { constants } from 'node:buffer';
import { native } from '../native/index.js';

/** From this size on, a call of the add-on for huge pages pays off. */
const LARGE = 1 << 22;

/**
 * Uninitialized bytes that the caller fills (small arrays are zeroed). Large ones come from the allocator of tensors, whose huge
 * pages make the first touch of hundreds of megabytes several times cheaper than in an ordinary typed array.
 * @throws RangeError or NativeError when there is not that much memory.
 */
export function allocateBytes(length: number): Uint8Array<ArrayBuffer> {
  // Buffers of add-ons have the length limit of Node.js, V8's own may be longer; runtimes such as Electron do not allow them.
  const own = length < LARGE || length > constants.MAX_LENGTH ? null : native.allocateBytes(length);
  return own === null ? new Uint8Array(length) : new Uint8Array(own);
}

/**
 * The bytes of a file, mapped into memory: processes share the pages, which are read on first use. Writing to
 * them does not change the file. The file must not be truncated while they are in use: the system ends a process that reads pages
 * beyond the end.
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
