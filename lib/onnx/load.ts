/**
 * Networks from ONNX files.
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { checkFunction, checkOptions, checkStrings, optionKeys, probablyMeant } from '../check/index.js';
import { ArgumentError, CheckpointError } from '../errors.js';
import { checkPath, fileError } from '../files/error.js';
import { openFile } from '../files/open.js';
import { fileReader } from '../formats/tensor-bytes.js';
import { noGrad } from '../tensor/context.js';
import { tensor as tensorOf } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { ElementsReader } from './load/elements.js';
import { graphOf, type LoadedGraph, placeOf } from './load/graph.js';
import { type Host, hostOf, MAX_HOST } from './load/host.js';
import { type FileModel, type FileNode, isOperator, type OnnxValueInfo, readModel } from './load/model.js';
import { OnnxModule } from './load/module.js';
import { Plan } from './load/plan.js';
import { stateOf } from './load/state.js';

/** Options of {@link loadOnnx}. */
export interface LoadOnnxOptions {
  /** Device of the weights. Default `'cpu'`. */
  device?: Device | undefined;
  /**
   * Values of the graph that become the outputs, such as the input of the last layer, to replace that layer: names in
   * `valueNames` of the file loaded without this option. Nodes that only other outputs need are left out. Default: the outputs
   * of the file.
   */
  outputs?: readonly string[] | undefined;
  /**
   * Whether a tensor of a float type is a parameter; not called for running statistics. Default: weights of layers, and tensors
   * with more than one element that arithmetic uses, except those that an exporter added.
   */
  parameters?: ((name: string, tensor: Tensor) => boolean) | undefined;
}

const LOAD_KEYS = optionKeys('device', 'outputs', 'parameters');

/** Largest size of a message in protocol buffers. */
const MAX_MESSAGE = 2 ** 31 - 1;

/** @throws CheckpointError for a file that cannot be read or is too large. */
async function bytesOf(path: string): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await openFile(path);
    const { size } = await file.stat();
    if (size > MAX_MESSAGE)
      throw new CheckpointError(
        `${path} is not an ONNX file: it has ${size} bytes, the format allows ${MAX_MESSAGE}`,
      );
    const bytes = new Uint8Array(size);
    await fileReader(file, path, 0).fill(bytes);
    return bytes;
  } catch (error) {
    throw fileError('read', path, error);
  } finally {
    await file?.close();
  }
}

/** Names that a message lists. */
const MAX_NAMES = 6;

/** The values that were probably meant: a similar name, and those that contain it; otherwise the last ones. */
function hintFor(name: string, known: readonly string[]): string {
  const part = name.toLowerCase();
  const meant = probablyMeant(name, known);
  const containing = known.filter((one) => part !== '' && one.toLowerCase().includes(part));
  const near = [...new Set([...(meant === undefined ? [] : [meant]), ...containing])];
  const all = `valueNames of the loaded file has all ${known.length}`;
  return near.length > 0
    ? `. Did you mean ${near.slice(0, MAX_NAMES).join(', ')}? ${all}`
    : `; the last ones are ${known.slice(-MAX_NAMES).join(', ')}; ${all}`;
}

/** The values that become outputs, with what the file says of them. */
function outputsOf(model: FileModel, path: string, names: readonly string[] | undefined): OnnxValueInfo[] {
  if (names === undefined) {
    if (model.outputs.length === 0) throw new CheckpointError(`${path} is damaged: its graph has no outputs`);
    return [...model.outputs];
  }
  if (names.length === 0) throw new ArgumentError('Expected at least one name for outputs but received none');
  const made = new Set(model.nodes.flatMap(({ outputs }) => outputs));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ArgumentError(`Expected different names for outputs but received ${twice} twice`);
  return names.map((name) => {
    const known = model.outputs.find((one) => one.name === name);
    if (known === undefined && (name === '' || !made.has(name)))
      throw new ArgumentError(
        `Expected names of values in ${path} for outputs but received ${name}${hintFor(name, model.valueNames)}`,
      );
    return known ?? { name, dtype: null, shape: null };
  });
}

/** The tensors of a file. */
interface FileTensors {
  readonly initializers: Map<string, Tensor>;
  /** Of the nodes named Constant, by their values. */
  readonly constants: Map<string, Tensor>;
  /** Tensors of the attributes of other nodes, by node and name. */
  readonly attributes: ReadonlyMap<string, Host>[];
}

