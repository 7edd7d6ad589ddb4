/**
 * Small archives in the exact formats of the published ones: CIFAR batches as Python 2 pickled them (protocol
 * 2), binary records, tar members, IDX files. Images are seeded noise.
 */

import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { encodeIdx } from '../../lib/data/idx.js';
import { Random } from '../../lib/data/random.js';

export const PIXELS = 3072;

export interface FakeBatch {
  images: Uint8Array;
  labels: Uint8Array;
}

/** `count` noise images with labels below `classes`. */
export function fakeBatch(seed: number, count: number, classes = 10, pixels = PIXELS): FakeBatch {
  const random = new Random(seed);
  return {
    images: Uint8Array.from({ length: count * pixels }, () => random.below(256)),
    labels: Uint8Array.from({ length: count }, () => random.below(classes)),
  };
}

/** Writes pickles of protocol 2, as Python 2's cPickle does: byte strings, every value memoized. */
export class PickleWriter {
  readonly #parts: Buffer[] = [Buffer.from([0x80, 2])];
  #memo = 0;

  raw(...bytes: number[]): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }
  text(text: string): this {
    this.#parts.push(Buffer.from(text, 'latin1'));
    return this;
  }
  memo(): this {
    const slot = this.#memo++;
    if (slot < 256) return this.raw(0x71, slot);
    const long = Buffer.alloc(5);
    long[0] = 0x72;
    long.writeUInt32LE(slot, 1);
    this.#parts.push(long);
    return this;
  }
  bytes(value: Uint8Array | string): this {
    const content = typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.from(value);
    if (content.length < 256) this.raw(0x55, content.length);
    else this.raw(0x54, ...uint32(content.length));
    this.#parts.push(content);
    return this.memo();
  }
  int(value: number): this {
    if (value >= 0 && value < 256) return this.raw(0x4b, value);
    if (value >= 0 && value < 65536) return this.raw(0x4d, value & 255, value >> 8);
    return this.raw(0x4a, ...uint32(value));
  }
  /** A list of integers, appended a thousand at a time as pickle does. */
  ints(values: Iterable<number>): this {
    this.raw(0x5d).memo();
    const all = [...values];
    for (let i = 0; i < all.length; i += 1000) {
      this.raw(0x28);
      for (const value of all.slice(i, i + 1000)) this.int(value);
      this.raw(0x65);
    }
    return this;
  }
  strings(values: readonly string[]): this {
    this.raw(0x5d).memo().raw(0x28);
    for (const value of values) this.bytes(value);
    return this.raw(0x65);
  }
  /** A numpy array of unsigned bytes. */
  array(data: Uint8Array, shape: readonly number[], { dtype = 'u1', fortran = false } = {}): this {
    this.text('cnumpy.core.multiarray\n_reconstruct\n').memo();
    this.text('cnumpy\nndarray\n').memo();
    this.int(0).raw(0x85).memo().bytes('b').raw(0x87).memo().raw(0x52).memo();
    this.raw(0x28).int(1);
    for (const size of shape) this.int(size);
    this.raw(0x80 + 4 + Math.min(3, shape.length)).memo();
    this.text('cnumpy\ndtype\n').memo().bytes(dtype).int(0).int(1).raw(0x87).memo().raw(0x52).memo();
    this.raw(0x28).int(3).bytes('|').raw(0x4e, 0x4e, 0x4e).int(-1).int(-1).int(0).raw(0x74).memo().raw(0x62);
    this.raw(fortran ? 0x88 : 0x89).bytes(data);
    return this.raw(0x74).memo().raw(0x62);
  }
  /** A dictionary; each value is written by a function. */
  dict(entries: Readonly<Record<string, () => unknown>>): this {
    this.raw(0x7d).memo().raw(0x28);
    for (const [key, write] of Object.entries(entries)) {
      this.bytes(key);
      write();
    }
    return this.raw(0x75);
  }
  end(): Buffer {
    return Buffer.concat([...this.#parts, Buffer.from('.')]);
  }
}

/** A `data_batch_1` of the python archive. */
export function pickleBatch({ images, labels }: FakeBatch, labelKey = 'labels'): Buffer {
  const writer = new PickleWriter();
  return writer
    .dict({
      data: () => writer.array(images, [labels.length, PIXELS]),
      [labelKey]: () => writer.ints(labels),
      batch_label: () => writer.bytes('training batch 1 of 5'),
      filenames: () => writer.strings(Array.from(labels, (label, i) => `image_${label}_${i}.png`)),
    })
    .end();
}

/** A `batches.meta` of the python archive. */
export function pickleMeta(names: readonly string[], key = 'label_names'): Buffer {
  const writer = new PickleWriter();
  return writer
    .dict({ num_cases_per_batch: () => writer.int(10000), [key]: () => writer.strings(names) })
    .end();
}

/** A `data_batch_1.bin` of the binary archive; CIFAR-100 has a coarse label in front. */
export function binaryBatch({ images, labels }: FakeBatch, coarse?: Uint8Array): Buffer {
  const records: Buffer[] = [];
  for (const [i, label] of labels.entries()) {
    records.push(Buffer.from(coarse ? [coarse[i]!, label] : [label]));
    records.push(Buffer.from(images.subarray(i * PIXELS, (i + 1) * PIXELS)));
  }
  return Buffer.concat(records);
}

/** A .tar.gz with these members, folders first, in the order given. */
export async function tarGz(members: Readonly<Record<string, Uint8Array>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(members)) {
    if (name.endsWith('/')) tar.entry({ name, type: 'directory' });
    else tar.entry({ name }, Buffer.from(content));
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks), { level: 1 });
}

/** IDX files of gray images, gzip'd: images and labels. */
export function idxPair(batch: FakeBatch, size: number): { images: Buffer; labels: Buffer } {
  const count = batch.labels.length;
  return {
    images: gzipSync(encodeIdx({ shape: [count, size, size], data: batch.images })),
    labels: gzipSync(encodeIdx({ shape: [count], data: batch.labels })),
  };
}

function uint32(value: number): number[] {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value | 0);
  return [...bytes];
}
