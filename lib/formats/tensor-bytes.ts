/**
 * Reads and writes tensors as streams of bytes, in pieces: besides the tensor, only one piece is in memory.
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from '../errors.js';
import { empty } from '../tensor/create.js';
import { ARRAY_OF, type DType, itemSize, type TypedArray } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';

const PIECE = 1 << 24;

/** A sequential source of bytes. */
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
 * A tensor of row-major elements. They are read directly into its memory if the runtime allows it.
 * @param options.swap - Whether the byte order differs from this machine's. Default false.
 */
export async function readTensor(
  reader: ByteReader,
  shape: readonly number[],
  dtype: DType,
  options: { swap?: boolean | undefined } = {},
): Promise<Tensor> {
  const { swap = false } = options;
  const result = empty(shape, { dtype });
  try {
    using flat = native.view(result, [-1]);
    const size = PIECE / itemSize(dtype);
    for (let start = 0; start < result.numel; start += size) {
      using place = native.narrow(flat, 0, start, Math.min(size, result.numel - start));
      const shown = showsMemory();
      const values = shown ? native.onTypedArray(place) : new ARRAY_OF[dtype](place.numel);
      await reader.fill(asBytes(values));
      if (swap) swapBytes(values);
      // libtorch does not check the bytes of bools: values other than 0 and 1 would be invalid.
      if (dtype === 'bool') for (let i = 0; i < values.length; i++) values[i] = values[i] === 0 ? 0 : 1;
      if (shown) continue;
      using piece = native.fromData(values, [values.length], dtype, 'cpu');
      native.copy(place, piece).dispose();
    }
    return result;
  } catch (error) {
    result.dispose();
    throw error;
  }
}

/**
 * The elements in row-major order, as bytes. If a tensor is contiguous on the CPU, the pieces are its own memory:
 * it must not change until they have been written.
 */
export async function* tensorPieces(tensor: Tensor): AsyncGenerator<Uint8Array> {
  const { numel, dtype } = tensor;
  const size = PIECE / itemSize(dtype);
  using plain = native.detach(tensor);
  const own = tensor.device === 'cpu' && native.isContiguous(plain) && showsMemory();
  using row = native.contiguous(plain);
  using flat = native.view(row, [-1]);
  for (let start = 0; start < numel; start += size) {
    using part = native.narrow(flat, 0, start, Math.min(size, numel - start));
    yield asBytes(own ? native.onTypedArray(part) : await part.data());
  }
}

/** Whether the runtime allows external memory in JavaScript: Node.js does, Electron does not. */
function showsMemory(): boolean {
  if (shows === undefined) {
    using probe = native.fromData(new Uint8Array(1), [1], 'uint8', 'cpu');
    native.onTypedArray(probe)[0] = 1;
    shows = native.item(probe) === 1;
  }
  return shows;
}

let shows: boolean | undefined;

/** Maximum number of buffers per system call. */
const MAX_BUFFERS = 1024;

/** Writes pieces in order, many per call, because every call waits for another thread. */
export async function writePieces(file: FileHandle, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  let pending: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    if (bytes + piece.length > PIECE || pending.length === MAX_BUFFERS) {
      await writeFully(file, pending);
      pending = [];
      bytes = 0;
    }
    pending.push(piece);
    bytes += piece.length;
  }
  await writeFully(file, pending);
}

async function writeFully(file: FileHandle, pieces: Uint8Array[]): Promise<void> {
  let rest = pieces.filter(({ length }) => length > 0);
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest);
    const whole = rest.findIndex(({ length }) => {
      if (bytesWritten < length) return true;
      bytesWritten -= length;
      return false;
    });
    if (whole < 0) return;
    rest = [rest[whole]!.subarray(bytesWritten), ...rest.slice(whole + 1)];
  }
}

function swapBytes(values: TypedArray): void {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (values.BYTES_PER_ELEMENT === 2) bytes.swap16();
  else if (values.BYTES_PER_ELEMENT === 4) bytes.swap32();
  else if (values.BYTES_PER_ELEMENT === 8) bytes.swap64();
}
