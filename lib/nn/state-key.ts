/**
 * The names of a module's fields in its state. Fields are camelCase, keys are PyTorch's snake_case, and every key can be
 * had: a field in snake_case or with a capital first is its own key, and a class names any other one in `stateKeys`.
 * @module
 */
import { invalidArgument } from '../errors.js';

/** The usual key of a field: `runningMean` is `running_mean`; `LayerNorm` and `conv_1x1` are what they are. */
export function stateKey(field: string): string {
  return /^[A-Z]/.test(field) ? field : snakeCase(field);
}

/** Every capital behind a letter or digit as `_` and the small letter. */
function snakeCase(field: string): string {
  return field.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

type StateKeys = Readonly<Record<string, string>>;
const declared = new WeakMap<object, StateKeys>();

/** What a class and those it extends say in `static stateKeys`. */
function declaredKeys(type: object): StateKeys {
  const known = declared.get(type);
  if (known) return known;
  const parent = Object.getPrototypeOf(type) as object | null;
  const own = Object.hasOwn(type, 'stateKeys') ? (type as { stateKeys: StateKeys }).stateKeys : {};
  for (const [field, key] of Object.entries(own)) {
    if (typeof key !== 'string' || key === '' || key.includes('.'))
      throw invalidArgument(`stateKeys.${field}`, 'a name without dots', key);
  }
  const keys = { ...(parent === null ? {} : declaredKeys(parent)), ...own };
  declared.set(type, keys);
  return keys;
}

/** The key of a field of a module. */
export function keyOf(module: object, field: string): string {
  return declaredKeys(module.constructor)[field] ?? stateKey(field);
}

/**
 * Other names that a state may have for the fields of a module, with their keys: the fields as they are written, since a
 * PyTorch network may be written in camelCase, and what earlier versions made of a capital first (`Conv_linear`).
 */
export function otherSpellings(module: object): Map<string, string> {
  const spellings = new Map<string, string>();
  for (const field of Object.keys(module)) {
    const key = keyOf(module, field);
    for (const spelling of [snakeCase(field), stateKey(field), field])
      if (spelling !== key) spellings.set(spelling, key);
  }
  return spellings;
}
