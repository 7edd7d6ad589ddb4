/**
 * Integration of {@link Tensor} with JavaScript and test frameworks: text, equality, JSON, iteration, conversion to
 * primitives.
 * @module
 */
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { DTypeError } from '../errors.js';
import { checkTensor } from './check.js';
import { native, type Tensor } from './core.js';
import type { TypedArray } from './dtype.js';
import { type NestedArray, readableDType } from './nested.js';
import { format } from './print.js';

/** Numbers, strings, booleans and null, nested by dimension: a tensor in JSON. */
export type JsonArray = number | string | boolean | JsonArray[];

/** Up to this number of elements the tag has the values, which a failed assertion then shows. */
const SHOWN = 64;

/** Integration with JavaScript. */
export abstract class InteropMethods {
  /** The values in PyTorch's format, with dtype, device and grad if they differ from the defaults. */
  toString(this: Tensor): string {
    return format(this);
  }
  /** For `console.log`: values, shape if it is not visible, dtype. */
  [inspect.custom](this: Tensor): string {
    return this.toString();
  }
  /**
   * The values as nested arrays, for `JSON.stringify` and snapshots: integers beyond 2^53 as strings of digits. JSON itself
   * converts NaN and infinities to null.
   * @throws DisposedError when the tensor is disposed.
   */
  toJSON(this: Tensor): JsonArray {
    return toJson(checkTensor('input', this).arraySync());
  }
  /**
   * The printed text, for template strings and `String(x)`.
   * @throws TypeError for `x + y`, which JavaScript cannot overload: use `add`. @throws DTypeError if only a number
   * fits, as in `x * 2` and `x < 1`: use `mul`, `lt`, or `item()`.
   */
  [Symbol.toPrimitive](this: Tensor, hint: string): string {
    if (hint === 'number') throw new DTypeError('Expected item() to turn a Tensor into a number');
    if (hint !== 'string')
      throw new TypeError(
        'Expected a number or a string for + but received a Tensor: use x.add(y), item() for the number, or a template string to print it',
      );
    return this.toString();
  }
  /**
   * `'Tensor'` with dtype, device, shape and values (a hash of them for large tensors). `node:assert`, Jest, Vitest and Chai
   * compare this tag: tensors are deeply equal exactly when all of these are. NaN equals NaN, and 0 equals -0.
   */
  get [Symbol.toStringTag](): string {
    // The prototype has the property, too.
    if (!native.isTensor(this)) return 'Tensor';
    if (native.isDisposed(this)) return 'Tensor(disposed)';
    return tagOf(this);
  }
  /**
   * Iterates over views along the first dimension, created on demand, as in `for (using row of x)`. A tensor
   * without dimensions is not iterable.
   * @see https://pytorch.org/docs/stable/generated/torch.unbind.html
   */
  get [Symbol.iterator](): () => Generator<Tensor> {
    const iterable = native.isTensor(this) && !native.isDisposed(this) && native.ndim(this) > 0;
    return iterable ? rows : (undefined as unknown as () => Generator<Tensor>);
  }
}

function toJson(value: NestedArray): JsonArray {
  if (Array.isArray(value)) return value.map(toJson);
  return typeof value === 'bigint' ? String(value) : value;
}

function listed(value: NestedArray): string {
  return Array.isArray(value) ? `[${value.map(listed).join(', ')}]` : String(value);
}

function hashOf(data: TypedArray): string {
  if (data instanceof Float32Array || data instanceof Float64Array) {
    for (let i = 0; i < data.length; i++) {
      const value = data[i]!;
      // One NaN for all NaNs, one zero for both.
      if (value === 0) data[i] = 0;
      else if (Number.isNaN(value)) data[i] = Number.NaN;
    }
  }
  return createHash('sha1').update(data).digest('hex');
}

/** All properties for deep equality, as a string. */
function tagOf(tensor: Tensor): string {
  const dtype = native.dtype(tensor);
  const device = native.device(tensor);
  const place = device === 'cpu' ? '' : ` ${device}`;
  // A fast path, because frameworks that compare element by element do this most often.
  if (native.ndim(tensor) === 0) return `Tensor ${dtype}${place} [] ${native.item(tensor)}`;
  using plain = native.detach(tensor);
  const { shape, numel } = plain;
  const kind = `Tensor ${dtype}${place} [${shape.join(', ')}]`;
  if (numel <= SHOWN) return `${kind} ${listed(plain.arraySync())}`;
  return `${kind} sha1:${hashOf(plain.dataSync({ dtype: readableDType(dtype) }))}`;
}

function* rows(this: Tensor): Generator<Tensor> {
  const length = native.shape(this)[0]!;
  for (let i = 0; i < length; i++) yield this.select(0, i);
}
