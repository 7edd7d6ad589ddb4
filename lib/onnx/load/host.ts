/**
 * Small arrays of numbers in JavaScript: sizes, axes, indices and other settings that nodes compute from shapes. They never become tensors
 * unless an operation on tensors needs them, so that reading a shape does not wait for a device, and `nn.compile` sees numbers.
 * @module
 */
import { tidy } from '../../tensor/context.js';
import { type Device, type DType, isFloatingPoint } from '../../tensor/dtype.js';
import { broadcastShapes } from '../../tensor/join.js';
import { native, type Tensor } from '../../tensor/tensor.js';

/** An array. Booleans are 0 and 1. */
export interface Host {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** In row-major order. */
  readonly data: readonly number[];
}

/** Arrays of more elements are tensors only. */
export const MAX_HOST = 4096;

export const scalarHost = (value: number, dtype: DType): Host => ({ dtype, dims: [], data: [value] });

/** int64 [n]. */
export const listHost = (data: readonly number[]): Host => ({ dtype: 'int64', dims: [data.length], data });

/** The elements of a small tensor. Waits for its device. */
export function hostOf(tensor: Tensor): Host {
  const half = tensor.dtype === 'float16' || tensor.dtype === 'bfloat16';
  const values = tidy(() => (half ? tensor.to({ dtype: 'float32' }) : tensor).dataSync());
  return {
    dtype: tensor.dtype,
    dims: tensor.shape,
    data: Array.from(values as ArrayLike<number | bigint>, Number),
  };
}

export function tensorOfHost({ dtype, dims, data }: Host, device: Device): Tensor {
  if (!isFloatingPoint(dtype)) {
    const made = native.fromData(
      BigInt64Array.from(data, (value) => BigInt(clampInt64(value))),
      dims,
      'int64',
      device,
    );
    return dtype === 'int64' ? made : made.to({ dtype });
  }
  if (dtype === 'float64') return native.fromData(Float64Array.from(data), dims, dtype, device);
  const made = native.fromData(Float32Array.from(data), dims, 'float32', device);
  return dtype === 'float32' ? made : made.to({ dtype });
}

/** The nearest number that int64 has. */
function clampInt64(value: number): number {
  return Math.max(-(2 ** 63), Math.min(2 ** 63 - 1024, Math.trunc(value)));
}

/** A number as the dtype holds it. */
export function asDType(value: number, dtype: DType): number {
  if (dtype === 'bool') return value === 0 ? 0 : 1;
  if (dtype === 'float64') return value;
  if (isFloatingPoint(dtype)) return Math.fround(value);
  return Math.trunc(value);
}

/** Applies a function to the elements of two arrays, whose shapes are broadcast. */
export function combine(
  a: Host,
  b: Host,
  dtype: DType,
  fn: (a: number, b: number) => number,
): Host | undefined {
  const dims = broadcastShapes(a.dims, b.dims);
  const count = product(dims);
  if (count > MAX_HOST) return undefined;
  const [first, second] = [expanded(a, dims), expanded(b, dims)];
  return { dtype, dims, data: first.map((value, i) => asDType(fn(value, second[i]!), dtype)) };
}

/** The elements of an array in a shape to which it can be broadcast. */
export function expanded({ dims, data }: Host, shape: readonly number[]): number[] {
  const count = product(shape);
  if (count === data.length) return [...data];
  const missing = shape.length - dims.length;
  return Array.from({ length: count }, (_, i) => {
    let [rest, place, step] = [i, 0, 1];
    for (let axis = shape.length - 1; axis >= missing; axis--) {
      const size = dims[axis - missing]!;
      if (size > 1) place += (rest % shape[axis]!) * step;
      rest = Math.floor(rest / shape[axis]!);
      step *= size;
    }
    return data[place]!;
  });
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((result, size) => result * size, 1);
}
