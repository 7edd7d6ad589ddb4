/**
 * The header of a safetensors file: JSON between an 8-byte length and the data, describing every tensor.
 * Pure functions over bytes and text; files and tensors are handled in `safetensors.ts`.
 * @see https://huggingface.co/docs/safetensors
 * @module
 */
import { CheckpointError, describe } from '../errors.js';
import { type DType, itemSize } from '../tensor/dtype.js';
import { type ForeignDType, foreignType } from './foreign-dtypes.js';

/** Largest header accepted, in bytes: the limit of the reference implementation. */
export const MAX_HEADER_BYTES = 100_000_000;
const MAX_DIMS = 64;

/** dtype names of the format with the dtypes of dyconv. */
const DTYPES: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};

/** Other element types: those that are converted, and complex numbers. */
const FOREIGN: Readonly<Record<string, ForeignDType>> = {
  U16: 'uint16',
  U32: 'uint32',
  U64: 'uint64',
  F8_E4M3: 'float8_e4m3fn',
  F8_E5M2: 'float8_e5m2',
  F8_E4M3FNUZ: 'float8_e4m3fnuz',
  F8_E5M2FNUZ: 'float8_e5m2fnuz',
  F8_E8M0: 'float8_e8m0fnu',
  C64: 'complex64',
};

/** Bits per element of types smaller than a byte. */
const PACKED: Readonly<Record<string, number>> = { F4: 4, F6_E2M3: 6, F6_E3M2: 6 };

/** The description of a tensor. */
export interface TensorEntry {
  name: string;
  /** The dtype of the tensor; null if no dtype can represent its elements. */
  dtype: DType | null;
  /** The type of its elements in the format, such as `F32`. */
  storedAs: string;
  shape: number[];
  /** First byte, counted from the start of the data. */
  begin: number;
  /** One past the last byte. */
  end: number;
}

/** The type of elements that must be converted; undefined if no conversion is needed. */
export function foreignOf({ storedAs }: TensorEntry): ForeignDType | undefined {
  return Object.hasOwn(FOREIGN, storedAs) ? FOREIGN[storedAs] : undefined;
}

/** A parsed header. */
export interface SafetensorsHeader {
  /** Tensors in the order of their data. */
  entries: TensorEntry[];
  /** The `__metadata__` strings; empty if the file has none. */
  metadata: Record<string, string>;
}

/**
 * Computes the layout of tensors and writes the header: wide dtypes first, otherwise in the order given, so that every tensor starts
 * at a multiple of its element size.
 * @returns The first bytes of the file (length and header, padded to a multiple of 8), and the entries in data order.
 */
export function formatHeader(
  tensors: readonly { name: string; dtype: DType; shape: readonly number[] }[],
  metadata: Record<string, string>,
): { bytes: Uint8Array; entries: TensorEntry[] } {
  const ordered = [...tensors].sort((a, b) => itemSize(b.dtype) - itemSize(a.dtype));
  let position = 0;
  const entries = ordered.map(({ name, dtype, shape }) => {
    const begin = position;
    position += elementCount(shape) * itemSize(dtype);
    return { name, dtype, storedAs: formatName(dtype), shape: [...shape], begin, end: position };
  });
  const fields: [string, unknown][] = entries.map((entry) => [
    entry.name,
    { dtype: entry.storedAs, shape: entry.shape, data_offsets: [entry.begin, entry.end] },
  ]);
  if (Object.keys(metadata).length > 0) fields.unshift(['__metadata__', metadata]);
  const json = Buffer.from(JSON.stringify(Object.fromEntries(fields)), 'utf8');
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = Buffer.alloc(8 + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length), 0);
  json.copy(bytes, 8);
  return { bytes, entries };
}

/**
 * Parses and checks the JSON of a header.
 * @param json - The header's bytes without the length.
 * @param dataBytes - Bytes of data that follow; the tensors must cover them without gaps or overlaps.
 * @param file - Name for error messages.
 * @throws {CheckpointError} naming the file and the tensor.
 */
