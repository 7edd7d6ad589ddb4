/**
 * The pickle of a file of PyTorch: allowed names and their values. The result has tensors, containers,
 * numbers and strings; objects of other classes become descriptions. No Python code is called.
 * @see https://pytorch.org/docs/stable/notes/serialization.html
 * @module
 */
import { DTYPES, type DType, itemSize } from '../tensor/dtype.js';
import { type ForeignDType, foreignType, isForeign } from './foreign-dtypes.js';
import {
  type PickleDialect,
  PickledInstance,
  PickledObject,
  PickleError,
  type PickleValue,
  pickledText,
  Special,
} from './pickle.js';
import { numpyDialect, PickledArray, PickledDtype } from './pickle-numpy.js';
import { findName, MAX_PATH, Name } from './torch-names.js';

/** Element types of storages: dtypes, other numbers, and bytes of types that are not read. */
export type StorageDType = DType | ForeignDType | `opaque${number}`;

/** Storage classes of PyTorch with their element types. */
const STORAGES: Readonly<Record<string, StorageDType>> = {
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
  UntypedStorage: 'uint8',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
  QInt8Storage: 'opaque1',
  QUInt8Storage: 'opaque1',
  QInt32Storage: 'opaque4',
  QUInt4x2Storage: 'opaque1',
  QUInt2x4Storage: 'opaque1',
};

/** Bytes of an element. */
export function storageItemSize(dtype: StorageDType): number {
  if (isDType(dtype)) return itemSize(dtype);
  return isForeign(dtype) ? foreignType(dtype).size : Number(dtype.slice('opaque'.length));
}

/** Whether the type is a dtype of dyconv. */
export function isDType(name: string): name is DType {
  return (DTYPES as readonly string[]).includes(name);
}

class StorageType extends Special {
  readonly kind = 'storage type';
  constructor(readonly dtype: StorageDType) {
    super();
  }
}

/** Dtypes such as `torch.float32`. */
class TorchDType extends Special {
  readonly kind = 'dtype';
  constructor(readonly name: string) {
    super();
  }
}

/** The bytes of one or several tensors. */
export class PickledStorage extends Special {
  readonly kind = 'storage';
  constructor(
    readonly dtype: StorageDType,
    /** Name of its file in the archive's folder `data`. */
    readonly key: string,
    /** Number of elements. */
    readonly length: number,
    /** The used elements, for a storage that is a part of another. */
    readonly part: { readonly offset: number; readonly length: number } | undefined,
  ) {
    super();
  }
}

/** A tensor in the pickle: a view of a storage. */
export class PickledTensor extends PickledObject {
  constructor(
    readonly storage: PickledStorage,
    /** Type of the elements, which may differ from that of the storage. */
    readonly dtype: StorageDType,
    /** In elements, like the strides. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    /** Whether the values are the negated values of the storage. */
    readonly negative: boolean,
  ) {
    super();
  }
}

const MAX_DIMS = 64;
/** Maximum number of elements of an expanded tensor beyond those of its storage: a few bytes could claim any number. */
const MAX_EXPANDED = 1 << 20;

/**
 * The dialect of `torch.save`. A new one is needed for each file.
 * @returns The dialect, and the storages by key.
 */
export function torchDialect(): { dialect: PickleDialect; storages: ReadonlyMap<string, PickledStorage> } {
  const storages = new Map<string, PickledStorage>();
  const numpy = numpyDialect();
  const keys = new KeyTexts();
  // Repeated calls with the same argument return the same value, to save memory.
  const dictionaries = new Map<PickleValue, Map<string, PickleValue>>();
  const dialect: PickleDialect = {
    specials: true,
    find(path) {
      const [module = '', name = ''] = path.split(' ', 2);
      if (/^torch(\.cuda|\.storage)?$/.test(module) && Object.hasOwn(STORAGES, name))
        return new StorageType(STORAGES[name]!);
      if (module === 'torch' && (isDType(name) || isForeign(name))) return new TorchDType(name);
      const found = numpy.find(path);
      if (found) return found;
      return findName(module, name);
    },
    call(callable, args) {
      if (!(callable instanceof Name)) return numpy.call(callable, args) ?? opaqueCall(callable, args);
      const known = CALLS[callable.path];
      return known?.(args, dictionaries) ?? new PickledInstance(callable.path, args);
    },
    construct(type, args) {
      return dialect.call(type, args);
    },
    // The attributes of an OrderedDict: the `_metadata` of a state dict, the versions of its modules.
    build(target, state) {
      if (target instanceof Map || target instanceof PickledTensor) return true;
      if (target instanceof PickledArray || target instanceof PickledDtype) {
        if (!numpy.build(target, state) && target instanceof PickledArray) target.opaque = true;
        return true;
      }
      return false;
    },
    key: (value) => keyText(value) ?? keys.of(value),
    persistent(id) {
      const found = persistent(id);
      if (!(found instanceof PickledStorage)) return found;
      const known = storages.get(found.key);
      if (known && (known.dtype !== found.dtype || known.length !== found.length))
        throw new PickleError(`its storage ${found.key} is described in two ways`);
      storages.set(found.key, known ?? found);
      return found;
    },
  };
  return { dialect, storages };
}

