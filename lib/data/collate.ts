/**
 * Collates the items of a data set to the tensors of a batch.
 * @module
 */
import { checkIterable } from '../check/index.js';
import { describe, invalidArgument, ShapeError } from '../errors.js';
import { keep, tensorsIn } from '../tensor/context.js';
import { tensor } from '../tensor/create.js';
import type { Device, TypedArray } from '../tensor/dtype.js';
import { stack } from '../tensor/join.js';
import { isTensor, native, type Tensor } from '../tensor/tensor.js';
import { datasetError } from './dataset.js';

/** The result of {@link defaultCollate} for items of type T. */
export type Collated<T> = T extends Tensor | TypedArray | number | bigint | boolean
  ? Tensor
  : T extends string
    ? string[]
    : T extends readonly unknown[] | Record<string, unknown>
      ? { -readonly [K in keyof T]: Collated<T[K]> }
      : T extends object
        ? { [K in keyof T]: Collated<T[K]> }
        : never;

/**
 * Collates items to a batch, like PyTorch's `default_collate`: tensors are stacked; typed arrays become rows of their dtype;
 * numbers become float32 [B], bigints int64, booleans bool; strings a list; arrays and plain objects are collated field by
 * field.
 * @param items - At least one, all of one structure.
 * @throws ShapeError for tensors or arrays of different sizes; DatasetError for items of different kinds, or of a kind that
 * no tensor has.
 * @see https://pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
 * @example
 * data.defaultCollate([{ x: tensor([1, 2]), y: 3 }, { x: tensor([4, 5]), y: 6 }]) // { x: [2, 2], y: float32 [2] }
 */
export function defaultCollate<T>(items: readonly T[]): Collated<T> {
  const list = checkIterable(items, 'items', 'an array of items');
  if (list.length === 0) throw invalidArgument('items', 'at least one item', items);
  return collateAt(list, 'item', 0) as Collated<T>;
}

/** Limit of nesting, which detects an item that contains itself. */
const MAX_DEPTH = 64;

function collateAt(items: readonly unknown[], path: string, depth: number): unknown {
  if (depth > MAX_DEPTH)
    throw datasetError('item', `expected at most ${MAX_DEPTH} levels of arrays and objects`);
  const [first] = items;
  const all = (is: (value: unknown) => boolean) => {
    const wrong = items.findIndex((item) => !is(item));
    if (wrong >= 0) throw mixed(path, first, items[wrong]);
  };
  if (isTensor(first)) {
    all(isTensor);
    return stacked(items as Tensor[], path);
  }
  if (ArrayBuffer.isView(first) && !(first instanceof DataView)) {
    all((value) => ArrayBuffer.isView(value) && value.constructor === first.constructor);
    return stackArrays(items as TypedArray[], path);
  }
  const kind = typeof first;
  if (kind === 'number' || kind === 'bigint' || kind === 'boolean') {
    all((value) => typeof value === kind);
    return tensor(items as number[], SCALARS[kind]);
  }
  if (kind === 'string') {
    all((value) => typeof value === 'string');
    return [...items];
  }
  if (Array.isArray(first)) {
    all((value) => Array.isArray(value) && value.length === first.length);
    return first.map((_, i) =>
      collateAt(
        items.map((item) => (item as unknown[])[i]),
        `${path}[${i}]`,
        depth + 1,
      ),
    );
  }
  if (kind === 'object' && first !== null) {
    all((value) => typeof value === 'object' && value !== null);
    const fields = Object.keys(first as object).map((key) => {
      all((value) => key in (value as object));
      return [
        key,
        collateAt(
          items.map((item) => (item as Record<string, unknown>)[key]),
          `${path}.${key}`,
          depth + 1,
        ),
      ];
    });
    return Object.fromEntries(fields);
  }
  throw datasetError(
    path,
    `expected tensors, typed arrays, numbers, texts, or arrays and objects of those, \
but received ${describe(first)}: use the option collate`,
  );
}

const SCALARS = {
  number: { dtype: 'float32' },
  bigint: { dtype: 'int64' },
  boolean: { dtype: 'bool' },
} as const;

function stacked(tensors: readonly Tensor[], path: string): Tensor {
  checkShapes(
    tensors.map(({ shape }) => shape),
    path,
  );
  return stack(tensors);
}

function stackArrays(arrays: readonly TypedArray[], path: string): Tensor {
  checkShapes(
    arrays.map(({ length }) => [length]),
    path,
  );
  const [first] = arrays as [TypedArray];
  const all = new (first.constructor as new (length: number) => TypedArray)(arrays.length * first.length);
  for (const [row, array] of arrays.entries()) all.set(array as never, row * first.length);
  return tensor(all, { shape: [arrays.length, first.length] });
}

/** @throws ShapeError naming the first item with a different shape. */
export function checkShapes(shapes: readonly (readonly number[])[], path: string): void {
  const [first] = shapes;
  const wrong = shapes.findIndex((shape) => shape.join() !== first!.join());
  if (wrong < 0) return;
  throw new ShapeError(
    `Expected ${path} of one shape in a batch but received [${first!.join(', ')}] and, at index ${wrong}, ` +
      `[${shapes[wrong]!.join(', ')}]: resize it in get(), or use the option collate`,
  );
}

function mixed(path: string, first: unknown, other: unknown): Error {
  return datasetError(
    path,
    `expected one kind in every item of a batch but received ${describe(first)} and ${describe(other)}`,
  );
}

/** Removes every tensor of a batch from its `tidy` scope: the consumer of the loader owns them. */
export function keepAll<B>(batch: B): B {
  for (const one of tensorsIn(batch)) keep(one);
  return batch;
}

/** Frees every tensor of a batch. */
export function disposeAll(batch: unknown): void {
  for (const one of tensorsIn(batch)) one.dispose();
}

/** The batch with its tensors on a device: those in arrays and plain objects. */
export function batchTo<B>(batch: B, device: Device): B {
  if (device === 'cpu') return batch;
  const move = (value: unknown): unknown => {
    if (isTensor(value)) {
      try {
        return native.toDevice(value, device);
      } finally {
        value.dispose();
      }
    }
    if (Array.isArray(value)) return value.map(move);
    if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
      return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, move(held)]));
    return value;
  };
  return move(batch) as B;
}
