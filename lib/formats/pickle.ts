/**
 * A reader for pickles with data. It supports the opcodes of dictionaries, lists and objects (Python's
 * `pickletools`, protocols 2 to 5), and the callables of a {@link PickleDialect}, whose results the dialect
 * computes itself. No other function is called. Time and memory are
 * proportional to the length of the pickle.
 * @module
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  type PickleDialect,
  type Pickled,
  PickledInstance,
  PickleEndError,
  PickleError,
  type PickleValue,
  pickledText,
  Special,
} from './pickle-values.js';

export {
  type PickleDialect,
  type Pickled,
  PickledInstance,
  PickledObject,
  PickleEndError,
  PickleError,
  type PickleValue,
  pickledText,
  Special,
} from './pickle-values.js';

class Mark extends Special {
  readonly kind = 'mark';
}

type Value = PickleValue;

/** Maximum number of opcodes of a pickle: each creates at most one value, of some hundred bytes. */
const MAX_OPCODES = 10_000_000;
/** Number of opcodes between iterations of the event loop. */
const OPCODES_PER_TURN = 50_000;
/** Maximum length of names of modules and classes, and of integers in bytes. */
const MAX_NAME = 1000;
const MAX_INTEGER = 128;

/**
 * Reads one pickle.
 * @param bytes - The whole pickle.
 * @param dialect - The allowed names.
 * @throws PickleError when it is truncated, malformed, or contains anything except plain data and values of the dialect.
 */
export function readPickle(bytes: Uint8Array, dialect: PickleDialect): Pickled {
  const reader = new Reader(bytes, dialect, 0);
  reader.run(MAX_OPCODES);
  return reader.result();
}

/**
 * Like {@link readPickle}, but yields to the event loop.
 * @param start - Start of the pickle. Default 0.
 * @returns The value, and the end of the pickle.
 */
export async function readPickleAsync(
  bytes: Uint8Array,
  dialect: PickleDialect,
  start = 0,
): Promise<{ value: Pickled; end: number }> {
  const reader = new Reader(bytes, dialect, start);
  while (!reader.run(OPCODES_PER_TURN)) await turn();
  return { value: reader.result(), end: reader.position };
}

class Reader {
  readonly dialect: PickleDialect;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  position: number;
  #count = 0;
  #stack: Value[] = [];
  readonly #memo = new Map<number, Value>();

