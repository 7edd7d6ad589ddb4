/** The preparation of images is that of the training: sharp's decoding and dyconv's loader. */
import { data } from 'dyconv';
import { describe, expect, it } from 'vitest';
import { toInput } from '../page/picture.js';
import { cover } from '../page/scale.js';
import { picture, pixels, prepared } from './support/run.js';

/** Planes of interleaved pixels. @param {Uint8Array} rgb @param {number} width @param {number} height */
function planesOf(rgb, width, height) {
  return [0, 1, 2].map((channel) => {
    const bytes = new Uint8Array(width * height);
    for (let i = 0; i < bytes.length; i++) bytes[i] = rgb[3 * i + channel];
    return { bytes, width, height };
  });
}

describe('cover', () => {
  it.each([
    { width: 300, height: 200, size: [128, 128], levels: 0 },
    { width: 320, height: 240, size: [32, 32], levels: 0 },
    { width: 321, height: 239, size: [28, 28], levels: 0 },
    { width: 257, height: 400, size: [128, 100], levels: 0 },
    { width: 129, height: 129, size: [128, 128], levels: 0 },
    { width: 28, height: 28, size: [28, 28], levels: 0 },
    { width: 40, height: 50, size: [64, 64], levels: 1 },
    { width: 20, height: 31, size: [48, 64], levels: 1 },
  ])('scales $width x $height to $size as decodeImage', async ({ width, height, size, levels }) => {
    const [rows = 0, columns = 0] = size;
    const { image } = await data.decodeImage(await picture('png', { width, height }), {
      size: [rows, columns],
    });
    for (const [channel, plane] of planesOf(pixels(width, height, 3), width, height).entries()) {
      const { bytes } = cover(plane, rows, columns);
      const expected = image.subarray(channel * bytes.length, (channel + 1) * bytes.length);
      expect(Math.max(...bytes.map((byte, i) => Math.abs(byte - Number(expected[i]))))).toBeLessThanOrEqual(
        levels,
      );
    }
  });
});

describe('toInput', () => {
  const { resize, centerCrop, normalize, compose, presets, test } = data.transforms;

  it.each([
    ['the usual transform', 64, 64, test({ size: 64, ...presets.half }), presets.half],
    [
      'the preset imagenet',
      60,
      69,
      compose([resize({ size: 69 }), centerCrop({ size: 60 }), normalize(presets.imagenet)]),
      presets.imagenet,
    ],
  ])('is %s of the loader', async (_, size, resized, transform, { mean, std }) => {
    const [width, height] = [50, 40];
    const planes = planesOf(pixels(width, height, 3), width, height);
    const image = Buffer.concat(planes.map(({ bytes }) => bytes));
    const expected = await prepared(image, [3, height, width], transform);
    const input = toInput(planes, size, {
      model: '',
      classes: [],
      image_shape: [3, height, width],
      resize: resized,
      mean,
      std,
    });
    expect(expected.shape).toEqual([1, 3, size, size]);
    const values = expected.dataSync({ dtype: 'float32' });
    expect(input).toHaveLength(values.length);
    expect(Math.max(...input.map((value, i) => Math.abs(value - Number(values[i]))))).toBeLessThan(1e-5);
  });
});
