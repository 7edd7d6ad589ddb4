/**
 * Networks as TorchScript files.
 * @module
 */
import { getSystemErrorName } from 'node:util';
import { boolean } from '../check/arguments.js';
import { checkOptions, checkStrings, checkTexts, optionKeys } from '../check/index.js';
import { commitOrDiscard, stageFile } from '../files/atomic.js';
import { checkPath, fileError } from '../files/error.js';
import { atTwoSizes, buildExport } from '../program/free-sizes.js';
import { Program } from '../program/program.js';
import { type Compilable, exampleOf } from '../program/record.js';
import type { Source } from '../program/source.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { isName } from './script.js';
import { type ScriptSettings, type Translated, translate } from './translate.js';

/** Options of {@link exportTorchScript}. */
export interface ExportTorchScriptOptions {
  /** The first dimension of the inputs is free; false fixes it to that of the example. Default true; of a program, as it was compiled. */
  dynamicBatch?: boolean | undefined;
  /** Height and width of images [B, C, H, W] are free as well. Only for modules whose steps do not depend on them. Default false. */
  dynamicSize?: boolean | undefined;
  /** Names of the arguments of `forward`. Default: `input`, or `input_0`, `input_1` ... */
  inputNames?: readonly string[] | undefined;
  /**
   * `forward` returns a tuple: the output, and a dictionary with the attention [B, K] of every dynamic convolution, in the order in which they run,
   * by the path of the layer: `features.8.attention`. Default false.
   */
  attention?: boolean | undefined;
  /** Strings such as the names of classes, which `metadata.json` in the extra files of the archive holds. Default: those of a program, else none. */
  metadata?: Record<string, string> | undefined;
}

/** What {@link exportTorchScript} wrote. */
export interface TorchScriptExport {
  /** The file. */
  readonly file: string;
  /** Its size. */
  readonly bytes: number;
  /** Names of the arguments of `forward`. */
  readonly inputs: readonly string[];
  /** The source of `forward`. */
  readonly source: string;
  /** Number of tensors. */
  readonly tensors: number;
}

const EXPORT_KEYS = optionKeys('dynamicBatch', 'dynamicSize', 'inputNames', 'attention', 'metadata');

/** The checked options. */
interface Settings extends ScriptSettings {
  readonly dynamicBatch: boolean | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

function checkSettings(options: ExportTorchScriptOptions): Settings {
  const given = checkOptions(options, EXPORT_KEYS);
  const { dynamicBatch, dynamicSize = false, inputNames, attention = false, metadata } = given;
  if (metadata !== undefined) checkTexts(metadata, 'metadata');
  return {
    dynamicBatch: dynamicBatch === undefined ? undefined : boolean('dynamicBatch', dynamicBatch),
    dynamicSize: boolean('dynamicSize', dynamicSize),
    inputNames: inputNames && checkStrings(inputNames, 'inputNames', 'an array of strings'),
    attention: boolean('attention', attention),
    metadata,
  };
}

/** The first line or tensor that differs between two sizes. */
function firstDifference(a: Translated, b: Translated): string | undefined {
  const [lines, others] = [a.source.split('\n'), b.source.split('\n')];
  const i = lines.findIndex((line, j) => line !== others[j]);
  if (i >= 0 || lines.length !== others.length) return `the line \`${(lines[i] ?? '').trim()}\``;
  for (const [path, x] of a.tensors) {
    const y = b.tensors.get(path)!;
    const same =
      x === y || (String(x.shape) === String(y.shape) && x.dtype === y.dtype && native.equal(x, y));
    if (!same) return `the tensor ${path}`;
  }
  return undefined;
}

/** Writes a file, or none. @returns Its size. */
async function write(file: string, className: string, script: Translated, metadata: string): Promise<number> {
  const [names, tensors] = [[...script.tensors.keys()], [...script.tensors.values()]];
  let bytes = 0;
  try {
    const staged = await stageFile(file, async ({ fd }) => {
      bytes = await native.saveTorchScript(fd, className, script.source, names, tensors, metadata);
      if (bytes >= 0) return;
      const code = getSystemErrorName(bytes);
      throw Object.assign(new Error(`${code}: write`), { code, syscall: 'write' });
    });
    await commitOrDiscard(staged);
  } catch (error) {
    throw fileError('write', file, error);
  }
  return bytes;
}

/**
 * Writes a network as a TorchScript file, which `torch.jit.load` in Python and C++ and {@link loadTorchScript} run without dyconv: all
 * operations are those of libtorch. Batch norm, dropout and the like are in evaluation mode; parameters and buffers keep their keys. A dynamic
 * convolution is a loop over the samples. The file refuses inputs of other shapes.
 * @param network - A module in evaluation mode, a function of tensors, or a program of {@link nn.compile} or `loadProgram`; one in
 * bfloat16 or int8 is exported in float32, as it was recorded. Arrays that it returns are tuples in TorchScript, and objects are dictionaries, whose values have one type.
 * @param example - One input, or an array of inputs, as for `nn.compile`. Its elements do not matter.
 * @param file - The file; its folder must exist. Usually `.pt`. An existing file remains until the new one is complete.
 * @returns The file and its source.
 * @throws ArgumentError for a network that cannot be compiled, or that TorchScript cannot express: it names the layer by its path in
 * the module and the operation. @throws CheckpointError if the file cannot be written.
 * @see https://pytorch.org/docs/stable/generated/torch.jit.load.html
 * @example
 * await exportTorchScript(model.eval(), zeros([1, 3, 128, 128]), 'net.pt', { inputNames: ['image'] });
 */
export async function exportTorchScript(
  network: Compilable<unknown> | Program<unknown>,
  example: Tensor | readonly Tensor[],
  file: string,
  options: ExportTorchScriptOptions = {},
): Promise<TorchScriptExport> {
  const settings = checkSettings(options);
  const inputs = exampleOf(example, 'exportTorchScript');
  checkPath(file, 'the path of a file', 'file');
  const disposables: { dispose(): void }[] = [];
  try {
    const build = (source: Source): Translated => translate(source, settings);
    const script = buildExport(
      network,
      inputs,
      settings,
      disposables,
      build,
      (at) => atTwoSizes(inputs, at, firstDifference)[0],
    );
    const metadata = settings.metadata ?? (network instanceof Program ? network.metadata : {});
    const text = Object.keys(metadata).length === 0 ? '' : JSON.stringify(metadata);
    const name = network.constructor.name.replace(/\W/g, '_');
    const bytes = await write(file, isName(name) ? name : 'Module', script, text);
    return { file, bytes, inputs: script.inputs, source: script.source, tensors: script.tensors.size };
  } finally {
    for (const item of disposables) item.dispose();
  }
}
