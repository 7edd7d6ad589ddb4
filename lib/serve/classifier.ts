/**
 * A classifier for images from a trained network.
 * @module
 */
import { types } from 'node:util';
import { checkOptions, checkRecord, type FieldKind, optionKeys } from '../check/index.js';
import { parseArgument } from '../check/schema.js';
import { checkSignal, onAbort } from '../check/signal.js';
import { loader } from '../data/loader.js';
import { testTransform } from '../data/preprocessing.js';
import { CheckpointError, DatasetError, DisposedError, invalidArgument } from '../errors.js';
import { loadWeights } from '../formats/weights-file.js';
import { create } from '../models/index.js';
import type { Module } from '../nn/module.js';
import { compile, type Program } from '../program/program.js';
import type { RunConfig } from '../run/records.js';
import { CONFIG } from '../run/schema.js';
import { noGrad, tidy } from '../tensor/context.js';
import { zeros } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { RunDirectory } from '../train/run-directory.js';
import { createPool } from './create-pool.js';
import { type Picture, readPictures } from './picture.js';
import type { Pool } from './pool.js';
import { type BatchingOptions, type PoolOptions, REQUEST_KEYS } from './pool-options.js';
import type { RequestOptions } from './pool-request.js';
import type { TensorInput } from './rows.js';

/** A class and its probability. */
export interface ClassProbability {
  /** Name of the class. */
  name: string;
  /** 0 to 1; the probabilities of all classes sum to 1. */
  probability: number;
}

/** Options of {@link loadClassifier}. */
export interface LoadClassifierOptions {
  /**
   * The weights: `'best'`, `'last'` or `'epoch-<number>'` of the run, or the path of a file of weights (`.safetensors`,
   * or a state dict of PyTorch, `.pt` or `.pth`). Default `'best'`.
   */
  checkpoint?: string | undefined;
  /** Default `'cpu'`. */
  device?: Device | undefined;
  /** Number of batches that run at once. Default 1. */
  replicas?: number | undefined;
  /** Threads of an operation in each replica. Default: those of `getNumThreads()`, divided by `replicas`. */
  threadsPerReplica?: number | undefined;
  /** How images become batches, and how many requests may wait. See {@link createPool}. */
  batching?: BatchingOptions | undefined;
  /** Default for predictions: milliseconds until a RequestTimeoutError. Default Infinity. */
  timeoutMs?: number | undefined;
  /** Value of the label `pool` of the metrics. Default: the name of the network, such as `'alexnet-dy'`. */
  name?: string | undefined;
  /** A registry of prom-client for the metrics. See {@link createPool}. */
  registry?: PoolOptions['registry'];
}

const LOAD_CLASSIFIER_KEYS = optionKeys(
  ...(['checkpoint', 'device', 'replicas', 'threadsPerReplica'] as const),
  ...(['batching', 'timeoutMs', 'name', 'registry'] as const),
);

/** Images of a request: a longer list is split, so that it does not occupy the pool. */
const MAX_PICTURES = 32;
/** Requests of one list of images that are under way. */
const CONCURRENT_PARTS = 2;

/** Methods of the network that a classifier calls. */
const MODULE: Record<string, FieldKind> = {
  forward: 'function',
  parameters: 'function',
  namedBuffers: 'function',
};

/** Checks that a network accepts the images of files. */
function checkChannels({ imageShape }: RunConfig): void {
  if (imageShape[0] !== 1 && imageShape[0] !== 3)
    throw new CheckpointError(
      `Expected a network for images of 1 or 3 channels but received one for [${imageShape.join(', ')}]`,
    );
}

function checkDevice(device: Device): Device {
  if (typeof device !== 'string' || !/^(cpu|cuda(:\d+)?)$/.test(device))
    throw invalidArgument('device', "'cpu', 'cuda' or 'cuda:<number>'", device);
  return device;
}

