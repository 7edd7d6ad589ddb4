import { createDataset } from '../../dist/data/dataset.js';

/**
 * Images of noise in color, as CIFAR-10 has them: 3 x 32 x 32.
 * @param {number} count
 */
export function noiseSet(count) {
  const next = noise(7);
  return createDataset({
    name: 'noise',
    split: 'train',
    classes: Array.from({ length: 10 }, (_, i) => `class ${i}`),
    shape: [3, 32, 32],
    images: Uint8Array.from({ length: count * 3072 }, () => next() & 255),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 10),
    source: 'benchmark',
  });
}

/** xorshift32: numbers that need not be good. @param {number} seed @returns {() => number} */
export function noise(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** @typedef {import('sharp')['default']} Sharp */

/** One image at a time on each of libuv's threads, as a batch keeps them all busy. @returns {Promise<Sharp>} */
async function loadSharp() {
  const { default: sharp } = await import('sharp');
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

/**
 * The article's training pipeline with sharp: resize to 130, a random crop resized to 128, a random flip, to float32
 * planes. A batch's images are worked on at once, on libuv's threads.
 * @param {import('../../dist/data/dataset.js').InMemoryDataset} set
 * @returns {(start: number, count: number) => Promise<Float32Array>}
 */
export function sharpPipeline(set) {
  const random = noise(3);
  const plane = 128 * 128;
  /** @type {Promise<Sharp> | undefined} */
  let loaded;
  return async (start, count) => {
    loaded ??= loadSharp();
    const sharp = await loaded;
    const batch = new Float32Array(count * 3 * plane);
    const one = async (/** @type {number} */ i) => {
      const raw = interleaved(set.get((start + i) % set.length).image);
      const side = 37 + (random() % 93);
      const whole = await sharp(raw, { raw: { width: 32, height: 32, channels: 3 } })
        .resize(130, 130, { kernel: 'linear' })
        .extract({ left: random() % (131 - side), top: random() % (131 - side), width: side, height: side })
        .raw()
        .toBuffer();
      const cut = sharp(whole, { raw: { width: side, height: side, channels: 3 } }).resize(128, 128, {
        kernel: 'linear',
      });
      const bytes = await (random() & 1 ? cut.flop() : cut).raw().toBuffer();
      for (let c = 0; c < 3; c++) {
        const at = (i * 3 + c) * plane;
        for (let p = 0; p < plane; p++) batch[at + p] = (bytes[p * 3 + c] ?? 0) / 127.5 - 1;
      }
    };
    await Promise.all(Array.from({ length: count }, (_, i) => one(i)));
    return batch;
  };
}

/** @param {Uint8Array} image - [3, 32, 32] */
function interleaved(image) {
  const out = Buffer.alloc(image.length);
  const plane = image.length / 3;
  for (let p = 0; p < plane; p++) {
    for (let c = 0; c < 3; c++) out[p * 3 + c] = image[c * plane + p] ?? 0;
  }
  return out;
}
