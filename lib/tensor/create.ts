/**
 * Creation of tensors.
 * @module
 */

import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, DTypeError, describe, invalidArgument, ShapeError } from '../errors.js';
import { checkShape, checkTensor } from './check.js';
import {
  arrayKind,
  checkDType,
  type Device,
  type DType,
  dtypeOfArray,
  isFloatingPoint,
  newArray,
  type TypedArray,
} from './dtype.js';
import type { NestedArray } from './nested.js';
import { isTensor, native, type Tensor } from './tensor.js';

const LOGSPACE = optionKeys('dtype', 'device', 'requiresGrad', 'base');

const OFFSET = optionKeys('offset');

/** Options of every factory. */
export interface TensorOptions {
  /** Default `'float32'` unless noted otherwise. */
  dtype?: DType | undefined;
  /** Default `'cpu'`. @throws DeviceError when the device is not available. */
  device?: Device | undefined;
  /** Record operations on the tensor for autograd. Default false. */
  requiresGrad?: boolean | undefined;
}

const TENSOR_KEYS = optionKeys('dtype', 'device', 'requiresGrad');
const EYE = optionKeys(...TENSOR_KEYS, 'm');
const TENSOR = optionKeys(...TENSOR_KEYS, 'shape');

/** The options of a factory that takes a shape, checked. */
function optionsFor(name: string, shape: readonly number[], options: TensorOptions): TensorOptions {
  if (typeof shape === 'number') {
    const sizes = typeof options === 'number' ? [shape, options] : [shape];
    throw new ArgumentError(
      `Expected an array for shape of ${name} but received ${sizes.join(', ')}: write ${CALLS[name] ?? `${name}(`}[${sizes.join(', ')}])`,
    );
  }
  return checkOptions(options, TENSOR_KEYS);
}

/** Starts of calls whose first argument is not the shape. */
const CALLS: Readonly<Record<string, string>> = { randint: 'randint(low, high, ' };

function finish(tensor: Tensor, options: TensorOptions): Tensor {
  const { requiresGrad = false } = options;
  return requiresGrad ? tensor.requiresGrad_() : tensor;
}

/** Maximum nesting, more than libtorch's number of dimensions; it detects an array that contains itself. */
const MAX_DIMS = 64;

/** The sizes of a nested array, from its first elements; {@link visit} checks the rest against them. */
function shapeOf(value: unknown): number[] {
  const shape: number[] = [];
  let level = value;
  while (Array.isArray(level)) {
    if (shape.length === MAX_DIMS)
      throw new ShapeError(`Expected nested arrays of at most ${MAX_DIMS} levels for data but received more`);
    shape.push(level.length);
    level = level[0];
  }
  return shape;
}

type Scalar = number | bigint | boolean;

/**
 * Calls `each` with every value of a nested array in order, having checked that it is one and that the nesting is even.
 * `each` returns whether to go on; so does this.
 */
function visit(
  value: unknown,
  shape: readonly number[],
  depth: number,
  each: (value: Scalar) => boolean,
): boolean {
  if (depth === shape.length) {
    if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'boolean') {
      throw Array.isArray(value)
        ? new ShapeError(
            `Expected nested arrays of equal depth for data but one has more than ${depth} levels`,
          )
        : invalidArgument('data', 'numbers, bigints or booleans', value);
    }
    return each(value);
  }
  if (!Array.isArray(value) || value.length !== shape[depth]) {
    throw new ShapeError(
      `Expected nested arrays of equal length for data: length ${shape[depth]} at level ${depth} but received ${describe(value)}`,
    );
  }
  for (const item of value) if (!visit(item, shape, depth + 1, each)) return false;
  return true;
}

/** bool for only booleans, int64 for only bigints, otherwise float32; stops at the first value that decides. */
function naturalDType(data: unknown, shape: readonly number[]): DType {
  let kind: string | undefined;
  visit(data, shape, 0, (value) => {
    const own = typeof value;
    kind = kind === undefined || kind === own ? own : 'number';
    return kind !== 'number';
  });
  return kind === 'boolean' ? 'bool' : kind === 'bigint' ? 'int64' : 'float32';
}