/** The network of a run in evaluation mode, with the decoding of its images. Created by {@link loadClassifier}. */
export class Classifier {
  /** Configuration of the training. */
  readonly config: RunConfig;
  /** The network, in evaluation mode. */
  readonly model: Module;
  /** Device of the network. */
  readonly device: Device;
  /** The pool that runs the network: its metrics and `swap()`. It maps images [B, C, H, W] to logits [B, classes]. */
  readonly pool: Pool<TensorInput, Tensor>;
  readonly #program: Program | undefined;
  #disposed = false;

  /**
   * @internal
   * @param program - What the pool runs, to be disposed with the classifier.
   * @throws ArgumentError for an invalid configuration, module, device or pool.
   */
  constructor(
    config: RunConfig,
    model: Module,
    device: Device,
    pool: Pool<TensorInput, Tensor>,
    program?: Program,
  ) {
    this.config = parseArgument(CONFIG, config, 'config');
    this.model = checkRecord(model, 'model', 'a Module', MODULE);
    this.device = checkDevice(device);
    this.pool = checkRecord(pool, 'pool', 'a Pool', { run: 'function', close: 'function' });
    this.#program = program;
  }

  /** Names of the classes. */
  get classes(): readonly string[] {
    return this.config.classes;
  }

  /**
   * Classifies an image, or several at once in batches. The result of each has all classes, the most probable first. Images are
   * decoded like those of `data.imageFolder`, after the pool has accepted the request. Concurrent calls share batches.
   * @param picture - A path, or the bytes of an image file; or an array of them, for an array of results in the same order.
   * @throws ArgumentError for another type.
   * @throws DatasetError if an image cannot be read.
   * @throws OverloadedError if too many requests wait; RequestTimeoutError; the reason of the signal; PoolClosedError after
   * {@link close}.
   */
  predict(picture: Picture, options?: RequestOptions): Promise<ClassProbability[]>;
  predict(pictures: readonly Picture[], options?: RequestOptions): Promise<ClassProbability[][]>;
  async predict(
    picture: Picture | readonly Picture[],
    options: RequestOptions = {},
  ): Promise<ClassProbability[] | ClassProbability[][]> {
    checkOptions(options, REQUEST_KEYS);
    if (this.#disposed)
      throw new DisposedError('Expected a live Classifier but received one that was disposed');
    if (Array.isArray(picture)) return this.#predictAll(picture, options);
    checkPicture(picture as Picture, 'picture');
    const [result] = await this.#predictPart([picture as Picture], () => 'picture', options);
    return result!;
  }

  /** Splits a list into parts; the first failure cancels those that have not been answered. */
  async #predictAll(pictures: readonly Picture[], options: RequestOptions): Promise<ClassProbability[][]> {
    for (const [i, picture] of pictures.entries()) checkPicture(picture, `picture[${i}]`);
    const { signal: given } = options;
    checkSignal(given);
    given?.throwIfAborted();
    const results: ClassProbability[][] = [];
    // Not AbortSignal.any(): a signal that lives as long as the service would keep something of every call.
    const ended = new AbortController();
    const { signal } = ended;
    const remove = given && onAbort(given, () => ended.abort(given.reason));
    let next = 0;
    const predictParts = async (): Promise<void> => {
      while (next < pictures.length && !signal.aborted) {
        const start = next;
        next += MAX_PICTURES;
        const part = pictures.slice(start, next);
        const name = (i: number) => `picture[${start + i}]`;
        const answers = await this.#predictPart(part, name, { ...options, signal });
        for (const [i, answer] of answers.entries()) results[start + i] = answer;
      }
      signal.throwIfAborted();
    };
    try {
      await Promise.all(Array.from({ length: CONCURRENT_PARTS }, predictParts));
    } catch (error) {
      ended.abort(error);
      throw error;
    } finally {
      remove?.();
    }
    return results;
  }

