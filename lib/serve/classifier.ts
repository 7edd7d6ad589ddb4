/**
 * A trained network as a function from pictures to classes.
 * @module
 */

import { checkOptions, checkRecord, type FieldKind } from '../check/index.js';
import { loader } from '../data/loader.js';
import { test } from '../data/transforms.js';
import { ArgumentError, CheckpointError, DatasetError, DisposedError, invalidArgument } from '../errors.js';
import { loadWeights } from '../formats/weights-file.js';
import { create } from '../models/index.js';
import type { Module } from '../nn/module.js';
import type { RunConfig } from '../run/records.js';
import { noGrad, tidy } from '../tensor/context.js';
import type { Device } from '../tensor/dtype.js';
import { RunDirectory } from '../train/run-directory.js';
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

/** What a classifier calls of its network. */
const MODULE: Record<string, FieldKind> = {
  forward: 'function',
  parameters: 'function',
  namedBuffers: 'function',
};

/** Checks a configuration as far as it is read. */
function checkConfig(config: RunConfig): RunConfig {
  checkRecord(config, 'config', 'a configuration', {
    classes: 'array',
    imageShape: 'array',
  });
  for (const [i, name] of config.classes.entries())
    if (typeof name !== 'string') throw invalidArgument(`config.classes[${i}]`, 'a string', name);
  for (const [i, size] of config.imageShape.entries())
    if (!Number.isInteger(size) || size < 1)
      throw invalidArgument(`config.imageShape[${i}]`, 'an integer of at least 1', size);
  return config;
}

function checkDevice(device: Device): Device {
  if (typeof device !== 'string' || !/^(cpu|cuda(:\d+)?)$/.test(device))
    throw invalidArgument('device', "'cpu', 'cuda' or 'cuda:<number>'", device);
  return device;
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

  /** @internal @throws ArgumentError for what is no configuration, no module or no device. */
  constructor(config: RunConfig, model: Module, device: Device) {
    this.config = checkConfig(config);
    this.model = checkRecord(model, 'model', 'a Module', MODULE);
    this.device = checkDevice(device);
  }

  /** Names of the classes. */
  get classes(): readonly string[] {
    return this.config.classes;
  }

  /**
   * The classes of a picture, the likeliest first. The picture takes the way of a test image.
   * @param picture - A path, or the bytes of an encoded picture.
   * @throws ArgumentError when it is neither. @throws DatasetError when it cannot be read.
   */
  async predict(picture: Picture): Promise<ClassProbability[]> {
    if (this.#disposed)
      throw new DisposedError('Expected a live Classifier but received one that was disposed');
    if (typeof picture !== 'string' && !(picture instanceof Uint8Array))
      throw invalidArgument('picture', 'a path or a Uint8Array', picture);
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
 * @throws ArgumentError when an argument is of the wrong kind. @throws CheckpointError when the folder is no run directory,
 * and when configuration or weights are missing, damaged, or of another architecture.
 * @example
 * using classifier = await serve.loadClassifier('runs/dy');
 * const [best] = await classifier.predict('photo.jpg');
 */
export async function loadClassifier(path: string, options: LoadClassifierOptions = {}): Promise<Classifier> {
  if (typeof path !== 'string') throw invalidArgument('path', 'the path of a run directory', path);
  const { checkpoint = 'best', device = 'cpu' } = checkOptions(options);
  if (typeof checkpoint !== 'string') throw invalidArgument('checkpoint', 'a string', checkpoint);
  checkDevice(device);
  const run = await RunDirectory.open(path);
  const config = await readConfig(run);
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

/** The configuration of a run; what is wrong with it is the file's fault, not the caller's. */
async function readConfig(run: RunDirectory): Promise<RunConfig> {
  const config = await run.readConfig();
  try {
    return checkConfig(config);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new CheckpointError(`${run.file('config.json')} is damaged: ${error.message}`, { cause: error });
  }
}
