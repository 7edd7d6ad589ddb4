/**
 * Compiled networks.
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, checkRecord } from '../check/index.js';
import { DisposedError, invalidArgument } from '../errors.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { formatListing } from './listing.js';
import { type Profile, type ProfileOptions, profileProgram } from './profile.js';
import { type QuantizeOptions, quantizeProgram } from './quantize.js';
import { type Compilable, type CompileOptions, recordProgram, tensorsOf } from './record.js';
import { type ProgramInput, Runnable } from './runner.js';
import { loadProgramState, type ProgramLoadResult, type ProgramState } from './state.js';
import {
  checkMetadata,
  openProgram,
  type ProgramSettings,
  parseSettings,
  SAVE_KEYS,
  type SaveProgramOptions,
  saveProgram,
} from './stored.js';

/** Result of {@link Program.share}: a plain object that can be posted to another thread of the process. */
export interface ProgramHandle {
  /** Distinguishes it from other messages. */
  readonly type: 'dyconv.ProgramHandle';
  /** The number of the program. */
  readonly id: number;
  /** The process of the number. */
  readonly process: number;
  /** Settings of the compilation. */
  readonly settings: ProgramSettings;
  /** Strings that were saved with the program. */
  readonly metadata: Readonly<Record<string, string>>;
}

const HANDLE = {
  type: 'string',
  id: 'number',
  process: 'number',
  settings: 'object',
  metadata: 'object',
} as const;

/** A compiled network, which runs as one native call: see {@link compile}. */
export class Program<Out = Tensor> extends Runnable<Out> {
  /** Dtype of the computation, and whether steps were merged. */
  readonly settings: ProgramSettings;

  /** Strings that were saved with the program; empty unless it was loaded from a file. */
  readonly metadata: Readonly<Record<string, string>>;

  readonly #layers: readonly string[];

  /** @internal @param layers - See {@link Recording}; empty where they are not known. */
  constructor(
    id: number,
    settings: ProgramSettings,
    metadata: Readonly<Record<string, string>> = {},
    layers: readonly string[] = [],
  ) {
    super(id);
    this.settings = settings;
    this.metadata = metadata;
    this.#layers = layers;
  }

  /** @internal The layer of every step as it was recorded; empty for programs of files and handles. */
  get layers(): readonly string[] {
    return this.#layers;
  }

  /** The tensors that the program shares with its module, by key. The caller must dispose the tensors. */
  stateDict(): ProgramState {
    const [names, tensors] = native.compiledState(this.id);
    const entries = names.map((name, i) => [name, tensors[i]!] as const);
    for (const [name, tensor] of entries) if (name === '') tensor.dispose();
    return Object.fromEntries(entries.filter(([name]) => name !== ''));
  }

