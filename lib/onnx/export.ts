/**
 * Networks as ONNX files.
 * @module
 */
import { boolean, oneOf } from '../check/arguments.js';
import { checkOptions, checkStrings, checkTexts, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { checkPath } from '../files/error.js';
import { type CalibrationSource, checkCalibration } from '../program/calibrate.js';
import { buildExport } from '../program/free-sizes.js';
import { Program } from '../program/program.js';
import { type Compilable, exampleOf } from '../program/record.js';
import type { Source } from '../program/source.js';
import { version } from '../runtime/settings.js';
import { type DType, isFloatingPoint } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { writeModel } from './file.js';
import { withFreeSizes } from './free-sizes.js';
import type { GraphSettings } from './graph.js';
import type { Dimension, Model } from './message.js';
import { type Quantization, quantize } from './quantize/quantize.js';
import { type Ends, type Translated, translate } from './translate.js';

/** Options of {@link exportOnnx}. */
export interface ExportOnnxOptions {
  /** Version of the operators, from 13 to 22. Default 17. */
  opset?: number | undefined;
  /**
   * Whether the batch size, the first dimension of the inputs, may vary. False fixes it to that of the example. Default true;
   * for a program, as it was compiled.
   */
  dynamicBatch?: boolean | undefined;
  /**
   * Whether height and width of images [B, C, H, W] may vary too. Only for modules whose operations do not depend on them.
   * Default false.
   */
  dynamicSize?: boolean | undefined;
  /**
   * Dtype of weights and computation of a network in float32; the network must not have other float types. Inputs and outputs keep
   * their dtype. With `'float16'`, a weight or a number in arithmetic beyond 65504 is an error; limits, fills and comparisons have the
   * nearest number. With `'int8'`, convolutions and linear layers have int8
   * weights with a scale for each output channel, and 8-bit inputs and outputs, in the QDQ form that onnxruntime replaces with int8
   * kernels. Everything else, such as the attention of dynamic convolutions and the mixing, stays float32. `'int8'` needs
   * `calibration`. Default: as the network is, usually float32.
   */
  precision?: 'float32' | 'float16' | 'int8' | undefined;
  /**
   * Only with `'int8'`: representative inputs, a few hundred samples in all, from which the ranges of the 8-bit numbers are
   * computed. Tensors, arrays with a tensor for each input, or batches of a loader, which are disposed after use.
   */
  calibration?: CalibrationSource | undefined;
  /**
   * Only with `'int8'`: the share of an activation's elements in the calibration that its range covers, in percent, 50 to 100.
   * Below 100, the largest and smallest elements are clipped, and the others have finer steps. Default 100.
   */
  percentile?: number | undefined;
  /**
   * Only with `'int8'`: paths of layers, or of modules that contain layers, that stay float32, such as `features.0`. `[]` for none.
   * Default: the first and the last layers of the network.
   */
  floatLayers?: readonly string[] | undefined;
  /**
   * Only with `'int8'`: weights have 7 bits, so that sums cannot overflow on x86 processors without VNNI instructions. False gives
   * 8 bits, for other processors. Default true.
   */
  reduceRange?: boolean | undefined;
  /** Default: `input`, or `input_0`, `input_1` ... */
  inputNames?: readonly string[] | undefined;
  /** Default: `output`, the keys of an object, or `output_0`, `output_1` ... */
  outputNames?: readonly string[] | undefined;
  /**
   * Adds the attention [B, K] of every dynamic convolution as an output after those of the network, in the order of execution,
   * named by the path of the layer: `features.8.attention`. `outputNames` does not apply to them. Default false.
   */
  attention?: boolean | undefined;
  /** Strings for the file's metadata, such as the names of classes. Default: those of a program, else none. */
  metadata?: Record<string, string> | undefined;
  /**
   * Write the weights to a second file in the same folder, `<file>.<hash>.data` with the first 16 digits of its SHA-256; tensors of
   * less than 1 kB stay in the model. The weights of a model that is replaced are removed after it. Default: only if the model would
   * exceed 2 GB, the limit of the format.
   */
  externalData?: boolean | undefined;
}

/** An input or output of an exported network. */
export interface OnnxValue {
  /** Name in the file. */
  readonly name: string;
  /** Type of the elements. */
  readonly dtype: DType;
  /** Sizes; one that may vary is a name, such as `batch`. */
  readonly shape: readonly Dimension[];
}

/** Result of {@link exportOnnx}. */
export interface OnnxExport {
  /** The model; then the file of the weights, if there is one. */
  readonly files: readonly string[];
  /** Size of all files. */
  readonly bytes: number;
  /** Version of the operators. */
  readonly opset: number;
  /** Inputs, in the order of the network's arguments. */
  readonly inputs: readonly OnnxValue[];
  /** Outputs, in the order of the network's, then those of the attention. */
  readonly outputs: readonly OnnxValue[];
  /** Number of nodes. */
  readonly nodes: number;
  /** Paths of the layers in int8, in their order; empty without `precision: 'int8'`. */
  readonly quantized: readonly string[];
}

const EXPORT_KEYS = optionKeys(
  'opset',
  'dynamicBatch',
  'dynamicSize',
  'precision',
  'inputNames',
  'outputNames',
  'attention',
  'metadata',
  'externalData',
  ...(['calibration', 'percentile', 'floatLayers', 'reduceRange'] as const),
);

/** Versions of the file format, by opset: that of the release of ONNX that brought the opset. */
const IR_VERSIONS: Readonly<Record<number, number>> = {
  ...{ 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10 },
};

/** The checked options. */
interface Settings extends GraphSettings {
  readonly ends: Ends;
  readonly dynamicBatch: boolean | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly externalData: boolean | undefined;
  /** undefined for other precisions than int8. */
  readonly quantization: Quantization | undefined;
}

const listed = (name: string, names: readonly string[] | undefined) =>
  names && checkStrings(names, name, 'an array of strings');

function checkQuantization(options: ExportOnnxOptions): Quantization | undefined {
  const { precision = 'float32', reduceRange = true } = options;
  if (precision === 'int8')
    return {
      ...checkCalibration(options),
      reduceRange: boolean('reduceRange', reduceRange),
    };
  const names = ['calibration', 'percentile', 'floatLayers', 'reduceRange'] as const;
  const given = names.find((name) => options[name] !== undefined);
  if (given !== undefined) throw invalidArgument('precision', `'int8' with ${given}`, precision);
  return undefined;
}

function checkSettings(options: ExportOnnxOptions): Settings {
  const given = checkOptions(options, EXPORT_KEYS);
  const { opset = 17, dynamicSize = false, precision = 'float32', attention = false } = given;
  const { inputNames, outputNames, metadata } = given;
  if (typeof opset !== 'number' || !Object.hasOwn(IR_VERSIONS, opset))
    throw invalidArgument('opset', 'an integer from 13 to 22', opset);
  const flag = (name: 'dynamicBatch' | 'externalData') =>
    given[name] === undefined ? undefined : boolean(name, given[name]);
  if (metadata !== undefined) checkTexts(metadata, 'metadata');
  const known = oneOf('precision', ['float32', 'float16', 'int8'], precision);
  return {
    opset,
    // The graph is quantized when it is complete.
    precision: known === 'int8' ? 'float32' : known,
    forInt8: known === 'int8',
    quantization: checkQuantization(given),
    dynamicSize: boolean('dynamicSize', dynamicSize),
    dynamicBatch: flag('dynamicBatch'),
    externalData: flag('externalData'),
    ends: {
      inputs: listed('inputNames', inputNames),
      outputs: listed('outputNames', outputNames),
      attention: boolean('attention', attention),
    },
    metadata,
  };
}

/** @throws ArgumentError for an input or a weight of another float type than float32, which a precision does not apply to. */
function checkFloat32({ graph, constants }: Source, precision: string): void {
  const weights = [...constants.keys()].filter((slot) => graph.slots[slot]!.name !== '');
  for (const slot of [...weights, ...graph.inputs]) {
    const { dtype, name } = graph.slots[slot]!;
    if (dtype === 'float32' || dtype === precision || !isFloatingPoint(dtype)) continue;
    const what = graph.inputs.includes(slot) ? 'an input' : name;
    throw new ArgumentError(
      `Expected a network in float32 for precision '${precision}' but ${what} is ${dtype}: convert it by to({ dtype: 'float32' }), or leave precision out to keep its dtypes`,
    );
  }
}

function disposeAll(tensors: readonly Tensor[]): void {
  for (const tensor of tensors) tensor.dispose();
}

/**
 * Writes a network as an ONNX file, which onnxruntime and other tools run, also in browsers and on phones. Layers such as batch
 * norm and dropout are exported in evaluation mode, and weights keep their keys as names. The batch size may vary, as
 * dynamic convolutions do not have it in the file: see docs/onnx.md.
 * @param network - A module in evaluation mode, a function of tensors, or a program of {@link nn.compile} or `loadProgram`;
 * one in bfloat16 or int8 is exported in float32, as it was recorded.
 * @param example - One input, or an array of inputs, as for `nn.compile`. Its elements do not matter.
 * @param file - The file; its folder must exist. Usually `.onnx`. An existing file is replaced when the new one is complete.
 * @returns Names and shapes of inputs and outputs, and the files.
 * @throws ArgumentError for a network that cannot be compiled, or that ONNX or the opset cannot express, naming the operation
 * and the path of the layer.
 * @throws CheckpointError if the file cannot be written.
 * @throws ShapeError, DTypeError for a batch of `calibration` that does not fit the inputs.
 * @see https://onnx.ai/onnx/operators/
 * @example
 * await exportOnnx(model.eval(), zeros([1, 3, 128, 128]), 'net.onnx', { inputNames: ['image'] });
 * await exportOnnx(model, zeros([1, 3, 128, 128]), 'net-8.onnx', { precision: 'int8', calibration: loader });
 */
export async function exportOnnx(
  network: Compilable<unknown> | Program<unknown>,
  example: Tensor | readonly Tensor[],
  file: string,
  options: ExportOnnxOptions = {},
): Promise<OnnxExport> {
  const settings = checkSettings(options);
  const inputs = exampleOf(example, 'exportOnnx');
  checkPath(file, 'the path of a file', 'file');
  const disposables: { dispose(): void }[] = [];
  try {
    const build = (source: Source): Translated => {
      if (options.precision !== undefined) checkFloat32(source, options.precision);
      const built = translate(source, settings, settings.ends);
      disposables.push({ dispose: () => disposeAll(built.graph.owned) });
      return built;
    };
    const translated = buildExport(network, inputs, settings, disposables, build, (at) =>
      withFreeSizes(inputs, at),
    );
    const { graph, inputs: into, outputs } = translated;
    const ends = { inputs: into, outputs };
    const modelOf = (): Model => ({
      irVersion: IR_VERSIONS[settings.opset]!,
      opset: settings.opset,
      producer: { name: 'dyconv', version: version.dyconv },
      graphName: network.constructor.name,
      nodes: graph.nodes,
      initializers: [...graph.initializers.values()],
      metadata: settings.metadata ?? (network instanceof Program ? network.metadata : {}),
      ...ends,
    });
    const { quantization } = settings;
    const quantized = quantization ? await quantize(translated, modelOf, quantization) : [];
    const written = await writeModel(file, modelOf(), settings.externalData);
    return { ...written, opset: settings.opset, nodes: graph.nodes.length, quantized, ...ends };
  } finally {
    for (const item of disposables) item.dispose();
  }
}