/** Smallest and largest value of the integer dtypes. */
const INTEGERS: Partial<Record<DType, readonly [number | bigint, number | bigint]>> = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  int8: [-128, 127],
  uint8: [0, 255],
};

/**
 * The values of a nested array in a typed array of the dtype; values that it cannot represent are rejected. The array is created first: the same
 * row may be in `data` many times, so that a small nested array may have very many values.
 */
function pack(data: unknown, shape: readonly number[], dtype: DType): TypedArray {
  const range = INTEGERS[dtype];
  const array = newArray(dtype, sizeOf(shape)) as TypedArray & { [index: number]: number | bigint };
  const convert: (value: Scalar) => number | bigint =
    dtype === 'int64' ? BigInt : dtype === 'bool' ? (value) => Number(Boolean(value)) : Number;
  let next = 0;
  visit(data, shape, 0, (value) => {
    if (range !== undefined && typeof value !== 'boolean') {
      const integral = typeof value !== 'number' || Number.isInteger(value);
      if (!integral || value < range[0] || value > range[1])
        throw invalidArgument('data', `integers from ${range[0]} to ${range[1]} (${dtype})`, value);
    }
    array[next++] = convert(value);
    return true;
  });
  return array;
}

/** The number of elements of a shape. @throws ShapeError if it is not a safe integer. */
function sizeOf(shape: readonly number[]): number {
  const count = shape.reduce((product, size) => product * size, 1);
  if (Number.isSafeInteger(count)) return count;
  throw new ShapeError(
    `Expected sizes whose product is below 2^53 for shape but received [${shape.join(', ')}]`,
  );
}

/**
 * A tensor with a copy of the given values.
 * @param data - Numbers, bigints or booleans, one or nested in arrays; or a typed array with `shape`.
 * @param options.dtype - Default: that of the typed array; for values bool for booleans, int64 for bigints, float32 for
 * numbers. A Uint16Array holds raw 16-bit floats and needs `'float16'` or `'bfloat16'`.
 * @param options.shape - Sizes; one may be -1. Default: those of the nesting, or [length] for a typed array.
 * @throws ShapeError for ragged nesting, or a shape that does not fit the number of elements.
 * @see https://pytorch.org/docs/stable/generated/torch.tensor.html
 * @example tensor([[1, 2], [3, 4]]); tensor(new Float32Array(12), { shape: [3, 4] });
 */
export function tensor(
  data: NestedArray | TypedArray,
  options: TensorOptions & { shape?: readonly number[] | undefined } = {},
): Tensor {
  const { device = 'cpu' } = checkOptions(options, TENSOR);
  if (options.dtype !== undefined) checkDType('dtype', options.dtype);
  if (isTensor(data))
    throw new ArgumentError('Expected numbers for data but received a Tensor: use clone() or detach()');
  if (arrayKind(data) !== undefined) return finish(fromTypedArray(data as TypedArray, options), options);
  const nesting = shapeOf(data);
  const dtype = options.dtype ?? naturalDType(data, nesting);
  // libtorch rounds 16-bit floats.
  const through = isFloatingPoint(dtype) && dtype.endsWith('16') ? 'float32' : dtype;
  const values = pack(data, nesting, through);
  const shape = resolveShape(options.shape ?? nesting, values.length);
  const made = native.fromData(values, shape, through, device);
  return finish(through === dtype ? made : made.to({ dtype }), options);
}

function fromTypedArray(
  data: TypedArray,
  options: TensorOptions & { shape?: readonly number[] | undefined },
): Tensor {
  const { device = 'cpu', dtype } = checkOptions(options, TENSOR);
  const shape = resolveShape(options.shape ?? [data.length], data.length);
  if (arrayKind(data) === 'Uint16Array') {
    if (dtype === 'float16' || dtype === 'bfloat16') return native.fromData(data, shape, dtype, device);
    throw new DTypeError(
      `Expected dtype 'float16' or 'bfloat16' for a Uint16Array but received ${describe(dtype)}`,
    );
  }
  // A bool tensor's bytes are 0 and 1 exactly; anything else goes through a comparison with zero.
  const natural = dtypeOfArray(data);
  const made = native.fromData(data, shape, natural, device);
  return dtype === undefined || dtype === natural ? made : made.to({ dtype });
}