  /**
   * The same program in int8: convolutions and linear layers, dynamic ones too, have 8-bit integers as weights and inputs. No
   * training is needed; the ranges of activations are computed from a calibration. Parameters stay shared with the module. The new
   * program can be saved, shared and exported as this one is; exports have the steps in float32.
   * @returns A new program; this one remains.
   * @throws ArgumentError for a program in another dtype, compiled with `{ optimize: false }`, or without layers that support
   *   int8; for a path of `floatLayers` without such a layer; without batches; and for values that are not finite, naming the batch.
   * @throws ShapeError, DTypeError for a batch that does not fit the inputs.
   * @example
   * const program = await nn.compile(model, zeros([1, 3, 128, 128])).quantize({ calibration: loader });
   */
  async quantize(options: QuantizeOptions): Promise<Program<Out>> {
    const id = await quantizeProgram(this.id, this.settings, options);
    return new Program<Out>(id, { ...this.settings, dtype: 'int8' }, this.metadata, this.#layers);
  }

  /**
   * Copies a state into the parameters and buffers of the program, which are those of the module from which it was compiled. It
   * must not be called while runs are pending. Everything is checked before anything is copied.
   * @param options.strict - Throw when keys are missing or unexpected. Default true. Keys of the module that no step uses count
   *   as well.
   * @throws CheckpointError naming the keys, or the key and both shapes.
   */
  loadStateDict(state: ProgramState, options: { strict?: boolean | undefined } = {}): ProgramLoadResult {
    const result = loadProgramState(this.stateDict(), state, options);
    this.refresh();
    return result;
  }

  /**
   * Computes folded and packed weights again before the next run. This is only necessary if a parameter was changed without an
   * operation, for example through a typed array on its memory.
   */
  refresh(): void {
    native.refreshCompiled(this.id);
  }

  /**
   * Runs the program and measures every step, on the calling thread. A run that is not measured may divide the batch among
   * threads instead of each step, and take less time than the steps together.
   * @param x - The input, or an array of inputs.
   * @param options.runs - Number of measured runs, after one that is not; the time of a step is the median. From 1 to
   *   100,000; default 10.
   * @param options.trace - Write a trace of one run to this file, for chrome://tracing or https://ui.perfetto.dev.
   * @returns The steps with their times; print it for the table.
   * @throws CheckpointError if the trace cannot be written.
   * @example console.log(String(await program.profile(images)));
   */
  async profile(x: Tensor | readonly Tensor[], options: ProfileOptions = {}): Promise<Profile> {
    return profileProgram(this.id, tensorsOf(x, 'x'), options);
  }

  /**
   * Writes the program with its weights to one file: a safetensors file with the steps in its metadata. An existing file is
   * replaced when the new one is complete.
   * @param path - The file; its folder must exist. Usually `.dyc`.
   * @throws CheckpointError if it cannot be written.
   * @example await program.save('net.dyc');
   */
  async save(path: string, options: SaveProgramOptions = {}): Promise<void> {
    const { metadata = {} } = checkOptions(options, SAVE_KEYS);
    await saveProgram(this, path, { ...this.metadata, ...checkMetadata(metadata) });
  }

  /** The steps with their operations, shapes and floating-point operations for one sample. B is the batch size. */
  override toString(): string {
    return formatListing(native.compiledListing(this.id), this.settings);
  }

  /**
   * A handle by which another thread of this process can use the program without a copy: post it in a message, and call
   * {@link Program.fromHandle} there. This program must not be disposed before. From now on it is freed only by `dispose()`, not when its
   * object is garbage: a handle that is on its way to another thread stays valid.
   * @example worker.postMessage({ program: program.share() });
   */
  share(): ProgramHandle {
    this.keepUntilDisposed();
    const { id, settings, metadata } = this;
    return { type: 'dyconv.ProgramHandle', id, process: native.processKey(), settings, metadata };
  }

  /**
   * The program of a handle of {@link share} from any thread of the process, with the same weights and its own queue.
   * @throws DisposedError if the program was disposed or belongs to another process; ArgumentError for another object than a handle.
   */
  static fromHandle<Out = Tensor>(handle: ProgramHandle): Program<Out> {
    checkRecord(handle, 'handle', 'a handle made by share()', HANDLE);
    const { type, id, process, settings, metadata } = handle;
    if (type !== 'dyconv.ProgramHandle') throw invalidArgument('handle', 'a handle made by share()', handle);
    if (process !== native.processKey())
      throw new DisposedError('Expected a handle of this process for handle but received one of another');
    const known = parseSettings(settings);
    if (known === undefined)
      throw invalidArgument('handle.settings', 'the settings of a handle made by share()', settings);
    const opened = native.openProgram(integer('handle.id', id, 0));
    return new Program<Out>(opened, known, checkMetadata(metadata));
  }

  /** @internal In how many parts a batch runs best, each on one thread. Their results are those of the whole batch. */
  partsOf(rows: number, threads: number): number {
    return native.programParts(this.id, rows, threads);
  }

  /** @internal */
  protected override pack(inputs: readonly ProgramInput[]): readonly ProgramInput[] {
    for (const [i, input] of inputs.entries())
      if (!isTensor(input)) {
        const name = inputs.length === 1 ? 'input' : `inputs[${i}]`;
        throw invalidArgument(`${name} of the program`, 'a Tensor', input);
      }
    return inputs;
  }

  /** @internal The add-on checks them, on the thread of the run. */
  protected override packBatch(requests: readonly ProgramInput[]): readonly ProgramInput[] {
    return requests;
  }

  /** @internal */
  protected override open(id: number): this {
    return new Program<Out>(id, this.settings, this.metadata, this.#layers) as this;
  }
}

/**
 * Compiles a network. Its forward pass runs a few times and is recorded as one native call, which any thread can execute
 * without JavaScript. The results are those of the forward pass up to rounding. The program cannot be trained.
 *
 * The batch size, the first dimension of the first input and of every input that has the same one, may vary; all other sizes
 * are those of the example. Parameters and buffers are shared with the module, not copied: `loadStateDict` of the module
 * changes the program. Numbers, branches and loops of the forward pass are fixed to those of the example.
 * @param module - A module in evaluation mode, or a function of tensors.
 * @param example - One input, or an array of inputs. Its elements do not matter.
 * @throws ArgumentError for a forward that cannot be compiled, with the operation and the line: one that reads values that
 * depend on the input (`item()`, `data()`), draws random numbers, changes its input or a parameter in place, or depends on the
 * batch size in another way than a size does.
 * @throws ArgumentError for a module in training mode.
 * @example
 * const program = nn.compile(model.eval(), zeros([1, 3, 128, 128]));
 * const logits = await program.run(x);
 */
export function compile<Out = Tensor>(
  module: Compilable<Out>,
  example: Tensor | readonly Tensor[],
  options: CompileOptions = {},
): Program<Out> {
  const { id, layers } = recordProgram(module as Compilable<unknown>, example, options);
  const { dtype = 'float32', optimize = true } = options;
  return new Program<Out>(id, { dtype, optimize }, {}, layers);
}

/**
 * Loads a program that {@link Program.save} wrote: steps and weights, without the code of the module.
 * @param path - The file. It is not trusted: a damaged or malicious file is rejected, and cannot read or write other files.
 * @throws CheckpointError if the file is missing, damaged, not a program, or of a later format version.
 * @example
 * const program = await loadProgram('net.dyc');
 * const logits = await program.run(x);
 */
export async function loadProgram<Out = Tensor>(path: string): Promise<Program<Out>> {
  const { id, settings, metadata } = await openProgram(path);
  return new Program<Out>(id, settings, metadata);
}
