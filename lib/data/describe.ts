/**
 * Statistics of a data set.
 * @module
 */
import { ShapeError } from '../errors.js';
import { checkAnyDataset, type Dataset, type InMemoryDataset, isInMemory, type Split } from './dataset.js';
import { Fetcher } from './fetch.js';
import { byteImage, classOf, type ImageSample } from './samples.js';

/** Statistics of {@link describe} for any set of images. */
export interface SamplesDescription {
  /** Number of images. */
  length: number;
  /** [C, H, W] of an image; null where they are of different sizes. */
  shape: readonly [number, number, number] | null;
  /** Number of images of every class, in label order. Of a set without names, a class is called by its label. */
  counts: { class: string; count: number }[];
  /** Mean of every channel, in [0, 1] units. */
  mean: number[];
  /** Standard deviation of every channel over all pixels, in [0, 1] units. */
  std: number[];
}

/** The answer of {@link describe} for a set in memory. */
export interface DatasetDescription extends SamplesDescription {
  /** Name of the data set. */
  name: string;
  /** Images for training, or for testing. */
  split: Split;
  /** [C, H, W] of an image. */
  shape: readonly [number, number, number];
}

/** Samples of a custom set that are read at once: few enough for sets of large images. */
const BLOCK = 32;
const CONCURRENCY = 8;

/**
 * Counts per class, and mean and standard deviation per channel over all pixels of all images.
 * @param set - A set of this package, or a custom one: its samples `{ image, label }` are read once, some at a time. Images have
 * to be bytes of one number of channels, labels integers.
 * @returns A promise for a custom set.
 * @throws ArgumentError for what is no data set; DatasetError naming a sample that does not fit; ShapeError for images of
 * different numbers of channels. What `get` throws ends it.
 */
export function describe(set: InMemoryDataset): DatasetDescription;
export function describe(set: Dataset<ImageSample>): Promise<SamplesDescription>;
export function describe(
  set: InMemoryDataset | Dataset<ImageSample>,
): DatasetDescription | Promise<SamplesDescription> {
  checkAnyDataset(set);
  return isInMemory(set) ? describeMemory(set) : describeSamples(set);
}

function describeMemory({
  name,
  split,
  length,
  shape,
  classes,
  images,
  labels,
}: InMemoryDataset): DatasetDescription {
  const counts = new Array<number>(classes.length).fill(0);
  for (const label of labels) counts[label]!++;
  const histograms = emptyHistograms(shape[0]);
  count(images, shape[1] * shape[2], histograms);
  return { name, split, length, shape, counts: named(counts, classes), ...moments(histograms) };
}

async function describeSamples(set: Dataset<ImageSample>): Promise<SamplesDescription> {
  const { length, classes } = set;
  const fetcher = new Fetcher((index: number) => set.get(index), CONCURRENCY);
  const counts = new Array<number>(classes?.length ?? 0).fill(0);
  let histograms: Float64Array[] = [];
  let images = 0;
  let shape: SamplesDescription['shape'] | undefined;
  for (let start = 0; start < length; start += BLOCK) {
    const keys = Array.from({ length: Math.min(BLOCK, length - start) }, (_, i) => start + i);
    for (const [i, sample] of (await fetcher.get(keys)).entries()) {
      if (sample === null) continue; // left out, as by a loader
      images++;
      const image = byteImage(set, sample, keys[i]!);
      const [channels, height, width] = image.shape;
      if (histograms.length === 0) histograms = emptyHistograms(channels);
      if (channels !== histograms.length)
        throw new ShapeError(
          `Expected images of ${histograms.length} channels, as the first one, but sample ${keys[i]} has ${channels}`,
        );
      count(image.bytes, height * width, histograms);
      if (shape === undefined) shape = [channels, height, width];
      else if (shape?.[1] !== height || shape[2] !== width) shape = null;
      const label = classOf((sample as ImageSample).label, keys[i]!, classes?.length);
      counts[label] = (counts[label] ?? 0) + 1;
    }
  }
  return { length: images, shape: shape ?? null, counts: named(counts, classes), ...moments(histograms) };
}

function named(
  counts: readonly number[],
  classes: readonly string[] | undefined,
): SamplesDescription['counts'] {
  return Array.from(counts, (count = 0, label) => ({ class: classes?.[label] ?? String(label), count }));
}

/** One histogram a channel of the 256 values it can have: exact, and one pass over the bytes. */
function emptyHistograms(channels: number): Float64Array[] {
  return Array.from({ length: channels }, () => new Float64Array(256));
}

/** Counts the values of images, plane by plane. */
function count(bytes: Uint8Array, plane: number, histograms: readonly Float64Array[]): void {
  const channels = histograms.length;
  for (let start = 0, channel = 0; start < bytes.length; start += plane, channel = (channel + 1) % channels) {
    const histogram = histograms[channel]!;
    for (let i = start; i < start + plane; i++) histogram[bytes[i]!]!++;
  }
}

function moments(histograms: readonly Float64Array[]): { mean: number[]; std: number[] } {
  const channels = histograms.map((histogram) => {
    let pixels = 0;
    let sum = 0;
    let squares = 0;
    for (const [value, times] of histogram.entries()) {
      pixels += times;
      sum += times * value;
      squares += times * value * value;
    }
    const mean = sum / pixels;
    return { mean: mean / 255, std: Math.sqrt(Math.max(0, squares / pixels - mean * mean)) / 255 };
  });
  return { mean: channels.map(({ mean }) => mean), std: channels.map(({ std }) => std) };
}
