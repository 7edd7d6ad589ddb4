/** Training and prediction decode images identically, to the byte. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageFolder } from '../../lib/data/image-folder.js';
import { decodeImage, decodePicture, toPlanes } from '../../lib/data/picture.js';
import { readPictures } from '../../lib/serve/picture.js';

const [WIDTH, HEIGHT, SIZE] = [60, 44, 24];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dyconv-picture-'));
});
afterAll(() => rm(root, { recursive: true }));

/** Edges and gradients, so that another kernel, orientation or crop gives other bytes. */
function pixels(channels: number): Buffer {
  const bytes = Buffer.alloc(WIDTH * HEIGHT * channels);
  for (let y = 0, i = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++)
      for (let c = 0; c < channels; c++, i++)
        bytes[i] = c === 3 ? (x * 255) / WIDTH : 128 + 90 * Math.sign(Math.sin(x / 3 + c) * Math.cos(y / 4));
  return bytes;
}

const rgb = () => sharp(pixels(3), { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const rgba = () => sharp(pixels(4), { raw: { width: WIDTH, height: HEIGHT, channels: 4 } });

/** A GIF, WebP or TIFF of two frames or pages: the image, then a white one. */
function frames(format: 'gif' | 'webp' | 'tiff'): Promise<Buffer> {
  const both = Buffer.concat([pixels(3), Buffer.alloc(WIDTH * HEIGHT * 3, 255)]);
  const raw = { width: WIDTH, height: 2 * HEIGHT, channels: 3, pageHeight: HEIGHT } as const;
  return sharp(both, { raw }).toFormat(format, { lossless: true, compression: 'lzw' }).toBuffer();
}

/** A JPEG with bytes between its segments, as cameras write them. */
async function flawedJpeg(): Promise<Buffer> {
  const jpeg = await rgb().jpeg().toBuffer();
  const table = jpeg.indexOf(Buffer.from([0xff, 0xdb]));
  return Buffer.concat([jpeg.subarray(0, table), Buffer.from([0, 1, 2]), jpeg.subarray(table)]);
}

const pictures: [name: string, make: () => Promise<Buffer>][] = [
  ['rgb.png', () => rgb().png().toBuffer()],
  ['alpha.png', () => rgba().png().toBuffer()],
  ['grey-alpha.png', () => rgba().toColourspace('b-w').png().toBuffer()],
  ['alpha16.png', () => rgba().toColourspace('rgb16').png().toBuffer()],
  ['palette-alpha.png', () => rgba().png({ palette: true, colours: 16 }).toBuffer()],
  ['bits.png', () => rgb().toColourspace('b-w').png({ palette: true, colours: 2 }).toBuffer()],
  ['turned.png', () => rgb().withMetadata({ orientation: 8 }).png().toBuffer()],
  ['palette.png', () => rgb().png({ palette: true, colours: 16 }).toBuffer()],
  ['depth16.png', () => rgb().toColourspace('rgb16').png().toBuffer()],
  ['grey.png', () => rgb().toColourspace('b-w').png().toBuffer()],
  ['grey16.png', () => rgb().toColourspace('grey16').png().toBuffer()],
  ['plain.jpg', () => rgb().jpeg({ quality: 90 }).toBuffer()],
  ['turned.jpg', () => rgb().withMetadata({ orientation: 6 }).jpeg().toBuffer()],
  ['mirrored.jpg', () => rgb().withMetadata({ orientation: 5 }).jpeg().toBuffer()],
  ['progressive.jpg', () => rgb().jpeg({ progressive: true, chromaSubsampling: '4:2:0' }).toBuffer()],
  ['grey.jpg', () => rgb().toColourspace('b-w').jpeg().toBuffer()],
  ['wide-gamut.jpg', () => rgb().withIccProfile('p3').jpeg().toBuffer()],
  ['cmyk.jpg', () => rgb().toColourspace('cmyk').jpeg().toBuffer()],
  ['flawed.jpeg', flawedJpeg],
  ['alpha.webp', () => rgba().webp({ lossless: true }).toBuffer()],
  ['lossy.webp', () => rgb().webp().toBuffer()],
  ['turned.webp', () => rgb().withMetadata({ orientation: 6 }).webp().toBuffer()],
  ['animated.webp', () => frames('webp')],
  ['animated.gif', () => frames('gif')],
  ['pages.tiff', () => frames('tiff')],
  ['cmyk.tiff', () => rgb().toColourspace('cmyk').tiff().toBuffer()],
  ['picture.gif', () => rgb().gif().toBuffer()],
  ['picture.tiff', () => rgb().tiff({ compression: 'lzw' }).toBuffer()],
  ['picture.avif', () => rgb().avif().toBuffer()],
];

describe('a picture has the same bytes in training and in prediction', () => {
  it.each(pictures)('%s', async (name, make) => {
    const folder = join(root, `set-${name}`);
    const bytes = await make();
    for (const label of ['a', 'b']) {
      await mkdir(join(folder, label), { recursive: true });
      await writeFile(join(folder, label, name), bytes);
    }
    const set = await imageFolder({ root: folder, split: 'train', size: SIZE });
    expect(set.length).toBe(2);
    const trained = Buffer.from(set.get(0).image);
    const format = { classes: ['a', 'b'], imageShape: [3, SIZE, SIZE] };
    for (const picture of [join(folder, 'a', name), bytes]) {
      const { images } = await readPictures([picture], format, () => 'picture');
      expect(Buffer.compare(trained, Buffer.from(images))).toBe(0);
    }
    // Different images that are not constant, so that the comparison could fail.
    expect(new Set(trained).size).toBeGreaterThan(10);
  });
});

it('the files above are what their names say', async () => {
  const metadata = async (wanted: string) =>
    sharp(await pictures.find(([name]) => name === wanted)![1]()).metadata();
  expect(await metadata('depth16.png')).toMatchObject({ depth: 'ushort', channels: 3 });
  expect(await metadata('alpha16.png')).toMatchObject({ depth: 'ushort', channels: 4 });
  expect(await metadata('grey-alpha.png')).toMatchObject({ space: 'b-w', channels: 2 });
  expect(await metadata('palette-alpha.png')).toMatchObject({ isPalette: true, hasAlpha: true });
  expect(await metadata('bits.png')).toMatchObject({ isPalette: true, bitsPerSample: 1 });
  expect(await metadata('cmyk.jpg')).toMatchObject({ space: 'cmyk', channels: 4 });
  expect(await metadata('cmyk.tiff')).toMatchObject({ space: 'cmyk' });
  expect(await metadata('wide-gamut.jpg')).toMatchObject({ hasProfile: true });
  expect(await metadata('alpha.webp')).toMatchObject({ hasAlpha: true });
  for (const [name, orientation] of [
    ['turned.jpg', 6],
    ['turned.png', 8],
    ['turned.webp', 6],
    ['mirrored.jpg', 5],
  ] as const)
    expect(await metadata(name)).toMatchObject({ orientation });
  for (const name of ['animated.gif', 'animated.webp', 'pages.tiff'])
    expect(await metadata(name)).toMatchObject({ pages: 2 });
});

const size = { channels: 3, height: 8, width: 8 } as const;

it.each(['webp', 'tiff'] as const)('reads the first frame or page: %s', async (format) => {
  const whole = { channels: 3, height: HEIGHT, width: WIDTH } as const;
  const single = await decodePicture(await rgb().png().toBuffer(), whole);
  expect(Buffer.compare(await decodePicture(await frames(format), whole), single)).toBe(0);
});

it('blends transparency with black, also over hidden colors', async () => {
  const hidden = sharp({ create: { width: 9, height: 9, channels: 4, background: '#ff804000' } });
  expect(new Set(await decodePicture(await hidden.png().toBuffer(), size))).toEqual(new Set([0]));
});

it('turns a picture as its orientation tag says', async () => {
  const top = { input: { create: { width: 16, height: 8, channels: 3, background: '#fff' } } } as const;
  const base = sharp({ create: { width: 16, height: 16, channels: 3, background: '#000' } });
  const halves = base.composite([{ ...top, top: 0, left: 0 }]).withMetadata({ orientation: 6 });
  const turned = await decodePicture(await halves.png().toBuffer(), size);
  const row = [...turned.subarray(24, 32)];
  expect(row.slice(0, 3)).toEqual([0, 0, 0]); // the top is now on the right
  expect(row.slice(5)).toEqual([255, 255, 255]);
});

it('averages what it shrinks, and keeps height and width apart', async () => {
  const lines = Buffer.from(Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 2) * 255));
  const png = await sharp(lines, { raw: { width: 64, height: 64, channels: 1 } })
    .png()
    .toBuffer();
  const small = await decodePicture(png, { channels: 1, height: 4, width: 8 });
  expect(small).toHaveLength(32);
  for (const value of small) expect(Math.abs(value - 127)).toBeLessThanOrEqual(3);
});