function resolveShape(shape: readonly number[], count: number): number[] {
  if (!Array.isArray(shape)) throw invalidArgument('shape', 'an array of sizes', shape);
  const open = shape.indexOf(-1);
  if (open === -1) return [...shape];
  const rest = shape.reduce((product, size, i) => (i === open ? product : product * size), 1);
  if (shape.indexOf(-1, open + 1) !== -1 || !Number.isInteger(count / rest)) {
    throw new ShapeError(
      `Expected data that fits shape [${shape.join(', ')}] but received ${count} elements`,
    );
  }
  return shape.map((size, i) => (i === open ? count / rest : size));
}

/** A tensor of the given shape, filled with `value`. @see https://pytorch.org/docs/stable/generated/torch.full.html */
export function full(shape: readonly number[], value: Scalar, options: TensorOptions = {}): Tensor {
  const { dtype = naturalDType(value, []), device = 'cpu' } = checkOptions(options, TENSOR_KEYS);
  return finish(native.full(shape, value, dtype, device), options);
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  const { dtype = 'float32', device = 'cpu' } = optionsFor('zeros', shape, options);
  return finish(native.full(shape, 0, dtype, device), options);
}

/** A tensor of ones. */
export function ones(shape: readonly number[], options: TensorOptions = {}): Tensor {
  const { dtype = 'float32', device = 'cpu' } = optionsFor('ones', shape, options);
  return finish(native.full(shape, 1, dtype, device), options);
}

/** A tensor with uninitialized elements. */
export function empty(shape: readonly number[], options: TensorOptions = {}): Tensor {
  const { dtype = 'float32', device = 'cpu' } = optionsFor('empty', shape, options);
  return finish(native.empty(shape, dtype, device), options);
}

function like(input: Tensor, options: TensorOptions): TensorOptions {
  checkTensor('input', input);
  return { dtype: input.dtype, device: input.device, ...checkOptions(options, TENSOR_KEYS) };
}

/** Zeros of the shape, dtype and device of `input`. */
export function zerosLike(input: Tensor, options: TensorOptions = {}): Tensor {
  return zeros(checkShape('input', input), like(input, options));
}

/** Ones of the shape, dtype and device of `input`. */
export function onesLike(input: Tensor, options: TensorOptions = {}): Tensor {
  return ones(checkShape('input', input), like(input, options));
}

/** Standard normal numbers of the shape, dtype and device of `input`. */
export function randnLike(input: Tensor, options: TensorOptions = {}): Tensor {
  return randn(checkShape('input', input), like(input, options));
}

/** Uniform numbers in [0, 1) of the shape, dtype and device of `input`. */
export function randLike(input: Tensor, options: TensorOptions = {}): Tensor {
  return rand(checkShape('input', input), like(input, options));
}

/** A tensor of the shape, dtype and device of `input`, filled with `value`. */
export function fullLike(input: Tensor, value: Scalar, options: TensorOptions = {}): Tensor {
  return full(checkShape('input', input), value, like(input, options));
}

/** A tensor of the shape, dtype and device of `input`, with uninitialized elements. */
export function emptyLike(input: Tensor, options: TensorOptions = {}): Tensor {
  return empty(checkShape('input', input), like(input, options));
}

/** Uniform random numbers in [0, 1), from the generator that {@link manualSeed} seeds. */
export function rand(shape: readonly number[], options: TensorOptions = {}): Tensor {
  const { dtype = 'float32', device = 'cpu' } = optionsFor('rand', shape, options);
  return finish(native.rand(shape, dtype, device), options);
}

/** Standard normal random numbers, from the generator that {@link manualSeed} seeds. */
export function randn(shape: readonly number[], options: TensorOptions = {}): Tensor {
  const { dtype = 'float32', device = 'cpu' } = optionsFor('randn', shape, options);
  return finish(native.randn(shape, dtype, device), options);
}

