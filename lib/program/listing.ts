/**
 * The steps of a program as text.
 * @module
 */
import type { Listing, StoredSize, StoredStep, StoredValue } from '../native/compile.js';
import { alignColumns } from '../text.js';
import { flopsOf } from './cost.js';

const SHOWN = 40;

/** @internal A number of operations with a prefix: `285.9 M`. */
export function formatFlops(flops: number): string {
  const units = ['', ' k', ' M', ' G', ' T'];
  let unit = 0;
  let value = flops;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)}${units[unit]}`;
}

/** @internal `B`, `2B+1`, or a number. */
export function formatSize(size: StoredSize): string {
  if (typeof size === 'number') return String(size);
  const [factor, offset] = size;
  const rows = factor === 1 ? 'B' : `${factor}B`;
  return offset === 0 ? rows : `${rows}${offset > 0 ? '+' : ''}${offset}`;
}

/** @internal `[B, 64, 31, 31]`; `?` where the sizes depend on values. */
export function formatShape(sizes: readonly StoredSize[] | null): string {
  return sizes === null ? '?' : `[${sizes.map(formatSize).join(', ')}]`;
}

/** @internal Sizes for a batch. */
export function sizesFor(
  sizes: readonly StoredSize[] | null | undefined,
  batch: number,
): number[] | undefined {
  return sizes?.map((size) => (typeof size === 'number' ? size : size[0] * batch + size[1]));
}

function formatValue(value: StoredValue, listing: Listing): string {
  if (value === null || typeof value !== 'object')
    return typeof value === 'string' ? `'${value}'` : String(value);
  if (Array.isArray(value))
    return `[${(value as readonly StoredValue[]).map((item) => formatValue(item, listing)).join(', ')}]`;
  if ('slot' in value) return nameOf(value.slot, listing);
  if ('batch' in value) return formatSize(value.batch);
  if ('number' in value) return String(Number(value.number));
  if ('integer' in value) return value.integer;
  const fields = Object.entries((value as { record: Record<string, StoredValue> }).record);
  return `{ ${fields.map(([key, item]) => `${key}: ${formatValue(item, listing)}`).join(', ')} }`;
}

function nameOf(slot: number, listing: Listing): string {
  return listing.slots[slot]?.name || `%${slot}`;
}

/** @internal Operations of a step for a batch. */
export function stepFlops(step: StoredStep, listing: Listing, batch: number): number {
  const sizesOf = (slot: number | null | undefined) =>
    typeof slot === 'number' ? sizesFor(listing.slots[slot]?.sizes, batch) : undefined;
  const sizes = step.arguments.map((value) => {
    if (typeof value !== 'object' || value === null) return undefined;
    if ('slot' in value) return sizesOf(value.slot as number);
    return Array.isArray(value) && value.every((item) => typeof item === 'number') ? value : undefined;
  });
  return flopsOf(step.operation, sizes, sizesOf(step.results[0]));
}

/** @internal The steps that a run makes, with their numbers. */
export function stepsOfRun(listing: Listing): { step: StoredStep; number: number }[] {
  return listing.steps
    .map((step, number) => ({ step, number }))
    .filter(({ number }) => !listing.once[number]);
}

/** @internal Shapes of the results: `[B, 10]`. */
export function resultShape(step: StoredStep, listing: Listing): string {
  return step.results
    .map((slot) => (slot === null ? '-' : formatShape(listing.slots[slot]?.sizes ?? null)))
    .join(' ');
}

/** @internal The listing of {@link Program.toString}. */
export function formatListing(listing: Listing, settings: { dtype: string }): string {
  const inputs = listing.inputs.map((slot) => {
    const { dtype, sizes } = listing.slots[slot]!;
    return `%${slot} ${dtype} ${formatShape(sizes)}`;
  });
  const steps = stepsOfRun(listing);
  const rows = steps.map(({ step }) => {
    const flops = stepFlops(step, listing, 1);
    const args = step.arguments.map((value) => formatValue(value, listing)).join(', ');
    const results = step.results.map((slot) => (slot === null ? '-' : nameOf(slot, listing))).join(', ');
    return [
      results,
      `${step.operation}(${args.length > 2 * SHOWN ? `${args.slice(0, 2 * SHOWN)}...` : args})`,
      resultShape(step, listing),
      flops > 0 ? formatFlops(flops) : '-',
    ];
  });
  const total = steps.reduce((sum, { step }) => sum + stepFlops(step, listing, 1), 0);
  const once = listing.steps.length - steps.length;
  const head = `Program(${inputs.join(', ')}) -> ${formatValue(listing.output, listing)}`;
  const facts =
    `${steps.length} steps, ${once} more only after a change of the parameters; ` +
    `${formatFlops(total)} FLOPs for one sample; ${settings.dtype}` +
    (listing.independentRows ? '; independent rows' : '');
  const table =
    rows.length === 0
      ? []
      : alignColumns([['', 'step', 'shape', 'FLOPs'], ...rows], (column) => column === 3);
  return [head, ...table.map((line) => `  ${line}`), `  ${facts}`].join('\n');
}