it('is gray by luminance for one channel, not one of the colors', async () => {
  const green = sharp({ create: { width: 9, height: 9, channels: 3, background: '#00ff00' } });
  const [level] = await decodePicture(await green.png().toBuffer(), { ...size, channels: 1 });
  expect(level).toBeGreaterThan(130);
  expect(level).toBeLessThan(230);
});

it.each([
  ['of whole words', 16, 0],
  ['of another length', 15, 0],
  ['that begins between words', 16, 1],
])('pixels become planes: an image %s', (_, plane, offset) => {
  const rgb = Uint8Array.from({ length: 3 * plane + offset }, (_, i) => (i * 37) % 256).subarray(offset);
  const expected = [0, 1, 2].flatMap((c) => Array.from({ length: plane }, (_, p) => rgb[3 * p + c]!));
  expect([...toPlanes(rgb, plane)]).toEqual(expected);
});

describe('an image that cannot be decoded', () => {
  const half = async (name: string) => {
    const bytes = await pictures.find(([one]) => one === name)![1]();
    return bytes.subarray(0, Math.floor(bytes.length * 0.6));
  };
  const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0', 'latin1');
  const files: [name: string, content: () => Buffer | Promise<Buffer>, reason: string][] = [
    ['empty.jpg', () => Buffer.alloc(0), 'the file is empty'],
    ['text.jpg', () => Buffer.from('<html>no image</html>'), 'it is not an image'],
    [
      'bitmap.JPG',
      () => Buffer.from(`BM${'\0'.repeat(60)}`),
      'it is a BMP file named .jpg: convert it to PNG or JPEG',
    ],
    ['phone.jpg', () => heic, 'it is a HEIC file named .jpg: convert it to PNG or JPEG'],
    ...['plain.jpg', 'rgb.png', 'lossy.webp', 'picture.gif', 'picture.tiff', 'picture.avif'].map(
      (name): [string, () => Promise<Buffer>, string] => [
        `half-${name}`,
        () => half(name),
        'the file is damaged or incomplete',
      ],
    ),
  ];
  it.each(files)('has one line with the reason: %s', async (name, content, reason) => {
    const path = join(root, name);
    await writeFile(path, await content());
    await expect(decodeImage(path)).rejects.toThrow(
      expect.objectContaining({ message: `${path}: cannot be read as an image: ${reason}` }),
    );
  });

  it('is called bytes where it is no file, and has the error of sharp as its cause', async () => {
    const reason = async (bytes: Uint8Array) => (await decodeImage(bytes).catch((error) => error)) as Error;
    const error = await reason(await half('plain.jpg'));
    expect(error.message).toMatch(/: the bytes are damaged or incomplete$/);
    expect((error.cause as Error).cause).toMatchObject({ message: expect.stringContaining('premature end') });
    expect((await reason(Buffer.from('text'))).message).toMatch(/: it is not an image$/);
    expect((await reason(heic)).message).toMatch(/: it is a HEIC file: convert it to PNG or JPEG$/);
  });
});
