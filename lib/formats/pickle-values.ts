/**
 * What pickles hold, as the reader of `pickle.ts` gives it, and what a kind of file says about the names in its own.
 * @module
 */

/** An object a dialect makes; its classes say of what kind. */
export abstract class PickledObject {}

/** What a pickle may hold. Byte strings come as `Uint8Array`; Python 2's `str` is one of those. */
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

/** The pickle is damaged, or holds something that is not data. */
export class PickleError extends Error {}

/** The bytes end before the pickle does. */
export class PickleEndError extends PickleError {}

/** Things on the stack that are no data: marks, callables, types. */
export abstract class Special {
  /** Tells one kind from another, for the compiler as well. */
  abstract readonly kind: string;
}

/**
 * An object of a class that means nothing here: its class and what it would be made from. Nothing of it is run. A subclass
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

/** What may be on the stack. */
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

/** The names a kind of file may ask for, and what becomes of them. */
export interface PickleDialect {
  /** What stands for a name, as in `numpy dtype`; undefined for one that is not data. */
  find(path: string): Special | undefined;
  /** The result of a call; undefined where it is not allowed. @throws PickleError saying what is wrong with it. */
  call(callable: Special, args: readonly PickleValue[]): PickleValue | undefined;
  /** Gives an object its state. False where it takes none. */
  build(target: PickleValue, state: PickleValue): boolean;
  /** An object made without its constructor, as `call`. Absent where a file has none. */
  construct?(type: Special, args: readonly PickleValue[]): PickleValue | undefined;
  /** What a persistent id stands for. Absent where a file has none. */
  persistent?(id: PickleValue): PickleValue;
  /** The text for a key of a dictionary that is none; undefined where it is not allowed. Absent: only texts are. */
  key?(value: PickleValue): string | undefined;
  /** Whether classes and functions may stand where data is expected. */
  readonly specials?: boolean | undefined;
}

const MAX_TEXT = 10_000;

/** The text of a Python `str` or `bytes`; undefined for anything else, and for bytes longer than any name. */
export function pickledText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!(value instanceof Uint8Array) || value.length > MAX_TEXT) return undefined;
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
}
