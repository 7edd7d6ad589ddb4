/**
 * The pickles inside the CIFAR archives: arrays of bytes as numpy writes them.
 * @module
 */
import {
  type PickleDialect,
  PickledObject,
  PickleError,
  type PickleValue,
  pickledText,
  Special,
} from '../formats/pickle.js';

/** A numpy array of unsigned bytes, row-major: a view into the pickle where it can be. */
export class PickledArray extends PickledObject {
  shape: readonly number[] = [];
  data: Uint8Array = new Uint8Array(0);
}

class Global extends Special {
  readonly kind = 'global';
  constructor(readonly name: 'reconstruct' | 'ndarray' | 'dtype' | 'encode') {
    super();
  }
}
class Dtype extends Special {
  readonly kind = 'dtype';
}

const GLOBALS: ReadonlyMap<string, Global> = new Map([
  ['numpy.core.multiarray _reconstruct', new Global('reconstruct')],
  ['numpy._core.multiarray _reconstruct', new Global('reconstruct')],
  ['numpy ndarray', new Global('ndarray')],
  ['numpy dtype', new Global('dtype')],
  ['_codecs encode', new Global('encode')],
]);

/**
 * Arrays of bytes: numpy's `_reconstruct(ndarray, (0,), 'b')`, `dtype('u1', ...)`, and `_codecs.encode(text, 'latin1')`,
 * each computed by its definition.
 */
export const NUMPY_BYTES: PickleDialect = {
  find: (path) => GLOBALS.get(path),
  call(callable, [first, second]) {
    if (!(callable instanceof Global)) return undefined;
    if (callable.name === 'reconstruct' && first instanceof Global && first.name === 'ndarray') {
      return new PickledArray();
    }
    if (callable.name === 'dtype' && pickledText(first) === 'u1') return new Dtype();
    if (callable.name === 'dtype')
      throw new PickleError(`expected an array of bytes ('u1') but found another`);
    if (callable.name === 'encode' && typeof first === 'string' && pickledText(second) === 'latin1') {
      return new Uint8Array(Buffer.from(first, 'latin1'));
    }
    return undefined;
  },
  build: (target, state) => buildArray(state, target),
};

/** State of an array is `(version, shape, dtype, fortran order, bytes)`; that of a one-byte dtype says nothing new. */
function buildArray(state: PickleValue, target: PickleValue): boolean {
  if (target instanceof Dtype && Array.isArray(state)) return true;
  if (!(target instanceof PickledArray) || !Array.isArray(state) || state.length !== 5) return false;
  const [, shape, dtype, fortran, bytes] = state;
  if (!(dtype instanceof Dtype) || (fortran !== false && fortran !== 0) || !(bytes instanceof Uint8Array)) {
    throw new PickleError('expected a row-major array of bytes but found another');
  }
  if (!Array.isArray(shape) || !shape.every((size) => Number.isInteger(size) && (size as number) >= 0)) {
    throw new PickleError('the shape of an array is damaged');
  }
  const sizes = shape as number[];
  const expected = sizes.reduce((product, size) => product * size, 1);
  if (bytes.length !== expected) {
    throw new PickleError(`an array of shape [${sizes.join(', ')}] has ${bytes.length} bytes`);
  }
  target.shape = [...sizes];
  target.data = bytes;
  return true;
}
