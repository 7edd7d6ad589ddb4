/**
 * The images of a folder or a manifest, which are listed once however often they are asked for.
 * @module
 */
import { findListed } from './manifest.js';
import { type ManifestRow, readManifest, splitsOfRows } from './manifest-file.js';
import { type FolderSplit, type FoundPictures, findPictures, folderSplits } from './picture-files.js';

/** Lists a folder or reads a manifest when this is first needed; changes after that are not seen. */
export class PictureListing {
  readonly #kind: 'folder' | 'manifest';
  readonly #root: string;
  #rows: Promise<ManifestRow[]> | undefined;
  #splits: Promise<ReadonlySet<FolderSplit> | null> | undefined;
  readonly #found = new Map<string, Promise<FoundPictures>>();

  /** @param root - The folder, or the file of the manifest. */
  constructor(kind: 'folder' | 'manifest', root: string) {
    this.#kind = kind;
    this.#root = root;
  }

  /** The splits that there are; null for images without splits. @throws DatasetError as `imageFolder` and `manifest`. */
  splits(): Promise<ReadonlySet<FolderSplit> | null> {
    this.#splits ??= this.#kind === 'folder' ? folderSplits(this.#root) : this.#readRows().then(splitsOfRows);
    return this.#splits;
  }

  /**
   * The images of a split.
   * @param classes - Names in label order. Default: those of the training images.
   * @throws DatasetError as `imageFolder` and `manifest`.
   */
  find(split: FolderSplit, classes?: readonly string[]): Promise<FoundPictures> {
    const key = JSON.stringify([split, classes]);
    let found = this.#found.get(key);
    if (!found) {
      found =
        this.#kind === 'folder'
          ? findPictures(this.#root, split, classes)
          : this.#readRows().then((rows) => findListed(this.#root, rows, split, classes));
      this.#found.set(key, found);
    }
    return found;
  }

  #readRows(): Promise<ManifestRow[]> {
    this.#rows ??= readManifest(this.#root);
    return this.#rows;
  }
}
