import { checkPath } from '../files/error.js';
import type { Tensor } from '../tensor/tensor.js';
import { loadSafetensors } from './safetensors.js';
import { loadTorchStateDict } from './torch-file.js';

/**
 * Reads weights: a state dict of PyTorch if the name ends in `.pt`, `.pth` or `.bin`, otherwise a safetensors file.
 * @returns Tensors by key, on the CPU. The caller must dispose them.
 * @throws {CheckpointError} if the file is missing or damaged.
 */
export async function loadWeights(path: string): Promise<Record<string, Tensor>> {
  checkPath(path);
  return /\.(pt|pth|bin)$/i.test(path) ? loadTorchStateDict(path) : loadSafetensors(path);
}
