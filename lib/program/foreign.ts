/**
 * Programs that were exported from PyTorch in Python: TorchScript, and packages of AOTInductor.
 * @module
 */
import { basename } from 'node:path';
import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, CheckpointError, DyconvError } from '../errors.js';
import { checkPath, fileError } from '../files/error.js';
import { openFile } from '../files/open.js';
import { native as handles } from '../native/index.js';
import type { ProgramsTable, ProgramValue } from '../native/programs.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { type ProgramInput, Runnable } from './runner.js';
import { describeTree, flatten, parseTree, type Tree, unflatten } from './tree.js';

const native = handles as unknown as ProgramsTable<Tensor>;

/** Options of {@link loadTorchScript} and {@link loadPackage}. */
export interface LoadProgramOptions {
  /** Device of the weights and of the inputs. Default `'cpu'`; for a package, the device it was compiled for. */
  device?: Device | undefined;
}

const LOAD_KEYS = optionKeys('device');

/** @internal A program that was exported in Python. Its file does not say which batch sizes it takes. */
export abstract class ForeignProgram<Out> extends Runnable<Out> {
  /** The file it was loaded from. */
  readonly file: string;

  /** @internal */
  constructor(id: number, file: string) {
    super(id);
    this.file = file;
  }

  /** The parameters and buffers by name: the memory that the program uses. The caller must dispose the tensors. */
  stateDict(): Record<string, Tensor> {
    return native.programState(this.id) as Record<string, Tensor>;
  }

  /** The signature of the network, such as `forward(x: Tensor) -> Tensor`. */
  abstract get signature(): string;

  /** Kind, file, signature and size of the weights. */
  override toString(): string {
    const state = this.stateDict();
    const elements = Object.values(state).reduce((sum, tensor) => sum + tensor.numel, 0);
    const count = Object.keys(state).length;
    for (const tensor of Object.values(state)) tensor.dispose();
    return `${this.constructor.name}(${basename(this.file)}) ${this.signature}\n  ${count} ${count === 1 ? 'tensor' : 'tensors'}, ${elements.toLocaleString('en-US')} elements`;
  }
}

interface ScriptInput {
  name: string;
  type: string;
  optional: boolean;
}

interface ScriptDescription {
  class: string;
  inputs: ScriptInput[];
  output: string;
  /** JSON of `exportTorchScript`; '' without it. Other tools may write another text. */
  metadata: string;
}

/** The strings of an object in JSON; none for another text. */
function textsOf(json: string): Record<string, string> {
  try {
    const values: unknown = JSON.parse(json);
    if (typeof values !== 'object' || values === null || Array.isArray(values)) return {};
    return Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value === 'string'));
  } catch {
    return {};
  }
}

/** A TorchScript module: see {@link loadTorchScript}. */
export class TorchScriptProgram<Out = Tensor> extends ForeignProgram<Out> {
  /** Strings that were written with the file: those of `exportTorchScript`, or of `metadata.json` in the extra files; empty without. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #description: ScriptDescription;

  /** @internal */
  constructor(id: number, file: string) {
    super(id, file);
    this.#description = native.describeProgram(id) as unknown as ScriptDescription;
    this.metadata = textsOf(this.#description.metadata);
  }

  /** Names and types of the inputs, as TorchScript writes them. */
  get inputs(): readonly { readonly name: string; readonly type: string; readonly optional: boolean }[] {
    return this.#description.inputs;
  }

  override get signature(): string {
    const { inputs, output } = this.#description;
    const list = inputs.map(({ name, type, optional }) => `${name}${optional ? '?' : ''}: ${type}`);
    return `${this.#description.class}.forward(${list.join(', ')}) -> ${output}`;
  }

  protected override open(id: number): this {
    return new TorchScriptProgram(id, this.file) as this;
  }
}

/** A package of AOTInductor: see {@link loadPackage}. */
export class PackageProgram<Out = Tensor> extends ForeignProgram<Out> {
  /** Metadata of the compiler, such as the instruction set (`AOTI_CPU_ISA`). */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #args: Tree;
  readonly #kwargs: Tree;
  readonly #outputs: Tree;

  /** @internal */
  constructor(id: number, file: string) {
    super(id, file);
    const { inputs, outputs, metadata } = native.describeProgram(id) as {
      inputs: string | null;
      outputs: string | null;
      metadata: Record<string, string>;
    };
    if (inputs === null || outputs === null)
      throw new CheckpointError(`${file} has no call specification: compile it with torch.export`);
    const [args, kwargs] = parseTree(inputs, file).children;
    if (!args || !kwargs)
      throw new CheckpointError(`${file} is damaged: its call specification has no arguments`);
    this.#args = args;
    this.#kwargs = kwargs;
    this.#outputs = parseTree(outputs, file);
    this.metadata = metadata;
  }

