/**
 * The arguments of recorded steps.
 * @module
 */
import type { StoredSlot, StoredValue } from '../native/compile.js';
import type { DType } from '../tensor/dtype.js';

/** A number of a description. */
export function numberOf(value: StoredValue | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if ('integer' in value) return Number(value.integer);
  if (!('number' in value)) return undefined;
  const text = String(value.number);
  if (text.endsWith('inf')) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(text);
}

/** The slot of an argument that is a tensor. */
export function slotOf(value: StoredValue | undefined): number | undefined {
  return typeof value === 'object' && value !== null && 'slot' in value ? (value.slot as number) : undefined;
}

/** The slots in an argument, at any depth. */
export function slotsIn(value: StoredValue): number[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return (value as readonly StoredValue[]).flatMap(slotsIn);
  if ('slot' in value) return [value.slot as number];
  return 'record' in value ? Object.values(value.record).flatMap(slotsIn) : [];
}

/** Whether an argument depends on the batch size. */
export function isBatched(value: StoredValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return (value as readonly StoredValue[]).some(isBatched);
  return 'batch' in value;
}

/** Dtypes in the order in which a sum of two takes the later one's kind. */
const RANKS: readonly DType[] = [
  'bool',
  'uint8',
  'int8',
  'int16',
  'int32',
  'int64',
  'float16',
  'bfloat16',
  'float32',
  'float64',
];

/** 0 for booleans, 1 for integers, 2 for floats. */
const kindOf = (dtype: DType): number => (dtype === 'bool' ? 0 : /^u?int/.test(dtype) ? 1 : 2);

/** The dtype of a number that is an argument together with tensors. */
const dtypeOfNumber = (value: StoredValue): DType =>
  typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'int64' : 'float32';

/** The dtype in which libtorch computes with tensors and numbers: of the highest kind, numbers and scalars last. */
export function promotedDType(values: readonly StoredValue[], slots: readonly StoredSlot[]): DType {
  const levels: DType[][] = [[], [], []];
  for (const value of values) {
    const slot = slotOf(value);
    if (slot === undefined) levels[2]!.push(dtypeOfNumber(value));
    else levels[slots[slot]!.sizes?.length === 0 ? 1 : 0]!.push(slots[slot]!.dtype);
  }
  let result: DType | undefined;
  for (const level of levels) {
    const highest = level.toSorted((a, b) => RANKS.indexOf(a) - RANKS.indexOf(b)).at(-1);
    if (highest === undefined) continue;
    if (result === undefined || kindOf(highest) > kindOf(result)) result = highest;
  }
  return result ?? 'float32';
}

/** A dimension counted from the beginning. */
export function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
