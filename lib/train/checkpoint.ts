/**
 * Checkpoints: of a run, with weights and training state in two files that are replaced together; of a custom loop, in one file.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { checkRecord } from '../check/index.js';
import { CheckpointError } from '../errors.js';
import { commitFile, resolveTarget, temporaryName } from '../files/atomic.js';
import {
  readSafetensors,
  readSafetensorsHeader,
  saveSafetensors,
  stageSafetensors,
} from '../formats/safetensors.js';
import type { Module } from '../nn/module.js';
import type { Tensor } from '../tensor/tensor.js';
import type { TrainerControl } from './callbacks.js';
import { checkModel, checkTrainer } from './checks.js';
import type { TrainerState } from './events.js';
import {
  type LoadCheckpointParts,
  type LoadedParts,
  loadParts,
  type SaveCheckpointParts,
  saveParts,
} from './loop-checkpoint.js';
import { packState, unpackState } from './pack-state.js';
import { checkTrainerState } from './trainer-state.js';

/** Version of the format of `last.state`, increased for incompatible changes. */
const FORMAT = '1';

/** Paths of a checkpoint. */
export interface CheckpointFiles {
  /** `last.safetensors`. */
  weights: string;
  /** `last.state`. */
  state: string;
}

/** A loaded checkpoint. */
export interface LoadedCheckpoint {
  /** Weights by name, for `loadStateDict`. */
  weights: Record<string, Tensor>;
  /** State of the trainer. */
  state: TrainerState;
  /** Frees every tensor of both. */
  dispose(): void;
}

/**
 * Saves weights and state so that the files match even if the process is killed at any moment: both files are
 * complete on disk under temporary names before the first is renamed, and if only the state got its final name,
 * {@link loadCheckpoint} finds the matching weights and completes the rename.
 * @throws {CheckpointError} if a file cannot be written; the previous pair is then unchanged.
 */
export function saveCheckpoint(files: CheckpointFiles, model: Module, trainer: TrainerControl): Promise<void>;
/**
 * Saves a custom training loop in one file: the states of networks, optimizers and schedules, the random generators of the CPU and of the
 * GPUs that the states use, and `extra`. The file is a safetensors file; the previous one remains until the new one is complete on disk.
 * The states must not change until the promise is settled.
 * @throws {CheckpointError} if the file cannot be written. @throws {ArgumentError} for an object without a state, and for
 *   functions and objects of classes in `extra`.
 * @example
 * await train.saveCheckpoint('last.checkpoint', { model, optimizer, scheduler, extra: { epoch } });
 */
export function saveCheckpoint(file: string, parts: SaveCheckpointParts): Promise<void>;
export async function saveCheckpoint(
  place: CheckpointFiles | string,
  what: Module | SaveCheckpointParts,
  trainer?: TrainerControl,
): Promise<void> {
  if (typeof place === 'string') return saveParts(place, what as SaveCheckpointParts);
  return savePair(place, what as Module, trainer as TrainerControl);
}

async function savePair(files: CheckpointFiles, model: Module, trainer: TrainerControl): Promise<void> {
  checkFiles(files);
  checkModel(model);
  checkTrainer(trainer);
  const id = randomUUID();
  const state = trainer.stateDict();
  const packed = packState(state);
  const weights = model.stateDict();
  const stage = [
    stageSafetensors(files.weights, weights, {
      metadata: { checkpoint: id, epoch: String(state.epoch), step: String(state.step) },
      tag: id,
    }),
    stageSafetensors(files.state, packed.tensors, {
      metadata: { format: FORMAT, checkpoint: id, state: packed.json },
      tag: id,
    }),
  ];
  // Both at once, because most of the time is spent waiting for the disk.
  const outcomes = await Promise.allSettled(stage);
  const staged = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  try {
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    await staged[1]!.commit();
  } catch (error) {
    for (const file of staged) await file.discard();
    throw error;
  } finally {
    disposeAll(weights);
    disposeAll(packed.tensors);
  }
  await staged[0]!.commit();
}

