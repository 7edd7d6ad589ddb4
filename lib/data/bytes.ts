/**
 * Memory for a whole data set.
 * @module
 */
import { native } from '../native.js';

/** From here on the add-on's huge pages are worth a call. */
const LARGE = 1 << 22;

/**
 * Bytes that the caller fills: not zeroed where there are many. They come from the allocator of the tensors, whose huge
 * pages make the first touch of hundreds of megabytes several times cheaper than in an ordinary typed array.
 * @throws RangeError or NativeError when there is not that much memory.
 */
export function allocateBytes(length: number): Uint8Array<ArrayBuffer> {
  return length < LARGE ? new Uint8Array(length) : new Uint8Array(native.allocateBytes(length));
}