type Call = (
  args: readonly PickleValue[],
  dictionaries: Map<PickleValue, Map<string, PickleValue>>,
) => PickleValue | undefined;

/** Results of calls that create data; undefined for unknown arguments, which become an object of an unknown class. */
const CALLS: Readonly<Record<string, Call>> = Object.assign(Object.create(null), {
  'torch._utils._rebuild_tensor': (args) => rebuildTensor(args, undefined, undefined),
  'torch._utils._rebuild_tensor_v2': (args) => rebuildTensor(args, undefined, args[6]),
  'torch._utils._rebuild_tensor_v3': (args) =>
    args[6] instanceof TorchDType ? rebuildTensor(args, args[6].name as StorageDType, args[7]) : undefined,
  'torch._utils._rebuild_parameter': firstTensor,
  'torch._utils._rebuild_parameter_with_state': firstTensor,
  'torch.nn.parameter.Parameter': firstTensor,
  'torch._tensor._rebuild_from_type_v2': rebuildFromType,
  'torch.Size': ([sizes]) => (isSizes(sizes) ? sizes : undefined),
  'torch.device': ([type, index]) => {
    const text = pickledText(type);
    return text === undefined ? undefined : typeof index === 'number' ? `${text}:${index}` : text;
  },
  'collections.OrderedDict': dictionary,
  'collections.Counter': dictionary,
  'builtins.dict': dictionary,
  'collections.defaultdict': (_args) => new Map(),
  'builtins.set': list,
  'builtins.frozenset': list,
  'builtins.list': list,
  'builtins.bytes': bytes,
  'builtins.bytearray': bytes,
  'datetime.datetime': dateAndTime,
  'datetime.date': dateAndTime,
  'builtins.getattr': attribute,
  'copyreg._reconstructor': ([type]) =>
    type instanceof Name ? new PickledInstance(type.path, []) : undefined,
} satisfies Readonly<Record<string, Call>>);

function opaqueCall(callable: Special, args: readonly PickleValue[]): PickleValue | undefined {
  return callable.kind === 'global' ? new PickledInstance('numpy', args) : undefined;
}

function firstTensor([first]: readonly PickleValue[]): PickleValue | undefined {
  return first instanceof PickledTensor || first instanceof PickledInstance ? first : undefined;
}

/** `_rebuild_from_type_v2(function, type, arguments, state)`: a subclass of Tensor, which becomes a tensor. */
function rebuildFromType([rebuild, , args]: readonly PickleValue[]): PickleValue | undefined {
  const known =
    rebuild instanceof Name && rebuild.path.startsWith('torch._utils.') ? CALLS[rebuild.path] : undefined;
  return Array.isArray(args) ? known?.(args, new Map()) : undefined;
}

/** A dictionary: empty, from another one, or from a list of pairs (Python 2). */
function dictionary(
  args: readonly PickleValue[],
  dictionaries: Map<PickleValue, Map<string, PickleValue>>,
): PickleValue | undefined {
  const [first] = args;
  if (args.length === 0) return new Map();
  if (first instanceof Map) return first;
  if (!Array.isArray(first)) return undefined;
  const known = dictionaries.get(first);
  if (known) return known;
  const made = new Map<string, PickleValue>();
  for (const pair of first) {
    const key = Array.isArray(pair) && pair.length === 2 ? keyText(pair[0]!) : undefined;
    if (key === undefined) return undefined;
    made.set(key, (pair as PickleValue[])[1]!);
  }
  dictionaries.set(first, made);
  return made;
}

/** `getattr(class, name)`, by which protocol 2 refers to nested classes and to methods. */
function attribute([owner, name]: readonly PickleValue[]): PickleValue | undefined {
  const text = pickledText(name);
  if (!(owner instanceof Name) || text === undefined) return undefined;
  return owner.path.length + text.length > MAX_PATH ? undefined : new Name(`${owner.path}.${text}`);
}

function list([first]: readonly PickleValue[]): PickleValue | undefined {
  return first === undefined ? [] : Array.isArray(first) ? first : undefined;
}

function bytes([first]: readonly PickleValue[]): PickleValue | undefined {
  return first === undefined ? new Uint8Array(0) : first instanceof Uint8Array ? first : undefined;
}

