/**
 * Nested state (plain objects and arrays with tensors among them, such as an optimizer's `stateDict()`) as JSON plus
 * a flat record of tensors, for a safetensors file.
 * @module
 */
import { CheckpointError, invalidArgument } from '../errors.js';
import { parseJsonObject } from '../files/json.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';

/** Replaces a tensor in the JSON. */
const TENSOR = '$tensor';
/** Replaces numbers that JSON does not support. */
const NUMBER = '$number';

/** State that can be written to a file. */
export interface PackedState {
  json: string;
  tensors: Record<string, Tensor>;
}

/**
 * Extracts the tensors of a nested state. Nothing is copied.
 * @throws {ArgumentError} for other values (functions, class instances).
 */
export function packState(state: unknown): PackedState {
  const tensors: Record<string, Tensor> = {};
  const pack = (value: unknown, path: string): unknown => {
    if (isTensor(value)) {
      let name = path || 'tensor';
      while (Object.hasOwn(tensors, name)) name += '_'; // keys with dots may collide: { 'a.b': t, a: { b: t } }
      tensors[name] = value;
      return { [TENSOR]: name };
    }
    if (typeof value === 'number' && !Number.isFinite(value)) return { [NUMBER]: String(value) };
    if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
    if (Array.isArray(value)) return value.map((item, index) => pack(item, join(path, String(index))));
    if (isPlainObject(value)) {
      const fields = Object.entries(value).filter(([, item]) => item !== undefined);
      return Object.fromEntries(fields.map(([key, item]) => [key, pack(item, join(path, key))]));
    }
    throw invalidArgument(path || 'state', 'plain data or tensors', value);
  };
  return { json: JSON.stringify(pack(state, '')), tensors };
}

/**
 * The inverse of {@link packState}.
 * @param file - Name for error messages.
 * @throws {CheckpointError} if the JSON is damaged or names a missing tensor.
 */
export function unpackState(packed: PackedState, file: string): unknown {
  const unpack = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(unpack);
    if (!isPlainObject(value)) return value;
    if (typeof value[NUMBER] === 'string') return Number(value[NUMBER]);
    if (typeof value[TENSOR] === 'string') {
      const found = Object.hasOwn(packed.tensors, value[TENSOR]) && packed.tensors[value[TENSOR]];
      if (!found) throw new CheckpointError(`${file} lacks the tensor ${JSON.stringify(value[TENSOR])}`);
      return found;
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
  };
  return unpack(parseJsonObject(packed.json, `the training state of ${file}`));
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
