/**
 * From the file of an image to the input of the network, in the same steps as in training.
 * @module
 */
import { cover } from './scale.js';

/** @import { Metadata } from './model.js' */
/** @import { Plane } from './scale.js' */

/** Images with more pixels are not decoded. */
const MAX_PIXELS = 100_000_000;

/**
 * Decodes an image: rotated by its EXIF orientation, as sRGB, transparency on black, the first frame of an animation.
 * @param {Blob} file
 * @returns {Promise<Plane[]>} Red, green, blue.
 * @throws Error that says what is wrong.
 */
export async function decode(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' }).catch((cause) => {
    throw new Error(
      'Expected an image that the browser can read but received a damaged file or another format',
      {
        cause,
      },
    );
  });
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS)
      throw new Error(
        `Expected at most ${MAX_PIXELS / 1e6} million pixels but received ${width} x ${height}`,
      );
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { alpha: false, colorSpace: 'srgb', willReadFrequently: true });
    if (!context) throw new Error(`Expected a canvas of ${width} x ${height} but the browser has none`);
    context.drawImage(bitmap, 0, 0);
    return planesOf(context.getImageData(0, 0, width, height));
  } finally {
    bitmap.close();
  }
}

/** @param {ImageData} image @returns {Plane[]} */
function planesOf({ data, width, height }) {
  return [0, 1, 2].map((channel) => {
    const bytes = new Uint8Array(width * height);
    for (let i = 0; i < bytes.length; i++) bytes[i] = data[4 * i + channel];
    return { bytes, width, height };
  });
}

/**
 * The input of the network: scaled to cover the size of the training images, resized, cropped, normalized.
 * @param {Plane[]} planes @param {number} size Height and width of the input. @param {Metadata} metadata
 * @returns {Float32Array} [3, size, size]
 */
export function toInput(planes, size, { image_shape: [, height, width], resize, mean, std }) {
  const input = new Float32Array(3 * size * size);
  for (const [channel, plane] of planes.entries()) {
    const values = sample(cover(plane, height, width), resize, size);
    const of = (/** @type {readonly number[]} */ list) => list[channel % list.length];
    const scale = 1 / (255 * of(std));
    const bias = -of(mean) / of(std);
    input.set(
      values.map((value) => value * scale + bias),
      channel * size * size,
    );
  }
  return input;
}

/**
 * The center of a plane that is resized: bilinear with half-pixel centers, without antialiasing and without rounding to bytes.
 * @param {Plane} plane @param {number} resized Height and width. @param {number} size Height and width of the center.
 * @returns {Float64Array} [size, size]
 */
function sample({ bytes, width, height }, resized, size) {
  const rows = places(height, resized, size);
  const columns = places(width, resized, size);
  const out = new Float64Array(size * size);
  let i = 0;
  for (const row of rows) {
    const upper = row.low * width;
    const lower = row.high * width;
    for (const { low, high, share } of columns) {
      const top = bytes[upper + low] * (1 - share) + bytes[upper + high] * share;
      const bottom = bytes[lower + low] * (1 - share) + bytes[lower + high] * share;
      out[i++] = top * (1 - row.share) + bottom * row.share;
    }
  }
  return out;
}

/** For each position of the center, what it lies between in the source. @param {number} source @param {number} resized @param {number} size */
function places(source, resized, size) {
  const start = (resized - size) / 2;
  const offset = start % 1 === 0.5 && Math.floor(start) % 2 === 0 ? Math.floor(start) : Math.round(start);
  return Array.from({ length: size }, (_, i) => {
    const exact = ((i + offset + 0.5) * source) / resized - 0.5;
    const at = Math.min(Math.max(exact, 0), source - 1);
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, source - 1), share: at - low };
  });
}