/** The ten bytes of a datetime, or four of a date, as an ISO string. */
function dateAndTime([packed, zone]: readonly PickleValue[]): PickleValue | undefined {
  if (!(packed instanceof Uint8Array) || zone !== undefined) return undefined;
  const two = (value: number) => String(value).padStart(2, '0');
  const [high = 0, low = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = packed;
  const date = `${String(high * 256 + low).padStart(4, '0')}-${two(month & 127)}-${two(day)}`;
  if (packed.length === 4) return date;
  if (packed.length !== 10) return undefined;
  const micros = packed[7]! * 65536 + packed[8]! * 256 + packed[9]!;
  return `${date}T${two(hour)}:${two(minute)}:${two(second)}.${String(micros).padStart(6, '0')}`;
}

/** Converts keys to strings: numbers as in JavaScript objects, short tuples as Python prints them. */
function keyText(value: PickleValue): string | undefined {
  const text = pickledText(value);
  if (text !== undefined) return text;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value instanceof TorchDType) return `torch.${value.name}`;
  if (value instanceof Name) return value.path;
  // A member of an enumeration is its class with one argument.
  if (value instanceof PickledInstance && value.args.length <= 1 && !value.args.some(Array.isArray)) {
    const [argument = ''] = value.args.map((item) => keyText(item)?.slice(0, 200));
    return value.args.length === 1 && argument === '' ? undefined : `${value.type}(${argument})`;
  }
  if (!Array.isArray(value) || value.length > 16 || value.some(Array.isArray)) return undefined;
  const items = value.map((item) => keyText(item)?.slice(0, 200));
  return items.includes(undefined) ? undefined : `(${items.join(', ')})`;
}

/** Keys of dictionaries that have no text form, such as the parameters in the state of an optimizer: numbered objects. */
class KeyTexts {
  readonly #numbers = new Map<PickleValue, number>();

  of(value: PickleValue): string {
    const number = this.#numbers.get(value) ?? this.#numbers.size;
    this.#numbers.set(value, number);
    const type =
      value instanceof PickledTensor
        ? 'torch.Tensor'
        : value instanceof PickledInstance
          ? value.type
          : 'object';
    return `<${type} ${number}>`;
  }
}

/** `('storage', type, key, device, length)`; the old format adds a view, and has `('module', class, file, source)`. */
function persistent(id: PickleValue): PickleValue {
  const [tag, type, keyOrClass, , length, view] = Array.isArray(id) ? id : [];
  if (pickledText(tag) === 'module' && type !== undefined) return type;
  const key = pickledText(keyOrClass);
  const isName = key !== undefined && /^\w+$/.test(key) && key.length < 100;
  if (pickledText(tag) !== 'storage' || !(type instanceof StorageType) || !isName || !isSizes([length!])) {
    throw new PickleError('it refers to a value that is not a storage of a known dtype');
  }
  if (!Array.isArray(view)) return new PickledStorage(type.dtype, key, length as number, undefined);
  const [, start, count] = view;
  if (!isSizes([start!, count!]) || (start as number) + (count as number) > (length as number))
    throw new PickleError(`a part of its storage ${key} does not fit into it`);
  const part = { offset: start as number, length: count as number };
  return new PickledStorage(type.dtype, key, length as number, part);
}

/** `(storage, offset, shape, strides, …)`, checked against the storage's size. */
function rebuildTensor(
  [storage, offset, shape, strides]: readonly PickleValue[],
  dtype: StorageDType | undefined,
  flags: PickleValue | undefined,
): PickleValue {
  if (
    !(storage instanceof PickledStorage) ||
    !isSizes([offset as PickleValue]) ||
    !isSizes(shape) ||
    !isSizes(strides) ||
    shape.length !== strides.length
  ) {
    throw new PickleError('a tensor in it is damaged');
  }
  const type = dtype ?? storage.dtype;
  const available = storage.part ?? { offset: 0, length: storage.length };
  const length = Math.floor((available.length * storageItemSize(storage.dtype)) / storageItemSize(type));
  const count = shape.reduce((product, size) => product * size, 1);
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, offset as number);
  if (count > 0 && (last >= length || count > length + MAX_EXPANDED)) {
    throw new PickleError(
      `a tensor of shape [${shape.join(', ')}] does not fit its storage of ${length} elements`,
    );
  }
  if (!Number.isSafeInteger(shape.reduce((product, size) => product * Math.max(size, 1), 16)))
    throw new PickleError('the shape of a tensor in it is too large');
  const set = flags instanceof Map ? [...flags].filter(([, on]) => on === true).map(([flag]) => flag) : [];
  if (set.some((flag) => flag !== 'neg' && flag !== 'conj'))
    return new PickledInstance(`torch.Tensor with ${set.slice(0, 8).join(', ')}`, []);
  const start = (offset as number) + available.offset;
  return new PickledTensor(storage, type, start, shape, strides, set.includes('neg'));
}

function isSizes(value: PickleValue | undefined): value is number[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_DIMS &&
    value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)
  );
}

/** The name of a class, function, type or storage that is used as data. */
export function nameOf(special: Special): string {
  if (special instanceof Name) return special.path;
  if (special instanceof TorchDType) return `torch.${special.name}`;
  return special instanceof PickledStorage ? 'torch.storage' : special.kind;
}

/** Whether it is a dtype; the result is its name. */
export function isTorchDType(special: Special): boolean {
  return special instanceof TorchDType;
}
