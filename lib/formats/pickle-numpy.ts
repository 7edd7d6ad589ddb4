/**
 * NumPy arrays and scalars in pickles.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.ndarray.__reduce__.html
 * @module
 */
import {
  type PickleDialect,
  PickledObject,
  PickleError,
  type PickleValue,
  pickledText,
  Special,
} from './pickle-values.js';

/** A NumPy array; its bytes are a view into the pickle if possible. */
export class PickledArray extends PickledObject {
  shape: readonly number[] = [];
  data: Uint8Array = new Uint8Array(0);
  /** Kind and width of the elements, such as `u1`, with the byte order as prefix if they have one. */
  dtype = 'u1';
  /** Column-major elements. */
  fortranOrder = false;
  /** Whether it contains objects or records, which are left out. */
  opaque = false;
}

class Global extends Special {
  readonly kind = 'global';
  constructor(readonly name: 'reconstruct' | 'ndarray' | 'dtype' | 'encode' | 'frombuffer' | 'scalar') {
    super();
  }
}

/** The type of an array's elements. */
export class PickledDtype extends PickledObject {
  /** Order of the bytes: `<`, `>` or `|`. */
  order = '|';
  constructor(readonly code: string) {
    super();
  }
}

const GLOBALS: ReadonlyMap<string, Global> = new Map([
  ...['numpy.core', 'numpy._core'].flatMap((core): [string, Global][] => [
    [`${core}.multiarray _reconstruct`, new Global('reconstruct')],
    [`${core}.multiarray scalar`, new Global('scalar')],
    [`${core}.numeric _frombuffer`, new Global('frombuffer')],
  ]),
  ['numpy ndarray', new Global('ndarray')],
  ['numpy dtype', new Global('dtype')],
  ['_codecs encode', new Global('encode')],
]);

const MAX_DIMS = 64;

/**
 * Arrays and scalars, and the bytes of Python 3 in protocol 2, each computed by its definition: numpy's
 * `_reconstruct(ndarray, (0,), 'b')` with its state, `_frombuffer(bytes, dtype, shape, order)`, `scalar(dtype, bytes)`,
 * `dtype('f4', ...)`, and `_codecs.encode(text, 'latin1')`.
 */
export function numpyDialect(): PickleDialect {
  // A string that is encoded repeatedly is encoded once.
  const encoded = new Map<string, Uint8Array>();
  return {
    find: (path) => GLOBALS.get(path),
    call(callable, args) {
      if (!(callable instanceof Global)) return undefined;
      const [first, second] = args;
      if (callable.name === 'reconstruct' && first instanceof Global && first.name === 'ndarray')
        return new PickledArray();
      if (callable.name === 'frombuffer') return fromBuffer(args);
      if (callable.name === 'scalar' && first instanceof PickledDtype) return scalar(first, second);
      const text = pickledText(first);
      if (callable.name === 'dtype' && text !== undefined) return new PickledDtype(text);
      if (callable.name !== 'encode' || typeof first !== 'string' || pickledText(second) !== 'latin1')
        return undefined;
      const known = encoded.get(first) ?? new Uint8Array(Buffer.from(first, 'latin1'));
      encoded.set(first, known);
      return known;
    },
    build(target, state) {
      if (!Array.isArray(state)) return false;
      if (target instanceof PickledDtype) return buildDtype(target, state);
      if (!(target instanceof PickledArray) || state.length !== 5) return false;
      const [, shape, dtype, fortran, bytes] = state;
      return fill(target, { shape, dtype, fortran: fortran === true || fortran === 1, bytes });
    },
  };
}

/** {@link numpyDialect} for the CIFAR archives: only arrays of bytes in row-major order. */
export function numpyBytes(): PickleDialect {
  const numpy = numpyDialect();
  return {
    ...numpy,
    call(callable, args) {
      const made = numpy.call(callable, args);
      if (made instanceof PickledDtype && made.code !== 'u1')
        throw new PickleError(`expected an array of bytes ('u1') but found another`);
      return made instanceof PickledArray ? rowMajor(made) : made;
    },
    build(target, state) {
      const built = numpy.build(target, state);
      if (target instanceof PickledArray) rowMajor(target);
      return built;
    },
  };
}