/** Random integers in [low, high), int64 by default. @example randint(0, 10, [128]) */
export function randint(
  low: number,
  high: number,
  shape: readonly number[],
  options: TensorOptions = {},
): Tensor {
  const { dtype = 'int64', device = 'cpu' } = optionsFor('randint', shape, options);
  if (typeof low !== 'number') throw invalidArgument('low', 'an integer', low);
  if (typeof high !== 'number' || low >= high)
    throw invalidArgument('high', `an integer above low ${low}`, high);
  return finish(native.randint(low, high, shape, dtype, device), options);
}

/** Random integers in [low, high) of the shape, dtype and device of `input`. */
export function randintLike(input: Tensor, low: number, high: number, options: TensorOptions = {}): Tensor {
  return randint(low, high, checkShape('input', input), like(input, options));
}

/** A random permutation of 0 to n - 1, int64 by default. */
export function randperm(n: number, options: TensorOptions = {}): Tensor {
  const { dtype = 'int64', device = 'cpu' } = checkOptions(options, TENSOR_KEYS);
  return finish(native.randperm(n, dtype, device), options);
}

/**
 * Numbers from `start` up to, not including, `end`: `arange(end)`, `arange(start, end)` or `arange(start, end, step)`.
 * int64 when all three are integers, float32 otherwise.
 */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: TensorOptions): Tensor;
export function arange(first: number, ...rest: (number | TensorOptions | undefined)[]): Tensor {
  if (typeof first !== 'number') throw invalidArgument('end of arange', 'a number', first);
  const numbers = [first, ...rest.filter((value) => typeof value === 'number')];
  const options = rest.find((value) => typeof value === 'object' && value !== null) ?? {};
  const [start, end, step = 1] = numbers.length === 1 ? [0, first] : (numbers as [number, number, number?]);
  const { dtype = [start, end, step].every(Number.isInteger) ? 'int64' : 'float32', device = 'cpu' } =
    checkOptions(options, TENSOR_KEYS);
  if (step === 0) throw invalidArgument('step', 'a number other than 0', step);
  if ((end - start) * step < 0)
    throw invalidArgument('step', `a number that leads from ${start} to ${end}`, step);
  return finish(native.arange(start, end, step, dtype, device), options);
}

/** `steps` numbers from `start` to `end`, both included. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  const { dtype = 'float32', device = 'cpu' } = checkOptions(options, TENSOR_KEYS);
  return finish(native.linspace(start, end, steps, dtype, device), options);
}

/**
 * `steps` numbers from base to the power of `start` to base to the power of `end`, both included, equally far apart by
 * their logarithms. @param options.base - Default 10.
 */
export function logspace(
  start: number,
  end: number,
  steps: number,
  options: TensorOptions & { base?: number | undefined } = {},
): Tensor {
  const { dtype = 'float32', device = 'cpu', base = 10 } = checkOptions(options, LOGSPACE);
  return finish(native.logspace(start, end, steps, base, dtype, device), options);
}

/** The n x m matrix (m = n by default) with ones on the diagonal. */
export function eye(n: number, options: TensorOptions & { m?: number | undefined } = {}): Tensor {
  const { dtype = 'float32', device = 'cpu', m = n } = checkOptions(options, EYE);
  return finish(native.eye(n, m, dtype, device), options);
}

type OffsetOption = { offset?: number | undefined };

/** Row and column of every element of the lower triangle, int64 [2, N]. @param options.offset - Number of additional diagonals. Default 0. */
export function trilIndices(rows: number, columns: number, options: OffsetOption = {}): Tensor {
  const { offset = 0 } = checkOptions(options, OFFSET);
  return native.trilIndices(rows, columns, offset);
}

/** Row and column of every element of the upper triangle, int64 [2, N]. @param options.offset - Number of diagonals that are left out. Default 0. */
export function triuIndices(rows: number, columns: number, options: OffsetOption = {}): Tensor {
  const { offset = 0 } = checkOptions(options, OFFSET);
  return native.triuIndices(rows, columns, offset);
}
