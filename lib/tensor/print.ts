import type { DType } from './dtype.js';
import { isFloatingPoint } from './dtype.js';
import type { Tensor } from './tensor.js';

/** Tensors of more elements show only the ends of each dimension (PyTorch's print options). */
const THRESHOLD = 1000;
const EDGE_ITEMS = 3;
const PRECISION = 4;
const LINE_WIDTH = 80;

type Element = number | bigint | boolean;
type Nested = Element | '...' | Nested[];

/** Values, with the middle of long dimensions cut out where the tensor is large. */
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
  if (isFloatingPoint(dtype)) {
    const finite = values.map(Number).filter((v) => Number.isFinite(v) && v !== 0);
    const magnitudes = finite.map(Math.abs);
    const max = Math.max(0, ...magnitudes);
    const min = Math.min(Number.POSITIVE_INFINITY, ...magnitudes);
    if (finite.every(Number.isInteger) && max < 1e8) {
      text = (v) => (Number.isFinite(Number(v)) ? `${Number(v)}.` : special(Number(v)));
    } else if (max / min > 1000 || max > 1e8 || min < 1e-4) {
      text = (v) => (Number.isFinite(Number(v)) ? scientific(Number(v)) : special(Number(v)));
    } else {
      text = (v) => (Number.isFinite(Number(v)) ? Number(v).toFixed(PRECISION) : special(Number(v)));
    }
  }
  const width = Math.max(0, ...values.map((v) => text(v).length));
  return (v) => text(v).padStart(width);
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
      const line = value.slice(i, i + perLine).map((item) => layout(item, indent + 1, show));
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

/** A tensor as PyTorch prints it: `tensor([[1., 2.], [3., 4.]])`, with what is not the default named after the values. */
export function format(tensor: Tensor): string {
  if (tensor.isDisposed) return 'tensor(disposed)';
  const { dtype, device, shape } = tensor;
  const prefix = 'tensor(';
  const values = summarize(tensor.requiresGrad ? tensor.detach() : tensor);
  const show = elementFormatter([...elements(values)], dtype);
  const parts = [layout(values, prefix.length, show)];
  if (tensor.numel === 0 && shape.length !== 1) parts.push(`size=[${shape.join(', ')}]`);
  if (!['float32', 'bool'].includes(dtype)) parts.push(`dtype=${dtype}`);
  if (device !== 'cpu') parts.push(`device='${device}'`);
  if (tensor.requiresGrad) parts.push('requiresGrad=true');
  return `${prefix}${parts.join(', ')})`;
}
