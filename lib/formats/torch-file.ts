/**
 * Reads files of `torch.save`: weights and checkpoints, without executing code in them.
 * @see https://pytorch.org/docs/stable/generated/torch.load.html
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from '../errors.js';
import { checkPath, fileError } from '../files/error.js';
import { openFile } from '../files/open.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { withRefused } from './refused.js';
import { readTorchArchive } from './torch-archive.js';
import { isLegacy, readTorchLegacy } from './torch-legacy.js';
import { TorchObject, type TorchValue } from './torch-values.js';

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
  let legacy = false;
  try {
    const start = Buffer.alloc(512);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    legacy = isLegacy(start.subarray(0, 40));
    if (legacy) return await readTorchLegacy(file, path);
    if (start.toString('latin1', 257, 262) === 'ustar')
      throw new CheckpointError(`${path} is of the tar format of PyTorch before 0.1.10. ${ADVICE}`);
    if (bytesRead < 4 || start.toString('latin1', 0, 2) !== 'PK')
      throw new CheckpointError(`${path} is not a file of PyTorch: it is no zip archive`);
    return await readTorchArchive(path);
  } catch (error) {
    throw damaged(path, error, legacy);
  } finally {
    await file.close();
  }
}

/** The advice for a file that only Python can read. */
const ADVICE =
  "Where PyTorch reads it, save it once more in Python: torch.save(torch.load(path, map_location='cpu'), path)";

/** Usual keys of the weights in checkpoints. */
const USUAL_KEYS = ['state_dict', 'model_state_dict', 'model', 'net', 'network', 'weights'];

/**
 * Reads the weights of a file of PyTorch, also in the format before version 1.6: a state dict
 * (`torch.save(model.state_dict(), path)`), a checkpoint with a state dict under `state_dict`, `model_state_dict`, `model`, `net`, `network` or `weights`,
 * or a whole module. A tensor that no dtype can represent (complex, quantized) is left out with a warning, and throws when it is
 * accessed by its name.
 * @returns Tensors by key, on the CPU. The caller must dispose them.
 * @throws {CheckpointError} like {@link loadTorch}, and if there is no state dict.
 * @example
 * model.loadStateDict(await loadTorchStateDict('alexnet.pth'))
 */
export async function loadTorchStateDict(path: string): Promise<Record<string, Tensor>> {
  const value = await loadTorch(path);
  const candidates = [value, ...USUAL_KEYS.map((key) => (isRecord(value) ? value[key] : undefined))];
  let found: StateEntries | undefined;
  for (const candidate of candidates) found ??= stateEntries(candidate);
  const kept = new Set(found?.tensors.map(([, tensor]) => tensor));
  for (const one of tensorsIn(value)) if (!kept.has(one)) one.dispose();
  if (found) return withRefused(found.tensors, found.refused, path);
  const what = isRecord(value)
    ? `a dictionary of ${Object.keys(value).slice(0, 8).join(', ')}`
    : value instanceof TorchObject
      ? value.type
      : typeof value;
  throw new CheckpointError(
    `Expected a state dict in ${path}, itself or under ${USUAL_KEYS.join(', ')}, but received ${what}`,
  );
}

/** Maximum number of modules of a network: modules that refer to each other could otherwise expand without limit. */
const MAX_MODULES = 100_000;

interface StateEntries {
  tensors: [string, Tensor][];
  /** Keys of tensors that cannot be read, with the reasons. */
  refused: Map<string, string>;
  modules: number;
}

/** The tensors of a state dict or a module; undefined for other values. */
function stateEntries(value: TorchValue | undefined): StateEntries | undefined {
  const entries: StateEntries = { tensors: [], refused: new Map(), modules: 0 };
  if (value instanceof TorchObject) collectModule(value, '', entries, 0);
  else if (!isRecord(value) || !Object.entries(value).every((entry) => collect(entries, ...entry)))
    return undefined;
  return entries.tensors.length > 0 ? entries : undefined;
}

/** @returns False if it is not a tensor. */
function collect({ tensors, refused }: StateEntries, key: string, value: TorchValue): boolean {
  if (isTensor(value)) tensors.push([key, value]);
  else if (value instanceof TorchObject) refused.set(key, describeObject(value));
  else return false;
  return true;
}

function describeObject({ type, state }: TorchObject): string {
  return typeof state === 'string' ? state : `it is a ${type}`;
}

/** Parameters and persistent buffers of a pickled `nn.Module`, by the keys of its state dict. */
function collectModule(module: TorchObject, prefix: string, entries: StateEntries, depth: number): void {
  const state = module.state;
  if (!isRecord(state) || depth > 100) return;
  if (++entries.modules > MAX_MODULES) throw new CheckpointError(`It has more than ${MAX_MODULES} modules`);
  const { _parameters: parameters, _buffers: buffers, _modules: modules } = state;
  const transient = state._non_persistent_buffers_set;
  for (const [own, skipped] of [[parameters, []] as const, [buffers, transient] as const]) {
    if (!isRecord(own)) continue;
    for (const [name, value] of Object.entries(own)) {
      const skip = Array.isArray(skipped) && skipped.includes(name);
      if (value !== null && !skip) collect(entries, prefix + name, value);
    }
  }
  if (!isRecord(modules)) return;
  for (const [name, child] of Object.entries(modules))
    if (child instanceof TorchObject) collectModule(child, `${prefix}${name}.`, entries, depth + 1);
}

function isRecord(value: TorchValue | undefined): value is { [key: string]: TorchValue } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !isTensor(value) && !(value instanceof Uint8Array) && !(value instanceof TorchObject);
}

function tensorsIn(root: TorchValue): Set<Tensor> {
  const found = new Set<Tensor>();
  const seen = new Set<unknown>();
  const rest: unknown[] = [root];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array || seen.has(value))
      continue;
    seen.add(value);
    if (isTensor(value)) found.add(value);
    else for (const item of Object.values(value)) rest.push(item);
  }
  return found;
}

function damaged(path: string, error: unknown, legacy: boolean): Error {
  if (error instanceof CheckpointError) return error;
  const known = fileError('read', path, error);
  if (known instanceof CheckpointError) return known;
  const advice = legacy ? `. ${ADVICE}` : '';
  return new CheckpointError(`Cannot read ${path} as a file of PyTorch: ${known.message}${advice}`, {
    cause: error,
  });
}