/** Reads all tensors. */
async function tensorsOf(graph: LoadedGraph, path: string): Promise<FileTensors> {
  const reader = new ElementsReader(path);
  const tensors: FileTensors = { initializers: new Map(), constants: new Map(), attributes: [] };
  const { initializers, constants, attributes } = tensors;
  try {
    for (const [name, stored] of graph.initializers)
      initializers.set(name, await reader.read(stored, `the initializer ${name.slice(0, 80)}`));
    for (const node of graph.nodes) {
      const own = new Map<string, Host>();
      for (const [name, { kind, value }] of node.attributes) {
        if (kind !== 'tensor') continue;
        const tensor = await reader.read(value, `the attribute ${name} of ${placeOf(node)}`);
        if (isOperator(node, 'Constant')) {
          constants.set(node.outputs[0] ?? '', tensor);
          continue;
        }
        if (tensor.numel <= MAX_HOST) own.set(name, hostOf(tensor));
        tensor.dispose();
      }
      attributes.push(own);
      const number = isOperator(node, 'Constant') ? numbersOf(node) : undefined;
      if (number !== undefined) constants.set(node.outputs[0] ?? '', number);
    }
    return tensors;
  } catch (error) {
    disposeAll(tensors);
    throw error;
  } finally {
    await reader.close();
  }
}

function disposeAll({ initializers, constants }: FileTensors): void {
  for (const tensor of [...initializers.values(), ...constants.values()]) tensor.dispose();
}

/** The tensor of a Constant whose attribute is a number or a list; undefined for other kinds. */
function numbersOf({ attributes }: FileNode): Tensor | undefined {
  for (const { kind, value } of attributes.values()) {
    if (kind === 'float') return tensorOf(value, { dtype: 'float32' });
    if (kind === 'int') return tensorOf(int64Of(value));
    if (kind === 'floats') return tensorOf(Float32Array.from(value));
    if (kind === 'ints') return tensorOf(BigInt64Array.from(value, int64Of));
  }
  return undefined;
}

/** Exporters write the largest integer for an open end; as a number it is rounded to 2^63, which int64 does not have. */
function int64Of(value: number): bigint {
  return value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value);
}

/** Finds the parameters, and makes steps of the nodes. */
function moduleOf<Out extends Tensor | Tensor[]>(
  path: string,
  model: FileModel,
  graph: LoadedGraph,
  { initializers, constants, attributes }: FileTensors,
  { outputs, parameters }: { outputs: OnnxValueInfo[]; parameters: LoadOnnxOptions['parameters'] },
): OnnxModule<Out> {
  const state = stateOf(graph, initializers, model.producer, parameters);
  try {
    for (const [name, tensor] of constants) state.set(name, { tensor, role: 'constant', isMade: true });
    const isRun = graph.nodes.map(
      (node) => !isOperator(node, 'Constant') || !constants.has(node.outputs[0] ?? ''),
    );
    const run = { ...graph, nodes: graph.nodes.filter((_, i) => isRun[i]) };
    const kept = attributes.filter((_, i) => isRun[i]);
    const { opset, producer, metadata, inputs, valueNames } = model;
    const description = { file: path, opset, producer, metadata, inputs, outputs, valueNames };
    return new OnnxModule<Out>(description, new Plan(run, opset, kept, path), state).eval();
  } catch (error) {
    for (const { tensor } of state.values()) tensor.dispose();
    throw error;
  }
}

/**
 * Loads an ONNX file as a module that can be run and trained further: the inverse of {@link exportOnnx}. Files of PyTorch's two
 * exporters and of other tools are read too. The module is in evaluation mode. After `train()`, batch norm and dropout behave
 * like PyTorch's layers, independent of the mode in which the file was written. Weights may be in a second file in the same
 * folder. Dtypes are those of the file: convert one in float16 by `to({ dtype: 'float32' })` before it is trained further.
 * @param path - The file, usually `.onnx`, with operators of opset 13 to 22.
 * @returns A module with the weights as parameters, under their names in the file. `Out` is `Tensor[]` for files with several
 * outputs.
 * @throws CheckpointError if a file is missing, damaged, incomplete, of another opset, or has unsupported nodes, which are all
 * listed by operator and name.
 * @throws ArgumentError for wrong options.
 * @throws DeviceError for a device that is not available.
 * @see https://onnx.ai/onnx/operators/
 * @example
 * const model = await loadOnnx('resnet18.onnx');
 * const logits = model.forward(images);
 * model.train();
 * const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
 */
export async function loadOnnx<Out extends Tensor | Tensor[] = Tensor>(
  path: string,
  options: LoadOnnxOptions = {},
): Promise<OnnxModule<Out>> {
  const { device = 'cpu', outputs, parameters } = checkOptions(options, LOAD_KEYS);
  checkPath(path);
  const names = outputs && checkStrings(outputs, 'outputs', 'an array of strings');
  if (parameters !== undefined) checkFunction(parameters, 'parameters');
  const model = readModel(await bytesOf(path), path);
  const ends = outputsOf(model, path, names);
  const graph = graphOf(
    model,
    ends.map(({ name }) => name),
    path,
  );
  const tensors = await tensorsOf(graph, path);
  try {
    const module = noGrad(() => moduleOf<Out>(path, model, graph, tensors, { outputs: ends, parameters }));
    return device === 'cpu' ? module : module.to({ device });
  } catch (error) {
    disposeAll(tensors);
    throw error;
  }
}
