/**
 * Files of `torch.save` since PyTorch 1.6: a zip archive with a pickle, and one file per storage.
 * @module
 */
import type { Entry, ZipFile } from 'yauzl';
import { ChecksumError, entryBytes, listEntries, openZip } from '../files/zip.js';
import { PickleError, readPickleAsync } from './pickle.js';
import { streamReader } from './tensor-bytes.js';
import { type PickledStorage, storageItemSize, torchDialect } from './torch-pickle.js';
import { makeValues, type StorageReader, type TorchValue } from './torch-values.js';

/** Largest accepted pickle in bytes: it describes tensors but does not contain them. */
export const MAX_PICKLE_BYTES = 100_000_000;

/** Reads the archive at a path. @throws PickleError, or errors of the file system and of the zip format. */
export async function readTorchArchive(path: string): Promise<TorchValue> {
  const zip = await openZip(path, { strictFileNames: true });
  try {
    // `<name>/data.pkl`, `<name>/data/<storage>`, `<name>/byteorder` …
    const entries = await listEntries(zip, ({ fileName }) => fileName.slice(fileName.indexOf('/') + 1));
    const archive = new Archive(zip, entries);
    if (entries.has('constants.pkl')) throw new PickleError('it is a TorchScript program, not weights');
    if (entries.has('byteorder')) {
      const order = (await archive.bytes('byteorder', 16)).toString('latin1');
      if (order !== 'little') throw new PickleError(`its byte order is ${order}, expected little`);
    }
    const { value } = await readPickleAsync(
      await archive.bytes('data.pkl', MAX_PICKLE_BYTES),
      torchDialect().dialect,
    );
    return await makeValues(value, archive.readStorage);
  } finally {
    zip.close();
  }
}

class Archive {
  readonly #zip: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;

  constructor(zip: ZipFile, entries: ReadonlyMap<string, Entry>) {
    this.#zip = zip;
    this.#entries = entries;
  }

  /** A whole small file of the archive. */
  async bytes(name: string, limit: number): Promise<Buffer> {
    const entry = this.#entry(name);
    if (entry.uncompressedSize > limit) {
      throw new PickleError(`${name} in it has ${entry.uncompressedSize} bytes, allowed are ${limit}`);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of this.#chunks(name, entry)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  readonly readStorage: StorageReader = async (storage, read) => {
    const name = `data/${storage.key}`;
    const entry = this.#entry(name);
    checkSize(storage, entry.uncompressedSize);
    const chunks = this.#chunks(name, entry);
    const made = await read(streamReader(chunks, `${name} in it`));
    // The checksum is compared at the end.
    for await (const _ of chunks);
    return made;
  };

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw new PickleError(`it lacks ${name}`);
    // torch.save does not compress; a few compressed bytes could expand to any amount of memory.
    if (entry.compressionMethod !== 0) throw new PickleError(`${name} in it is compressed`);
    return entry;
  }

  async *#chunks(name: string, entry: Entry): AsyncGenerator<Buffer> {
    try {
      yield* entryBytes(this.#zip, entry);
    } catch (error) {
      if (!(error instanceof ChecksumError)) throw error;
      throw new PickleError(`${name} in it does not match its checksum`);
    }
  }
}

/** Compares the size of a storage with the expected one. */
export function checkSize({ key, dtype, length }: PickledStorage, bytes: number): void {
  const expected = length * storageItemSize(dtype);
  if (bytes !== expected)
    throw new PickleError(`its storage ${key} has ${bytes} bytes, expected ${expected}`);
}
