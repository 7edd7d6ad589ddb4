/**
 * Tensors as text, in the form of PyTorch.
 * @module
 */
import { native, type Tensor } from './core.js';
import { type DType, isFloatingPoint } from './dtype.js';

/** Tensors of more elements show only the ends of each dimension (PyTorch's print options). */
const THRESHOLD = 1000;
const EDGE_ITEMS = 3;
const PRECISION = 4;
const LINE_WIDTH = 80;

type Element = number | bigint | boolean;
type Nested = Element | '...' | Nested[];

/** Values; for large tensors, the middle of long dimensions is left out. */
function summarize(tensor: Tensor): Nested {
  return tensor.numel <= THRESHOLD ? (tensor.arraySync() as Nested) : ends(tensor);
}

function ends(tensor: Tensor): Nested {
  if (tensor.ndim === 0) return tensor.arraySync() as Nested;
  const size = tensor.shape[0]!;
  const at = (i: number): Nested => {
    using row = tensor.index(i);
    return ends(row);
  };
  if (size <= 2 * EDGE_ITEMS) return Array.from({ length: size }, (_, i) => at(i));
  const edge = Array.from({ length: EDGE_ITEMS }, (_, i) => i);
  return [...edge.map(at), '...', ...edge.map((i) => at(size - EDGE_ITEMS + i))];
}

function* elements(value: Nested): Generator<Element> {
  if (Array.isArray(value)) for (const item of value) yield* elements(item);
  else if (value !== '...') yield value;
}

/** One formatter for all elements, so that columns line up: fixed or scientific as PyTorch chooses. */
function elementFormatter(values: readonly Element[], dtype: DType): (value: Element) => string {
  let text: (value: Element) => string = String;
  // Zeros, infinities and NaN do not widen the columns.
  let measured = values;
  if (isFloatingPoint(dtype)) {
    measured = values.filter((v) => Number.isFinite(Number(v)) && Number(v) !== 0);
    const notation = notationOf(measured.map(Number));
    text = (v) => (Number.isFinite(Number(v)) ? notation(Number(v)) : special(Number(v)));
  }
  const width = Math.max(0, ...measured.map((v) => text(v).length));
  return (v) => text(v).padStart(width);
}

/** The format of the floats of a tensor: `1.`, `1.5000` or `1.0000e+09`. @param values - Finite and not 0. */
function notationOf(values: readonly number[]): (value: number) => string {
  const magnitudes = values.map(Math.abs);
  const max = Math.max(0, ...magnitudes);
  const min = Math.min(Number.POSITIVE_INFINITY, ...magnitudes);
  const whole = values.every(Number.isInteger);
  if (max / min > 1000 || max > 1e8 || (!whole && min < 1e-4)) return scientific;
  if (!whole) return (v) => v.toFixed(PRECISION);
  return (v) => (Object.is(v, -0) ? '-0.' : `${v}.`);
}

function special(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

function scientific(value: number): string {
  const [mantissa, exponent = '+0'] = value.toExponential(PRECISION).split('e');
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

function layout(value: Nested, indent: number, show: (value: Element) => string): string {
  if (value === '...') return '...';
  if (!Array.isArray(value)) return show(value);
  if (!value.some(Array.isArray)) {
    const perLine = Math.max(1, Math.floor((LINE_WIDTH - indent) / (elementWidth(value, show) + 2)));
    const lines: string[] = [];
    for (let i = 0; i < value.length; i += perLine) {
      // The ellipsis inside a row has one space more before it, as PyTorch's has.
      const line = value
        .slice(i, i + perLine)
        .map((item) => (item === '...' ? ' ...' : layout(item, indent + 1, show)));
      lines.push(line.join(', '));
    }
    return `[${lines.join(`,\n${' '.repeat(indent + 1)}`)}]`;
  }
  const depth = nesting(value);
  const separator = `,${'\n'.repeat(depth - 1)}${' '.repeat(indent + 1)}`;
  return `[${value.map((item) => layout(item, indent + 1, show)).join(separator)}]`;
}

function elementWidth(row: Nested[], show: (value: Element) => string): number {
  const first = row.find((item) => item !== '...');
  return first === undefined || Array.isArray(first) ? 3 : show(first as Element).length;
}

function nesting(value: Nested): number {
  if (!Array.isArray(value)) return 0;
  return 1 + Math.max(0, ...value.map(nesting));
}

function body(plain: Tensor, indent: number): string {
  const values = summarize(plain);
  return layout(values, indent, elementFormatter([...elements(values)], plain.dtype));
}

/** A tensor as PyTorch prints it: `tensor([[1., 2.], [3., 4.]])`, with what is not the default named after the values. */
export function format(tensor: Tensor): string {
  if (native.isDisposed(tensor)) return 'tensor(disposed)';
  // A new handle with the methods of Tensor, even if those of the argument were replaced.
  using plain = native.detach(tensor);
  const { dtype, device, shape, numel } = plain;
  const prefix = 'tensor(';
  const parts = [numel === 0 ? '[]' : body(plain, prefix.length)];
  if (numel === 0 && shape.length !== 1) parts.push(`size=[${shape.join(', ')}]`);
  // Integers and booleans say what they are, except where nothing is shown.
  const obvious = numel === 0 ? ['float32'] : ['float32', 'int64', 'bool'];
  if (!obvious.includes(dtype)) parts.push(`dtype=${dtype}`);
  if (device !== 'cpu') parts.push(`device='${device}'`);
  if (native.requiresGrad(tensor)) parts.push('requiresGrad=true');
  return `${prefix}${parts.join(', ')})`;
}
