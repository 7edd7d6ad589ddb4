/**
 * Data sets: samples by index; in-memory sets have images of one size and their labels in two typed arrays.
 * @module
 */
import { inspect, types } from 'node:util';
import { checkRecord, type PartialOptions } from '../check/index.js';
import { DatasetError, invalidArgument } from '../errors.js';
import { printable } from '../text.js';
import { allocateBytes } from './bytes.js';

/** The part of a data set. */
export type Split = 'train' | 'test';

/** One image and its label. */
export interface Sample {
  /** [C, H, W] bytes, row-major: a view into the set's own memory, not to be written to. */
  image: Uint8Array;
  /** Index into the classes of the set. */
  label: number;
}

/**
 * A data set for a loader: a number of samples and a function that gets one. `T` is the type of a sample: for images
 * {@link ImageSample}, which becomes a batch of images and labels; anything else is collated as in PyTorch.
 *
 * @example
 * const set: data.Dataset<data.ImageSample> = {
 *   length: 100,
 *   classes: ['dark', 'bright'],
 *   get: async (i) => ({ image: new Uint8Array(300).fill(2 * i), shape: [3, 10, 10], label: Number(i > 50) }),
 * }
 */
export interface Dataset<T = unknown> {
  /** Number of samples. */
  readonly length: number;
  /** Class names; a label is an index into them. */
  readonly classes?: readonly string[] | undefined;
  /** [C, H, W] of every image, if all are equal and samples have no shape of their own. */
  readonly shape?: readonly [number, number, number] | undefined;
  /** The label of every sample, if known without reading the samples. Stratified splits need it. */
  readonly labels?: ArrayLike<number> | undefined;
  /**
   * Number of samples that a loader requests at a time, unless it has the option `concurrency`. Default: 8. A larger number is
   * useful for sets that make samples on other threads: while a training step blocks the event loop, they can work only on
   * samples that were already requested.
   */
  readonly concurrency?: number | undefined;
  /** Sample `index`, from 0 to `length - 1`; may be a promise. Loaders call it for several samples at once. */
  get(index: number): T | Promise<T>;
  /**
   * The name of sample `index`, such as the path of its image relative to the folder of the set. Sets whose samples have no
   * names do not have this method.
   */
  nameOf?: ((index: number) => string) | undefined;
  /** The path of the file of sample `index`. Only sets of files have this method. */
  pathOf?: ((index: number) => string) | undefined;
}

/** Images of one size with one label each: in memory, or in files that are decoded when they are read. */
export interface ImageDataset extends Dataset<Sample> {
  /** Name of the set, such as `cifar10`. */
  readonly name: string;
  /** Images for training, or for testing. */
  readonly split: Split;
  /** Number of images. */
  readonly length: number;
  /** Class names; a label is an index into them. */
  readonly classes: readonly string[];
  /** [C, H, W] of every image. */
  readonly shape: readonly [number, number, number];
  /** All labels, `length` of them. */
  readonly labels: Uint8Array | Uint16Array;
}

/** Images of one size with one label each, held in memory. */
export interface InMemoryDataset extends ImageDataset {
  /** All images: length x C x H x W bytes. */
  readonly images: Uint8Array;
  /**
   * One sample.
   * @throws ArgumentError when `index` is not an integer from 0 to `length - 1`.
   */
  get(index: number): Sample;
}

/** Arguments of {@link createDataset}. */
export interface DatasetParts {
  name: string;
  split: Split;
  classes: readonly string[];
  shape: readonly [number, number, number];
  images: Uint8Array;
  labels: Uint8Array | Uint16Array;
  /** The file or folder the parts were read from, for error messages. */
  source: string;
  /** Names of the samples, `labels.length` of them. Default: samples have no names. */
  names?: readonly string[] | undefined;
  /** The files of the samples, `labels.length` paths. Default: samples are not files. */
  paths?: readonly string[] | undefined;
}

/**
 * An {@link InMemoryDataset} over arrays that were just read. Sizes and labels are checked only here.
 * @throws DatasetError naming `source` when the set is empty, the counts disagree, or a label has no class.
 */
export function createDataset({
  name,
  split,
  classes,
  shape,
  images,
  labels,
  source,
  names,
  paths,
}: DatasetParts): InMemoryDataset {
  const size = shape[0] * shape[1] * shape[2];
  const { length } = labels;
  if (length === 0) throw datasetError(source, 'expected images but it holds none');
  if (images.length !== length * size) {
    throw datasetError(
      source,
      `expected ${length} images of ${shape.join(' x ')} bytes but found ${images.length} bytes`,
    );
  }
  const wrong = labels.findIndex((label) => label >= classes.length);
  if (wrong >= 0) {
    throw datasetError(
      source,
      `expected labels from 0 to ${classes.length - 1} but image ${wrong} has label ${labels[wrong]}`,
    );
  }
  const check = (index: number) => checkIndex(index, length);
  return describable<InMemoryDataset>(
    {
      name,
      split,
      length,
      classes: Object.freeze([...classes]),
      shape: Object.freeze([...shape] as [number, number, number]),
      images,
      labels,
      get(index) {
        const start = check(index) * size;
        return { image: images.subarray(start, start + size), label: labels[index]! };
      },
      ...(names && { nameOf: (index: number) => names[check(index)]! }),
      ...(paths && { pathOf: (index: number) => paths[check(index)]! }),
    },
    source,
  );
}

