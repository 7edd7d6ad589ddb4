/** Reads the parts of an ONNX file that tests look at. */
import { readFileSync } from 'node:fs';
import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire';

/** Values by the number of their field: bytes of nested messages and strings, numbers of integers. */
type Fields = Map<number, (Uint8Array | number)[]>;

export interface ReadNode {
  name: string;
  operator: string;
  inputs: string[];
  outputs: string[];
}

export interface ReadTensor {
  name: string;
  dims: number[];
  dtype: number;
  bytes: Uint8Array | undefined;
  /** `location`, `offset` and `length` of elements in another file. */
  external: Record<string, string>;
}

function fieldsOf(bytes: Uint8Array): Fields {
  const fields: Fields = new Map();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const value =
      type === (2 as WireType)
        ? reader.bytes()
        : type === (0 as WireType)
          ? Number(reader.int64())
          : reader.float();
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const messages = (fields: Fields, field: number) =>
  (fields.get(field) ?? []).map((value) => fieldsOf(value as Uint8Array));
const texts = (fields: Fields, field: number) =>
  (fields.get(field) ?? []).map((value) => Buffer.from(value as Uint8Array).toString('utf8'));
const text = (fields: Fields, field: number) => texts(fields, field)[0] ?? '';

function integersOf(fields: Fields, field: number): number[] {
  return (fields.get(field) ?? []).flatMap((packed) => {
    // Other writers give each number a field of its own.
    if (typeof packed === 'number') return [packed];
    const reader = new BinaryReader(packed);
    const values: number[] = [];
    while (reader.pos < reader.len) values.push(Number(reader.int64()));
    return values;
  });
}

const entries = (list: Fields[]) => Object.fromEntries(list.map((entry) => [text(entry, 1), text(entry, 2)]));

function valueInfo(fields: Fields): { name: string; dtype: number; shape: (number | string)[] } {
  const tensor = messages(messages(fields, 2)[0]!, 1)[0]!;
  const dims = messages(messages(tensor, 2)[0]!, 1);
  const shape = dims.map((dim) => (dim.has(1) ? (dim.get(1)![0] as number) : text(dim, 2)));
  return { name: text(fields, 1), dtype: tensor.get(1)![0] as number, shape };
}

/** The content of a file. */
export function readOnnx(path: string) {
  const model = fieldsOf(readFileSync(path));
  const graph = messages(model, 7)[0]!;
  const nodes = messages(graph, 1).map(
    (node): ReadNode => ({
      name: text(node, 3),
      operator: text(node, 4),
      inputs: texts(node, 1),
      outputs: texts(node, 2),
    }),
  );
  const initializers = messages(graph, 5).map(
    (tensor): ReadTensor => ({
      name: text(tensor, 8),
      dims: integersOf(tensor, 1),
      dtype: tensor.get(2)![0] as number,
      bytes: tensor.get(9)?.[0] as Uint8Array | undefined,
      external: entries(messages(tensor, 13)),
    }),
  );
  return {
    irVersion: model.get(1)![0],
    producer: text(model, 2),
    opset: messages(model, 8)[0]!.get(2)![0],
    metadata: entries(messages(model, 14)),
    nodes,
    initializers,
    inputs: messages(graph, 11).map(valueInfo),
    outputs: messages(graph, 12).map(valueInfo),
  };
}
