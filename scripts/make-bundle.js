/**
 * Creates the small data set of the package, data/bundled: the first images of every class of Fashion-MNIST,
 * in the order of the original files.
 *
 *   apt-get install dataset-fashion-mnist && npm run build:ts && node scripts/make-bundle.js
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { constants, gzipSync } from 'node:zlib';
import { requireDist, requirePackages } from './cli/start.js';

requirePackages();
requireDist();
const { parseScript } = await import('./cli/command.js');
const { path } = await import('./cli/value-types.js');
const { encodeIdx, readIdx } = await import('../dist/data/idx.js');

/** @import { OptionTable } from './cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  from: {
    value: 'folder',
    type: path,
    default: '/usr/share/datasets/fashion-mnist',
    help: 'folder of the IDX files (.gz)',
  },
  to: { value: 'folder', type: path, default: 'data/bundled', help: 'folder of the small data set' },
});

const { options } = parseScript({
  script: 'make-bundle.js',
  description: 'Creates the small data set of the package from Fashion-MNIST.',
  options: OPTIONS,
});

const CLASSES = 10;
const PARTS = /** @type {const} */ ([
  { prefix: 'train', perClass: 200 },
  { prefix: 't10k', perClass: 50 },
]);

await mkdir(options.to, { recursive: true });
for (const { prefix, perClass } of PARTS) await makePart(prefix, perClass);

/**
 * @param {'train' | 't10k'} prefix
 * @param {number} perClass
 */
async function makePart(prefix, perClass) {
  const names = { images: `${prefix}-images-idx3-ubyte.gz`, labels: `${prefix}-labels-idx1-ubyte.gz` };
  const images = await readIdx(`${options.from}/${names.images}`, 3);
  const labels = await readIdx(`${options.from}/${names.labels}`, 1);
  const taken = new Array(CLASSES).fill(0);
  const labelOf = (/** @type {number} */ i) => labels.data[i] ?? 0;
  const chosen = [...labels.data.keys()].filter((i) => taken[labelOf(i)]++ < perClass);
  const [, height = 0, width = 0] = images.shape;
  const plane = height * width;
  const pixels = new Uint8Array(chosen.length * plane);
  for (const [to, from] of chosen.entries()) {
    pixels.set(images.data.subarray(from * plane, (from + 1) * plane), to * plane);
  }
  await write(names.images, { shape: [chosen.length, height, width], data: pixels });
  await write(names.labels, { shape: [chosen.length], data: Uint8Array.from(chosen, labelOf) });
}

/**
 * @param {string} name
 * @param {import('../dist/data/idx.js').IdxArray} array
 */
async function write(name, array) {
  const packed = gzipSync(encodeIdx(array), { level: constants.Z_BEST_COMPRESSION });
  await writeFile(`${options.to}/${name}`, packed);
  console.log(`${options.to}/${name}: [${array.shape.join(', ')}], ${packed.length} bytes`);
}