/** An index into a set of `length` samples. */
export function checkIndex(index: number, length: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= length)
    throw invalidArgument('index', `an integer from 0 to ${length - 1}`, index);
  return index;
}

/** Makes a set describe itself when it is printed, with non-enumerable methods. */
export function describable<S extends ImageDataset>(set: S, source: string): S {
  const text = () => `${set.name} (${set.split}): ${setText(set)}, from ${printable(source)}`;
  const hidden = (value: unknown) => ({ value, enumerable: false, configurable: true, writable: true });
  return Object.defineProperties(set, { toString: hidden(text), [inspect.custom]: hidden(text) });
}

/** Length, shape and classes of a set as text. */
export function setText({
  length,
  shape,
  classes,
}: PartialOptions<Pick<Dataset, 'length' | 'shape' | 'classes'>>): string {
  const count = length ?? 'an unknown number of';
  const what = shape ? `${count} images of ${shape.join(' x ')}` : `${count} samples`;
  if (!classes) return what;
  const first = classes.slice(0, 3).map((name) => printable(name));
  const names = classes.length > 3 ? `${first.join(', ')}, ...` : first.join(', ');
  return `${what}, ${classes.length} classes (${names})`;
}

/** A DatasetError in the common form: the file first, then the problem. */
export function datasetError(file: string, problem: string, cause?: unknown): DatasetError {
  return new DatasetError(`${file}: ${problem}`, cause === undefined ? undefined : { cause });
}

/** Emits a process warning with a code. */
export function warn(code: string, message: string): void {
  process.emitWarning(printable(message, { lines: true }), { type: 'DyconvWarning', code });
}

/** Whether a set has all fields of an in-memory set that loaders use. */
export function isInMemory(set: Dataset): set is InMemoryDataset {
  return typeof set === 'object' && set !== null && 'images' in set;
}

/** Checks that an argument is a data set of any kind. */
export function checkAnyDataset(set: Dataset, name = 'dataset'): void {
  if (isInMemory(set)) {
    checkDataset(set);
    return;
  }
  const { length, classes } = checkRecord(set, name, 'a Dataset', { length: 'number', get: 'function' });
  if (!Number.isSafeInteger(length) || length < 0)
    throw invalidArgument(`${name}.length`, 'an integer from 0', length);
  if (classes !== undefined && !(Array.isArray(classes) && classes.every((one) => typeof one === 'string')))
    throw invalidArgument(`${name}.classes`, 'an array of names', classes);
}

/** Checks that an argument is a data set in memory. */
export function checkDataset(set: InMemoryDataset): void {
  const { classes, shape, images, labels, length } = checkRecord(set, 'dataset', 'a Dataset', {
    name: 'string',
    split: 'string',
    length: 'number',
    classes: 'array',
    shape: 'array',
    images: 'bytes',
    labels: 'object',
    get: 'function',
  });
  if (!(types.isUint8Array(labels) || types.isUint16Array(labels)) || labels.length !== length)
    throw invalidArgument('dataset.labels', `${length} labels in a Uint8Array or Uint16Array`, labels);
  const [channels, height, width] = shape;
  if (shape.length !== 3 || images.length !== length * channels * height * width)
    throw invalidArgument('dataset.shape', '[C, H, W] that gives the size of images', shape);
  if (classes.some((name) => typeof name !== 'string'))
    throw invalidArgument('dataset.classes', 'an array of names', classes);
}

/** Checks the option `split`. */
export function checkSplit(split: unknown): asserts split is Split {
  if (split !== 'train' && split !== 'test') throw invalidArgument('split', `'train' or 'test'`, split);
}

/** Gray planes repeated `channels` times: [N, H, W] -> [N, channels, H, W]. */
export function repeatChannels(grey: Uint8Array, plane: number, channels: number): Uint8Array {
  if (channels === 1) return grey;
  const out = allocateBytes(grey.length * channels);
  for (let from = 0, to = 0; from < grey.length; from += plane) {
    const image = grey.subarray(from, from + plane);
    for (let channel = 0; channel < channels; channel++, to += plane) out.set(image, to);
  }
  return out;
}
