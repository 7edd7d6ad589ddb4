/**
 * Checkpoints of custom training loops: one file with networks, optimizers, schedules and generators.
 * @module
 */
import { checkObject, checkOptions, checkRecord, optionKeys } from '../check/index.js';
import { CheckpointError, invalidArgument } from '../errors.js';
import { checkPath } from '../files/error.js';
import { readSafetensors, saveSafetensors } from '../formats/safetensors.js';
import { getRngState, setRngState } from '../runtime/settings.js';
import { noGrad, tidy } from '../tensor/context.js';
import type { Device } from '../tensor/dtype.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import { packState, unpackState } from './pack-state.js';

/** Identifies the format and its version in the metadata of the file. */
const FORMAT = 'dyconv-checkpoint-1';

/**
 * An object with a state: a module, an optimizer, a scheduler, a gradient scaler, an average of weights, or one of a custom class.
 * `stateDict` returns plain data and tensors, `loadStateDict` copies what it is given, and changes nothing if it throws.
 */
export interface Stateful {
  /** The state. */
  stateDict(): object;
  /** Restores the state. */
  loadStateDict(state: never): unknown;
}

/** One object with a state, or several by name. */
export type CheckpointPart = Stateful | { readonly [name: string]: Stateful } | readonly Stateful[];

/** The parts of a checkpoint of a custom loop; all are optional. */
export interface CheckpointParts {
  /** A network, or several by name: `{ generator, discriminator }`. */
  model?: CheckpointPart | undefined;
  /** An optimizer, or several by name. */
  optimizer?: CheckpointPart | undefined;
  /** A learning-rate schedule, or several by name. */
  scheduler?: CheckpointPart | undefined;
  /** A gradient scaler. */
  scaler?: CheckpointPart | undefined;
  /** An average of weights. */
  ema?: CheckpointPart | undefined;
}

/** Options of {@link saveCheckpoint} for a custom loop. */
export interface SaveCheckpointParts extends CheckpointParts {
  /** Other values to save: plain data (numbers, strings, arrays, objects) and tensors. */
  extra?: unknown;
}

/** Options of {@link loadCheckpoint} for a custom loop. */
export interface LoadCheckpointParts extends CheckpointParts {
  /** Restore the random generators, so that the training continues with the same random numbers. Default true. */
  generator?: boolean | undefined;
}

/** Result of {@link loadCheckpoint} for a custom loop. */
export interface LoadedParts<Extra = unknown> {
  /** The `extra` that was saved, with tensors on the CPU that the caller must dispose; undefined if there was none. */
  extra: Extra;
}

const PARTS = ['model', 'optimizer', 'scheduler', 'scaler', 'ema'] as const;
const SAVE_KEYS = optionKeys(...PARTS, 'extra');
const LOAD_KEYS = optionKeys(...PARTS, 'generator');

/** Writes the parts. See {@link saveCheckpoint}. */
export async function saveParts(file: string, options: SaveCheckpointParts): Promise<void> {
  checkPath(file, 'the path of a file', 'file');
  const { extra, ...parts } = checkOptions(options, SAVE_KEYS);
  const found = partsOf(parts);
  // tidy frees the handles that stateDict() creates, and no tensors of the caller.
  await tidy(async () => {
    const states = Object.fromEntries(found.map(({ path, part }) => [path, part.stateDict()]));
    const devices = devicesOf(states);
    const state = {
      ...states,
      extra,
      generator: getRngState(),
      deviceGenerators: Object.fromEntries(devices.map((device) => [device, getRngState({ device })])),
    };
    const { json, tensors } = packState(state);
    await saveSafetensors(file, tensors, { metadata: { format: FORMAT, state: json } });
  });
}

