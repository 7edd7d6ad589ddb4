import sharp from 'sharp';
import { expect, test } from 'vitest';
import { createDataset } from '../../lib/data/dataset.js';
import { grid } from '../../lib/data/grid.js';
import { bundled } from '../../lib/data/mnist.js';
import * as transforms from '../../lib/data/transforms.js';
import { ArgumentError, ShapeError } from '../../lib/errors.js';

/** Two images of 3 x 4 x 4, one red, one green on its left half. */
const set = createDataset({
  name: 'colours',
  split: 'train',
  classes: ['red', 'green'],
  shape: [3, 4, 4],
  images: Uint8Array.from({ length: 96 }, (_, i) => {
    const [image, channel, x] = [Math.floor(i / 48), Math.floor(i / 16) % 3, i % 4];
    return image === channel && (image === 0 || x < 2) ? 200 : 0;
  }),
  labels: Uint8Array.of(0, 1),
  source: 'test',
});

async function pixels(png: Buffer) {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [
    ...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3),
  ];
  return { ...info, at };
}

test('shows each image and its transformed versions in a row', async () => {
  const transform = transforms.compose([transforms.randomHorizontalFlip({ p: 1 }), transforms.normalize()]);
  const picture = await pixels(await grid(set, { transform, rows: 5, columns: 3, cell: 8 }));
  // Two images only; the image itself and three columns; gaps of 4 pixels.
  expect(picture).toMatchObject({ width: 4 + 4 * 12, height: 4 + 2 * 12, channels: 3 });
  expect(picture.at(0, 0)).toEqual([255, 255, 255]);
  const rows = [4, 16].map((y) => [picture.at(4, y), picture.at(4 + 7, y)]);
  const red = rows.findIndex(([left]) => left![0] === 200);
  expect(rows[red]).toEqual([
    [200, 0, 0],
    [200, 0, 0],
  ]);
  expect(rows[1 - red]).toEqual([
    [0, 200, 0],
    [0, 0, 0],
  ]);
  const y = 1 - red === 0 ? 4 : 16;
  for (const x of [16, 28, 40])
    expect([picture.at(x, y), picture.at(x + 7, y)]).toEqual([
      [0, 0, 0],
      [0, 200, 0],
    ]);
});

test('the same seed shows the same; another shows others; gray sets can be shown', async () => {
  const grey = await bundled({ split: 'test', channels: 1 });
  const options = { transform: transforms.train({ size: 32 }), rows: 2, columns: 2, cell: 32 };
  const once = await grid(grey, options);
  expect((await grid(grey, options)).equals(once)).toBe(true);
  expect((await grid(grey, { ...options, seed: 1 })).equals(once)).toBe(false);
});

test('bad options are named', async () => {
  await expect(grid(set, { rows: 0 })).rejects.toThrow(ArgumentError);
  await expect(grid(set, { seed: 0.5 })).rejects.toThrow(/seed/);
  await expect(grid(set, { transform: {} as never })).rejects.toThrow(/transform/);
  await expect(grid(set, { row: 1 } as never)).rejects.toThrow(/'row'/);
  const two = { ...set, shape: [2, 4, 4] as const, images: new Uint8Array(set.length * 32) };
  await expect(grid(two)).rejects.toThrow(ShapeError);
});
