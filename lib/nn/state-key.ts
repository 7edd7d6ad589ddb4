/**
 * The keys of a module's fields in its state. Fields are camelCase, keys are PyTorch's snake_case. Every key can be
 * expressed: a field in snake_case or with an initial capital is its own key, and `stateKeys` of the class sets any other.
 * @module
 */
import { invalidArgument } from '../errors.js';

/** The default key of a field: `runningMean` becomes `running_mean`; `LayerNorm` and `conv_1x1` are unchanged. */
export function stateKey(field: string): string {
  return /^[A-Z]/.test(field) ? field : snakeCase(field);
}

/** Replaces every capital after a letter or digit with `_` and the lower-case letter. */
function snakeCase(field: string): string {
  return field.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

type StateKeys = Readonly<Record<string, string>>;
const declared = new WeakMap<object, StateKeys>();

/** `static stateKeys` of a class and its base classes. */
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

const own = new WeakMap<object, ReadonlyMap<string, string>>();

/** Sets keys of a module that do not follow the rule, such as the names of a file. @param keys - Keys by field. */
export function setKeys(module: object, keys: ReadonlyMap<string, string>): void {
  own.set(module, keys);
}

/** The key of a field of a module. */
export function keyOf(module: object, field: string): string {
  return own.get(module)?.get(field) ?? declaredKeys(module.constructor)[field] ?? stateKey(field);
}

/**
 * Alternative names of a module's fields in a state, with their keys: the field names themselves, because a
 * PyTorch network may use camelCase, and the keys of earlier versions for an initial capital (`Conv_linear`).
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
