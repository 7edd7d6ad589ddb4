/**
 * Files of weights, safetensors or PyTorch's, told apart by their bytes.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { CheckpointError } from '../errors.js';
import { checkPath, fileError } from '../files/error.js';
import { openFile } from '../files/open.js';
import type { Tensor } from '../tensor/tensor.js';
import { type FileKind, kindOfFile } from './file-kind.js';
import { loadSafetensors } from './safetensors.js';
import { loadTorchStateDict } from './torch-state-dict.js';

/** Options of {@link loadWeights}. */
export interface LoadWeightsOptions {
  /** The key of the state dict in a checkpoint of PyTorch with several: see {@link loadTorchStateDict}. */
  key?: string | undefined;
}

/** Endings of the names of files of `torch.save`. */
const TORCH_ENDINGS = /\.(pt|pth|bin|ckpt|tar)$/i;

const KEYS = optionKeys('key');

/**
 * Reads weights: a file of `torch.save`, in the formats before and since PyTorch 1.6, or a safetensors file. The format is
 * recognized by the contents, not by the name.
 * @returns Tensors by key, on the CPU. The caller must dispose them.
 * @throws {CheckpointError} if the file is missing or damaged.
 */
export async function loadWeights(
  path: string,
  options: LoadWeightsOptions = {},
): Promise<Record<string, Tensor>> {
  checkPath(path);
  checkOptions(options, KEYS);
  const kind = await checkWeightsFile(path);
  // For an unknown format the name decides which error describes the contents.
  const isTorch = kind === undefined ? TORCH_ENDINGS.test(path) : kind.startsWith('torch');
  return isTorch ? loadTorchStateDict(path, options) : loadSafetensors(path);
}

/**
 * Checks the first bytes of a file of weights.
 * @returns Its format; undefined for an unknown one with the name of a file of weights.
 * @throws CheckpointError if it is missing, or no file of weights.
 */
export async function checkWeightsFile(path: string): Promise<FileKind | undefined> {
  const kind = await kindOfPath(path);
  if (kind === undefined && !TORCH_ENDINGS.test(path) && !/\.safetensors$/i.test(path))
    throw new CheckpointError(
      `Cannot read ${path}: it is not a file of weights (.safetensors, .pt, .pth), as its first bytes show`,
    );
  return kind;
}

async function kindOfPath(path: string): Promise<FileKind | undefined> {
  try {
    const file = await openFile(path);
    try {
      return await kindOfFile(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
}
