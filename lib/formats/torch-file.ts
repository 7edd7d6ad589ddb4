/**
 * Reads files of `torch.save`: weights and checkpoints, without executing code in them.
 * @see https://pytorch.org/docs/stable/generated/torch.load.html
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from '../errors.js';
import { checkPath, fileError } from '../files/error.js';
import { openFile } from '../files/open.js';
import { describeFile, type FileKind, kindOfFile } from './file-kind.js';
import { readTorchArchive } from './torch-archive.js';
import { readTorchLegacy } from './torch-legacy.js';
import type { TorchValue } from './torch-values.js';

export { TorchObject, type TorchValue } from './torch-values.js';

/**
 * Reads a file of `torch.save` (`.pt`, `.pth`), in the zip format or the format before PyTorch 1.6. No code in it is
 * executed. Dictionaries (OrderedDict, Counter, defaultdict) become objects; tuples and sets become arrays; `torch.device`,
 * `torch.dtype` and dates become strings; integers above 2^53 become bigints; NumPy arrays become tensors. Unsigned integers of 16, 32 and 64
 * bits become int32, int64 and int64; 8-bit floats become float32. Objects of other classes, quantized and complex tensors
 * become a {@link TorchObject}; a file that refers to functions such as `os.system` is rejected.
 * Tensors that shared a storage share it again.
 * @param path - The file.
 * @returns The saved value, with tensors on the CPU. The caller must dispose them.
 * @throws {CheckpointError} if the file is missing, damaged, not a file of PyTorch, or refers to functions.
 * @example
 * const { model } = (await loadTorch('checkpoint.pt')) as { model: Record<string, Tensor> }
 */
export async function loadTorch(path: string): Promise<TorchValue> {
  checkPath(path);
  let file: FileHandle;
  try {
    file = await openFile(path);
  } catch (error) {
    throw fileError('read', path, error);
  }
  let kind: FileKind | undefined;
  try {
    kind = await kindOfFile(file);
    if (kind === 'torch legacy') return await readTorchLegacy(file, path);
    if (kind === 'torch tar')
      throw new CheckpointError(`${path} is of the tar format of PyTorch before 0.1.10. ${ADVICE}`);
    if (kind !== 'torch')
      throw new CheckpointError(
        `${path} is not a file of PyTorch: ${describeFile(kind, 'it is not a zip archive')}`,
      );
    return await readTorchArchive(path);
  } catch (error) {
    throw damaged(path, error, kind === 'torch legacy');
  } finally {
    await file.close();
  }
}

/** The advice for a file that only Python can read. */
const ADVICE =
  "Where PyTorch reads it, save it once more in Python: torch.save(torch.load(path, map_location='cpu'), path)";

function damaged(path: string, error: unknown, legacy: boolean): Error {
  if (error instanceof CheckpointError) return error;
  const known = fileError('read', path, error);
  if (known instanceof CheckpointError) return known;
  const advice = legacy ? `. ${ADVICE}` : '';
  return new CheckpointError(`Cannot read ${path} as a file of PyTorch: ${known.message}${advice}`, {
    cause: error,
  });
}
