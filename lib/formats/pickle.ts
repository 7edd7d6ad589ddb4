/**
 * A reader for pickles that hold data. It knows the opcodes that dictionaries and lists of strings, numbers and byte
 * arrays are written with (Python's `pickletools`, protocols 2 to 4), and the few callables that a {@link PickleDialect}
 * names, whose effect the dialect computes itself. Everything else, and so every pickle that would run code, is refused.
 * @module
 */

/** An object a dialect makes; its classes say of what kind. */
export abstract class PickledObject {}

/** What a pickle may hold. Byte strings come as `Uint8Array`; Python 2's `str` is one of those. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | PickledObject
  | readonly Pickled[]
  | ReadonlyMap<string, Pickled>;

/** The pickle is damaged, or holds something that is not data. */
export class PickleError extends Error {}

/** Things on the stack that are no data: marks, callables, types. They never leave the reader. */
export abstract class Special {
  /** Tells one kind from another, for the compiler as well. */
  abstract readonly kind: string;
}
class Mark extends Special {
  readonly kind = 'mark';
}

/** What may be on the stack. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | PickledObject
  | PickleValue[]
  | Map<string, PickleValue>
  | Special;
type Value = PickleValue;

/** The names a kind of file may ask for, and what becomes of them. */
export interface PickleDialect {
  /** What stands for a name, as in `numpy dtype`; undefined for one that is not data. */
  find(path: string): Special | undefined;
  /** The result of a call; undefined where it is not allowed. @throws PickleError saying what is wrong with it. */
  call(callable: Special, args: readonly PickleValue[]): PickleValue | undefined;
  /** Gives an object its state. False where it takes none. */
  build(target: PickleValue, state: PickleValue): boolean;
  /** What a persistent id stands for. Absent where a file has none. */
  persistent?(id: PickleValue): PickleValue;
  /** Whether keys of dictionaries may be numbers; they become strings. */
  readonly numberKeys?: boolean;
}

/**
 * Reads one pickle.
 * @param bytes - The whole pickle.
 * @param dialect - The names it may ask for.
 * @throws PickleError when it is truncated, malformed, or holds anything but plain data and what the dialect makes.
 */
export function readPickle(bytes: Uint8Array, dialect: PickleDialect): Pickled {
  return new Reader(bytes, dialect).read();
}

/** The text of a Python `str` or `bytes`; undefined for anything else. */
export function pickledText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : undefined;
}

class Reader {
  readonly dialect: PickleDialect;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;
  #stack: Value[] = [];
  readonly #memo = new Map<number, Value>();

