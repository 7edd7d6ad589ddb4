/**
 * Starts the processes that measure a source of images.
 * @module
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * `folder`: the same images as files, for sharp alone; `paths`: the folder or the files of the source.
 * @typedef {{ source: import('./picture-sets.js').Source, paths: string[], folder: string, model: import('../../dist/models/names.js').ModelName,
 *   images: number, size: number, imageSize: number, batch: number, turns: number, threads: number }} SourceRequest
 */
/**
 * `waiting`: share of the time of training; `peak_mb`: resident memory of the training; `of_sharp`: images per second of the loader
 * without a network, in relation to those of sharp alone.
 * @typedef {{ train_images_per_second: number, waiting: number, peak_mb: number, images_per_second: number,
 *   sharp_images_per_second: number, of_sharp: number }} SourceResult
 */

/** Threads that decode, if the environment does not say otherwise. */
const DECODE_THREADS = '2';

/**
 * @param {SourceRequest} request
 * @returns {Promise<SourceResult>}
 */
export async function measureSource(request) {
  const child = fileURLToPath(new URL('picture-child.js', import.meta.url));
  const { UV_THREADPOOL_SIZE = DECODE_THREADS } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, [child, JSON.stringify(request)], {
    env: { ...process.env, UV_THREADPOOL_SIZE },
  });
  return JSON.parse(stdout);
}
