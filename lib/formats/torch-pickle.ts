/**
 * The pickle inside a file of PyTorch: which names it may ask for, and what they stand for here. Nothing but tensors,
 * containers, numbers and texts can come of it.
 * @see https://pytorch.org/docs/stable/notes/serialization.html
 * @module
 */

import type { DType } from '../tensor/dtype.js';
import { type PickleDialect, PickledObject, PickleError, type PickleValue, Special } from './pickle.js';

/** Storage classes of PyTorch with our dtypes. */
const STORAGES: Readonly<Record<string, DType>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
};

class StorageType extends Special {
  readonly kind = 'storage type';
  constructor(readonly dtype: DType) {
    super();
  }
}

class Callable extends Special {
  readonly kind = 'callable';
  constructor(readonly name: 'tensor' | 'parameter' | 'ordered dict' | 'size') {
    super();
  }
}

/** The bytes of one or several tensors. */
export class PickledStorage extends Special {
  readonly kind = 'storage';
  constructor(
    readonly dtype: DType,
    /** Name of its file in the archive's folder `data`. */
    readonly key: string,
    /** Elements. */
    readonly length: number,
  ) {
    super();
  }
}

/** A tensor as the pickle describes it: a view of a storage. */
export class PickledTensor extends PickledObject {
  constructor(
    readonly storage: PickledStorage,
    /** In elements, as the strides. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

const CALLABLES: ReadonlyMap<string, Callable> = new Map([
  ['torch._utils _rebuild_tensor_v2', new Callable('tensor')],
  ['torch._utils _rebuild_parameter', new Callable('parameter')],
  ['collections OrderedDict', new Callable('ordered dict')],
  ['torch Size', new Callable('size')],
]);

/** What `torch.save` writes of tensors, dictionaries, lists, tuples, numbers and texts. */
export const TORCH: PickleDialect = {
  numberKeys: true,
  find(path) {
    const [module, name = ''] = path.split(' ');
    if (module === 'torch' && Object.hasOwn(STORAGES, name)) return new StorageType(STORAGES[name]!);
    return CALLABLES.get(path);
  },
  call(callable, args) {
    if (!(callable instanceof Callable)) return undefined;
    const [first] = args;
    if (callable.name === 'tensor') return rebuildTensor(args);
    if (callable.name === 'parameter') return first instanceof PickledTensor ? first : undefined;
    if (callable.name === 'size') return isSizes(first) ? first : undefined;
    return args.length === 0 ? new Map() : undefined;
  },
  // The attributes of an OrderedDict: the `_metadata` of a state dict, the versions of its modules.
  build: (target, state) => target instanceof Map && state instanceof Map,
  persistent(id) {
    const [tag, type, key, , length] = Array.isArray(id) ? id : [];
    const isName = typeof key === 'string' && /^\w+$/.test(key);
    if (tag !== 'storage' || !(type instanceof StorageType) || !isName || !isSizes([length as PickleValue])) {
      throw new PickleError('it refers to something that is no storage of a known dtype');
    }
    return new PickledStorage(type.dtype, key, length as number);
  },
};

/** `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`, checked against the storage's size. */
function rebuildTensor([storage, offset, shape, strides]: readonly PickleValue[]): PickledTensor {
  if (
    !(storage instanceof PickledStorage) ||
    !isSizes([offset as PickleValue]) ||
    !isSizes(shape) ||
    !isSizes(strides) ||
    shape.length !== strides.length
  ) {
    throw new PickleError('a tensor in it is damaged');
  }
  const count = shape.reduce((product, size) => product * size, 1);
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, offset as number);
  // More elements than the storage has would be an expanded view: a few bytes could ask for any amount of memory.
  if (count > 0 && (last >= storage.length || count > storage.length)) {
    throw new PickleError(
      `a tensor of shape [${shape.join(', ')}] does not fit its storage of ${storage.length} elements`,
    );
  }
  return new PickledTensor(storage, offset as number, shape, strides);
}

function isSizes(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
}
