/**
 * The parts of an ONNX file that are read here.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3 (Apache-2.0)
 * @module
 */
import { CheckpointError } from '../../errors.js';
import type { DType } from '../../tensor/dtype.js';
import { DATA_TYPES, type Dimension } from '../message.js';
import { Fields } from './fields.js';

/** `TensorProto`: its elements are read when they are needed. */
export interface StoredTensor {
  readonly name: string;
  /** `TensorProto.DataType`. */
  readonly type: number;
  readonly dims: readonly number[];
  readonly fields: Fields;
}

/** The values of attributes by kind. An attribute of another kind, such as a graph, has no value. */
export interface AttributeValues {
  readonly int: number;
  readonly float: number;
  readonly text: string;
  readonly ints: readonly number[];
  readonly floats: readonly number[];
  readonly texts: readonly string[];
  readonly tensor: StoredTensor;
  readonly other: undefined;
}

/** `AttributeProto`. */
export type FileAttribute = {
  [Kind in keyof AttributeValues]: { readonly kind: Kind; readonly value: AttributeValues[Kind] };
}[keyof AttributeValues];

/** `NodeProto`. An empty name is an input or output that is left out. */
export interface FileNode {
  /** Its number in the file, from 0. */
  readonly position: number;
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  /** Whether the file defines the operator itself, as a function of nodes. Such a definition has precedence over ONNX's. */
  readonly isFunction: boolean;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, FileAttribute>;
}

/** An input or output of a loaded network. */
export interface OnnxValueInfo {
  /** Name in the file. */
  readonly name: string;
  /** Type of the elements; null where the file does not say it, or where no dtype can represent it. */
  readonly dtype: DType | null;
  /** A free size is its name, such as `batch`, or `?`. Null where the file does not say the number of dimensions. */
  readonly shape: readonly Dimension[] | null;
}

/** `ModelProto` with its `GraphProto`. */
export interface FileModel {
  readonly opset: number;
  readonly producer: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly nodes: readonly FileNode[];
  readonly initializers: readonly StoredTensor[];
  /** Inputs without an initializer. */
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  /** Names of the values that nodes compute, in their order; without those of the nodes named Constant. */
  readonly valueNames: readonly string[];
}

/** Versions of the operators that are read. */
const OPSETS = [13, 22] as const;

const DTYPES = new Map(Object.entries(DATA_TYPES).map(([dtype, type]) => [type, dtype as DType]));

/** The dtype of a `TensorProto.DataType`; undefined if there is none. */
export function dtypeOf(type: number): DType | undefined {
  return DTYPES.get(type);
}

/** Whether a domain is that of the operators of ONNX itself. */
export const isOwnDomain = (domain: string): boolean => domain === '' || domain === 'ai.onnx';

/** Whether a node has an operator of ONNX, not one of the same name from elsewhere. */
export const isOperator = ({ domain, operator, isFunction }: FileNode, name: string): boolean =>
  operator === name && isOwnDomain(domain) && !isFunction;

/**
 * Reads a file's bytes.
 * @param path - For messages.
 * @throws CheckpointError for bytes that are no ONNX file, or end too soon, and for versions that are not read.
 */
export function readModel(bytes: Uint8Array, path: string): FileModel {
  let model: FileModel | string;
  try {
    model = modelOf(new Fields(bytes));
  } catch (error) {
    throw new CheckpointError(`${path} is damaged or is not an ONNX file: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (typeof model === 'string') throw new CheckpointError(`Cannot load ${path}: ${model}`);
  const [first, last] = OPSETS;
  if (model.opset < first || model.opset > last)
    throw new CheckpointError(
      `Expected operators of opset ${first} to ${last} in ${path} but received opset ${model.opset}: export it with another opset, or convert it with onnx.version_converter`,
    );
  return model;
}

/** @returns The model, or why it cannot be loaded. */
function modelOf(fields: Fields): FileModel | string {
  const graph = fields.message(7);
  const imports = fields.messages(8);
  const versions = imports.filter((one) => isOwnDomain(one.text(1)));
  if (graph === undefined || imports.length === 0)
    return 'it is damaged or is not an ONNX file: it has no graph, or no version of the operators';
  if (versions.length === 0)
    return `it has no operators of ONNX, only those of ${imports[0]!.text(1).slice(0, 80)}, which are not supported`;
  const sparse = graph.messages(15)[0]?.message(1)?.text(8);
  if (sparse !== undefined) return `the initializer ${sparse.slice(0, 80)} is sparse, which is not supported`;
  const initializers = graph.messages(5).map(storedTensor);
  const given = new Set(initializers.map(({ name }) => name));
  const functions = new Set(fields.messages(25).map((one) => functionKey(one.text(10), one.text(1))));
  const nodes = graph.messages(1).map((one, position) => nodeOf(one, position, functions));
  return {
    opset: Math.max(...versions.map((one) => one.integer(2))),
    producer: fields.text(2),
    metadata: Object.fromEntries(fields.entries(14)),
    nodes,
    initializers,
    inputs: graph
      .messages(11)
      .map(valueInfo)
      .filter(({ name }) => !given.has(name)),
    outputs: graph.messages(12).map(valueInfo),
    valueNames: nodes.flatMap(({ operator, outputs }) =>
      operator === 'Constant' ? [] : outputs.filter((name) => name !== ''),
    ),
  };
}

const functionKey = (domain: string, operator: string): string =>
  JSON.stringify([isOwnDomain(domain) ? '' : domain, operator]);

function nodeOf(fields: Fields, position: number, functions: ReadonlySet<string>): FileNode {
  const [operator, domain] = [fields.text(4), fields.text(7)];
  return {
    position,
    name: fields.text(3),
    operator,
    domain,
    isFunction: functions.has(functionKey(domain, operator)),
    inputs: fields.texts(1),
    outputs: fields.texts(2),
    attributes: new Map(fields.messages(5).map((one) => [one.text(1), attributeOf(one)])),
  };
}

function attributeOf(fields: Fields): FileAttribute {
  switch (fields.integer(20)) {
    case 1:
      return { kind: 'float', value: fields.float(2) };
    case 2:
      return { kind: 'int', value: fields.integer(3) };
    case 3:
      return { kind: 'text', value: fields.text(4) };
    case 4:
      return { kind: 'tensor', value: storedTensor(fields.message(5) ?? new Fields(new Uint8Array())) };
    case 6:
      return { kind: 'floats', value: fields.floats(7) };
    case 7:
      return { kind: 'ints', value: fields.integers(8) };
    case 8:
      return { kind: 'texts', value: fields.texts(9) };
    default:
      return { kind: 'other', value: undefined };
  }
}

function storedTensor(fields: Fields): StoredTensor {
  return { name: fields.text(8), type: fields.integer(2), dims: fields.integers(1), fields };
}

function valueInfo(fields: Fields): OnnxValueInfo {
  const tensor = fields.message(2)?.message(1);
  const dtype = (tensor && dtypeOf(tensor.integer(1))) ?? null;
  const shape = tensor?.message(2)?.messages(1).map(dimensionOf) ?? null;
  return { name: fields.text(1), dtype, shape };
}

/** Some converters write -1 for a free size. */
function dimensionOf(fields: Fields): Dimension {
  const size = fields.has(1) ? fields.integer(1) : -1;
  return size < 0 ? fields.text(2) || '?' : size;
}