export function parseHeader(json: Uint8Array, dataBytes: number, file: string): SafetensorsHeader {
  const fail = (what: string): never => {
    throw new CheckpointError(`${file} is not a valid safetensors file: ${what}`);
  };
  let header: unknown;
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    header = JSON.parse(text);
  } catch (error) {
    fail(`its header is not JSON (${(error as Error).message})`);
  }
  if (!isObject(header)) return fail(`its header is not an object but ${describe(header)}`);
  const duplicate = findDuplicateKey(text);
  if (duplicate !== null) fail(`the key ${JSON.stringify(duplicate)} appears twice in its header`);

  const entries: TensorEntry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(value, fail);
    else entries.push(parseEntry(name, value, fail));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, dataBytes, fail);
  return { entries, metadata };
}

type Fail = (what: string) => never;

function parseMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (!isObject(value) || Object.values(value).some((item) => typeof item !== 'string')) {
    return fail('__metadata__ is not an object of strings');
  }
  return value as Record<string, string>;
}

function parseEntry(name: string, value: unknown, fail: Fail): TensorEntry {
  const what = `tensor ${JSON.stringify(name)}`;
  if (!isObject(value)) return fail(`${what} is described by ${describe(value)} instead of an object`);
  const { dtype: storedAs, shape, data_offsets: offsets } = value;
  const bits = typeof storedAs === 'string' ? bitsOf(storedAs) : undefined;
  if (bits === undefined) {
    const known = [DTYPES, FOREIGN, PACKED].flatMap(Object.keys).join(', ');
    return fail(`${what} has dtype ${describe(storedAs)}; supported are ${known}`);
  }
  if (!isSizes(shape) || shape.length > MAX_DIMS) return fail(`${what} has shape ${describe(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    return fail(`${what} has data_offsets ${describe(offsets)} instead of [begin, end]`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = (elementCount(shape) * bits) / 8;
  if (end - begin !== expected) {
    fail(
      `${what} of dtype ${storedAs} and shape [${shape.join(', ')}] needs ${expected} bytes, ` +
        `but its data_offsets [${begin}, ${end}] hold ${end - begin}`,
    );
  }
  // If one size is 0, the product does not limit the others; each must still be valid.
  if (!Number.isSafeInteger(shape.reduce((product, size) => product * Math.max(size, 1), 8)))
    fail(`${what} has shape [${shape.join(', ')}], which is too large`);
  return { name, dtype: dtypeOf(storedAs as string), storedAs: storedAs as string, shape, begin, end };
}

/** Bits of an element; undefined for a name that the format does not have. */
function bitsOf(storedAs: string): number | undefined {
  if (Object.hasOwn(DTYPES, storedAs)) return 8 * itemSize(DTYPES[storedAs]!);
  if (Object.hasOwn(FOREIGN, storedAs)) return 8 * foreignType(FOREIGN[storedAs]!).size;
  return Object.hasOwn(PACKED, storedAs) ? PACKED[storedAs] : undefined;
}

function dtypeOf(storedAs: string): DType | null {
  if (Object.hasOwn(DTYPES, storedAs)) return DTYPES[storedAs]!;
  return Object.hasOwn(FOREIGN, storedAs) ? (foreignType(FOREIGN[storedAs]!).dtype ?? null) : null;
}

/** The tensors, in the order of their data, must cover it exactly. */
function checkLayout(entries: readonly TensorEntry[], dataBytes: number, fail: Fail): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      const kind = begin < position ? 'overlaps the tensor before it' : 'leaves a hole before it';
      fail(`the data of tensor ${JSON.stringify(name)} ${kind} (starts at ${begin}, expected ${position})`);
    }
    position = end;
  }
  if (position !== dataBytes) {
    const kind = position > dataBytes ? 'it is truncated' : 'it has bytes that belong to no tensor';
    fail(`${kind} (its tensors need ${position} bytes of data, the file has ${dataBytes})`);
  }
}

/**
 * The first duplicate key of an object in valid JSON, or null. `JSON.parse` silently keeps the last one,
 * where other readers may keep the first.
 */
function findDuplicateKey(json: string): string | null {
  // Only strings and brackets matter for the structure; a string is a key if a colon follows it.
  const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g;
  const open: Set<string>[] = [];
  for (const [token, colon] of json.matchAll(tokens)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, token.length - colon.length)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}

function formatName(dtype: DType): string {
  return Object.entries(DTYPES).find(([, ours]) => ours === dtype)![0];
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