/**
 * Reads the files of {@link saveCheckpoint}, and removes files of an interrupted save.
 * @throws {CheckpointError} if a file is missing or damaged, or if the two do not match.
 */
export function loadCheckpoint(files: CheckpointFiles): Promise<LoadedCheckpoint>;
/**
 * Restores what {@link saveCheckpoint} saved of a custom loop: the given parts, and the random generators. Other parts in the file are not
 * read; parts on another device than when they were saved are restored there.
 * @returns The `extra` that was saved.
 * @throws {CheckpointError} if the file is missing or damaged, lacks a part, or does not fit one; all parts are then unchanged.
 * @example
 * const { extra } = await train.loadCheckpoint<{ epoch: number }>('last.checkpoint', { model, optimizer, scheduler });
 */
export function loadCheckpoint<Extra = unknown>(
  file: string,
  parts?: LoadCheckpointParts,
): Promise<LoadedParts<Extra>>;
export async function loadCheckpoint(
  place: CheckpointFiles | string,
  parts: LoadCheckpointParts = {},
): Promise<LoadedCheckpoint | LoadedParts> {
  return typeof place === 'string' ? loadParts(place, parts) : loadPair(place);
}

async function loadPair(files: CheckpointFiles): Promise<LoadedCheckpoint> {
  checkFiles(files);
  const { tensors, metadata } = await readSafetensors(files.state);
  try {
    if (metadata.format !== FORMAT || metadata.state === undefined) {
      throw new CheckpointError(
        `Expected training state of format ${FORMAT} in ${files.state} but received ${metadata.format ?? 'none'}`,
      );
    }
    const state = checkTrainerState(unpackState({ json: metadata.state, tensors }, files.state), files.state);
    const weights = await loadMatchingWeights(files, metadata.checkpoint ?? '');
    const dispose = () => {
      disposeAll(weights);
      disposeAll(tensors);
    };
    return { weights, state, dispose };
  } catch (error) {
    disposeAll(tensors);
    throw error;
  }
}

function checkFiles(files: CheckpointFiles): void {
  checkRecord(files, 'files', 'the paths of weights and state', { weights: 'string', state: 'string' });
}

/** Saves only the weights of a model, with a description of their origin. */
export async function saveWeights(
  path: string,
  model: Module,
  metadata: Record<string, string>,
): Promise<void> {
  const weights = model.stateDict();
  try {
    await saveSafetensors(path, weights, { metadata });
  } finally {
    disposeAll(weights);
  }
}

/** `stateDict()` creates handles; disposing them does not affect the tensors of model and optimizer. */
function disposeAll(tensors: Record<string, Tensor>): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}

async function loadMatchingWeights(files: CheckpointFiles, id: string): Promise<Record<string, Tensor>> {
  const isMatch = async (path: string) =>
    readSafetensorsHeader(path).then(
      ({ metadata }) => metadata.checkpoint === id,
      () => false,
    );
  const target = await resolveTarget(files.weights);
  const pending = temporaryName(target, id);
  if (!(await isMatch(target)) && (await isMatch(pending))) await commitFile(pending, target);
  await removeLeftovers(files);
  const { tensors, metadata } = await readSafetensors(files.weights);
  if (metadata.checkpoint !== id) {
    disposeAll(tensors);
    throw new CheckpointError(
      `${files.weights} and ${basename(files.state)} are not from the same checkpoint`,
    );
  }
  return tensors;
}

async function removeLeftovers(files: CheckpointFiles): Promise<void> {
  const folder = dirname(files.state);
  for (const path of [files.weights, files.state]) {
    const prefix = `.${basename(path)}.`;
    const leftovers = (await readdir(folder)).filter(
      (name) => name.startsWith(prefix) && name.endsWith('.tmp'),
    );
    for (const name of leftovers) await rm(join(folder, name), { force: true });
  }
}
