/**
 * Converts a chart option to an SVG, and an SVG to a PNG. ECharts and sharp are loaded when first needed: programs that only
 * train or infer do not load them.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import type { ChartOption } from './page-data.js';
import { type ColourScheme, chartTheme, checkScheme, PALETTES } from './theme.js';

/** Size and color scheme of an image. */
export interface PictureOptions {
  /** In CSS pixels. */
  width?: number | undefined;
  /** In CSS pixels. */
  height?: number | undefined;
  /** Default `light`. */
  scheme?: ColourScheme | undefined;
}

const PICTURE_KEYS = optionKeys('width', 'height', 'scheme');
const PNG_KEYS = optionKeys(...PICTURE_KEYS, 'scale');

/** Options of a PNG. */
export interface PngOptions extends PictureOptions {
  /** Pixels of the PNG per CSS pixel; default 2, sharp on dense screens and in print. */
  scale?: number | undefined;
}

/** Checks the options of a PNG and separates the scale from the others. */
export function splitPngOptions(options: PngOptions): [picture: PictureOptions, scale: number | undefined] {
  const { scale, ...picture } = checkOptions(options, PNG_KEYS);
  return [picture, scale];
}

/** An image size with all fields. */
export interface PictureSize {
  width: number;
  height: number;
  scheme: ColourScheme;
}

/** Checks an image size and fills in defaults. */
export function pictureSize(options: PictureOptions, width: number, height: number): PictureSize {
  checkOptions(options, PICTURE_KEYS);
  const size = {
    width: options.width ?? width,
    height: options.height ?? height,
    scheme: checkScheme(options.scheme ?? 'light'),
  };
  for (const key of ['width', 'height'] as const) {
    if (!(Number.isInteger(size[key]) && size[key] >= 64 && size[key] <= 16384))
      throw invalidArgument(key, 'a whole number of pixels from 64 to 16384', size[key]);
  }
  return size;
}

/** Draws a chart without a browser. */
export async function renderSvg(option: ChartOption, size: PictureSize): Promise<string> {
  const { init } = await import('echarts');
  const { width, height, scheme } = size;
  const chart = init(null, chartTheme(scheme), { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, backgroundColor: PALETTES[scheme].background, ...option });
    return chart.renderToSVGString();
  } finally {
    // Otherwise a timer of the chart keeps the process alive.
    chart.dispose();
  }
}

/** Rasterizes an SVG. */
export async function svgToPng(svg: string, scale = 2): Promise<Buffer> {
  if (!(typeof scale === 'number' && scale > 0 && scale <= 8))
    throw invalidArgument('scale', 'a number above 0 and up to 8', scale);
  const { default: sharp } = await import('sharp');
  // At 72 dots per inch an SVG unit is one pixel.
  return sharp(Buffer.from(svg), { density: 72 * scale, limitInputPixels: false })
    .png({ compressionLevel: 9 })
    .toBuffer();
}
