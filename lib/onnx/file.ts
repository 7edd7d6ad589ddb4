/**
 * Writes a model to a file, and its weights to a second one where one message cannot hold them.
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { commitOrDiscard, stageFile } from '../files/atomic.js';
import { fileError } from '../files/error.js';
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

/**
 * Writes a model. An existing file remains until the new one is complete.
 * @param externalData - Put the weights into `<file>.data`, which is not written if all are small. Undefined: only if the model would exceed 2 GB.
 * @throws CheckpointError if it cannot be written.
 */
export async function writeModel(
  file: string,
  model: Model,
  externalData: boolean | undefined,
): Promise<WrittenFiles> {
  const bytes = model.initializers.reduce((sum, { elements }) => sum + byteLength(elements), 0);
  if (!(externalData ?? bytes + RESERVED > MAX_MESSAGE)) {
    const written = await writeElements(file, encodeModel(model, () => undefined).pieces());
    return { files: [file], bytes: written };
  }
  const dataFile = `${file}.data`;
  const places = new Map<Initializer, ExternalData>();
  const pieces: Elements[] = [];
  let offset = 0;
  for (const one of model.initializers) {
    const length = byteLength(one.elements);
    if (length < SMALLEST_EXTERNAL) continue;
    const padding = (ALIGNMENT - (offset % ALIGNMENT)) % ALIGNMENT;
    if (padding > 0) pieces.push(new Uint8Array(padding));
    offset += padding;
    places.set(one, { location: basename(dataFile), offset, length });
    pieces.push(one.elements);
    offset += length;
  }
  const encoded = encodeModel(model, (one) => places.get(one)).pieces();
  if (places.size === 0) return { files: [file], bytes: await writeElements(file, encoded) };
  // The model last: it refers to the weights.
  const written = (await writeElements(dataFile, pieces)) + (await writeElements(file, encoded));
  return { files: [file, dataFile], bytes: written };
}

async function writeElements(path: string, pieces: readonly Elements[]): Promise<number> {
  try {
    const staged = await stageFile(path, (file: FileHandle) => writePieces(file, bytesOf(pieces)));
    await commitOrDiscard(staged);
  } catch (error) {
    throw fileError('write', path, error);
  }
  return pieces.reduce((sum, piece) => sum + byteLength(piece), 0);
}

async function* bytesOf(pieces: readonly Elements[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) yield piece;
    else yield* tensorPieces(piece);
  }
}
