/**
 * A node as its operator uses it: when the file is loaded, with its attributes, and when it runs, with its inputs.
 * @module
 */
import { type Device, type DType, isFloatingPoint } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Host } from './host.js';
import type { AttributeValues, FileNode } from './model.js';
import type { Value } from './value.js';

/** The outputs of a node; undefined is an output that must not be used. */
export type Result = Tensor | Value | readonly (Tensor | Value | undefined)[];

/** Computes the outputs of a node. */
export type Run = (call: Call) => Result;

/** Reads the attributes of a node. */
export type Operator = (node: NodeSpec) => Run;

/** Operators by their names. */
export type Operators = Readonly<Record<string, Operator>>;

/** Computes a node from numbers without tensors; undefined if tensors are needed. */
export type HostRun = (inputs: readonly (Host | undefined)[]) => Host | undefined;

/** What a network runs with. */
export interface Setting {
  readonly device: Device;
  /** Whether the module is in training mode. */
  readonly training: boolean;
  /** The dtype that `to({ dtype })` gave the module: that of the values of all float types of the file. Undefined: those of the file. */
  readonly dtype: DType | undefined;
}

/** The dtype that a node gives where the file says `dtype`. */
export function followed(dtype: DType, setting: Setting): DType {
  return setting.dtype !== undefined && isFloatingPoint(dtype) ? setting.dtype : dtype;
}

/** A problem of one node. */
export class NodeProblem extends Error {}

/** A node while the file is loaded. */
export class NodeSpec {
  readonly opset: number;
  readonly #node: FileNode;
  readonly #tensors: ReadonlyMap<string, Host>;

  /** @param tensors - Tensors of attributes, by the name of the attribute. */
  constructor(node: FileNode, opset: number, tensors: ReadonlyMap<string, Host>) {
    this.#node = node;
    this.opset = opset;
    this.#tensors = tensors;
  }

  /** Refuses the node. @param problem - Such as `has the attribute mode: cubic`. */
  fail(problem: string): never {
    throw new NodeProblem(problem);
  }

  get inputs(): number {
    return this.#node.inputs.length;
  }

  get outputs(): number {
    return this.#node.outputs.length;
  }

  hasInput(i: number): boolean {
    return (this.#node.inputs[i] ?? '') !== '';
  }

  hasOutput(j: number): boolean {
    return (this.#node.outputs[j] ?? '') !== '';
  }

  has(name: string): boolean {
    return this.#node.attributes.has(name);
  }

  int(name: string, usual: number): number {
    return this.#attribute(name, 'int') ?? usual;
  }

  flag(name: string, usual = false): boolean {
    return this.int(name, Number(usual)) !== 0;
  }

  float(name: string, usual: number): number {
    return this.#attribute(name, 'float') ?? usual;
  }

  text(name: string, usual: string): string {
    return this.#attribute(name, 'text') ?? usual;
  }

  /** One of several texts. @throws NodeProblem for another one. */
  choice<T extends string>(name: string, usual: T, choices: readonly T[]): T {
    const value = this.text(name, usual);
    const found = choices.find((one) => one === value);
    return found ?? this.fail(`has the ${name} ${value.slice(0, 40)}, which is not supported`);
  }

  ints(name: string): readonly number[] | undefined {
    return this.#attribute(name, 'ints');
  }

  floats(name: string): readonly number[] | undefined {
    return this.#attribute(name, 'floats');
  }

  texts(name: string): readonly string[] | undefined {
    return this.#attribute(name, 'texts');
  }

  /** The tensor of an attribute. */
  tensor(name: string): Host | undefined {
    return this.#tensors.get(name);
  }

  #attribute<Kind extends keyof AttributeValues>(
    name: string,
    kind: Kind,
  ): AttributeValues[Kind] | undefined {
    const found = this.#node.attributes.get(name);
    if (found === undefined) return undefined;
    if (found.kind !== kind) this.fail(`has the attribute ${name} of kind ${found.kind} instead of ${kind}`);
    return found.value as AttributeValues[Kind];
  }
}

/** A node while it runs. */
export class Call {
  readonly #inputs: readonly (Value | undefined)[];
  readonly #setting: Setting;

  constructor(inputs: readonly (Value | undefined)[], setting: Setting) {
    this.#inputs = inputs;
    this.#setting = setting;
  }

  get device(): Device {
    return this.#setting.device;
  }

  /** Whether the module is in training mode. */
  get training(): boolean {
    return this.#setting.training;
  }

  /** @see followed */
  dtypeOf(dtype: DType): DType {
    return followed(dtype, this.#setting);
  }

  get count(): number {
    return this.#inputs.length;
  }

  has(i: number): boolean {
    return this.#inputs[i] !== undefined;
  }

  value(i: number): Value {
    const value = this.#inputs[i];
    if (value === undefined) throw new NodeProblem(`lacks its input ${i}`);
    return value;
  }

  tensor(i: number): Tensor {
    return this.value(i).tensor(this.device);
  }

  optional(i: number): Tensor | null {
    return this.has(i) ? this.tensor(i) : null;
  }

  /** All inputs. */
  tensors(): Tensor[] {
    return this.#inputs.map((_, i) => this.tensor(i));
  }

  /** The elements of an input, where they are known without asking a device. */
  known(i: number): Host | undefined {
    return this.#inputs[i]?.known;
  }

  /** The elements of an input. */
  numbers(i: number): readonly number[] {
    return this.value(i).host().data;
  }

  /** The only element of an input. */
  number(i: number): number {
    const { data } = this.value(i).host();
    if (data.length !== 1) throw new NodeProblem(`has ${data.length} elements instead of 1 in input ${i}`);
    return data[0]!;
  }

  /** The integers of an input, or of the attribute that earlier versions had instead. */
  listOr(i: number, attribute: readonly number[] | undefined): readonly number[] | undefined {
    return this.has(i) ? this.numbers(i) : attribute;
  }

  /** An input for an operation with `other`: a known number of a float type is a number, so that it follows the dtype. */
  operand(i: number, other: Tensor): Tensor | number {
    const known = this.known(i);
    const single = known !== undefined && known.data.length === 1 && known.dims.length <= other.ndim;
    if (!single || !isFloatingPoint(known.dtype) || !isFloatingPoint(other.dtype)) return this.tensor(i);
    return known.data[0]!;
  }
}

/** A dimension counted from the beginning. @throws NodeProblem for one that does not exist. */
export function fromStart(axis: number, rank: number): number {
  const found = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(found) || found < 0 || found >= Math.max(rank, 1))
    throw new NodeProblem(`has the axis ${axis} of ${rank} ${rank === 1 ? 'dimension' : 'dimensions'}`);
  return found;
}