  constructor(bytes: Uint8Array, dialect: PickleDialect) {
    this.dialect = dialect;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): Pickled {
    for (;;) {
      const at = this.#position;
      const opcode = this.uint8();
      if (opcode === STOP) break;
      const run = OPCODES.get(opcode);
      if (!run || (opcode === BINPERSID && !this.dialect.persistent))
        throw new PickleError(`opcode 0x${hex(opcode)} at byte ${at} is not allowed`);
      run(this);
    }
    const value = this.pop();
    if (this.#stack.length > 0 || holdsSpecial(value))
      throw new PickleError('it does not end with one value');
    return value as Pickled;
  }

  take(length: number): number {
    const start = this.#position;
    if (start + length > this.#bytes.length) throw new PickleError(`it ends in the middle, at byte ${start}`);
    this.#position += length;
    return start;
  }
  uint8 = (): number => this.#bytes[this.take(1)]!;
  uint16 = (): number => this.#view.getUint16(this.take(2), true);
  uint32 = (): number => this.#view.getUint32(this.take(4), true);
  int32 = (): number => this.#view.getInt32(this.take(4), true);
  float64 = (): number => this.#view.getFloat64(this.take(8), false);
  bytes(length: number): Uint8Array {
    const start = this.take(length);
    return this.#bytes.subarray(start, start + length);
  }
  text = (length: number): string => Buffer.from(this.bytes(length)).toString('utf8');
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    if (end < 0) throw new PickleError('it ends in the middle of a name');
    const text = this.text(end - this.#position);
    this.take(1);
    return text;
  }

  push(value: Value): void {
    this.#stack.push(value);
  }
  pop(): Value {
    const value = this.#stack.pop();
    if (value === undefined) throw new PickleError(`its stack is empty at byte ${this.#position}`);
    return value;
  }
  /** The values above the topmost mark, which is removed with them. */
  popToMark(): Value[] {
    const mark = this.#stack.findLastIndex((value) => value instanceof Mark);
    if (mark < 0) throw new PickleError(`a mark is missing at byte ${this.#position}`);
    return this.#stack.splice(mark).slice(1);
  }
  top(): Value {
    const value = this.pop();
    this.push(value);
    return value;
  }
  remember(slot: number): void {
    this.#memo.set(slot, this.top());
  }
  rememberNext(): void {
    this.remember(this.#memo.size);
  }
  recall(slot: number): void {
    const value = this.#memo.get(slot);
    if (value === undefined) throw new PickleError(`it refers to a value that does not exist (${slot})`);
    this.push(value);
  }
}

const STOP = 0x2e;
const BINPERSID = 0x51;

/** Opcode -> what it does. The comments are the names in `pickletools`. */
const OPCODES: ReadonlyMap<number, (r: Reader) => void> = new Map<number, (r: Reader) => void>([
  [0x80, (r) => checkProtocol(r.uint8())], // PROTO
  [0x95, (r) => void r.take(8)], // FRAME
  [0x4e, (r) => r.push(null)], // NONE
  [0x88, (r) => r.push(true)], // NEWTRUE
  [0x89, (r) => r.push(false)], // NEWFALSE
  [0x4b, (r) => r.push(r.uint8())], // BININT1
  [0x4d, (r) => r.push(r.uint16())], // BININT2
  [0x4a, (r) => r.push(r.int32())], // BININT
  [0x8a, (r) => r.push(long(r.bytes(r.uint8())))], // LONG1
  [0x47, (r) => r.push(r.float64())], // BINFLOAT
  [0x55, (r) => r.push(r.bytes(r.uint8()))], // SHORT_BINSTRING
  [0x54, (r) => r.push(r.bytes(r.uint32()))], // BINSTRING
  [0x43, (r) => r.push(r.bytes(r.uint8()))], // SHORT_BINBYTES
  [0x42, (r) => r.push(r.bytes(r.uint32()))], // BINBYTES
  [0x8c, (r) => r.push(r.text(r.uint8()))], // SHORT_BINUNICODE
  [0x58, (r) => r.push(r.text(r.uint32()))], // BINUNICODE
  [0x28, (r) => r.push(new Mark())], // MARK
  [0x5d, (r) => r.push([])], // EMPTY_LIST
  [0x7d, (r) => r.push(new Map())], // EMPTY_DICT
  [0x29, (r) => r.push([])], // EMPTY_TUPLE
  [0x74, (r) => r.push(tuple(r.popToMark()))], // TUPLE
  [0x85, (r) => r.push(popTuple(r, 1))], // TUPLE1
  [0x86, (r) => r.push(popTuple(r, 2))], // TUPLE2
  [0x87, (r) => r.push(popTuple(r, 3))], // TUPLE3
  [0x61, (r) => append(r, [r.pop()])], // APPEND
  [0x65, (r) => append(r, r.popToMark())], // APPENDS
  [0x73, (r) => setItems(r, [r.pop(), r.pop()].reverse())], // SETITEM
  [0x75, (r) => setItems(r, r.popToMark())], // SETITEMS
  [0x71, (r) => r.remember(r.uint8())], // BINPUT
  [0x72, (r) => r.remember(r.uint32())], // LONG_BINPUT
  [0x94, (r) => r.rememberNext()], // MEMOIZE
  [0x68, (r) => r.recall(r.uint8())], // BINGET
  [0x6a, (r) => r.recall(r.uint32())], // LONG_BINGET
  [0x63, (r) => r.push(findGlobal(r, r.line(), r.line()))], // GLOBAL
  [0x93, (r) => r.push(findGlobal(r, ...popPair(r)))], // STACK_GLOBAL
  [0x52, (r) => r.push(reduce(r, ...popPair(r)))], // REDUCE
  [0x62, (r) => build(r, r.pop(), r.top())], // BUILD
  [BINPERSID, (r) => r.push(r.dialect.persistent!(r.pop()))],
]);

function checkProtocol(version: number): void {
  if (version < 2 || version > 4) throw new PickleError(`expected protocol 2 to 4 but it has ${version}`);
}

/** A whole number of any length, lowest byte first, in two's complement. */
function long(bytes: Uint8Array): number {
  const value = BigInt.asIntN(
    8 * bytes.length,
    bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
  );
  if (!Number.isSafeInteger(Number(value))) throw new PickleError(`the number ${value} is too large`);
  return Number(value);
}

function popPair(r: Reader): [Value, Value] {
  const second = r.pop();
  return [r.pop(), second];
}

function popTuple(r: Reader, length: number): Value[] {
  const items: Value[] = [];
  for (let i = 0; i < length; i++) items.unshift(r.pop());
  return tuple(items);
}

/** A tuple may name a type, as the arguments of numpy's `_reconstruct` do; but such a tuple goes into no container. */
function tuple(values: Value[]): Value[] {
  if (values.some((value) => value instanceof Mark || (Array.isArray(value) && value.some(isSpecial)))) {
    throw new PickleError('a tuple holds something that is no data');
  }
  return values;
}

function append(r: Reader, values: Value[]): void {
  const list = r.top();
  if (!Array.isArray(list)) throw new PickleError('it appends to something that is no list');
  if (values.some(holdsSpecial)) throw new PickleError('a list holds something that is no data');
  for (const value of values) list.push(value);
}

function setItems(r: Reader, values: Value[]): void {
  const map = r.top();
  if (!(map instanceof Map)) throw new PickleError('it sets items of something that is no dictionary');
  if (values.length % 2 !== 0) throw new PickleError('a dictionary has a key without a value');
  for (let i = 0; i < values.length; i += 2) {
    const given = values[i];
    const key = r.dialect.numberKeys && typeof given === 'number' ? String(given) : pickledText(given);
    if (key === undefined || holdsSpecial(values[i + 1]!))
      throw new PickleError('a dictionary holds something that is no data');
    map.set(key, values[i + 1]!);
  }
}

function findGlobal(r: Reader, module: Value, name: Value): Special {
  const path = `${pickledText(module)} ${pickledText(name)}`;
  const found = r.dialect.find(path);
  if (!found) throw new PickleError(`it asks for ${path.replace(' ', '.')}, which is not data`);
  return found;
}

function reduce(r: Reader, callable: Value, args: Value): Value {
  if (callable instanceof Special && Array.isArray(args)) {
    const result = r.dialect.call(callable, args);
    if (result !== undefined) return result;
  }
  throw new PickleError('it makes a call that is not allowed');
}

function build(r: Reader, state: Value, target: Value): void {
  if (!r.dialect.build(target, state)) throw new PickleError('it sets the state of something that has none');
}

function isSpecial(value: Value): value is Special {
  return value instanceof Special;
}

function holdsSpecial(value: Value): boolean {
  return isSpecial(value) || (Array.isArray(value) && value.some(isSpecial));
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
