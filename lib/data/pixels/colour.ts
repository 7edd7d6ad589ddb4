/**
 * Operations on the colors of an image, with the rounding of torchvision's for uint8 images.
 * @see https://docs.pytorch.org/vision/stable/transforms.html
 * @module
 */
import { type ByteImage, blank, checkColour, cutToByte, mapBytes, roundEven } from './image.js';

/** Multiplies by a factor. */
export function adjustBrightness(image: ByteImage, factor: number): ByteImage {
  return mapBytes(image, (value) => cutToByte(Math.fround(value * Math.fround(factor))));
}

/** Blends with the gray version; an image of 1 channel is unchanged. */
export function adjustSaturation(image: ByteImage, factor: number): ByteImage {
  const [channels] = image.shape;
  if (channels === 1) return image;
  checkColour(image, 'saturation');
  const grey = greyOf(image);
  const { bytes } = image;
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = blend(bytes[i]!, grey[i % grey.length]!, factor);
  return { ...image, bytes: out };
}

/** Blends with the mean gray level. */
export function adjustContrast(image: ByteImage, factor: number): ByteImage {
  checkColour(image, 'contrast');
  const grey = image.shape[0] === 1 ? image.bytes : greyOf(image);
  let sum = 0;
  for (const level of grey) sum += level;
  const mean = sum / grey.length;
  return mapBytes(image, (value) => blend(value, mean, factor));
}

/** Blends with a version smoothed by a 3x3 kernel of ones with a 5 in the middle; the border is unchanged. */
export function adjustSharpness(image: ByteImage, factor: number): ByteImage {
  const [channels, height, width] = image.shape;
  if (height <= 2 || width <= 2) return image;
  const { bytes } = image;
  const out = bytes.slice();
  for (let c = 0; c < channels; c++) {
    for (let y = 1; y < height - 1; y++) {
      const row = (c * height + y) * width;
      for (let at = row + 1; at < row + width - 1; at++) {
        const [above, below] = [at - width, at + width];
        const ring =
          bytes[above - 1]! +
          bytes[above]! +
          bytes[above + 1]! +
          bytes[at - 1]! +
          bytes[at + 1]! +
          bytes[below - 1]! +
          bytes[below]! +
          bytes[below + 1]!;
        const value = bytes[at]!;
        const smooth = roundEven((ring + 5 * value) / 13);
        out[at] = cutToByte(value + (1 - factor) * (smooth - value));
      }
    }
  }
  return { ...image, bytes: out };
}

/** Keeps the upper `bits` bits, 0 to 8. */
export function posterize(image: ByteImage, bits: number): ByteImage {
  const mask = (0xff << (8 - bits)) & 0xff;
  return mapBytes(image, (value) => value & mask);
}

/** Inverts values from `threshold`, 0 to 255. */
export function solarize(image: ByteImage, threshold: number): ByteImage {
  return mapBytes(image, (value) => (value >= threshold ? 255 - value : value));
}

/** Inverts all values. */
export function invert(image: ByteImage): ByteImage {
  return mapBytes(image, (value) => 255 - value);
}

/** Scales the values of each channel to 0 to 255. */
export function autocontrast(image: ByteImage): ByteImage {
  return byChannel(image, (plane) => {
    let [low, high] = [255, 0];
    for (const value of plane) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low === high) return undefined;
    const scale = Math.fround((high - low) * Math.fround(1 / 255));
    return (value) => cutToByte(Math.fround((value - low) / scale));
  });
}

/** Equalizes the histogram of each channel, as Pillow does. */
export function equalize(image: ByteImage): ByteImage {
  return byChannel(image, (plane) => {
    const counts = new Array<number>(256).fill(0);
    for (const value of plane) counts[value]!++;
    const last = counts.findLastIndex((count) => count > 0);
    const step = Math.floor((plane.length - counts[last]!) / 255);
    if (step === 0) return undefined;
    const table: number[] = [];
    let below = Math.floor(step / 2);
    for (const count of counts) {
      table.push(Math.min(255, Math.floor(below / step)));
      below += count;
    }
    table[0] = 0;
    return (value) => table[value]!;
  });
}

/** The gray version, of `channels` equal channels. */
export function grayscale(image: ByteImage, channels: number): ByteImage {
  checkColour(image, 'grayscale');
  const [own, height, width] = image.shape;
  const grey = own === 1 ? image.bytes : greyOf(image);
  const out = blank(channels, height, width);
  for (let c = 0; c < channels; c++) out.bytes.set(grey, c * grey.length);
  return out;
}

/** Gray levels of an RGB image, their fraction cut off. */
function greyOf({ bytes, shape: [, height, width] }: ByteImage): Uint8Array {
  const plane = height * width;
  const grey = new Uint8Array(plane);
  for (let i = 0; i < plane; i++)
    grey[i] = Math.fround(0.2989 * bytes[i]! + 0.587 * bytes[plane + i]! + 0.114 * bytes[2 * plane + i]!);
  return grey;
}

function blend(value: number, other: number, factor: number): number {
  return cutToByte(Math.fround(value * factor + other * (1 - factor)));
}

/** Replaces the bytes of each channel by a function that depends on the channel; undefined keeps it. */
function byChannel(
  image: ByteImage,
  make: (plane: Uint8Array) => ((value: number) => number) | undefined,
): ByteImage {
  const [channels, height, width] = image.shape;
  const size = height * width;
  const out = blank(channels, height, width);
  for (let c = 0; c < channels; c++) {
    const plane = image.bytes.subarray(c * size, (c + 1) * size);
    const map = make(plane);
    const { bytes } = map ? mapBytes({ bytes: plane, shape: [1, height, width] }, map) : { bytes: plane };
    out.bytes.set(bytes, c * size);
  }
  return out;
}