/** Restores the parts. See {@link loadCheckpoint}. */
export async function loadParts<Extra>(
  file: string,
  options: LoadCheckpointParts = {},
): Promise<LoadedParts<Extra>> {
  checkPath(file, 'the path of a file', 'file');
  const { generator = true, ...parts } = checkOptions(options, LOAD_KEYS);
  if (typeof generator !== 'boolean') throw invalidArgument('generator', 'a boolean', generator);
  const found = partsOf(parts);
  const { tensors, metadata } = await readSafetensors(file);
  const kept = new Set<Tensor>();
  try {
    if (metadata.format !== FORMAT || metadata.state === undefined)
      throw new CheckpointError(
        `Expected a checkpoint of saveCheckpoint(file, parts) in ${file} but received ${metadata.format ?? 'another safetensors file'}`,
      );
    const saved = checkSaved(unpackState({ json: metadata.state, tensors }, file), file);
    restore(found, saved.parts, file);
    if (generator) restoreGenerators(saved, file);
    for (const tensor of tensorsIn(saved.extra)) kept.add(tensor);
    return { extra: saved.extra as Extra };
  } finally {
    for (const tensor of Object.values(tensors)) if (!kept.has(tensor)) tensor.dispose();
  }
}

/** One object of a checkpoint: `path` is the name of the part, with the own name of the object if there are several. */
interface Found {
  readonly path: string;
  readonly part: Stateful;
}

const METHODS = { stateDict: 'function', loadStateDict: 'function' } as const;

function partsOf(parts: CheckpointParts): Found[] {
  return PARTS.flatMap((name) => {
    const part = parts[name];
    if (part === undefined) return [];
    checkObject(part, name);
    if (typeof (part as Partial<Stateful>).stateDict === 'function') {
      const expected = 'an object with stateDict and loadStateDict';
      return [{ path: name, part: checkRecord(part as Stateful, name, expected, METHODS) }];
    }
    return Object.entries(part as Record<string, Stateful>).map(([key, one]) => {
      const path = `${name}.${key}`;
      return { path, part: checkRecord(one, path, 'an object with stateDict and loadStateDict', METHODS) };
    });
  });
}

/** Contents of a file. */
interface Saved {
  parts: Record<string, object>;
  extra?: unknown;
  generator: Tensor;
  deviceGenerators: Record<string, Tensor>;
}

function checkSaved(value: unknown, file: string): Saved {
  const {
    extra,
    generator,
    deviceGenerators = {},
    ...parts
  } = (value ?? {}) as Saved & Record<string, object>;
  const isObject = (one: unknown) => typeof one === 'object' && one !== null;
  const intact =
    Object.values(parts).every(isObject) &&
    isTensor(generator) &&
    isObject(deviceGenerators) &&
    Object.values(deviceGenerators).every(isTensor);
  if (!intact) throw new CheckpointError(`${file} is damaged: Expected the states of a checkpoint in it`);
  return { parts, generator, deviceGenerators, extra };
}

/** Restores all objects, or none. */
function restore(found: readonly Found[], saved: Record<string, object>, file: string): void {
  for (const { path } of found) {
    if (Object.hasOwn(saved, path)) continue;
    const has = Object.keys(saved).join(', ') || 'nothing';
    throw new CheckpointError(`Expected the state of ${path} in ${file} but received that of ${has}`);
  }
  tidy(() =>
    noGrad(() => {
      const undo: (() => void)[] = [];
      for (const { path, part } of found) {
        const before = cloned(part.stateDict());
        try {
          part.loadStateDict(saved[path] as never);
        } catch (error) {
          for (const revert of undo.reverse()) revert();
          throw new CheckpointError(`${file} does not fit ${path}: ${(error as Error).message}`, {
            cause: error,
          });
        }
        undo.push(() => part.loadStateDict(before as never));
      }
    }),
  );
}

function restoreGenerators({ generator, deviceGenerators }: Saved, file: string): void {
  try {
    setRngState(generator);
  } catch (error) {
    throw new CheckpointError(
      `${file} contains a damaged state of the generator: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  for (const [device, state] of Object.entries(deviceGenerators)) {
    try {
      setRngState(state, { device: device as Device });
    } catch {
      // The training may continue on a machine without this device; then there is no generator to restore.
    }
  }
}

/** A copy of a state with its own tensors. */
function cloned(value: unknown): unknown {
  if (isTensor(value)) return value.detach().clone();
  if (Array.isArray(value)) return value.map(cloned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cloned(item)]));
}

function tensorsIn(value: unknown): Tensor[] {
  if (isTensor(value)) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(tensorsIn);
}

/** Devices of the tensors besides the CPU. */
function devicesOf(value: unknown): Device[] {
  const devices = new Set(tensorsIn(value).map(({ device }) => device));
  devices.delete('cpu');
  return [...devices];
}
