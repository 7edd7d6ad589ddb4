/**
 * A network from an ONNX file.
 * @module
 */
import { basename } from 'node:path';
import { ArgumentError, DTypeError, invalidArgument, ShapeError } from '../../errors.js';
import { Module, Parameter } from '../../nn/module.js';
import { setKeys } from '../../nn/state-key.js';
import { type DType, isFloatingPoint } from '../../tensor/dtype.js';
import { isTensor, type Tensor } from '../../tensor/tensor.js';
import { hostOf, MAX_HOST } from './host.js';
import type { OnnxValueInfo } from './model.js';
import type { Plan } from './plan.js';
import type { StateTensor } from './state.js';
import { Value } from './value.js';

/** The information about a file. */
export interface Description {
  readonly file: string;
  readonly opset: number;
  readonly producer: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly valueNames: readonly string[];
}

/**
 * A network of {@link loadOnnx}. Its parameters are the weights of the file under their names there; running statistics are buffers. It is
 * trained, saved and compiled like other modules. One of a file in float16 is converted by `to({ dtype: 'float32' })` before it is trained
 * further: then conversions between float types, which nodes of the file make, have no effect. `Out` is a Tensor, or an array of tensors for files with several outputs.
 */
export class OnnxModule<Out extends Tensor | Tensor[] = Tensor> extends Module<Tensor[], Out> {
  /** The file it was loaded from. */
  readonly file: string;
  /** Version of the operators. */
  readonly opset: number;
  /** Program that wrote the file. */
  readonly producer: string;
  /** The strings in the file's metadata. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Inputs, in the order of the arguments of {@link forward}. Dtypes are those of the file. */
  readonly inputs: readonly OnnxValueInfo[];
  /** Outputs, in the order of the results. Dtypes are those of the file. */
  readonly outputs: readonly OnnxValueInfo[];
  /** Names of all values that the nodes of the file compute, in their order: what the option `outputs` of {@link loadOnnx} takes. */
  readonly valueNames: readonly string[];
  readonly #plan: Plan;
  readonly #constants = new Map<number, Value>();
  /** The float tensors, with their dtypes in the file. */
  readonly #floats: [tensor: Tensor, dtype: DType][] = [];

  /** @internal */
  constructor(description: Description, plan: Plan, state: ReadonlyMap<string, StateTensor>) {
    super();
    this.file = description.file;
    this.opset = description.opset;
    this.producer = description.producer;
    this.metadata = description.metadata;
    this.inputs = description.inputs;
    this.outputs = description.outputs;
    this.valueNames = description.valueNames;
    this.#plan = plan;
    // Names of a file can be anything: as fields they must not hide a method.
    const fieldOf = (name: string) => `@${name}`;
    setKeys(this, new Map([...state.keys()].map((name) => [fieldOf(name), name])));
    for (const [name, { tensor, role, isMade }] of state) {
      if (role === 'parameter')
        (this as unknown as Record<string, Tensor>)[fieldOf(name)] = new Parameter(tensor);
      else this.registerBuffer(fieldOf(name), tensor, { persistent: role === 'statistic' || !isMade });
      if (isFloatingPoint(tensor.dtype)) this.#floats.push([tensor, tensor.dtype]);
      const known = role === 'constant' && tensor.numel <= MAX_HOST ? hostOf(tensor) : undefined;
      this.#constants.set(plan.slot(name), Value.ofTensor(tensor, known));
    }
  }

  /**
   * Runs the network.
   * @param inputs - One tensor for each of `inputs`, of its dtype and shape; free sizes may have any value. After `to({ dtype })` those
   * of a float type have that dtype, and so have the values that the nodes compute and the outputs.
   * @returns The output, or an array where the file has several.
   * @throws ArgumentError for another number of inputs. @throws ShapeError, DTypeError for an input that does not fit, by its name.
   * Errors of an operation name its node.
   */
  forward(...inputs: Tensor[]): Out {
    if (inputs.length !== this.inputs.length)
      throw new ArgumentError(
        `Expected ${this.inputs.length} ${this.inputs.length === 1 ? 'input' : 'inputs'} for ${basename(this.file)} but received ${inputs.length}`,
      );
    const given = new Map(this.#constants);
    const dtype = this.#converted();
    for (const [i, info] of this.inputs.entries()) {
      this.#check(info, inputs[i], dtype);
      given.set(this.#plan.slot(info.name), Value.ofTensor(inputs[i]!));
    }
    const device = inputs[0]?.device ?? this.#first()?.device ?? 'cpu';
    const results = this.#plan.run(given, { device, training: this.training, dtype });
    return (results.length === 1 ? results[0]! : results) as Out;
  }

  #first(): Tensor | undefined {
    for (const parameter of this.parameters()) return parameter;
    return undefined;
  }

  /** The dtype that `to({ dtype })` gave the float tensors, which the nodes follow; undefined while they have those of the file. */
  #converted(): DType | undefined {
    return this.#floats.find(([tensor, dtype]) => tensor.dtype !== dtype)?.[0].dtype;
  }

  #check({ name, dtype, shape }: OnnxValueInfo, input: unknown, converted: DType | undefined): void {
    if (!isTensor(input)) throw invalidArgument(name, 'a Tensor', input);
    const expected = dtype !== null && isFloatingPoint(dtype) ? (converted ?? dtype) : dtype;
    if (expected !== null && input.dtype !== expected)
      throw new DTypeError(`Expected ${expected} for ${name} but received ${input.dtype}`);
    const fits =
      shape === null ||
      (shape.length === input.ndim &&
        shape.every((size, i) => typeof size === 'string' || size === input.shape[i]));
    if (!fits)
      throw new ShapeError(
        `Expected shape [${shape.join(', ')}] for ${name} but received [${input.shape.join(', ')}]`,
      );
  }

  protected override extraRepr(): string {
    const list = (values: readonly OnnxValueInfo[]) =>
      values.map(({ name, shape }) => `${name}${shape === null ? '' : ` [${shape.join(', ')}]`}`).join(', ');
    return `${basename(this.file)}, opset=${this.opset}, ${this.#plan.nodes} nodes, ${list(this.inputs)} -> ${list(this.outputs)}`;
  }
}
