/**
 * Smoothing and resizing by weighted sums of neighboring pixels.
 * @module
 */
import { ShapeError } from '../../errors.js';
import { type ByteImage, blank, toByte } from './image.js';

/** Weights of the input pixels of each output pixel along one axis. */
interface Taps {
  first: number;
  weights: Float64Array;
}

/**
 * Gaussian smoothing with reflected borders, like torchvision's `gaussian_blur`.
 * @param kernelSize - [height, width], odd.
 * @throws ShapeError if the image is not larger than half of the kernel.
 */
export function gaussianBlur(
  image: ByteImage,
  [kernelHeight, kernelWidth]: readonly [number, number],
  sigma: number,
): ByteImage {
  const [channels, height, width] = image.shape;
  if (kernelHeight >> 1 >= height || kernelWidth >> 1 >= width)
    throw new ShapeError(
      `Expected an image larger than half of the kernel ${kernelHeight} x ${kernelWidth} for gaussianBlur but received ${height} x ${width}`,
    );
  const [vertical, horizontal] = [gaussian(kernelHeight, sigma), gaussian(kernelWidth, sigma)];
  const rows = new Float64Array(image.bytes.length);
  const out = blank(channels, height, width);
  for (let c = 0; c < channels; c++) {
    const plane = c * height * width;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0; k < kernelWidth; k++)
          sum +=
            horizontal[k]! * image.bytes[plane + y * width + reflect(x + k - (kernelWidth >> 1), width)]!;
        rows[plane + y * width + x] = sum;
      }
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0; k < kernelHeight; k++)
          sum += vertical[k]! * rows[plane + reflect(y + k - (kernelHeight >> 1), height) * width + x]!;
        out.bytes[plane + y * width + x] = toByte(sum);
      }
    }
  }
  return out;
}

/**
 * Scales an image to [height, width]: bilinear, with antialiasing when it shrinks, like torchvision's `resize` of uint8
 * images with `antialias=True`: first rows, then columns, each rounded.
 */
export function resizeAntialias(image: ByteImage, [height, width]: readonly [number, number]): ByteImage {
  const [channels, rows, columns] = image.shape;
  const horizontal = taps(columns, width);
  const vertical = taps(rows, height);
  const { bytes } = columns === width ? image : widen(image, horizontal);
  if (rows === height) return { bytes, shape: [channels, height, width] };
  const out = blank(channels, height, width);
  for (let c = 0; c < channels; c++) {
    for (const [y, { first, weights }] of vertical.entries()) {
      const sums = new Float64Array(width);
      for (let k = 0; k < weights.length; k++) {
        const weight = weights[k]!;
        const from = (c * rows + first + k) * width;
        for (let x = 0; x < width; x++) sums[x]! += weight * bytes[from + x]!;
      }
      const to = (c * height + y) * width;
      for (let x = 0; x < width; x++) out.bytes[to + x] = Math.floor(sums[x]! + 0.5);
    }
  }
  return out;
}

/** Row by row. */
function widen(
  { bytes, shape: [channels, rows, columns] }: ByteImage,
  horizontal: readonly Taps[],
): ByteImage {
  const out = blank(channels, rows, horizontal.length);
  for (let row = 0, i = 0; row < channels * rows; row++) {
    for (let x = 0; x < horizontal.length; x++) {
      const { first, weights } = horizontal[x]!;
      const from = row * columns + first;
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * bytes[from + k]!;
      out.bytes[i++] = Math.floor(sum + 0.5);
    }
  }
  return out;
}

/** A triangle as wide as an output pixel, at least as two input pixels; the sum of the weights is 1. */
function taps(from: number, to: number): Taps[] {
  const scale = from / to;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const center = scale * (i + 0.5);
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(from, Math.trunc(center + support + 0.5));
    const weights = Float64Array.from({ length: end - first }, (_, k) =>
      Math.max(0, 1 - Math.abs((first + k - center + 0.5) / support)),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function gaussian(size: number, sigma: number): Float64Array {
  const weights = Float64Array.from({ length: size }, (_, i) =>
    Math.exp(-(((i - (size - 1) / 2) / sigma) ** 2) / 2),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** A place beyond the border, mirrored at the last pixel. */
function reflect(place: number, size: number): number {
  return place < 0 ? -place : place >= size ? 2 * (size - 1) - place : place;
}
