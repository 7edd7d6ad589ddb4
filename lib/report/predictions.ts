/**
 * A grid of test images with true and predicted classes.
 * @module
 */
import {
  checkIterable,
  checkOptions,
  checkRecord,
  checkString,
  checkStrings,
  optionKeys,
} from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { html, type Markup } from './html.js';
import { svgToPng } from './render.js';
import { type ColourScheme, checkScheme, FONT_STACK, PALETTES } from './theme.js';

/** One image with its prediction. */
export interface Prediction {
  /** Pixels, channel by channel: [C, H, W] with C 1 or 3, 0 to 255. */
  image: Uint8Array;
  /** [C, H, W]. */
  shape: readonly number[];
  /** Index of the true class. */
  label: number;
  /** Index of the predicted class. */
  predicted: number;
  /** Probability of the predicted class, 0 to 1. */
  probability: number;
  /** Name of the image, such as the path of its file, drawn below it. Default: none. */
  name?: string | undefined;
}

/** Options of {@link predictionsPng}. */
export interface PredictionsOptions {
  /** Class names in label order. */
  classes: readonly string[];
  /** Images in a row; default 6. */
  columns?: number | undefined;
  /** Default `light`. */
  scheme?: ColourScheme | undefined;
  /** Pixels of the PNG per CSS pixel; default 2. */
  scale?: number | undefined;
}

const PREDICTIONS_KEYS = optionKeys('classes', 'columns', 'scheme', 'scale');

const IMAGE = 132;
const CELL = { width: 168, height: 212 };
/** Height of a line with the name of the image. */
const NAME_HEIGHT = 18;
const MARGIN = 16;

/** Interleaves the channels, enlarges the image, and returns a data URI. */
async function dataUri({ image, shape }: Prediction, index: number): Promise<string> {
  const [channels = 0, height = 0, width = 0] = shape;
  const fits = height >= 1 && width >= 1 && image.length === channels * height * width;
  if (shape.length !== 3 || (channels !== 1 && channels !== 3) || !fits)
    throw new ShapeError(
      `Expected [1 or 3, H, W] and as many bytes for image ${index} but received shape [${shape.join(', ')}] and ${image.length} bytes`,
    );
  const pixels = Buffer.alloc(image.length);
  const plane = height * width;
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < plane; i++) pixels[i * channels + c] = image[c * plane + i]!;
  const { default: sharp } = await import('sharp');
  const raw = { width, height, channels: channels as 1 | 3 };
  // No smoothing of enlarged pixels: the network does not see it.
  const kernel = Math.max(width, height) < 64 ? 'nearest' : 'lanczos3';
  const png = await sharp(pixels, { raw })
    .resize(IMAGE * 2, IMAGE * 2, { kernel, fit: 'contain', background: '#808080' })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString('base64')}`;
}

/** A name, shortened to fit the cell. */
function fitted(name: string, characters: number): string {
  return name.length > characters ? `${name.slice(0, characters - 1)}\u2026` : name;
}

/** The end of a path that fits the cell; the name of the file is more useful than its folder. */
function fittedEnd(path: string, characters: number): string {
  return path.length > characters ? `\u2026${path.slice(1 - characters)}` : path;
}

async function cell(
  item: Prediction,
  index: number,
  options: PredictionsOptions,
  rowHeight: number,
): Promise<Markup> {
  const { classes, columns = 6, scheme = 'light' } = options;
  const { text, muted, right, wrong, line } = PALETTES[scheme];
  const name = (label: number, key: string) => {
    const found = classes[label];
    if (found === undefined)
      throw invalidArgument(`${key} of image ${index}`, `a class from 0 to ${classes.length - 1}`, label);
    return found;
  };
  const predicted = name(item.predicted, 'predicted');
  const truth = name(item.label, 'label');
  const correct = item.predicted === item.label;
  const colour = correct ? right : wrong;
  const x = MARGIN + (index % columns) * CELL.width + (CELL.width - IMAGE) / 2;
  const y = MARGIN + Math.floor(index / columns) * rowHeight;
  const percent = Number.isFinite(item.probability) ? `${Math.round(100 * item.probability)} %` : '';
  const frame = correct ? { colour: line, width: 1 } : { colour, width: 3.5 };
  return html`<g transform="translate(${x} ${y})">
<image width="${IMAGE}" height="${IMAGE}" href="${await dataUri(item, index)}"/>
<rect width="${IMAGE}" height="${IMAGE}" fill="none" stroke="${frame.colour}" stroke-width="${frame.width}"/>
<text y="${IMAGE + 23}" font-size="15" font-weight="600" fill="${colour}">${correct ? '\u2713' : '\u2717'} ${fitted(predicted, 12)}<tspan dx="7" fill="${muted}" font-weight="400" font-size="13">${percent}</tspan></text>
<text y="${IMAGE + 43}" font-size="13" fill="${correct ? muted : text}">true: ${fitted(truth, 16)}</text>
${
  item.name !== undefined &&
  html`<text y="${IMAGE + 60}" font-size="11" fill="${muted}">${fittedEnd(item.name, 24)}</text>
`
}</g>`;
}

/** Checks predictions and returns them as an array. */
function checkItems(items: readonly Prediction[]): Prediction[] {
  const list = checkIterable(items, 'items', 'an array of predictions');
  if (list.length === 0) throw invalidArgument('items', 'at least one prediction', items);
  const fields = {
    image: 'bytes',
    shape: 'array',
    label: 'number',
    predicted: 'number',
    probability: 'number',
  } as const;
  for (const [i, item] of list.entries()) {
    const { shape } = checkRecord(item, `items[${i}]`, 'a prediction', fields);
    if (shape.findIndex((size) => !Number.isInteger(size)) >= 0)
      throw invalidArgument(`items[${i}].shape`, 'integers [C, H, W]', shape);
    if (item.name !== undefined) checkString(item.name, `items[${i}].name`);
  }
  return list;
}

/**
 * Draws images with predicted and true class names as a PNG; a wrong prediction is red, framed and marked with a cross.
 * @param items - the article shows 18
 * @param options - class names, columns, color scheme and scale
 * @throws ShapeError for an image whose bytes do not fit its shape; ArgumentError for an empty list, for an
 * invalid prediction, for an unknown class and for invalid options
 */
export async function predictionsPng(
  items: readonly Prediction[],
  options: PredictionsOptions,
): Promise<Buffer> {
  const { classes, columns = 6, scheme = 'light', scale = 2 } = checkOptions(options, PREDICTIONS_KEYS);
  const list = checkItems(items);
  checkStrings(classes, 'classes', 'an array of class names');
  checkScheme(scheme);
  if (!(Number.isInteger(columns) && columns >= 1))
    throw invalidArgument('columns', 'a whole number from 1 on', columns);
  const rowHeight = CELL.height + (list.some(({ name }) => name !== undefined) ? NAME_HEIGHT : 0);
  const width = 2 * MARGIN + Math.min(columns, list.length) * CELL.width;
  const height = 2 * MARGIN + Math.ceil(list.length / columns) * rowHeight - 14;
  const cells = [];
  for (const [index, item] of list.entries()) cells.push(await cell(item, index, options, rowHeight));
  const svg = html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${FONT_STACK}">
<rect width="${width}" height="${height}" fill="${PALETTES[scheme].background}"/>
${cells}
</svg>`;
  return svgToPng(svg.toString(), scale);
}
