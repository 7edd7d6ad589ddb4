/**
 * Values of pickles as returned by `pickle.ts`, and the interface for the names that a file format allows.
 * @module
 */

/** An object of a dialect; its class is the kind. */
export abstract class PickledObject {}

/** A value of a pickle. Byte strings, including Python 2's `str`, are `Uint8Array`. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickledObject
  | readonly Pickled[]
  | ReadonlyMap<string, Pickled>;

/** The pickle is damaged, or contains something that is not data. */
export class PickleError extends Error {}

/** The bytes end before the pickle does. */
export class PickleEndError extends PickleError {}

/** Stack entries that are not data: marks, callables, types. */
export abstract class Special {
  /** Distinguishes the kinds, also for the compiler. */
  abstract readonly kind: string;
}

/**
 * An object of an unknown class: the name of the class and the arguments. Nothing is executed. A subclass
 * of list or dict has its items.
 */
export class PickledInstance extends PickledObject {
  state: PickleValue = null;
  items: PickleValue[] | undefined;
  entries: Map<string, PickleValue> | undefined;

  constructor(
    /** Module and name, such as `argparse.Namespace`. */
    readonly type: string,
    readonly args: readonly PickleValue[],
  ) {
    super();
  }
}

/** Stack entries. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickledObject
  | PickleValue[]
  | Map<string, PickleValue>
  | Special;

/** The names that a file format allows, and their meaning. */
export interface PickleDialect {
  /** The value of a name, such as `numpy dtype`; undefined if it is not allowed. */
  find(path: string): Special | undefined;
  /** The result of a call; undefined if it is not allowed. @throws PickleError with the problem. */
  call(callable: Special, args: readonly PickleValue[]): PickleValue | undefined;
  /** Sets the state of an object. False if it has none. */
  build(target: PickleValue, state: PickleValue): boolean;
  /** Creates an object without its constructor, like `call`. Absent if not supported. */
  construct?(type: Special, args: readonly PickleValue[]): PickleValue | undefined;
  /** The value of a persistent id. Absent if not supported. */
  persistent?(id: PickleValue): PickleValue;
  /** The string for a dictionary key of another type; undefined if it is not allowed. Absent: only strings are allowed. */
  key?(value: PickleValue): string | undefined;
  /** Whether classes and functions are allowed as data. */
  readonly specials?: boolean | undefined;
}

const MAX_TEXT = 10_000;

/** The string of a Python `str` or `bytes`; undefined for other values, and for bytes longer than any name. */
export function pickledText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!(value instanceof Uint8Array) || value.length > MAX_TEXT) return undefined;
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
}
