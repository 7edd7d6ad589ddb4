/**
 * Images in folders: one folder per class.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { checkPath } from '../files/error.js';
import type { ImageDataset, InMemoryDataset } from './dataset.js';
import { type FolderSplit, findPictures } from './picture-files.js';
import { checkPictureSet, PICTURE_SET_KEYS, type PictureSetOptions, pictureSet } from './picture-set.js';

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions extends PictureSetOptions {
  /**
   * The folder that contains `train/<class>/` and `test/<class>/`, or the class folders themselves. Images may be in
   * subfolders of a class folder; links are followed. Hidden files, and files that macOS, Windows and network storage add, are ignored.
   */
  root: string;
  /**
   * Which folder, if there are `train/` or `test/`: `train/`; `val/`, `valid/` or `validation/`; `test/` or, without it, the one for
   * validation.
   */
  split: FolderSplit;
}

const IMAGE_FOLDER_KEYS = optionKeys('root', 'split', ...PICTURE_SET_KEYS);

/**
 * Reads images as RGB (PNG, JPEG, WebP, GIF, TIFF, AVIF): each is scaled to cover `size` x `size` and cropped
 * at its center; transparent pixels become black. Classes are the names of the folders, in alphabetical order.
 * `set.nameOf(i)` is the path of image i relative to the folder of its split, such as `cat/12.png`.
 *
 * The images are read into memory, unless they need more than `memoryLimit`: then `get(i)` decodes image i.
 *
 * A class without images is an error in the training split. In the test split it is a process warning with the code
 * `DYCONV_CLASSES`; a class that the training split does not have is an error.
 * @throws DatasetError when the folder does not exist or has no images, has other classes than expected, or an image cannot be
 * read; ArgumentError.
 */
export function imageFolder(
  options: ImageFolderOptions & { memoryLimit?: undefined },
): Promise<InMemoryDataset>;
export function imageFolder(options: ImageFolderOptions): Promise<ImageDataset>;
export async function imageFolder(options: ImageFolderOptions): Promise<ImageDataset> {
  const { root, split, ...rest } = checkOptions(options, IMAGE_FOLDER_KEYS);
  checkPath(root, 'the path of a folder', 'root');
  checkPictureSet(split, rest);
  return pictureSet('folder', split, await findPictures(root, split, rest.classes), rest);
}
