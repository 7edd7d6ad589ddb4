/**
 * Reads and writes NumPy's `.npy` files, which have one array each.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @module
 */
import { CheckpointError, invalidArgument } from '../errors.js';
import { commitOrDiscard, stageFile } from '../files/atomic.js';
import { checkPath, fileError } from '../files/error.js';
import { openFile } from '../files/open.js';
import { itemSize } from '../tensor/dtype.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { foreignType, isForeign, readForeign } from './foreign-dtypes.js';
import { formatNpyHeader, headerLength, lengthBytes, parseNpyHeader } from './npy-header.js';
import {
  type ByteReader,
  elementCount,
  fileReader,
  readTensor,
  tensorPieces,
  writePieces,
} from './tensor-bytes.js';

/**
 * Reads an array of NumPy's `save` or {@link saveNpy}.
 * @returns A tensor on the CPU, row-major for any order in the file; uint16 becomes int32, uint32 and uint64 int64. The
 * caller must dispose it.
 * @throws {CheckpointError} if the file is missing, truncated or damaged, or has elements that no dtype can represent.
 * @example const x = await loadNpy('features.npy');
 */
export async function loadNpy(path: string): Promise<Tensor> {
  checkPath(path);
  try {
    const file = await openFile(path);
    try {
      const { size } = await file.stat();
      return await readNpy(fileReader(file, path, 0), size, path);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/**
 * Writes a tensor for NumPy's `load`, atomically: an existing file remains until the new one is complete.
 * @param path - The file; its folder must exist.
 * @param tensor - From any device and with any strides. It must not change until the promise is settled.
 * @throws {DTypeError} for bfloat16, which NumPy does not have. @throws {CheckpointError} if the file cannot be written.
 */
export async function saveNpy(path: string, tensor: Tensor): Promise<void> {
  checkPath(path);
  if (!isTensor(tensor)) throw invalidArgument('tensor', 'a Tensor', tensor);
  const header = formatNpyHeader(tensor.dtype, tensor.shape);
  try {
    const staged = await stageFile(path, async (file) => {
      async function* pieces(): AsyncGenerator<Uint8Array> {
        yield header;
        yield* tensorPieces(tensor);
      }
      await writePieces(file, pieces());
    });
    await commitOrDiscard(staged);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/**
 * Reads one array, starting at its magic number.
 * @param size - Number of bytes.
 */
export async function readNpy(reader: ByteReader, size: number, name: string): Promise<Tensor> {
  const read = async (length: number, position: number): Promise<Uint8Array> => {
    if (position + length > size)
      throw new CheckpointError(`${name} is truncated: it has only ${size} bytes`);
    const bytes = new Uint8Array(length);
    await reader.fill(bytes);
    return bytes;
  };
  const width = lengthBytes(await read(8, 0), name);
  const length = headerLength(await read(width, 8), name);
  const start = 8 + width + length;
  const text = new TextDecoder().decode(await read(length, 8 + width));
  const { dtype, stored, shape, fortranOrder, swap } = parseNpyHeader(text, name);
  const foreign = isForeign(stored) ? stored : undefined;
  const needed = elementCount(shape) * (foreign ? foreignType(foreign).size : itemSize(dtype));
  if (size - start !== needed) {
    const what = size - start < needed ? 'is truncated' : 'has bytes behind its array';
    throw new CheckpointError(
      `${name} ${what}: [${shape.join(', ')}] of ${stored} takes ${needed} bytes, it has ${size - start}`,
    );
  }
  const readElements = (sizes: number[]) =>
    foreign ? readForeign(reader, sizes, foreign, { swap }) : readTensor(reader, sizes, dtype, { swap });
  if (!fortranOrder) return readElements(shape);
  using columns = await readElements([...shape].reverse());
  using view = columns.permute(shape.map((_, i) => shape.length - 1 - i));
  return view.contiguous();
}
