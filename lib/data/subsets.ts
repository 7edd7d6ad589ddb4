/**
 * Data sets made of others: subsets, random splits, concatenation. Nothing is copied.
 * @module
 */
import { inspect } from 'node:util';
import { checkIterable, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, invalidArgument } from '../errors.js';
import { checkSameClasses } from './class-names.js';
import { checkAnyDataset, checkIndex, type Dataset, setText, warn } from './dataset.js';
import { Random } from './random.js';

/**
 * Samples of a set, by their indices.
 * @see https://pytorch.org/docs/stable/data.html#torch.utils.data.Subset
 */
export class Subset<T = unknown> implements Dataset<T> {
  /** The underlying set. */
  readonly dataset: Dataset<T>;
  /** Indices into {@link dataset}, in the order of this set. */
  readonly indices: readonly number[];
  /** The name of sample `index`; only if the set has names. */
  readonly nameOf?: (index: number) => string;
  /** The path of the file of sample `index`; only of a set of files. */
  readonly pathOf?: (index: number) => string;

  /** @throws ArgumentError for an invalid data set or index. */
  constructor(dataset: Dataset<T>, indices: Iterable<number>) {
    checkAnyDataset(dataset);
    this.dataset = dataset;
    this.indices = ArrayBuffer.isView(indices)
      ? Array.from(indices as Int32Array, Number)
      : checkIterable(indices, 'indices', 'an iterable of indices');
    for (const [i, index] of this.indices.entries()) {
      if (!Number.isInteger(index) || index < 0 || index >= dataset.length)
        throw invalidArgument(`indices[${i}]`, `an integer from 0 to ${dataset.length - 1}`, index);
    }
    if (dataset.nameOf) this.nameOf = (index) => dataset.nameOf!(this.#at(index));
    if (dataset.pathOf) this.pathOf = (index) => dataset.pathOf!(this.#at(index));
  }

  /** Number of samples. */
  get length(): number {
    return this.indices.length;
  }

  /** Class names of the set. */
  get classes(): readonly string[] | undefined {
    return this.dataset.classes;
  }

  /** [C, H, W] of the set's images, if the set has a shape. */
  get shape(): readonly [number, number, number] | undefined {
    return this.dataset.shape;
  }

  /** How many samples loaders request at a time, if the set says it. */
  get concurrency(): number | undefined {
    return this.dataset.concurrency;
  }

  /** The labels of the samples, if the set has labels. */
  get labels(): ArrayLike<number> | undefined {
    const { labels } = this.dataset;
    return labels && this.indices.map((index) => labels[index]!);
  }

  /** One sample. @throws ArgumentError when `index` is not an integer from 0 to `length - 1`. */
  get(index: number): T | Promise<T> {
    return this.dataset.get(this.#at(index));
  }

  #at(index: number): number {
    return this.indices[checkIndex(index, this.length)]!;
  }

  /** A description in one line. */
  toString(): string {
    return `Subset: ${setText(this)}, of ${this.dataset.length}`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * A concatenation of sets. They must have the same classes, or none.
 * @see https://pytorch.org/docs/stable/data.html#torch.utils.data.ConcatDataset
 */
export class ConcatDataset<T = unknown> implements Dataset<T> {
  /** The sets, in order. */
  readonly datasets: readonly Dataset<T>[];
  /** Total number of samples. */
  readonly length: number;
  /** The name of sample `index`; only if all sets have names. */
  readonly nameOf?: (index: number) => string;
  /** The path of the file of sample `index`; only if all sets are sets of files. */
  readonly pathOf?: (index: number) => string;

  /** @throws ArgumentError for invalid data sets or an empty list; DatasetError for classes that differ from those of the first one. */
  constructor(datasets: Iterable<Dataset<T>>) {
    this.datasets = checkIterable(datasets, 'datasets', 'an iterable of data sets');
    const [first] = this.datasets;
    if (first === undefined) throw invalidArgument('datasets', 'at least one data set', datasets);
    for (const [i, set] of this.datasets.entries()) {
      checkAnyDataset(set, `datasets[${i}]`);
      checkSameClasses(`datasets[${i}]`, first.classes ?? [], set.classes ?? []);
    }
    this.length = this.datasets.reduce((sum, { length }) => sum + length, 0);
    if (this.datasets.every((set) => set.nameOf))
      this.nameOf = (index) => {
        const [set, at] = this.#at(index);
        return set.nameOf!(at);
      };
    if (this.datasets.every((set) => set.pathOf))
      this.pathOf = (index) => {
        const [set, at] = this.#at(index);
        return set.pathOf!(at);
      };
  }

  /** Class names of the sets. */
  get classes(): readonly string[] | undefined {
    return this.datasets[0]!.classes;
  }

  /** [C, H, W] of the images, if all sets have the same shape. */
  get shape(): readonly [number, number, number] | undefined {
    const { shape } = this.datasets[0]!;
    return this.datasets.every((set) => set.shape?.join() === shape?.join()) ? shape : undefined;
  }

  /** How many samples loaders request at a time, if every set says it: the smallest number. */
  get concurrency(): number | undefined {
    const all = this.datasets.map(({ concurrency }) => concurrency);
    return all.every((one) => one !== undefined) ? Math.min(...all) : undefined;
  }

  /** The labels of all samples, if every set has labels. */
  get labels(): ArrayLike<number> | undefined {
    const parts = this.datasets.map(({ labels }) => labels && Array.from(labels));
    return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
  }

  /** One sample. @throws ArgumentError when `index` is not an integer from 0 to `length - 1`. */
  get(index: number): T | Promise<T> {
    const [set, at] = this.#at(index);
    return set.get(at);
  }

  #at(index: number): [set: Dataset<T>, index: number] {
    let at = checkIndex(index, this.length);
    for (const set of this.datasets) {
      if (at < set.length) return [set, at];
      at -= set.length;
    }
    throw new ArgumentError('Expected sets that keep their length, but one became shorter');
  }

  /** A description in one line. */
  toString(): string {
    return `ConcatDataset of ${this.datasets.length}: ${setText(this)}`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

/** Samples of a set by their indices: a {@link Subset}. @throws ArgumentError like its constructor. */
export function subset<T>(dataset: Dataset<T>, indices: Iterable<number>): Subset<T> {
  return new Subset(dataset, indices);
}

/** Concatenates sets: a {@link ConcatDataset}. @throws ArgumentError or DatasetError like its constructor. */
export function concat<T>(datasets: Iterable<Dataset<T>>): ConcatDataset<T> {
  return new ConcatDataset(datasets);
}

/** Options of {@link randomSplit}. */
export interface RandomSplitOptions {
  /** Seed of the split, an integer. Default: 0. */
  seed?: number | undefined;
  /** Give every part the same share of every class, up to rounding. Needs `dataset.labels`. Default: false. */
  stratify?: boolean | undefined;
}

const RANDOM_SPLIT_KEYS = optionKeys('seed', 'stratify');

/**
 * Splits a set randomly into disjoint parts. The same seed gives the same parts.
 * @param lengths - Numbers of samples that sum to the length of the set; or fractions that sum to 1. Samples that remain
 *   after rounding down are distributed to the parts one by one, as in PyTorch.
 * @throws ArgumentError for lengths with a wrong sum, and for `stratify` without labels.
 * @see https://pytorch.org/docs/stable/data.html#torch.utils.data.random_split
 * @example const [train, val] = data.randomSplit(set, [0.9, 0.1], { seed: 42, stratify: true })
 */
export function randomSplit<T>(
  dataset: Dataset<T>,
  lengths: readonly number[],
  options: RandomSplitOptions = {},
): Subset<T>[] {
  checkAnyDataset(dataset);
  const { seed = 0, stratify = false } = checkOptions(options, RANDOM_SPLIT_KEYS);
  if (!Number.isSafeInteger(seed)) throw invalidArgument('seed', 'an integer', seed);
  const counts = countsOf(lengths, dataset.length);
  const random = new Random(seed);
  const order = stratify
    ? stratified(dataset, random)
    : random.shuffle(Array.from({ length: dataset.length }, (_, i) => i));
  const empty = counts.indexOf(0);
  if (empty >= 0)
    warn(
      'DYCONV_EMPTY_SPLIT',
      `part ${empty} of randomSplit is empty: the set has ${dataset.length} samples`,
    );
  let end = 0;
  return counts.map((count) => {
    end += count;
    return new Subset(dataset, order.slice(end - count, end));
  });
}

function countsOf(lengths: readonly number[], length: number): number[] {
  const list = checkIterable(lengths, 'lengths', 'an array of numbers');
  const sum = list.reduce((total, value) => total + value, 0);
  const valid = list.length > 0 && list.every((value) => Number.isFinite(value) && value >= 0);
  if (valid && sum === length && list.every(Number.isInteger)) return list;
  if (!valid || Math.abs(sum - 1) > 1e-9)
    throw invalidArgument(
      'lengths',
      `shares that add up to 1, or integers that add up to ${length}`,
      lengths,
    );
  // 0.7 of 10 is 7, although the product of the floats is slightly less.
  const counts = list.map((share) => Math.floor(share * length + 1e-9));
  const left = length - counts.reduce((total, value) => total + value, 0);
  for (let i = 0; i < left; i++) counts[i % counts.length]! += 1;
  return counts;
}

/** An order in which every class is spread evenly, so that each part has its share of every class. */
function stratified({ labels, length }: Dataset, random: Random): number[] {
  if (labels === undefined || labels.length !== length)
    throw invalidArgument('dataset.labels', `${length} labels, for stratify`, labels);
  const byClass = new Map<number, number[]>();
  for (let i = 0; i < length; i++) {
    const members = byClass.get(labels[i]!) ?? [];
    members.push(i);
    byClass.set(labels[i]!, members);
  }
  const places: { index: number; place: number }[] = [];
  for (const members of byClass.values()) {
    random.shuffle(members);
    for (const [rank, index] of members.entries())
      places.push({ index, place: (rank + random.uniform()) / members.length });
  }
  return places.sort((a, b) => a.place - b.place).map(({ index }) => index);
}
