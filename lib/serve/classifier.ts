/**
 * A trained network as a function from pictures to classes.
 * @module
 */
import { loader } from '../data/loader.js';
import { test } from '../data/transforms.js';
import { CheckpointError, checkOptions, DatasetError, DisposedError } from '../errors.js';
import { create } from '../models/index.js';
import type { Module } from '../nn/module.js';
import { noGrad, tidy } from '../tensor/context.js';
import type { Device } from '../tensor/dtype.js';
import type { RunConfig } from '../train/records.js';
import { RunDirectory } from '../train/run-directory.js';
import { loadWeights } from '../train/weights-file.js';
import { type Picture, readPicture } from './picture.js';

/** A class and how likely it is. */
export interface ClassProbability {
  /** Name of the class. */
  name: string;
  /** 0 to 1; all classes together give 1. */
  probability: number;
}

/** Options of {@link loadClassifier}. */
export interface LoadClassifierOptions {
  /**
   * Which weights: `'best'`, `'last'` or `'epoch-<number>'` of the run, or the path of a file of weights (`.safetensors`,
   * or a state dict of PyTorch, `.pt` or `.pth`). Default `'best'`.
   */
  checkpoint?: string;
  /** Default `'cpu'`. */
  device?: Device;
}

/** The network of a run, in evaluation mode, with the way its pictures take. Made by {@link loadClassifier}. */
export class Classifier {
  /** What the network was trained with. */
  readonly config: RunConfig;
  /** The network, in evaluation mode. */
  readonly model: Module;
  /** Where it computes. */
  readonly device: Device;
  #disposed = false;

  /** @internal */
  constructor(config: RunConfig, model: Module, device: Device) {
    this.config = config;
    this.model = model;
    this.device = device;
  }

  /** Names of the classes. */
  get classes(): readonly string[] {
    return this.config.classes;
  }

  /**
   * The classes of a picture, the likeliest first. The picture takes the way of a test image.
   * @param picture - A path, or the bytes of an encoded picture.
   * @throws DatasetError when it cannot be read.
   */
  async predict(picture: Picture): Promise<ClassProbability[]> {
    if (this.#disposed)
      throw new DisposedError('Expected a live Classifier but received one that was disposed');
    const { classes, imageSize } = this.config;
    const transform = test({ size: imageSize });
    const set = await readPicture(picture, this.config);
    for await (const { images, labels } of loader(set, { batchSize: 1, transform, device: this.device })) {
      using _images = images;
      using _labels = labels;
      const row = tidy(() =>
        noGrad(() => this.model.forward(images).softmax({ dim: 1 }).flatten().dataSync()),
      );
      return Array.from(row as Float32Array, (probability, i) => ({
        name: classes[i] ?? String(i),
        probability,
      })).sort((a, b) => b.probability - a.probability);
    }
    throw new DatasetError(`${set.name}: gave no image`);
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
 * Builds the network of a run directory anew and loads its weights.
 * @param path - The run directory, as `scripts/train.js --out` left it.
 * @throws ArgumentError when it is no run directory. @throws CheckpointError when the weights are missing, damaged, or of
 * another architecture.
 * @example
 * using classifier = await serve.loadClassifier('runs/dy');
 * const [best] = await classifier.predict('photo.jpg');
 */
export async function loadClassifier(path: string, options: LoadClassifierOptions = {}): Promise<Classifier> {
  const { checkpoint = 'best', device = 'cpu' } = checkOptions(options);
  const run = await RunDirectory.open(path);
  const config = await run.readConfig();
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
