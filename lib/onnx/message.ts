/**
 * The messages of an ONNX file that are written here, as protocol buffers. Numbers of fields and of types are those of the official schema.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3 (Apache-2.0)
 * @module
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

/** `TensorProto.DataType` of each dtype. */
export const DATA_TYPES: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** Elements of a tensor: bytes, or a tensor whose elements are read when the file is written. */
export type Elements = Uint8Array | Tensor;

/** The value of an attribute. A number is an integer: floats are marked. */
export type Attribute = number | readonly number[] | string | readonly string[] | { readonly float: number };

/** `NodeProto`. An empty name is an input that is left out. */
export interface Node {
  readonly name: string;
  readonly operator: string;
  readonly inputs: string[];
  readonly outputs: string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** `TensorProto`. */
export interface Initializer {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly elements: Elements;
}

/** A dimension of an input or output: its size, or the name of a size that may vary. */
export type Dimension = number | string;

/** `ValueInfoProto`. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dimension[];
}

/** `ModelProto` with its `GraphProto`. */
export interface Model {
  readonly irVersion: number;
  readonly opset: number;
  readonly producer: { readonly name: string; readonly version: string };
  readonly graphName: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The position of elements in a file of external data. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, ints: 7, strings: 8 } as const;
const EXTERNAL = 1;

export function byteLength(elements: Elements): number {
  return elements instanceof Uint8Array ? elements.length : elements.nbytes;
}

/** A message as pieces of bytes: elements of tensors stay where they are. */
export class Message {
  readonly #pieces: Elements[] = [];
  #open = new BinaryWriter();
  #closed = 0;

  /** An integer, also of an enumeration. */
  integer(field: number, value: number): this {
    this.#open.tag(field, WireType.Varint).int64(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#open.tag(field, WireType.Bit32).float(value);
    return this;
  }

  text(field: number, value: string): this {
    this.#open.tag(field, WireType.LengthDelimited).string(value);
    return this;
  }

  integers(field: number, values: readonly number[]): this {
    this.#open.tag(field, WireType.LengthDelimited).fork();
    for (const value of values) this.#open.int64(value);
    this.#open.join();
    return this;
  }

  bytes(field: number, elements: Elements): this {
    const length = byteLength(elements);
    this.#open.tag(field, WireType.LengthDelimited).uint32(length);
    this.#close();
    this.#pieces.push(elements);
    this.#closed += length;
    return this;
  }

  message(field: number, inner: Message): this {
    const pieces = inner.pieces();
    this.#open.tag(field, WireType.LengthDelimited).uint32(inner.#closed);
    this.#close();
    this.#pieces.push(...pieces);
    this.#closed += inner.#closed;
    return this;
  }

  messages<T>(field: number, items: readonly T[], encode: (item: T) => Message): this {
    for (const item of items) this.message(field, encode(item));
    return this;
  }

  /** All bytes in order. */
  pieces(): readonly Elements[] {
    this.#close();
    return this.#pieces;
  }

  #close(): void {
    const bytes = this.#open.finish();
    this.#open = new BinaryWriter();
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#closed += bytes.length;
  }
}

/** @param external - The place of elements that are not in the model; undefined for those that are. */
export function encodeModel(
  model: Model,
  external: (initializer: Initializer) => ExternalData | undefined,
): Message {
  const { producer } = model;
  return new Message()
    .integer(1, model.irVersion)
    .text(2, producer.name)
    .text(3, producer.version)
    .message(7, encodeGraph(model, external))
    .message(8, new Message().text(1, '').integer(2, model.opset))
    .messages(14, Object.entries(model.metadata), encodeEntry);
}

function encodeGraph(
  model: Model,
  external: (initializer: Initializer) => ExternalData | undefined,
): Message {
  return new Message()
    .messages(1, model.nodes, encodeNode)
    .text(2, model.graphName)
    .messages(5, model.initializers, (one) => encodeTensor(one, external(one)))
    .messages(11, model.inputs, encodeValueInfo)
    .messages(12, model.outputs, encodeValueInfo);
}

/** `StringStringEntryProto`. */
function encodeEntry([key, value]: readonly [string, string]): Message {
  return new Message().text(1, key).text(2, value);
}

function encodeNode({ inputs, outputs, name, operator, attributes }: Node): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  for (const output of outputs) message.text(2, output);
  return message.text(3, name).text(4, operator).messages(5, Object.entries(attributes), encodeAttribute);
}

function encodeAttribute([name, value]: readonly [string, Attribute]): Message {
  const message = new Message().text(1, name);
  if (typeof value === 'number') return message.integer(3, value).integer(20, ATTRIBUTE_TYPES.int);
  if (typeof value === 'string') return message.text(4, value).integer(20, ATTRIBUTE_TYPES.string);
  if ('float' in value) return message.float(2, value.float).integer(20, ATTRIBUTE_TYPES.float);
  const texts = value.filter((item) => typeof item === 'string');
  if (texts.length === 0)
    return message.integers(8, value as readonly number[]).integer(20, ATTRIBUTE_TYPES.ints);
  for (const text of texts) message.text(9, text);
  return message.integer(20, ATTRIBUTE_TYPES.strings);
}

function encodeTensor(
  { name, dtype, dims, elements }: Initializer,
  external: ExternalData | undefined,
): Message {
  const message = new Message().integers(1, dims).integer(2, DATA_TYPES[dtype]).text(8, name);
  if (external === undefined) return message.bytes(9, elements);
  const entries = Object.entries(external).map(([key, value]) => [key, String(value)] as const);
  return message.messages(13, entries, encodeEntry).integer(14, EXTERNAL);
}

function encodeValueInfo({ name, dtype, shape }: ValueInfo): Message {
  const dims = new Message().messages(1, shape, (size) =>
    typeof size === 'number' ? new Message().integer(1, size) : new Message().text(2, size),
  );
  const tensor = new Message().integer(1, DATA_TYPES[dtype]).message(2, dims);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
