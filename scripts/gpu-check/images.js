/**
 * Makes `cifar-10-binary.tar.gz` from an archive of images: `train/<class>/<name>.jpg` and `test/<class>/<name>.jpg` of 32x32 pixels,
 * 5,000 and 1,000 of each class. The order is shuffled by a fixed seed, so that the first images are of all classes.
 *
 *   node scripts/gpu-check/images.js <archive.tar.gz> <folder>
 * @module
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import sharp from 'sharp';
import tar from 'tar-stream';
import { DatasetError } from '../../dist/errors.js';

const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const PLANE = 32 * 32;
/** Images that are decoded at the same time. */
const AT_ONCE = 256;

const [archive, folder] = process.argv.slice(2);
if (archive === undefined || folder === undefined) throw new Error('Expected an archive and a folder');
const { train, test } = await readPictures(archive);
const PER_FILE = train.length / 5;
const target = join(folder, 'cifar-10-binary.tar.gz');
await mkdir(folder, { recursive: true });
const pack = tar.pack();
const written = pipeline(pack, createGzip({ level: 1 }), createWriteStream(`${target}.part`));
const files = [...[0, 1, 2, 3, 4].map((i) => train.slice(i * PER_FILE, (i + 1) * PER_FILE)), test];
await add('batches.meta.txt', Buffer.from(`${CLASSES.join('\n')}\n\n`));
for (const [i, records] of files.entries())
  await add(i < 5 ? `data_batch_${i + 1}.bin` : 'test_batch.bin', Buffer.concat(records));
pack.finalize();
await written;
await rename(`${target}.part`, target);
console.log(JSON.stringify({ train: train.length, test: test.length, file: target }));

/** @param {string} name @param {Buffer} content */
function add(name, content) {
  return new Promise((resolve, reject) => {
    pack.entry({ name: `cifar-10-batches-bin/${name}` }, content, (error) =>
      error ? reject(error) : resolve(undefined),
    );
  });
}

/** Records of the binary layout, shuffled. @param {string} file */
async function readPictures(file) {
  /** @type {Record<string, Buffer[]>} */
  const records = { train: [], test: [] };
  /** @type {Promise<void>[]} */
  let decoding = [];
  const extract = tar.extract();
  const read = pipeline(createReadStream(file), createGunzip(), extract);
  for await (const entry of extract) {
    /** @type {Buffer[]} */
    const chunks = [];
    for await (const chunk of entry) chunks.push(/** @type {Buffer} */ (chunk));
    if (entry.header.type !== 'file') continue;
    const { name } = entry.header;
    const [split = '', label = ''] = name.replace(/^\.\//, '').split('/');
    const own = records[split];
    if (!own || !CLASSES.includes(label))
      throw new DatasetError(`Expected train/<class>/ or test/<class>/ in ${file} but found ${name}`);
    const at = own.push(Buffer.alloc(0)) - 1;
    decoding.push(
      recordOf(Buffer.concat(chunks), CLASSES.indexOf(label), name).then((record) => {
        own[at] = record;
      }),
    );
    if (decoding.length < AT_ONCE) continue;
    await Promise.all(decoding);
    decoding = [];
  }
  await Promise.all([read, ...decoding]);
  const { train = [], test = [] } = records;
  if (train.length === 0 || train.length % 5 !== 0 || test.length === 0)
    throw new DatasetError(
      `Expected training images in five equal files and test images in ${file} but found ${train.length} and ${test.length}`,
    );
  return { train: shuffled(train), test: shuffled(test) };
}

/** The label, then the planes of red, green and blue. @param {Buffer} bytes @param {number} label @param {string} name */
async function recordOf(bytes, label, name) {
  const pixels = await sharp(bytes).removeAlpha().toColourspace('srgb').raw().toBuffer();
  if (pixels.length !== 3 * PLANE)
    throw new DatasetError(`Expected 32x32 pixels in ${name} but found ${pixels.length} bytes`);
  const record = Buffer.alloc(1 + 3 * PLANE, label);
  for (let i = 0; i < PLANE; i++)
    for (let c = 0; c < 3; c++) record[1 + c * PLANE + i] = pixels[3 * i + c] ?? 0;
  return record;
}

/** @template T @param {T[]} list */
function shuffled(list) {
  let state = 42;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [list[i], list[j]];
    if (a !== undefined && b !== undefined) [list[i], list[j]] = [b, a];
  }
  return list;
}
