/**
 * Files of programs: a safetensors file with the weights, and the steps as JSON in its metadata.
 * @module
 */
import { checkTexts, optionKeys } from '../check/index.js';
import { ArgumentError, CheckpointError, DyconvError } from '../errors.js';
import { readSafetensors, saveSafetensors } from '../formats/safetensors.js';
import type { StoredGraph } from '../native/compile.js';
import { plainMode } from '../tensor/context.js';
import { native, type Tensor } from '../tensor/tensor.js';

const FORMAT = 'dyconv.program';
/** Version of the description. Files of a later version are rejected. */
const VERSION = 1;

/** How a program was compiled. */
export interface ProgramSettings {
  /** Dtype of the computation; `'int8'` after {@link Program.quantize}. */
  readonly dtype: 'float32' | 'bfloat16' | 'int8';
  readonly optimize: boolean;
}

/** Options of {@link Program.save}. */
export interface SaveProgramOptions {
  /** More strings for the file's metadata, such as the names of classes. Default: none. */
  metadata?: Record<string, string> | undefined;
}

/** @internal */
export const SAVE_KEYS = optionKeys('metadata');
/** Keys of the metadata that are those of the format. */
const RESERVED = ['format', 'version', 'settings', 'tensors', 'program'];

/** @internal Checks the strings of a user. */
export function checkMetadata(metadata: Record<string, string>): Record<string, string> {
  checkTexts(metadata, 'metadata');
  const taken = RESERVED.find((key) => Object.hasOwn(metadata, key));
  if (taken !== undefined)
    throw new ArgumentError(
      `Expected other keys than ${RESERVED.join(', ')} for metadata but received ${taken}`,
    );
  return metadata;
}

/** @internal See `Program.save`. */
export async function saveProgram(
  { id, settings }: { id: number; settings: ProgramSettings },
  path: string,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const [names, tensors] = native.compiledState(id);
  // Constants have no name, and a key must be unique.
  const keys = names.map((name, i) => (name === '' ? `constant:${i}` : name));
  const record = Object.fromEntries(keys.map((key, i) => [key, tensors[i]!]));
  try {
    await saveSafetensors(path, record, {
      metadata: {
        ...metadata,
        format: FORMAT,
        version: String(VERSION),
        settings: JSON.stringify(settings),
        tensors: JSON.stringify(keys),
        program: JSON.stringify(native.compiledSource(id)),
      },
    });
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

/** @internal A program from a file: its number, and how it was compiled. See `loadProgram`. */
export async function openProgram(
  path: string,
): Promise<{ id: number; settings: ProgramSettings; metadata: Record<string, string> }> {
  const { tensors, metadata } = await readSafetensors(path);
  try {
    if (metadata.format !== FORMAT) {
      throw new CheckpointError(
        `${path} is not a program: it is a safetensors file without steps, which loadSafetensors reads`,
      );
    }
    if (metadata.version !== String(VERSION)) {
      throw new CheckpointError(
        `${path} is a program of version ${metadata.version}: this version of dyconv reads version ${VERSION}`,
      );
    }
    const settings = settingsOf(parse(path, metadata, 'settings'), path);
    const keys = parse(path, metadata, 'tensors');
    const ordered = Array.isArray(keys) ? keys.map((key) => tensors[key as string]) : [undefined];
    if (ordered.some((tensor) => tensor === undefined))
      throw new CheckpointError(`${path} is damaged: tensors that its steps use are missing`);
    const graph = parse(path, metadata, 'program') as StoredGraph;
    if ((settings.dtype === 'int8') !== Boolean(graph?.quantization))
      throw new CheckpointError(`${path} is damaged: its settings are not those of its steps`);
    const own = Object.entries(metadata).filter(([key]) => !RESERVED.includes(key));
    return {
      id: build(path, graph, ordered as Tensor[], settings),
      settings,
      metadata: Object.fromEntries(own),
    };
  } finally {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
}

/** The add-on checks every field of a description; what it rejects is a fault of the file. */
function build(
  path: string,
  graph: StoredGraph,
  tensors: readonly Tensor[],
  settings: ProgramSettings,
): number {
  try {
    return plainMode(() =>
      native.loadCompiled(graph, tensors, settings.dtype === 'bfloat16', settings.optimize),
    );
  } catch (error) {
    if (!(error instanceof DyconvError)) throw error;
    throw new CheckpointError(`${path} is damaged: ${error.message}`, { cause: error });
  }
}

function parse(path: string, metadata: Record<string, string>, key: string): unknown {
  try {
    return JSON.parse(metadata[key] ?? '');
  } catch (cause) {
    throw new CheckpointError(`${path} is damaged: its ${key} are not JSON`, { cause });
  }
}

function settingsOf(value: unknown, path: string): ProgramSettings {
  const settings = parseSettings(value);
  if (settings === undefined)
    throw new CheckpointError(`${path} is damaged: its settings are not those of a program`);
  return settings;
}

/** @internal The settings in a file or handle; undefined if they are not those of a program. */
export function parseSettings(value: unknown): ProgramSettings | undefined {
  const { dtype, optimize } = (value ?? {}) as Partial<Record<keyof ProgramSettings, unknown>>;
  const isKnown = dtype === 'float32' || dtype === 'bfloat16' || dtype === 'int8';
  return isKnown && typeof optimize === 'boolean' ? { dtype, optimize } : undefined;
}
