/**
 * Data sets, transforms and loaders: everything under `data`.
 * @module
 */

export { type DownloadOptions, type DownloadProgress, download, type FileHash } from '../files/download.js';
export { type Cifar10Options, type Cifar100Options, cifar10, cifar100 } from './cifar.js';
export { type Collated, defaultCollate } from './collate.js';
export { type CreateOptions, create, type DatasetName, list } from './create.js';
export type { Dataset, ImageDataset, InMemoryDataset, Sample, Split } from './dataset.js';
export { type DatasetDescription, describe, type SamplesDescription } from './describe.js';
export { type GridOptions, grid } from './grid.js';
export { type ImageFolderOptions, imageFolder } from './image-folder.js';
export {
  type Batch,
  type BatchOf,
  type Loader,
  type LoaderPosition,
  type LoaderStats,
  loader,
} from './loader.js';
export type { LoaderOptions } from './loader-options.js';
export { type ManifestOptions, manifest } from './manifest.js';
export { bundled, fashionMnist, type GreyOptions, type MnistOptions, mnist } from './mnist.js';
export { type ParquetOptions, type ParquetSet, parquet } from './parquet.js';
export { type DecodeOptions, decodeImage, type Picture } from './picture.js';
export type { FolderSplit } from './picture-files.js';
export type { PictureSetOptions } from './picture-set.js';
export type { ImageSample } from './samples.js';
export type { SampleFiles } from './shards.js';
export type { SourceOptions } from './sources.js';
export type { IterableDataset, ReadableSet, ReadRequest, StreamFields } from './stream.js';
export { ConcatDataset, concat, type RandomSplitOptions, randomSplit, Subset, subset } from './subsets.js';
export type {
  BatchMix,
  ComposedTransform,
  PadCropTransform,
  Step,
  TestTransform,
  TrainTransform,
  Transform,
} from './transforms.js';
export * as transforms from './transforms.js';
export type { UnreadableOptions } from './unreadable.js';
export { type ImageStream, type WebDatasetOptions, webDataset } from './web-dataset.js';
export { balancedWeights } from './weighted.js';
