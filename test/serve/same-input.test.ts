/** The network gets the same tensor from a picture in evaluation and in prediction, bit for bit. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { expect, it } from 'vitest';
import { data, manualSeed, models, saveSafetensors, serve, type Tensor } from '../../lib/index.js';
import { madeUpConfig } from '../report/support/made-up-runs.js';
import { temporaryFolder } from '../train/support.js';

const classes = ['bag', 'coat'];
const modelOptions = { numClasses: 2, numExperts: 2 };
/** Decoded at 130x130, cropped to 128x128. */
const config = { ...madeUpConfig(), modelOptions, classes, imageShape: [3, 130, 130], imageSize: 128 };

/** 300x200 pixels with edges, slopes and transparency. */
function picture(): Sharp {
  const raw = { width: 300, height: 200, channels: 4 } as const;
  const bytes = Buffer.alloc(raw.width * raw.height * 4);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * i) / 977 + 40 * (i % 4) + (i % 1200 < 300 ? 90 : 0);
  return sharp(bytes, { raw });
}

const FILES: [name: string, make: () => Promise<Buffer>][] = [
  ['alpha.png', () => picture().png().toBuffer()],
  ['depth16.png', () => picture().toColourspace('rgb16').png().toBuffer()],
  ['palette.png', () => picture().png({ palette: true }).toBuffer()],
  ['turned.jpg', () => picture().withMetadata({ orientation: 6 }).jpeg().toBuffer()],
  ['cmyk.jpg', () => picture().toColourspace('cmyk').jpeg().toBuffer()],
  ['alpha.webp', () => picture().webp().toBuffer()],
];

it('is the same tensor', async () => {
  const root = temporaryFolder();
  const run = join(root, 'run');
  const folder = join(root, 'pictures', 'test');
  for (const path of [run, join(folder, 'bag'), join(folder, 'coat')]) mkdirSync(path, { recursive: true });
  const bytes = await Promise.all(FILES.map(([, make]) => make()));
  for (const [i, [name]] of FILES.entries()) writeFileSync(join(folder, 'bag', name), bytes[i]!);
  writeFileSync(join(folder, 'coat', 'alpha.png'), bytes[0]!);
  writeFileSync(join(run, 'config.json'), JSON.stringify(config));
  manualSeed(3);
  await saveSafetensors(join(run, 'best.safetensors'), models.create('alexnet-dy', modelOptions).stateDict());

  const set = await data.imageFolder({ root: join(root, 'pictures'), split: 'test', classes });
  const evaluated = new Map<string, Uint8Array>();
  const transform = data.transforms.test({ size: config.imageSize });
  let index = 0;
  for await (const { images, labels } of data.loader(set, { batchSize: 1, transform })) {
    evaluated.set(set.nameOf!(index++), bitsOf(images));
    images.dispose();
    labels.dispose();
  }
  const classifier = await serve.loadClassifier(run);
  const received: Uint8Array[] = [];
  const { pool } = classifier;
  const runPool = pool.run.bind(pool);
  pool.run = async (input, options) =>
    runPool(async () => {
      const images = (await (typeof input === 'function' ? input() : input)) as Tensor;
      received.push(bitsOf(images));
      return images;
    }, options);
  for (const [i, [name]] of FILES.entries()) {
    received.length = 0;
    await classifier.predict(bytes[i]!);
    await classifier.predict(join(folder, 'bag', name));
    expect(received).toHaveLength(2);
    for (const input of received) expect(Buffer.compare(input, evaluated.get(`bag/${name}`)!), name).toBe(0);
  }
  expect(new Set([...evaluated.values()].map((input) => Buffer.from(input).toString('base64'))).size).toBe(
    FILES.length,
  );
  await classifier.close();
});

function bitsOf(images: Tensor): Uint8Array {
  expect(images.shape).toEqual([1, 3, 128, 128]);
  const values = images.dataSync() as Float32Array;
  return new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));
}
