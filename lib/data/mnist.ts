/**
 * MNIST (LeCun et al., 1998) and Fashion-MNIST (Xiao et al., 2017), and the small part of the latter that is part of
 * the package. Gray images are repeated to three channels by default.
 * @module
 */
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import {
  checkSplit,
  createDataset,
  datasetError,
  type InMemoryDataset,
  repeatChannels,
  type Split,
} from './dataset.js';
import { readIdx } from './idx.js';
import {
  findFile,
  type PublishedFile,
  rootFolder,
  SOURCE_KEYS,
  type SourceOptions,
  verifyFile,
} from './sources.js';

/** Options of {@link bundled}. */
export interface GreyOptions {
  /** The 60,000 images for training, or the 10,000 for testing. */
  split: Split;
  /** 3 repeats the gray plane, for networks for color images. Default: 3. */
  channels?: 1 | 3 | undefined;
}

const GREY_KEYS = optionKeys('split', 'channels');

/** Options of {@link mnist} and {@link fashionMnist}. */
export interface MnistOptions extends SourceOptions, GreyOptions {}

const MNIST_KEYS = optionKeys(...SOURCE_KEYS, ...GREY_KEYS);

interface Published {
  images: PublishedFile;
  labels: PublishedFile;
}

const MNIST: Readonly<Record<Split, Published>> = {
  train: {
    images: {
      name: 'train-images-idx3-ubyte.gz',
      md5: 'f68b3c2dcbeaaa9fbdd348bbdeb94873',
      contentMd5: '6bbc9ace898e44ae57da46a324031adb',
    },
    labels: {
      name: 'train-labels-idx1-ubyte.gz',
      md5: 'd53e105ee54ea40749a09fcbcd1e9432',
      contentMd5: 'a25bea736e30d166cdddb491f175f624',
    },
  },
  test: {
    images: {
      name: 't10k-images-idx3-ubyte.gz',
      md5: '9fb629c4189551a2d022fa330f9573f3',
      contentMd5: '2646ac647ad5339dbf082846283269ea',
    },
    labels: {
      name: 't10k-labels-idx1-ubyte.gz',
      md5: 'ec29112dd5afa0611ce80d1b7f02629c',
      contentMd5: '27ae3e4e09519cfbb04c329615203637',
    },
  },
};

const FASHION_MNIST: Readonly<Record<Split, Published>> = {
  train: {
    images: {
      name: 'train-images-idx3-ubyte.gz',
      md5: '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
      contentMd5: 'f4a8712d7a061bf5bd6d2ca38dc4d50a',
    },
    labels: {
      name: 'train-labels-idx1-ubyte.gz',
      md5: '25c81989df183df01b3e8a0aad5dffbe',
      contentMd5: '9018921c3c673c538a1fc5bad174d6f9',
    },
  },
  test: {
    images: {
      name: 't10k-images-idx3-ubyte.gz',
      md5: 'bef4ecab320f06d8554ea6380940ec79',
      contentMd5: '8181f5470baa50b63fa0f6fddb340f0a',
    },
    labels: {
      name: 't10k-labels-idx1-ubyte.gz',
      md5: 'bb300cfdad3c16e7a12a480ee83cd310',
      contentMd5: '15d484375f8d13e6eb1aabb0c3f46965',
    },
  },
};

/** The classes of Fashion-MNIST, in label order. */
const FASHION_CLASSES = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];
const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit));

/**
 * Hosts of MNIST that list the files under the MD5s above: the one of
 * [torchvision](https://github.com/pytorch/vision/blob/main/torchvision/datasets/mnist.py), as the publisher's is closed, and that of
 * [PaddlePaddle](https://github.com/PaddlePaddle/Paddle/blob/develop/python/paddle/vision/datasets/mnist.py).
 */
const MNIST_HOSTS = [
  'https://ossci-datasets.s3.amazonaws.com/mnist',
  'https://dataset.bj.bcebos.com/mnist',
] as const;

/**
 * Hosts of Fashion-MNIST: the publisher's two, whose [page](https://github.com/zalandoresearch/fashion-mnist) has the MD5s
 * above, and PaddlePaddle's, which lists the same.
 */
