/**
 * onnxruntime-node, where it is installed: dyconv does not depend on it.
 * @module
 */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { ArgumentError } from '../../dist/index.js';

/**
 * The parts that are used here.
 * @typedef {{ type: string, data: Float32Array, dims: readonly number[] }} OrtTensor
 * @typedef {object} Session
 * @property {readonly string[]} inputNames
 * @property {readonly string[]} outputNames
 * @property {(feeds: Record<string, OrtTensor>) => Promise<Record<string, OrtTensor>>} run
 * @property {() => Promise<void>} release
 * @typedef {object} Onnxruntime
 * @property {{ create: (file: string, options?: { intraOpNumThreads?: number }) => Promise<Session> }} InferenceSession
 * @property {new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor} Tensor
 * @property {{ versions: { node?: string } }} env
 */

/**
 * @param {string} folder - In whose `node_modules`, or those above it, it is looked for.
 * @returns {Onnxruntime | undefined} Undefined if it is not installed.
 * @throws {ArgumentError} if it is installed but cannot be loaded, such as without its binary for this platform.
 */
export function findOnnxruntime(folder) {
  const require = createRequire(join(resolve(folder), 'package.json'));
  try {
    require.resolve('onnxruntime-node');
  } catch {
    return undefined;
  }
  try {
    return require('onnxruntime-node');
  } catch (cause) {
    const [reason] = String(/** @type {Error} */ (cause).message).split('\n');
    throw new ArgumentError(`Cannot load onnxruntime-node of ${resolve(folder)}: ${reason}`, { cause });
  }
}

/** @param {string} folder @returns {Onnxruntime} @throws {ArgumentError} if it is not installed there. */
export function requireOnnxruntime(folder) {
  const found = findOnnxruntime(folder);
  if (found) return found;
  throw new ArgumentError(
    `Expected a folder with onnxruntime-node for --onnxruntime but ${resolve(folder)} has none: npm install onnxruntime-node`,
  );
}

/** A batch of images as onnxruntime takes it. @param {Onnxruntime} ort @param {import('../../dist/index.js').Tensor} images */
export function feedOf(ort, images) {
  return new ort.Tensor('float32', /** @type {Float32Array} */ (images.dataSync()), images.shape);
}
