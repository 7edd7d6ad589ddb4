/**
 * A classifier for images from a trained network.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { types } from 'node:util';
import { checkOptions, checkRecord, type FieldKind, optionKeys } from '../check/index.js';
import { parseArgument } from '../check/schema.js';
import { loader } from '../data/loader.js';
import { test } from '../data/transforms.js';
import { CheckpointError, DatasetError, DisposedError, invalidArgument } from '../errors.js';
import { loadWeights } from '../formats/weights-file.js';
import { create } from '../models/index.js';
import type { Module } from '../nn/module.js';
import type { RunConfig } from '../run/records.js';
import { CONFIG } from '../run/schema.js';
import { noGrad, tidy } from '../tensor/context.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { RunDirectory } from '../train/run-directory.js';
import { type Picture, readPicture } from './picture.js';

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
}

const LOAD_CLASSIFIER_KEYS = optionKeys('checkpoint', 'device');

/** Methods of the network that a classifier calls. */
const MODULE: Record<string, FieldKind> = {
  forward: 'function',
  parameters: 'function',
  namedBuffers: 'function',
};

/** Checks that a network takes what picture files hold. */
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
  #disposed = false;
  /** Settles when all requests so far are done. */
  #last: Promise<unknown> = Promise.resolve();

  /** @internal @throws ArgumentError for an invalid configuration, module or device. */
  constructor(config: RunConfig, model: Module, device: Device) {
    this.config = parseArgument(CONFIG, config, 'config');
    this.model = checkRecord(model, 'model', 'a Module', MODULE);
    this.device = checkDevice(device);
  }

  /** Names of the classes. */
  get classes(): readonly string[] {
    return this.config.classes;
  }

  /**
   * Classifies an image. The result has all classes, the most probable first. Images are decoded like those of
   * `data.imageFolder`. Decoding runs in parallel; the network processes one image after another, in the order
   * of the calls, and yields to the event loop before each.
   * @param picture - A path, or the bytes of an image file.
   * @throws ArgumentError when it is neither. @throws DatasetError when it cannot be read.
   */
  async predict(picture: Picture): Promise<ClassProbability[]> {
    this.#checkLive();
    if (typeof picture !== 'string' && !types.isUint8Array(picture))
      throw invalidArgument('picture', 'a path or a Uint8Array', picture);
    const batch = this.#read(picture);
    // A failed request must not affect later ones.
    const before = this.#last;
    const result = Promise.allSettled([batch, before]).then(async () => {
      using images = await batch;
      await nextTurn();
      return this.#classify(images);
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** An image as a batch of one, [1, C, H, W]. */
  async #read(picture: Picture): Promise<Tensor> {
    const set = await readPicture(picture, this.config);
    const transform = test({ size: this.config.imageSize });
    for await (const { images, labels } of loader(set, { batchSize: 1, transform, device: this.device })) {
      labels.dispose();
      return images;
    }
    throw new DatasetError(`${set.name}: gave no image`);
  }

  #classify(images: Tensor): ClassProbability[] {
    this.#checkLive();
    const { classes } = this.config;
    const row = tidy(() => noGrad(() => this.model.forward(images).softmax({ dim: 1 }).flatten().dataSync()));
    return Array.from(row as Float32Array, (probability, i) => ({
      name: classes[i] ?? String(i),
      probability,
    })).sort((a, b) => b.probability - a.probability);
  }

  #checkLive(): void {
    if (this.#disposed)
      throw new DisposedError('Expected a live Classifier but received one that was disposed');
  }

  /** Frees the network's memory. */
  dispose(): void {
    this.#disposed = true;
    for (const parameter of this.model.parameters()) parameter.dispose();
    for (const [, buffer] of this.model.namedBuffers()) buffer.dispose();
  }

  /** The same as `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
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
  const { checkpoint = 'best', device = 'cpu' } = checkOptions(options, LOAD_CLASSIFIER_KEYS);
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
  return new Classifier(config, model.to({ device }).eval(), device);
}
