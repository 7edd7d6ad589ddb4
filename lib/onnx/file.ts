/**
 * Writes a model to a file, and its weights to a second one where one message cannot hold them.
 * @module
 */
import { createHash } from 'node:crypto';
import { access, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { commitFile, type StagedFile, stageFile } from '../files/atomic.js';
import { fileError } from '../files/error.js';
import { withLock } from '../files/lock.js';
import { tensorPieces, writePieces } from '../formats/tensor-bytes.js';
import {
  byteLength,
  type Elements,
  type ExternalData,
  encodeModel,
  type Initializer,
  type Model,
} from './message.js';

/** Largest size of a message in protocol buffers. */
const MAX_MESSAGE = 2 ** 31 - 1;
/** Room for what is not a weight: nodes, names, metadata. */
const RESERVED = 2 ** 24;
/** Tensors of fewer bytes, such as the sizes for reshapes, always stay in the model: shape inference reads them. */
const SMALLEST_EXTERNAL = 1024;
/** The schema requires multiples of the page size, so that readers can map tensors into memory. */
const ALIGNMENT = 4096;

/** What was written. */
export interface WrittenFiles {
  /** The model, and the weights if they are in a separate file. */
  files: string[];
  /** Size of all files. */
  bytes: number;
}

/** Length of the part of the SHA-256 of the weights in the name of their file, in hexadecimal digits. */
const HASH_DIGITS = 16;

/**
 * Writes a model. An existing file remains until the new one is complete.
 * @param externalData - Put the weights into a second file, which is not written if all are small. Undefined: only if the model would exceed 2 GB.
 * @throws CheckpointError if it cannot be written.
 */
export async function writeModel(
  file: string,
  model: Model,
  externalData: boolean | undefined,
): Promise<WrittenFiles> {
  const bytes = model.initializers.reduce((sum, { elements }) => sum + byteLength(elements), 0);
  const { places, pieces } =
    (externalData ?? bytes + RESERVED > MAX_MESSAGE) ? placesOf(model) : { places: new Map(), pieces: [] };
  try {
    if (places.size > 0) return await writePair(file, model, places, pieces);
    const encoded = encodeModel(model, () => undefined).pieces();
    const staged = await stageFile(file, (handle) => writePieces(handle, bytesOf(encoded)));
    await commitModel(file, staged);
    return { files: [file], bytes: total(encoded) };
  } catch (error) {
    throw fileError('write', file, error);
  }
}

/** Where elements are in the file of the weights. */
type Place = Omit<ExternalData, 'location'>;

/** Places for all large tensors, and the contents of the file. */
function placesOf({ initializers }: Model): { places: Map<Initializer, Place>; pieces: Elements[] } {
  const places = new Map<Initializer, Place>();
  const pieces: Elements[] = [];
  let offset = 0;
  for (const one of initializers) {
    const length = byteLength(one.elements);
    if (length < SMALLEST_EXTERNAL) continue;
    const padding = (ALIGNMENT - (offset % ALIGNMENT)) % ALIGNMENT;
    if (padding > 0) pieces.push(new Uint8Array(padding));
    offset += padding;
    places.set(one, { offset, length });
    pieces.push(one.elements);
    offset += length;
  }
  return { places, pieces };
}

/**
 * Writes the weights to a file that is named by their hash, then the model that refers to it. So the weights of an existing model
 * are not changed: whenever the process ends, the model on the disk has its own weights beside it.
 */
async function writePair(
  file: string,
  model: Model,
  places: ReadonlyMap<Initializer, Place>,
  pieces: readonly Elements[],
): Promise<WrittenFiles> {
  const hash = createHash('sha256');
  const data = await stageFile(`${file}.new.data`, (handle) => writePieces(handle, hashed(pieces, hash)));
  try {
    const location = `${basename(file)}.${hash.digest('hex').slice(0, HASH_DIGITS)}.data`;
    const encoded = encodeModel(model, (one) => {
      const place = places.get(one);
      return place && { location, ...place };
    }).pieces();
    const staged = await stageFile(file, (handle) => writePieces(handle, bytesOf(encoded)));
    await commitModel(file, staged, { staged: data, location });
    return { files: [file, join(dirname(file), location)], bytes: total(encoded) + total(pieces) };
  } catch (error) {
    await data.discard();
    throw error;
  }
}

/** The file of a model's weights, which is not in its place yet. */
interface StagedData {
  readonly staged: StagedFile;
  readonly location: string;
}

/** Puts a model in its place, after its weights, and removes those of models that were there before. */
async function commitModel(file: string, model: StagedFile, data?: StagedData): Promise<void> {
  const folder = dirname(file);
  const isOld = (name: string) => isDataOf(file, name) && name !== data?.location;
  const commit = async () => {
    if (data) await commitData(join(folder, data.location), data.staged, model);
    else await model.commit();
    // The model is complete: what remains of older ones does not matter to it.
    for (const name of await readdir(folder))
      if (isOld(name)) await rm(join(folder, name), { force: true }).catch(() => {});
  };
  try {
    // The lock keeps another process that writes this model from removing these weights before the model is in its place.
    if (data || (await readdir(folder)).some(isOld)) await withLock(`${file}.lock`, commit);
    else await model.commit();
  } catch (error) {
    await model.discard();
    throw error;
  }
}

async function commitData(path: string, data: StagedFile, model: StagedFile): Promise<void> {
  // The same weights again: the file may belong to the existing model.
  const existed = await access(path).then(
    () => true,
    () => false,
  );
  await commitFile(data.temporary, path);
  try {
    await model.commit();
  } catch (error) {
    if (!existed) await rm(path, { force: true });
    throw error;
  }
}

const IS_HASHED = new RegExp(`^\\.[0-9a-f]{${HASH_DIGITS}}\\.data$`);

/** Whether a name is that of the weights of a model, now or earlier. */
function isDataOf(file: string, name: string): boolean {
  const model = basename(file);
  return name.startsWith(model) && IS_HASHED.test(name.slice(model.length));
}

const total = (pieces: readonly Elements[]): number =>
  pieces.reduce((sum, piece) => sum + byteLength(piece), 0);

async function* bytesOf(pieces: readonly Elements[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) yield piece;
    else yield* tensorPieces(piece);
  }
}

async function* hashed(
  pieces: readonly Elements[],
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of bytesOf(pieces)) {
    hash.update(bytes);
    yield bytes;
  }
}