  async #predictPart(
    pictures: readonly Picture[],
    name: (index: number) => string,
    options: RequestOptions,
  ): Promise<ClassProbability[][]> {
    using logits = await this.pool.run(() => this.#read(pictures, name), options);
    const { classes } = this.config;
    const values = noGrad(() =>
      tidy(() => logits.to({ dtype: 'float32' }).softmax({ dim: 1 }).dataSync({ dtype: 'float32' })),
    );
    const columns = values.length / pictures.length;
    return pictures.map((_, row) =>
      Array.from(values.subarray(row * columns, (row + 1) * columns), (probability, i) => ({
        name: classes[i] ?? String(i),
        probability,
      })).sort((a, b) => b.probability - a.probability),
    );
  }

  /** Images as a batch, [pictures.length, C, H, W]. */
  async #read(pictures: readonly Picture[], name: (index: number) => string): Promise<Tensor> {
    const set = await readPictures(pictures, this.config, name);
    const transform = testTransform(this.config);
    const { device } = this;
    for await (const { images, labels } of loader(set, { batchSize: pictures.length, transform, device })) {
      labels.dispose();
      return images;
    }
    throw new DatasetError(`${set.name}: gave no image`);
  }

  /** Rejects new requests, answers the accepted ones, then frees the memory of the network. */
  async close(): Promise<void> {
    await this.pool.close();
    this.#free();
  }

  /** Rejects new requests, and frees the memory of the network after the accepted ones have been answered. */
  dispose(): void {
    this.#disposed = true;
    const { queued, running } = this.pool.metrics();
    const closed = this.close();
    // At once if it is not in use: the caller may look at the memory.
    if (queued + running === 0) this.#free();
    closed.catch(() => {});
  }

  #free(): void {
    this.#program?.dispose();
    for (const parameter of this.model.parameters()) parameter.dispose();
    for (const [, buffer] of this.model.namedBuffers()) buffer.dispose();
  }

  /** The same as `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checkPicture(picture: Picture, name: string): void {
  if (typeof picture !== 'string' && !types.isUint8Array(picture))
    throw invalidArgument(name, 'a path or a Uint8Array', picture);
}

/**
 * Builds the network of a run directory and loads its weights.
 * @param path - The run directory: the `--out` folder of `scripts/train.js`.
 * @throws ArgumentError when an argument is invalid. @throws CheckpointError when the folder is not a run directory,
 * and when configuration or weights are missing, damaged, or of a different architecture.
 * @example
 * using classifier = await serve.loadClassifier('runs/dy');
 * const [best] = await classifier.predict('photo.jpg');
 */
export async function loadClassifier(path: string, options: LoadClassifierOptions = {}): Promise<Classifier> {
  if (typeof path !== 'string') throw invalidArgument('path', 'the path of a run directory', path);
  const {
    checkpoint = 'best',
    device = 'cpu',
    name,
    ...pooling
  } = checkOptions(options, LOAD_CLASSIFIER_KEYS);
  if (typeof checkpoint !== 'string') throw invalidArgument('checkpoint', 'a string', checkpoint);
  checkDevice(device);
  const run = await RunDirectory.open(path);
  const config = await run.readConfig();
  checkChannels(config);
  const file = run.weightsFile(checkpoint);
  const state = await loadWeights(file);
  const model = create(config.model, config.modelOptions);
  try {
    model.loadStateDict(state);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(`${file} does not fit ${config.model}: ${error.message}`, { cause: error });
  } finally {
    for (const tensor of Object.values(state)) tensor.dispose();
  }
  model.to({ device }).eval();
  // Programs are for the CPU; a GPU computes while the thread that started its work continues.
  const program = device === 'cpu' ? compileFor(model, config) : undefined;
  const network = program ? { program } : { run: model };
  const pool = await createPool({ ...network, ...pooling, name: name ?? config.model });
  return new Classifier(config, model, device, pool, program);
}

function compileFor(model: Module, { imageShape, imageSize }: RunConfig): Program {
  const [channels] = imageShape;
  using example = zeros([1, channels!, imageSize, imageSize]);
  return compile(model, example);
}