  override get signature(): string {
    const args = this.#args.children.map(describeTree);
    if (this.#kwargs.children.length > 0) args.push(describeTree(this.#kwargs));
    return `(${args.join(', ')}) -> ${describeTree(this.#outputs)}`;
  }

  /** Keyword arguments follow the others, in one object. */
  protected override pack(inputs: readonly ProgramInput[]): readonly ProgramInput[] {
    const named = this.#kwargs.children.length > 0;
    const expected = this.#args.children.length + Number(named);
    if (inputs.length !== expected)
      throw new ArgumentError(
        `Expected ${expected} ${expected === 1 ? 'input' : 'inputs'} ${this.signature} for x of run but received ${inputs.length}`,
      );
    const args = flatten(this.#args, inputs.slice(0, this.#args.children.length), 'x');
    return named ? [...args, ...flatten(this.#kwargs, inputs.at(-1), 'x')] : args;
  }

  protected override unpack(output: ProgramValue<Tensor>): Out {
    return unflatten(this.#outputs, [...(output as Tensor[])]) as Out;
  }

  protected override open(id: number): this {
    return new PackageProgram(id, this.file) as this;
  }
}

/**
 * Loads a module of `torch.jit.script` or `torch.jit.trace`, saved with `torch.jit.save`, in evaluation mode. libtorch's
 * interpreter runs it: control flow, several outputs, and inputs other than tensors work as in Python. It is loaded on a native
 * thread. Such a file contains code: load only trusted files.
 * @param path - The file, usually `.pt`.
 * @returns A program with `run` and `runSync`. Dictionaries and named tuples are returned as objects, tuples and lists as
 * arrays.
 * @throws CheckpointError if the file is missing, damaged, not a TorchScript module, or needs operators of other libraries
 * (such as `torchvision::nms`).
 * @throws DeviceError for a device that is not available.
 * @see https://pytorch.org/docs/stable/generated/torch.jit.save.html
 * @example
 * const program = await loadTorchScript('resnet18.pt');
 * const logits = await program.run(x);
 */
export async function loadTorchScript<Out = Tensor>(
  path: string,
  options: LoadProgramOptions = {},
): Promise<TorchScriptProgram<Out>> {
  const { device = 'cpu' } = checkOptions(options, LOAD_KEYS);
  await checkArchive(path, 'a TorchScript module');
  try {
    return new TorchScriptProgram<Out>(await native.loadTorchScript(path, device), path);
  } catch (error) {
    throw unreadable(path, error, 'a TorchScript module', SCRIPT_REASONS);
  }
}

/**
 * Loads a package of `torch._inductor.aoti_compile_and_package`: a network compiled to machine code. It is loaded on a native
 * thread.
 *
 * A package contains machine code that runs with the rights of the process: load only packages that you trust. It runs only on
 * processors with the instruction set, and with the version of libtorch, for which it was compiled. The sizes, dtypes and
 * strides of the inputs are compared with those of the export.
 * @param path - The file, usually `.pt2`.
 * @returns A program with `run` and `runSync`. Dictionaries are returned as objects, tuples and lists as arrays. Keyword
 * arguments are one object after the other inputs.
 * @throws CheckpointError if the file is missing, damaged or not such a package.
 * @throws DeviceError for a device that is not available.
 * @see https://pytorch.org/docs/stable/torch.compiler_aot_inductor.html
 */
export async function loadPackage<Out = Tensor>(
  path: string,
  options: LoadProgramOptions = {},
): Promise<PackageProgram<Out>> {
  const { device = 'cpu' } = checkOptions(options, LOAD_KEYS);
  await checkArchive(path, 'a package of AOTInductor');
  try {
    return new PackageProgram<Out>(await native.loadPackage(path, device), path);
  } catch (error) {
    throw unreadable(path, error, 'a package of AOTInductor', PACKAGE_REASONS);
  }
}

/** Checks that the file exists and is a zip archive, which both kinds are. */
async function checkArchive(path: string, what: string): Promise<void> {
  checkPath(path);
  try {
    const file = await openFile(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
      if (bytesRead < 2 || buffer.toString('latin1') !== 'PK')
        throw new CheckpointError(`${path} is not ${what}: it is not a zip archive`);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/** Explanations for messages of libtorch. */
type Reasons = readonly (readonly [words: RegExp, reason: (match: RegExpExecArray) => string])[];

const SCRIPT_REASONS: Reasons = [
  [
    /Unknown builtin op: ([\w:.]+)/,
    ([, name]) =>
      `it uses ${name?.replace(/\.$/, '')}, which is not an operator of libtorch: operators of other libraries cannot be loaded`,
  ],
  [
    /constants\.pkl|code\//,
    () => 'it has no code. loadTorch reads files of torch.save, and loadPackage packages of AOTInductor',
  ],
  [/Unrecognized data format|mobile|flatbuffer/i, () => 'it has another format'],
  [/failed reading zip archive|central directory|invalid header/, () => 'its zip archive is damaged'],
];

const PACKAGE_REASONS: Reasons = [
  [
    /Failed to find a generated cpp file or so file/,
    () =>
      'it has no compiled code. torch._inductor.aoti_compile_and_package writes packages; torch.export.save saves the steps alone, and loadTorchScript reads files of torch.jit.save',
  ],
  [/failed reading zip archive|central directory|invalid header/i, () => 'its zip archive is damaged'],
];

function unreadable(path: string, error: unknown, what: string, reasons: Reasons): unknown {
  if (!(error instanceof DyconvError) || error.code === 'ERR_DEVICE' || error instanceof CheckpointError)
    return error;
  for (const [words, reason] of reasons) {
    const match = words.exec(error.message);
    if (match)
      return new CheckpointError(`${path} is not ${what} that can be loaded: ${reason(match)}`, {
        cause: error,
      });
  }
  const [line] = error.message.replace(/^load\w+: /, '').split('\n');
  return new CheckpointError(`${path} is not ${what} that can be loaded: ${line}`, { cause: error });
}
