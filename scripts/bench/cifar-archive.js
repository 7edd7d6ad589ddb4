/**
 * A `cifar-10-python.tar.gz` as the published one is: six pickles of protocol 2 with 10,000 images each, as Python 2
 * wrote them, about 92 % of their size when compressed. The images are noise.
 * @module
 */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { noise } from './data-contestants.js';

const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** @param {string} file @param {number} [perBatch] - Images in each of the six batches. */
export async function writeCifar10(file, perBatch = 10_000) {
  const tar = pack();
  const written = pipeline(tar, createGzip({ level: 6 }), createWriteStream(file));
  const folder = 'cifar-10-batches-py/';
  tar.entry({ name: folder, type: 'directory' });
  tar.entry({ name: `${folder}batches.meta` }, metaPickle(perBatch));
  // In the order of the published archive, which is none.
  for (const name of [
    'data_batch_4',
    'test_batch',
    'data_batch_3',
    'data_batch_2',
    'data_batch_5',
    'data_batch_1',
  ]) {
    await entry(tar, `${folder}${name}`, batchPickle(name, perBatch));
  }
  tar.finalize();
  await written;
}

/** @param {import('tar-stream').Pack} tar @param {string} name @param {Buffer} content */
function entry(tar, name, content) {
  return new Promise((resolve, reject) => {
    tar.entry({ name }, content, (error) => (error ? reject(error) : resolve(undefined)));
  });
}

/** Opcodes of pickle protocol 2; every value is memoized, as cPickle does. */
function writer() {
  /** @type {Buffer[]} */
  const parts = [Buffer.from([0x80, 2])];
  let slot = 0;
  const raw = (/** @type {number[]} */ ...bytes) => void parts.push(Buffer.from(bytes));
  const uint32 = (/** @type {number} */ value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return [...bytes];
  };
  const memo = () => (slot < 256 ? raw(0x71, slot++) : raw(0x72, ...uint32(slot++)));
  const text = (/** @type {string} */ value) => void parts.push(Buffer.from(value, 'latin1'));
  const bytes = (/** @type {Buffer} */ value) => {
    if (value.length < 256) raw(0x55, value.length);
    else raw(0x54, ...uint32(value.length));
    parts.push(value);
    memo();
  };
  const string = (/** @type {string} */ value) => bytes(Buffer.from(value, 'latin1'));
  const int = (/** @type {number} */ value) => {
    if (value >= 0 && value < 256) raw(0x4b, value);
    else if (value >= 0 && value < 65536) raw(0x4d, value & 255, value >> 8);
    else raw(0x4a, ...uint32(value));
  };
  const list = (/** @type {number} */ length, /** @type {(i: number) => void} */ item) => {
    raw(0x5d);
    memo();
    for (let start = 0; start < length; start += 1000) {
      raw(0x28);
      for (let i = start; i < Math.min(start + 1000, length); i++) item(i);
      raw(0x65);
    }
  };
  const end = () => Buffer.concat([...parts, Buffer.from('.')]);
  return { raw, memo, text, bytes, string, int, list, end };
}

/** @param {number} perBatch */
function metaPickle(perBatch) {
  const { raw, memo, string, int, list, end } = writer();
  raw(0x7d);
  memo();
  raw(0x28);
  string('num_cases_per_batch');
  int(perBatch);
  string('label_names');
  list(CLASSES.length, (i) => string(CLASSES[i] ?? ''));
  string('num_vis');
  int(3072);
  raw(0x75);
  return end();
}

/** @param {string} name @param {number} count */
function batchPickle(name, count) {
  const { raw, memo, text, bytes, string, int, list, end } = writer();
  const next = noise(name.charCodeAt(name.length - 1));
  const images = Buffer.alloc(count * 3072);
  // The sum of two numbers below 128 is as hard to compress as photographs are.
  for (let i = 0; i < images.length; i++) {
    const value = next();
    images[i] = (value & 127) + ((value >> 8) & 127);
  }
  raw(0x7d);
  memo();
  raw(0x28);
  string('data');
  text('cnumpy.core.multiarray\n_reconstruct\n');
  memo();
  text('cnumpy\nndarray\n');
  memo();
  int(0);
  raw(0x85);
  memo();
  string('b');
  raw(0x87);
  memo();
  raw(0x52);
  memo();
  raw(0x28);
  int(1);
  int(count);
  int(3072);
  raw(0x86);
  memo();
  text('cnumpy\ndtype\n');
  memo();
  string('u1');
  int(0);
  int(1);
  raw(0x87);
  memo();
  raw(0x52);
  memo();
  raw(0x28);
  int(3);
  string('|');
  raw(0x4e, 0x4e, 0x4e);
  int(-1);
  int(-1);
  int(0);
  raw(0x74);
  memo();
  raw(0x62, 0x89);
  bytes(images);
  raw(0x74);
  memo();
  raw(0x62);
  string('labels');
  list(count, () => int(next() % 10));
  string('batch_label');
  string(name === 'test_batch' ? 'testing batch 1 of 1' : `training batch ${name.at(-1)} of 5`);
  string('filenames');
  list(count, (i) => string(`${CLASSES[i % 10]}_s_${String(i).padStart(6, '0')}.png`));
  raw(0x75);
  return end();
}
