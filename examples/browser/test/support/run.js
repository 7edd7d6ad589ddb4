/**
 * A trained network, and what dyconv itself answers with it.
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DynamicConv2d, data, noGrad, serve, tidy } from 'dyconv';
import sharp from 'sharp';

const dyconv = dirname(createRequire(import.meta.url).resolve('dyconv/package.json'));
const TRAIN = 'train --model alexnet-dy --dataset bundled --epochs 1 --batch-size 32 --lr 0.01';

/**
 * Trains AlexNet-DY on a few of the bundled images.
 * @returns {Promise<{ path: string, remove(): Promise<void> }>} The run directory.
 */
export async function trainRun() {
  const parent = await mkdtemp(join(tmpdir(), 'dyconv-browser-'));
  const path = join(parent, 'dy');
  const few = ['--limit-train', '64', '--limit-test', '16', '--temperature', '1', '--out', path];
  const script = join(dyconv, 'scripts', 'dyconv.js');
  await promisify(execFile)(process.execPath, [script, ...TRAIN.split(' '), ...few]);
  return { path, remove: () => rm(parent, { recursive: true }) };
}

/**
 * The answer of `loadClassifier`, and the attention of every dynamic layer by the forward of the network.
 * @param {string} path The run directory. @param {Uint8Array} bytes The file of an image.
 */
export async function expectedAnswer(path, bytes) {
  const classifier = await serve.loadClassifier(path);
  const { config, model } = classifier;
  const [, height = 0, width = 0] = config.imageShape;
  const { image, shape } = await data.decodeImage(bytes, { size: [height, width] });
  const input = await prepared(image, shape, data.transforms.test({ size: config.imageSize, ...half }));
  /** @type {{ layer: string, shares: number[] }[]} */
  const attention = [];
  for (const [layer, module] of model.namedModules())
    if (module instanceof DynamicConv2d)
      module.registerForwardPreHook((_, [x]) => {
        attention.push({ layer, shares: numbers(module.attention(/** @type {typeof input} */ (x))) });
      });
  noGrad(() => tidy(() => void model.forward(input)));
  input.dispose();
  const classes = await classifier.predict(bytes);
  await classifier.close();
  return { classes, attention };
}

const half = data.transforms.presets.half;

/** @param {import('dyconv').Tensor} tensor */
const numbers = (tensor) => Array.from(tensor.dataSync({ dtype: 'float32' }));

/**
 * One image as the loader prepares it, [1, C, H, W].
 * @param {Uint8Array} image @param {readonly number[]} shape @param {data.Transform} transform
 */
export async function prepared(image, shape, transform) {
  const set = { length: 1, classes: ['any'], get: async () => ({ image, shape, label: 0 }) };
  for await (const { images, labels } of data.loader(set, { batchSize: 1, transform })) {
    labels.dispose();
    return images;
  }
  throw new Error('Expected an image');
}

/**
 * A picture with edges, gradients and grain.
 * @param {'png' | 'jpeg' | 'webp'} format @param {{ width: number, height: number, channels?: 3 | 4 }} size
 */
export function picture(format, { width, height, channels = 3 }) {
  return sharp(pixels(width, height, channels), { raw: { width, height, channels } })
    .toFormat(format, format === 'png' ? {} : { quality: 90, ...(format === 'webp' && { lossless: true }) })
    .toBuffer();
}

/** @param {number} width @param {number} height @param {number} channels */
export function pixels(width, height, channels) {
  const bytes = Buffer.alloc(width * height * channels);
  let random = 1;
  for (let i = 0; i < bytes.length; i++) {
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    const [x, y, channel] = [
      Math.floor(i / channels) % width,
      Math.floor(i / channels / width),
      i % channels,
    ];
    const wave = 60 * Math.sin(x / 7 + channel) + 50 * Math.cos(y / 5 - channel) + (x > width / 2 ? 40 : 0);
    bytes[i] = Math.min(255, Math.max(0, 110 + wave + ((random >> 16) % 30)));
  }
  return bytes;
}
