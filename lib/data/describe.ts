/**
 * What is in a data set, in numbers.
 * @module
 */
import { checkDataset, type InMemoryDataset, type Split } from './dataset.js';

/** The answer of {@link describe}. */
export interface DatasetDescription {
  /** Name of the data set. */
  name: string;
  /** Images for training, or for testing. */
  split: Split;
  /** How many images there are. */
  length: number;
  /** [C, H, W] of an image. */
  shape: readonly [number, number, number];
  /** Number of images of every class, in label order. */
  counts: { class: string; count: number }[];
  /** Mean of every channel, in [0, 1] units. */
  mean: number[];
  /** Standard deviation of every channel over all pixels, in [0, 1] units. */
  std: number[];
}

/** Counts per class, and mean and standard deviation per channel over all pixels of all images. */
export function describe(set: InMemoryDataset): DatasetDescription {
  checkDataset(set);
  const { name, split, length, shape, classes, images, labels } = set;
  const counts = new Array<number>(classes.length).fill(0);
  for (const label of labels) counts[label]!++;
  const [channels, height, width] = shape;
  const plane = height * width;
  // A histogram of the 256 values a channel can have: exact, and one pass over the bytes.
  const histograms = Array.from({ length: channels }, () => new Float64Array(256));
  for (
    let start = 0, channel = 0;
    start < images.length;
    start += plane, channel = (channel + 1) % channels
  ) {
    const histogram = histograms[channel]!;
    for (let i = start; i < start + plane; i++) histogram[images[i]!]!++;
  }
  const moments = histograms.map((histogram) => {
    let sum = 0;
    let squares = 0;
    for (let value = 0; value < 256; value++) {
      sum += histogram[value]! * value;
      squares += histogram[value]! * value * value;
    }
    const pixels = length * plane;
    const mean = sum / pixels;
    return { mean: mean / 255, std: Math.sqrt(Math.max(0, squares / pixels - mean * mean)) / 255 };
  });
  return {
    name,
    split,
    length,
    shape,
    counts: counts.map((count, label) => ({ class: classes[label]!, count })),
    mean: moments.map(({ mean }) => mean),
    std: moments.map(({ std }) => std),
  };
}
