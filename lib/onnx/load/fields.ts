/**
 * The fields of a message of protocol buffers. Nested messages are read when they are asked for: the nesting of a file costs no stack.
 * @see https://protobuf.dev/programming-guides/encoding/
 * @module
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** A varint, a float, or the bytes of a text, a message or packed numbers. */
type Item = bigint | number | Uint8Array;

const TEXT = new TextDecoder();

/** The fields of a message by number, in the order of the file. */
export class Fields {
  readonly #items = new Map<number, Item[]>();

  /** @throws Error for bytes that are no message. */
  constructor(bytes: Uint8Array) {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      const items = this.#items.get(field);
      const item = itemOf(reader, type);
      if (items === undefined) this.#items.set(field, [item]);
      else items.push(item);
    }
  }

  has(field: number): boolean {
    return this.#items.has(field);
  }

  /** The bytes of a field; undefined if it is absent. Of several, the last one counts. */
  bytes(field: number): Uint8Array | undefined {
    return this.#bytes(field).at(-1);
  }

  text(field: number): string {
    const bytes = this.bytes(field);
    return bytes === undefined ? '' : TEXT.decode(bytes);
  }

  texts(field: number): string[] {
    return this.#bytes(field).map((bytes) => TEXT.decode(bytes));
  }

  message(field: number): Fields | undefined {
    const bytes = this.bytes(field);
    return bytes && new Fields(bytes);
  }

  messages(field: number): Fields[] {
    return this.#bytes(field).map((bytes) => new Fields(bytes));
  }

  /** `StringStringEntryProto`s. */
  entries(field: number): Map<string, string> {
    return new Map(this.messages(field).map((entry) => [entry.text(1), entry.text(2)]));
  }

  /** An integer; 0 if it is absent. Beyond 2^53 it is rounded. */
  integer(field: number): number {
    const item = this.#items.get(field)?.at(-1) ?? 0;
    if (item instanceof Uint8Array) throw new Error(`field ${field} is not an integer`);
    return Number(item);
  }

  /** A float; 0 if it is absent. */
  float(field: number): number {
    return this.integer(field);
  }

  /** Integers, packed or not. */
  bigints(field: number): bigint[] {
    return this.#numbers(field, (reader) => BigInt(reader.int64())).map((value) => BigInt(value));
  }

  /** Integers, packed or not. Beyond 2^53 they are rounded. */
  integers(field: number): number[] {
    return this.bigints(field).map(Number);
  }

  floats(field: number): number[] {
    return this.#numbers(field, (reader) => reader.float()).map(Number);
  }

  doubles(field: number): number[] {
    return this.#numbers(field, (reader) => reader.double()).map(Number);
  }

  #bytes(field: number): Uint8Array[] {
    return (this.#items.get(field) ?? []).map((item) => {
      if (!(item instanceof Uint8Array)) throw new Error(`field ${field} is a number`);
      return item;
    });
  }

  #numbers(field: number, read: (reader: BinaryReader) => bigint | number): (bigint | number)[] {
    return (this.#items.get(field) ?? []).flatMap((item) => {
      if (!(item instanceof Uint8Array)) return [item];
      const reader = new BinaryReader(item);
      const values: (bigint | number)[] = [];
      while (reader.pos < reader.len) values.push(read(reader));
      return values;
    });
  }
}

function itemOf(reader: BinaryReader, type: WireType): Item {
  if (type === WireType.Varint) return BigInt(reader.int64());
  if (type === WireType.LengthDelimited) return reader.bytes();
  if (type === WireType.Bit32) return reader.float();
  if (type === WireType.Bit64) return reader.double();
  throw new Error('it has a group, which ONNX does not use');
}
