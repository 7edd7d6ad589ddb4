/**
 * An image that shows the effect of a transform.
 * @module
 */

import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { augmentPacked } from './batches.js';
import { checkAnyDataset, type Dataset, type InMemoryDataset, isInMemory } from './dataset.js';
import { Pipeline } from './pipeline.js';
import type { ByteImage } from './pixels/image.js';
import { Random } from './random.js';
import { byteImage, type ImageSample } from './samples.js';
import { type Transform, from as transformFrom } from './transforms.js';

const GRID_KEYS = optionKeys('transform', 'rows', 'columns', 'seed', 'cell');

/** Options of {@link grid}. */
export interface GridOptions {
  /** The transform; without it only the images are shown. */
  transform?: Transform | undefined;
  /** Number of images, one per row. Default: 8. */
  rows?: number | undefined;
  /** Transformed versions of each, those of epoch 0, 1, … Default: 8. */
  columns?: number | undefined;
  /** Chooses the images, and is the seed of the transform. Default: 0. */
  seed?: number | undefined;
  /** Height and width of an image in the grid, in pixels. Default: 96. */
  cell?: number | undefined;
}

const GAP = 4;
const BACKGROUND = 255;

/**
 * A PNG with one image of the set per row: the unchanged image, then its transformed versions of one epoch after the
 * other. Values are shown unnormalized; values outside [0, 1] are clipped.
 * @param set - A set of this package, or a custom one, of whose samples only those that are shown are read. Images have to be
 * bytes; they may be of any size.
 *
 * @example
 * await writeFile('grid.png', await data.grid(clothes, { transform: data.transforms.train() }))
 * @throws ArgumentError naming the option; DatasetError naming a sample that is no image of bytes; ShapeError for images that
 * have neither 1 nor 3 channels.
 */
export async function grid(
  set: InMemoryDataset | Dataset<ImageSample>,
  options: GridOptions = {},
): Promise<Buffer> {
  checkAnyDataset(set);
  checkOptions(options, GRID_KEYS);
  const { rows = 8, columns = 8, seed = 0, cell = 96 } = options;
  const transform = options.transform && transformFrom(options.transform);
  for (const [name, value] of Object.entries({ rows, columns, cell })) {
    if (!Number.isInteger(value) || value < 1 || value > 1024)
      throw invalidArgument(name, 'an integer from 1 to 1024', value);
  }
  if (!Number.isSafeInteger(seed)) throw invalidArgument('seed', 'an integer', seed);
  if (set.length === 0) throw invalidArgument('dataset.length', 'at least 1 sample', 0);
  const order = new Random(seed).shuffle(Array.from({ length: set.length }, (_, i) => i));
  const keys = order.slice(0, rows);
  const itself = new Pipeline(undefined, {});
  const plans = transform ? new Pipeline(transform, {}) : undefined;
  const pictures: Picture[] = [];
  for (const [row, key] of keys.entries()) {
    const image = await imageOf(set, key);
    const [channels] = image.shape;
    if (channels !== 1 && channels !== 3)
      throw new ShapeError(`Expected images of 1 or 3 channels for grid but sample ${key} has ${channels}`);
    const draw = async (column: number, of: Pipeline, epoch: number) =>
      pictures.push({ row, column, input: await cellOf(image, key, of, { seed, epoch, cell }) });
    await draw(0, itself, 0);
    if (plans) for (let epoch = 0; epoch < columns; epoch++) await draw(epoch + 1, plans, epoch);
  }
  return compose(pictures, { rows: keys.length, columns: plans ? columns + 1 : 1, cell });
}

/** An image of a set. For a set in memory it is what loaders read, regardless of what its `get` returns. */
async function imageOf(set: InMemoryDataset | Dataset<ImageSample>, key: number): Promise<ByteImage> {
  if (!isInMemory(set)) return byteImage(set, await set.get(key), key);
  const { images, shape } = set;
  const size = shape[0] * shape[1] * shape[2];
  return { bytes: images.subarray(key * size, (key + 1) * size), shape };
}

interface Picture {
  row: number;
  column: number;
  /** An encoded image. */
  input: Buffer;
}

/** A transformed image of an epoch as an image of `cell` x `cell` pixels. */
async function cellOf(
  image: ByteImage,
  key: number,
  pipeline: Pipeline,
  { seed, epoch, cell }: { seed: number; epoch: number; cell: number },
): Promise<Buffer> {
  const request = { seed, epoch, threads: 1 };
  // Of several crops the first one is shown.
  const [prepared = image] = await pipeline.prepare([image], [key], request);
  const [channels] = prepared.shape;
  const plan = pipeline.last.common(channels, pipeline.last.for(prepared.shape).size);
  const last = { ...request, seed: pipeline.lastSeed(seed) };
  const batch = await augmentPacked([prepared], [key], plan, last);
  const values = batch.dataSync({ dtype: 'float32' });
  batch.dispose();
  return enlarge(toBytes(values, channels, plan), channels, plan.size, cell);
}

/** Planes of normalized values to interleaved bytes. */
function toBytes(
  values: Float32Array,
  channels: number,
  { mean, std }: { mean: readonly number[]; std: readonly number[] },
): Buffer {
  const plane = values.length / channels;
  const bytes = Buffer.alloc(values.length);
  for (let c = 0; c < channels; c++) {
    const [m, s] = [mean[c] ?? mean[0]!, std[c] ?? std[0]!];
    for (let i = 0; i < plane; i++) {
      const level = Math.round((values[c * plane + i]! * s + m) * 255);
      bytes[i * channels + c] = Math.min(Math.max(level, 0), 255);
    }
  }
  return bytes;
}

async function enlarge(
  bytes: Buffer,
  channels: number,
  [height, width]: readonly [number, number],
  cell: number,
): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  // Small images are enlarged without smoothing.
  const kernel = Math.max(height, width) < cell ? 'nearest' : 'lanczos3';
  return sharp(bytes, { raw: { width, height, channels: channels as 1 | 3 } })
    .resize(cell, cell, { kernel, fit: 'contain', background: '#808080' })
    .toColourspace('srgb')
    .png()
    .toBuffer();
}

async function compose(
  pictures: readonly Picture[],
  { rows, columns, cell }: { rows: number; columns: number; cell: number },
): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  const at = (place: number) => GAP + place * (cell + GAP);
  const background = { r: BACKGROUND, g: BACKGROUND, b: BACKGROUND };
  return sharp({ create: { width: at(columns), height: at(rows), channels: 3, background } })
    .composite(pictures.map(({ row, column, input }) => ({ input, top: at(row), left: at(column) })))
    .removeAlpha()
    .png({ compressionLevel: 9 })
    .toBuffer();
}
