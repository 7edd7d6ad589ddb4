/**
 * Tensors from and to streams of bytes, a piece at a time: beside the tensor itself, no more than a piece is in memory.
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from './errors.js';
import { native } from './native.js';
import { empty } from './tensor/create.js';
import { ARRAY_OF, type DType, itemSize, type TypedArray } from './tensor/dtype.js';
import type { Tensor } from './tensor/tensor.js';

const PIECE = 1 << 24;

/** Where bytes come from, one after the other. */
export interface ByteReader {
  /** Fills the array completely, or throws. */
  fill(target: Uint8Array): Promise<void>;
}

/** Bytes of an open file from `position` on. @param path - For the message of a file that ends too soon. */
export function fileReader(file: FileHandle, path: string, position: number): ByteReader {
  let next = position;
  return {
    async fill(target) {
      let done = 0;
      while (done < target.length) {
        // A single read call is limited to 2 GiB by the operating system.
        const length = Math.min(target.length - done, 1 << 30);
        const { bytesRead } = await file.read(target, done, length, next);
        if (bytesRead === 0)
          throw new CheckpointError(`${path} ended while it was read: has it just been replaced?`);
        done += bytesRead;
        next += bytesRead;
      }
    },
  };
}

/** Bytes of a stream. @param path - For the message of a stream that ends too soon. */
export function streamReader(stream: AsyncIterable<Uint8Array>, path: string): ByteReader {
  const chunks = stream[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  return {
    async fill(target) {
      let done = 0;
      while (done < target.length) {
        if (chunk.length === 0) {
          const { value, done: ended } = await chunks.next();
          if (ended) throw new CheckpointError(`${path} is truncated`);
          chunk = value;
          continue;
        }
        const part = chunk.subarray(0, target.length - done);
        target.set(part, done);
        done += part.length;
        chunk = chunk.subarray(part.length);
      }
    },
  };
}

/** The bytes of a typed array. */
export function asBytes(values: TypedArray): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * A tensor of row-major elements.
 * @param options.swap - The bytes of each element come in the other order than this machine's. Default false.
 */
export async function readTensor(
  reader: ByteReader,
  shape: readonly number[],
  dtype: DType,
  options: { swap?: boolean } = {},
): Promise<Tensor> {
  const { swap = false } = options;
  const count = elementCount(shape);
  const size = Math.min(count, PIECE / itemSize(dtype));
  const values = new ARRAY_OF[dtype](size);
  const next = async (length: number): Promise<TypedArray> => {
    const part = values.subarray(0, length);
    await reader.fill(asBytes(part));
    if (swap) swapBytes(part);
    // libtorch reads a bool as the byte it is: anything but 0 and 1 would be neither.
    if (dtype === 'bool') for (let i = 0; i < length; i++) part[i] = part[i] === 0 ? 0 : 1;
    return part;
  };
  if (size === count) return native.fromData(await next(count), shape, dtype, 'cpu');
  const result = empty(shape, { dtype });
  try {
    for (let start = 0; start < count; start += size) {
      const part = await next(Math.min(size, count - start));
      using piece = native.fromData(part, [part.length], dtype, 'cpu');
      using flat = native.view(result, [-1]);
      using place = native.narrow(flat, 0, start, part.length);
      native.copy(place, piece).dispose();
    }
  } catch (error) {
    result.dispose();
    throw error;
  }
  return result;
}

/** The elements in row-major order, as bytes. The tensor must not change until the last piece was read. */
export async function* tensorPieces(tensor: Tensor): AsyncGenerator<Uint8Array> {
  const { numel, dtype } = tensor;
  const size = PIECE / itemSize(dtype);
  if (numel <= size) {
    yield asBytes(await tensor.data());
    return;
  }
  using plain = native.detach(tensor);
  using row = native.contiguous(plain);
  using flat = native.view(row, [-1]);
  for (let start = 0; start < numel; start += size) {
    using part = native.narrow(flat, 0, start, Math.min(size, numel - start));
    yield asBytes(await part.data());
  }
}

/** Writes all of `bytes` at the file's position. */
export async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, 1 << 30));
    done += bytesWritten;
  }
}

function swapBytes(values: TypedArray): void {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (values.BYTES_PER_ELEMENT === 2) bytes.swap16();
  else if (values.BYTES_PER_ELEMENT === 4) bytes.swap32();
  else if (values.BYTES_PER_ELEMENT === 8) bytes.swap64();
}