function rowMajor(array: PickledArray): PickledArray {
  if (array.fortranOrder) throw new PickleError('expected a row-major array of bytes but found another');
  return array;
}

/** State of a dtype is `(version, order, subdtype, names, fields, size, alignment, flags)`. */
function buildDtype(target: PickledDtype, [, order, subdtype, names]: PickleValue[]): boolean {
  const text = pickledText(order);
  if ((subdtype ?? null) !== null || (names ?? null) !== null || text === undefined) return false;
  target.order = text;
  return true;
}

/** `_frombuffer(bytes, dtype, shape, order)`, by which protocol 5 writes arrays. */
function fromBuffer([bytes, dtype, shape, order]: readonly PickleValue[]): PickledArray | undefined {
  const array = new PickledArray();
  return fill(array, { shape, dtype, fortran: pickledText(order) === 'F', bytes }) ? array : undefined;
}

/** @returns False for an array of objects. @throws PickleError when shape, dtype and bytes do not agree. */
function fill(
  target: PickledArray,
  parts: {
    shape?: PickleValue | undefined;
    dtype?: PickleValue | undefined;
    fortran: boolean;
    bytes?: PickleValue | undefined;
  },
): boolean {
  const { shape, dtype, fortran, bytes } = parts;
  if (!(dtype instanceof PickledDtype) || !(bytes instanceof Uint8Array)) return false;
  const valid = Array.isArray(shape) && shape.length <= MAX_DIMS;
  if (!valid || !shape.every((size) => Number.isSafeInteger(size) && (size as number) >= 0))
    throw new PickleError('the shape of an array is damaged');
  const sizes = shape as number[];
  const width = widthOf(dtype);
  if (width === undefined) return false;
  const expected = sizes.reduce((product, size) => product * size, width);
  if (bytes.length !== expected)
    throw new PickleError(`an array of shape [${sizes.join(', ')}] has ${bytes.length} bytes`);
  target.shape = [...sizes];
  target.data = bytes;
  target.dtype = `${dtype.order}${dtype.code}`;
  target.fortranOrder = fortran && sizes.length > 1;
  return true;
}

/** Bytes of an element; undefined where an element is no plain number or text. */
function widthOf({ code }: PickledDtype): number | undefined {
  const [, kind, width] = /^([bBiufcSU])(\d{1,6})$/.exec(code) ?? [];
  return width === undefined ? undefined : Number(width) * (kind === 'U' ? 4 : 1);
}

/** `scalar(dtype, bytes)`: a number, a truth value or a text; undefined for other kinds. */
function scalar({ code, order }: PickledDtype, value: PickleValue | undefined): PickleValue | undefined {
  if (!(value instanceof Uint8Array)) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const little = order !== '>';
  const readers: Readonly<Record<string, [bytes: number, read: () => PickleValue]>> = {
    b1: [1, () => view.getUint8(0) !== 0],
    i1: [1, () => view.getInt8(0)],
    u1: [1, () => view.getUint8(0)],
    i2: [2, () => view.getInt16(0, little)],
    u2: [2, () => view.getUint16(0, little)],
    i4: [4, () => view.getInt32(0, little)],
    u4: [4, () => view.getUint32(0, little)],
    i8: [8, () => narrow(view.getBigInt64(0, little))],
    u8: [8, () => narrow(view.getBigUint64(0, little))],
    f2: [2, () => half(view.getUint16(0, little))],
    f4: [4, () => view.getFloat32(0, little)],
    f8: [8, () => view.getFloat64(0, little)],
  };
  if (!Object.hasOwn(readers, code)) return undefined;
  const [bytes, read] = readers[code]!;
  if (value.length !== bytes) throw new PickleError(`a number of the type ${code} has ${value.length} bytes`);
  return read();
}

function narrow(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** A number of 16 bits. */
function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
