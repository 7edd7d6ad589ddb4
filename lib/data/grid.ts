/**
 * What a transform does to pictures, as a picture.
 * @module
 */

import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { augmentBatch } from './batches.js';
import { checkDataset, type InMemoryDataset } from './dataset.js';
import { planFor } from './plan.js';
import { Random } from './random.js';
import { type Transform, from as transformFrom } from './transforms.js';

const GRID_KEYS = optionKeys('transform', 'rows', 'columns', 'seed', 'cell');

/** Options of {@link grid}. */
export interface GridOptions {
  /** What is shown; without it only the images themselves. */
  transform?: Transform | undefined;
  /** Number of images, one a row. Default: 8. */
  rows?: number | undefined;
  /** Transformed versions of each, those of epoch 0, 1, … Default: 8. */
  columns?: number | undefined;
  /** Chooses the images, and is the seed of the transform. Default: 0. */
  seed?: number | undefined;
  /** Height and width of a picture in the grid, in pixels. Default: 96. */
  cell?: number | undefined;
}

const GAP = 4;
const BACKGROUND = 255;

/**
 * A PNG with one image of the set a row: the image as it is, then what the transform makes of it in one epoch after the
 * other. Values are shown unnormalised; what lies outside [0, 1] is clipped.
 *
 * @example
 * await writeFile('grid.png', await data.grid(clothes, { transform: data.transforms.train() }))
 * @throws ArgumentError naming the option; ShapeError for images that have neither 1 nor 3 channels.
 */
export async function grid(set: InMemoryDataset, options: GridOptions = {}): Promise<Buffer> {
  checkDataset(set);
  checkOptions(options, GRID_KEYS);
  const { rows = 8, columns = 8, seed = 0, cell = 96 } = options;
  const transform = options.transform && transformFrom(options.transform);
  for (const [name, value] of Object.entries({ rows, columns, cell })) {
    if (!Number.isInteger(value) || value < 1 || value > 1024)
      throw invalidArgument(name, 'an integer from 1 to 1024', value);
  }
  if (!Number.isSafeInteger(seed)) throw invalidArgument('seed', 'an integer', seed);
  const [channels] = set.shape;
  if (channels !== 1 && channels !== 3)
    throw new ShapeError(`Expected images of 1 or 3 channels for grid but received ${channels}`);
  const order = new Random(seed).shuffle(Array.from({ length: set.length }, (_, i) => i));
  const chosen = order.slice(0, rows);
  const plans = [undefined, ...(transform ? Array.from({ length: columns }, () => transform) : [])];
  const pictures: { row: number; column: number; input: Buffer }[] = [];
  for (const [column, one] of plans.entries()) {
    const where = { seed, epoch: Math.max(0, column - 1), threads: 1 };
    const { mean, std, size } = planFor(one, set.shape);
    const batch = await augmentBatch(set, chosen, one, where);
    const values = batch.dataSync({ dtype: 'float32' });
    batch.dispose();
    for (const row of chosen.keys()) {
      const length = channels * size[0] * size[1];
      const bytes = toBytes(values.subarray(row * length, (row + 1) * length), channels, { mean, std });
      pictures.push({ row, column, input: await enlarge(bytes, channels, size, cell) });
    }
  }
  return compose(pictures, { rows: chosen.length, columns: plans.length, cell });
}

/** Planes of normalised values to interleaved bytes. */
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
  // Small images are shown as the squares they are.
  const kernel = Math.max(height, width) < cell ? 'nearest' : 'lanczos3';
  return sharp(bytes, { raw: { width, height, channels: channels as 1 | 3 } })
    .resize(cell, cell, { kernel, fit: 'contain', background: '#808080' })
    .toColourspace('srgb')
    .png()
    .toBuffer();
}

async function compose(
  pictures: readonly { row: number; column: number; input: Buffer }[],
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