const FASHION_HOSTS = [
  'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
  'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion',
  'https://dataset.bj.bcebos.com/fashion_mnist',
] as const;

/** The folder of Debian's package `dataset-fashion-mnist`. */
const DEBIAN_FASHION = '/usr/share/datasets/fashion-mnist';

/**
 * MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 x 28.
 * Reads the IDX .gz files in `root/mnist` or `root`.
 * @throws DatasetError when a file is missing, damaged, or not the published one; DownloadError; ArgumentError.
 */
export async function mnist(options: MnistOptions): Promise<InMemoryDataset> {
  const root = rootFolder(checkOptions(options, MNIST_KEYS).root);
  return loadIdxSet('mnist', MNIST, DIGITS, options, {
    folders: [join(root, 'mnist'), root],
    hosts: MNIST_HOSTS,
  });
}

/**
 * Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28 x 28.
 * Reads the IDX .gz files in `root/fashion-mnist`, in `root`, or where Debian's package `dataset-fashion-mnist` has them.
 * @throws DatasetError when a file is missing, damaged, or not the published one; DownloadError; ArgumentError.
 */
export async function fashionMnist(options: MnistOptions): Promise<InMemoryDataset> {
  const root = rootFolder(checkOptions(options, MNIST_KEYS).root);
  return loadIdxSet('fashion-mnist', FASHION_MNIST, FASHION_CLASSES, options, {
    folders: [join(root, 'fashion-mnist'), root, DEBIAN_FASHION],
    hosts: FASHION_HOSTS,
    advice: "or install Debian's package dataset-fashion-mnist",
  });
}

/**
 * The set that is part of the package: 2,000 training and 500 test images of Fashion-MNIST, the same number of every
 * class. It allows a first training without a download.
 * @throws DatasetError when the package is incomplete; ArgumentError.
 */
export async function bundled(options: GreyOptions): Promise<InMemoryDataset> {
  const { split } = checkOptions(options, GREY_KEYS);
  checkSplit(split);
  const folder = fileURLToPath(new URL('../../data/bundled/', import.meta.url));
  const { images, labels } = FASHION_MNIST[split];
  const files = { images: join(folder, images.name), labels: join(folder, labels.name) };
  return readPair('bundled', files, FASHION_CLASSES, options);
}

async function loadIdxSet(
  name: string,
  published: Readonly<Record<Split, Published>>,
  classes: readonly string[],
  options: MnistOptions,
  where: {
    folders: [string, ...string[]];
    hosts: readonly [string, ...string[]];
    advice?: string | undefined;
  },
): Promise<InMemoryDataset> {
  checkSplit(options.split);
  const { images, labels } = published[options.split];
  const find = async (published: PublishedFile) => {
    const file = await findFile({ ...options, ...where, files: [published] });
    if (options.verify ?? true) await verifyFile(file, options.hints);
    return file.path;
  };
  return readPair(name, { images: await find(images), labels: await find(labels) }, classes, options);
}

async function readPair(
  name: string,
  files: { images: string; labels: string },
  classes: readonly string[],
  { split, channels = 3, onProgress }: GreyOptions & Pick<SourceOptions, 'onProgress'>,
): Promise<InMemoryDataset> {
  if (channels !== 1 && channels !== 3) throw invalidArgument('channels', '1 or 3', channels);
  const report = (file: string) =>
    onProgress && ((done: number, total: number) => onProgress(basename(file), done, total, 'parse'));
  const images = await readIdx(files.images, 3, report(files.images));
  const labels = await readIdx(files.labels, 1, report(files.labels));
  const [count, height, width] = images.shape as [number, number, number];
  if (labels.data.length !== count) {
    throw datasetError(files.labels, `expected ${count} labels but found ${labels.data.length}`);
  }
  return createDataset({
    name,
    split,
    classes,
    shape: [channels, height, width],
    images: repeatChannels(images.data, height * width, channels),
    labels: labels.data,
    source: files.images,
  });
}
