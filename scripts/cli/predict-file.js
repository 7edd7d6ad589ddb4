/**
 * Classifying picture files.
 * @module
 */
import sharp from 'sharp';
import { createDataset } from '../../dist/data/dataset.js';
import { DatasetError, data, noGrad, tidy } from '../../dist/index.js';

/** @typedef {import('../../dist/train/index.js').RunConfig} RunConfig */

/**
 * Class probabilities of one picture, largest first. A picture of another size than those the model was trained on is
 * cut to their proportions around its centre and scaled; from there on it takes the way of a test image.
 * @param {import('../../dist/index.js').nn.Module} model - In evaluation mode.
 * @param {string} file - PNG, JPEG, or anything else sharp reads.
 * @param {Pick<RunConfig, 'classes' | 'imageShape' | 'imageSize' | 'device'>} config
 * @returns {Promise<{ name: string, probability: number }[]>}
 * @throws {DatasetError} naming a file that is missing or no picture.
 */
export async function predictFile(model, file, config) {
  const loader = data.loader(await readPicture(file, config), {
    batchSize: 1,
    shuffle: false,
    dropLast: false,
    transform: data.transforms.test({ size: config.imageSize }),
    device: config.device,
  });
  for await (const { images, labels } of loader) {
    try {
      const probabilities = noGrad(() => tidy(() => model.forward(images).softmax({ dim: 1 }).arraySync()));
      const [row = []] = /** @type {number[][]} */ (probabilities);
      return row
        .map((probability, index) => ({ name: config.classes[index] ?? String(index), probability }))
        .sort((a, b) => b.probability - a.probability);
    } finally {
      images.dispose();
      labels.dispose();
    }
  }
  throw new DatasetError(`${file}: gave no image`);
}

/**
 * @param {string} file
 * @param {Pick<RunConfig, 'classes' | 'imageShape'>} config
 */
async function readPicture(file, { classes, imageShape }) {
  const [channels = 3, height = 32, width = 32] = imageShape;
  let pixels;
  try {
    pixels = await sharp(file)
      .rotate() // as the camera's orientation tag says
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .resize(width, height, { fit: 'cover' })
      .raw()
      .toBuffer();
  } catch (error) {
    throw new DatasetError(`${file}: cannot be read as a picture: ${/** @type {Error} */ (error).message}`, {
      cause: error,
    });
  }
  const plane = width * height;
  const perPixel = pixels.length / plane; // 1 for a grey picture, else 3
  const images = Uint8Array.from({ length: channels * plane }, (_, index) => {
    const channel = Math.min(Math.floor(index / plane), perPixel - 1);
    return pixels[(index % plane) * perPixel + channel] ?? 0;
  });
  return createDataset({
    name: file,
    split: 'test',
    classes,
    shape: [channels, height, width],
    images,
    labels: new Uint8Array(1),
    source: file,
  });
}
