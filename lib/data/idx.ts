/**
 * The IDX format of MNIST and its relatives: a big-endian header, then the bytes (http://yann.lecun.com/exdb/mnist).
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { datasetError } from './dataset.js';

/** An array of unsigned bytes. */
export interface IdxArray {
  shape: number[];
  data: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;
/** Larger than any known file of this format; protects against a gzip file that expands without end. */
const MAX_BYTES = 1 << 30;
const CHUNK = 1 << 18;

/**
 * Reads an IDX file of unsigned bytes, gzip'd or not.
 *
 * @param file - Its path.
 * @param dimensions - How many dimensions it must have: 3 for images, 1 for labels.
 * @param onProgress - Called while it is read: bytes of the file so far, and all of them.
 * @throws DatasetError when it is truncated, has trailing bytes, another type or another number of dimensions.
 */
export async function readIdx(
  file: string,
  dimensions: number,
  onProgress?: (done: number, total: number) => void,
): Promise<IdxArray> {
  let bytes: Buffer;
  try {
    const handle = await open(file);
    try {
      bytes = await readContent(handle, onProgress);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw datasetError(file, `cannot be read: ${(error as Error).message}`, error);
  }
  return parseIdx(bytes, dimensions, file);
}

/** The contents of a file, decompressed if it is gzip'd. */
async function readContent(
  file: FileHandle,
  onProgress?: (done: number, total: number) => void,
): Promise<Buffer> {
  const { size: total } = await file.stat();
  const { buffer: magic } = await file.read(Buffer.alloc(2), 0, 2, 0);
  const source = file.createReadStream({ start: 0, highWaterMark: CHUNK, autoClose: false });
  const parts: Buffer[] = [];
  let length = 0;
  const collect = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      parts.push(chunk);
      length += chunk.length;
      if (length > MAX_BYTES) throw new Error(`it holds more than ${MAX_BYTES} bytes`);
      onProgress?.(source.bytesRead, total);
    }
  };
  if (magic[0] === 0x1f && magic[1] === 0x8b) {
    await pipeline(source, createGunzip({ chunkSize: CHUNK }), collect);
  } else await pipeline(source, collect);
  onProgress?.(total, total);
  return Buffer.concat(parts, length);
}

/** Parses the bytes of an IDX file; see {@link readIdx}. */
export function parseIdx(bytes: Uint8Array, dimensions: number, file: string): IdxArray {
  const header = 4 + 4 * dimensions;
  const magic = (UNSIGNED_BYTE << 8) | dimensions;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < header || view.getUint32(0) !== magic) {
    const found =
      bytes.length < 4 ? `${bytes.length} bytes` : `0x${view.getUint32(0).toString(16).padStart(8, '0')}`;
    const expected = `0x${magic.toString(16).padStart(8, '0')}`;
    throw datasetError(
      file,
      `expected an IDX file of bytes with ${dimensions} dimension(s) (magic ${expected}) but found ${found}`,
    );
  }
  const shape = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  const size = shape.reduce((product, length) => product * length, 1);
  if (bytes.length !== header + size) {
    throw datasetError(
      file,
      `expected ${header + size} bytes for shape [${shape.join(', ')}] but found ${bytes.length}`,
    );
  }
  return { shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset + header, size) };
}

/** The bytes of an IDX file; the inverse of {@link parseIdx}. */
export function encodeIdx({ shape, data }: IdxArray): Uint8Array {
  const header = 4 + 4 * shape.length;
  const bytes = new Uint8Array(header + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (UNSIGNED_BYTE << 8) | shape.length);
  for (const [i, length] of shape.entries()) view.setUint32(4 + 4 * i, length);
  bytes.set(data, header);
  return bytes;
}