  constructor(bytes: Uint8Array, dialect: PickleDialect, start: number) {
    this.position = start;
    this.dialect = dialect;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Runs some opcodes. @returns Whether the pickle has ended. */
  run(count: number): boolean {
    for (let i = 0; i < count; i++) {
      const at = this.position;
      const opcode = this.uint8();
      if (opcode === STOP) return true;
      const run = OPCODES.get(opcode);
      if (!run || !this.#allows(opcode))
        throw new PickleError(`opcode 0x${hex(opcode)} at byte ${at} is not allowed`);
      if (++this.#count > MAX_OPCODES) throw new PickleError(`it has more than ${MAX_OPCODES} opcodes`);
      run(this);
    }
    return false;
  }

  #allows(opcode: number): boolean {
    if (opcode === BINPERSID) return this.dialect.persistent !== undefined;
    return (opcode !== NEWOBJ && opcode !== NEWOBJ_EX) || this.dialect.construct !== undefined;
  }

  result(): Pickled {
    const value = this.pop();
    if (this.#stack.length > 0 || (value instanceof Special && !this.dialect.specials))
      throw new PickleError('it does not end with one value');
    return value as Pickled;
  }

  take(length: number): number {
    const start = this.position;
    if (start + length > this.#bytes.length)
      throw new PickleEndError(`it ends in the middle, at byte ${start}`);
    this.position += length;
    return start;
  }
  uint8 = (): number => this.#bytes[this.take(1)]!;
  uint16 = (): number => this.#view.getUint16(this.take(2), true);
  uint32 = (): number => this.#view.getUint32(this.take(4), true);
  int32 = (): number => this.#view.getInt32(this.take(4), true);
  /** A length of 8 bytes. */
  uint64 = (): number => Number(this.#view.getBigUint64(this.take(8), true));
  float64 = (): number => this.#view.getFloat64(this.take(8), false);
  bytes(length: number): Uint8Array {
    const start = this.take(length);
    return this.#bytes.subarray(start, start + length);
  }
  text = (length: number): string => Buffer.from(this.bytes(length)).toString('utf8');
  line(): string {
    const end =
      this.#bytes.subarray(this.position, this.position + MAX_NAME + 1).indexOf(0x0a) + this.position;
    if (end < this.position) {
      if (this.position + MAX_NAME < this.#bytes.length) throw new PickleError('a name in it is too long');
      throw new PickleEndError('it ends in the middle of a name');
    }
    const text = this.text(end - this.position);
    this.take(1);
    return text;
  }

  push(value: Value): void {
    this.#stack.push(value);
  }
  pop(): Value {
    const value = this.#stack.pop();
    if (value === undefined) throw new PickleError(`its stack is empty at byte ${this.position}`);
    if (value instanceof Mark)
      throw new PickleError(`a mark is in the place of a value at byte ${this.position}`);
    return value;
  }
  /** Removes the top value or mark. */
  drop(): void {
    if (this.#stack.pop() === undefined) throw new PickleError(`its stack is empty at byte ${this.position}`);
  }
  /** Removes and returns the values above the top mark, and removes the mark. */
  popToMark(): Value[] {
    const mark = this.#stack.findLastIndex((value) => value instanceof Mark);
    if (mark < 0) throw new PickleError(`a mark is missing at byte ${this.position}`);
    const values = this.#stack.splice(mark + 1);
    this.#stack.pop();
    return values;
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
const NEWOBJ = 0x81;
const NEWOBJ_EX = 0x92;

const MARK = new Mark();

/** Functions of the opcodes. The comments are the names in `pickletools`. */
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
  [0x8b, (r) => r.push(long(r.bytes(r.uint32())))], // LONG4
  [0x47, (r) => r.push(r.float64())], // BINFLOAT
  [0x55, (r) => r.push(r.bytes(r.uint8()))], // SHORT_BINSTRING
  [0x54, (r) => r.push(r.bytes(r.uint32()))], // BINSTRING
  [0x43, (r) => r.push(r.bytes(r.uint8()))], // SHORT_BINBYTES
  [0x42, (r) => r.push(r.bytes(r.uint32()))], // BINBYTES
  [0x8e, (r) => r.push(r.bytes(r.uint64()))], // BINBYTES8
  [0x96, (r) => r.push(r.bytes(r.uint64()))], // BYTEARRAY8
  [0x8c, (r) => r.push(r.text(r.uint8()))], // SHORT_BINUNICODE
  [0x58, (r) => r.push(r.text(r.uint32()))], // BINUNICODE
  [0x8d, (r) => r.push(r.text(r.uint64()))], // BINUNICODE8
  [0x28, (r) => r.push(MARK)], // MARK
  [0x30, (r) => r.drop()], // POP
  [0x31, (r) => void r.popToMark()], // POP_MARK
  [0x32, (r) => r.push(r.top())], // DUP
  [0x5d, (r) => r.push([])], // EMPTY_LIST
  [0x7d, (r) => r.push(new Map())], // EMPTY_DICT
  [0x29, (r) => r.push([])], // EMPTY_TUPLE
  [0x6c, (r) => r.push(r.popToMark())], // LIST
  [0x64, (r) => r.push(setItems(r, new Map(), r.popToMark()))], // DICT
  [0x8f, (r) => r.push([])], // EMPTY_SET
  [0x90, (r) => append(r, r.popToMark())], // ADDITEMS
  [0x91, (r) => r.push(r.popToMark())], // FROZENSET
  [0x74, (r) => r.push(r.popToMark())], // TUPLE
  [0x85, (r) => r.push(popTuple(r, 1))], // TUPLE1
  [0x86, (r) => r.push(popTuple(r, 2))], // TUPLE2
  [0x87, (r) => r.push(popTuple(r, 3))], // TUPLE3
  [0x61, (r) => append(r, [r.pop()])], // APPEND
  [0x65, (r) => append(r, r.popToMark())], // APPENDS
  [0x73, (r) => setTop(r, [r.pop(), r.pop()].reverse())], // SETITEM
  [0x75, (r) => setTop(r, r.popToMark())], // SETITEMS
  [0x71, (r) => r.remember(r.uint8())], // BINPUT
  [0x72, (r) => r.remember(r.uint32())], // LONG_BINPUT
  [0x94, (r) => r.rememberNext()], // MEMOIZE
  [0x68, (r) => r.recall(r.uint8())], // BINGET
  [0x6a, (r) => r.recall(r.uint32())], // LONG_BINGET
  [0x63, (r) => r.push(findGlobal(r, r.line(), r.line()))], // GLOBAL
  [0x93, (r) => r.push(findGlobal(r, ...popPair(r)))], // STACK_GLOBAL
  [0x52, (r) => r.push(reduce(r, ...popPair(r)))], // REDUCE
  [NEWOBJ, (r) => r.push(construct(r, ...popPair(r)))],
  [NEWOBJ_EX, (r) => r.push(constructWithNames(r, r.pop(), ...popPair(r)))],
  [0x62, (r) => build(r, r.pop(), r.top())], // BUILD
  [BINPERSID, (r) => r.push(r.dialect.persistent!(r.pop()))],
]);

function checkProtocol(version: number): void {
  if (version < 2 || version > 5) throw new PickleError(`expected protocol 2 to 5 but it has ${version}`);
}

/** An integer of any length, little-endian, in two's complement. */
function long(bytes: Uint8Array): number | bigint {
  if (bytes.length > MAX_INTEGER) throw new PickleError(`a number of ${bytes.length} bytes is too large`);
  const value = BigInt.asIntN(
    8 * bytes.length,
    bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
  );
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function popPair(r: Reader): [Value, Value] {
  const second = r.pop();
  return [r.pop(), second];
}

function popTuple(r: Reader, length: number): Value[] {
  const items: Value[] = [];
  for (let i = 0; i < length; i++) items.unshift(r.pop());
  return items;
}

function append(r: Reader, values: Value[]): void {
  const target = r.top();
  if (target instanceof PickledInstance) target.items ??= [];
  const list = target instanceof PickledInstance ? target.items : target;
  if (!Array.isArray(list)) throw new PickleError('it appends to a value that is not a list');
  for (const value of values) list.push(value);
}

function setTop(r: Reader, values: Value[]): void {
  const target = r.top();
  if (target instanceof PickledInstance) target.entries ??= new Map();
  setItems(r, target instanceof PickledInstance ? target.entries : target, values);
}

function setItems(r: Reader, map: Value | undefined, values: Value[]): Value {
  if (!(map instanceof Map)) throw new PickleError('it sets items of a value that is not a dictionary');
  if (values.length % 2 !== 0) throw new PickleError('a dictionary has a key without a value');
  for (let i = 0; i < values.length; i += 2) {
    const key = pickledText(values[i]) ?? r.dialect.key?.(values[i]!);
    if (key === undefined) throw new PickleError('a dictionary has a key that is not a string');
    map.set(key, values[i + 1]!);
  }
  return map;
}

function findGlobal(r: Reader, module: Value, name: Value): Special {
  const [from, what] = [pickledText(module), pickledText(name)];
  if (from === undefined || what === undefined || from.length + what.length > MAX_NAME)
    throw new PickleError('it refers to an invalid name');
  const found = r.dialect.find(`${from} ${what}`);
  if (!found) throw new PickleError(`it refers to ${from}.${what}, which is not data`);
  return found;
}

function reduce(r: Reader, callable: Value, args: Value): Value {
  if (callable instanceof Special && Array.isArray(args)) {
    const result = r.dialect.call(callable, args);
    if (result !== undefined) return result;
  }
  throw new PickleError('it makes a call that is not allowed');
}

function construct(r: Reader, type: Value, args: Value): Value {
  const made = type instanceof Special && Array.isArray(args) ? r.dialect.construct!(type, args) : undefined;
  if (made === undefined) throw new PickleError('it makes an object that is not allowed');
  return made;
}

function constructWithNames(r: Reader, named: Value, type: Value, args: Value): Value {
  if (!(named instanceof Map) || !Array.isArray(args))
    throw new PickleError('it makes an object that is not allowed');
  return construct(r, type, named.size === 0 ? args : [...args.slice(0, 64), named]);
}

function build(r: Reader, state: Value, target: Value): void {
  if (target instanceof PickledInstance) target.state = state;
  else if (!r.dialect.build(target, state))
    throw new PickleError('it sets the state of a value that has none');
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
