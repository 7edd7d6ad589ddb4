/**
 * Views, rearrangements, joining and splitting.
 * @module
 */
import type { StoredSize } from '../../native/compile.js';
import { fromStart } from '../../program/stored-value.js';
import type { Value } from '../graph.js';
import { expand, reshape, sliced, split, squeeze, transpose, unsqueeze } from '../shapes.js';
import type { Step, Translation, Translations } from '../step.js';

/** To the sizes of the result, regardless of the sizes in the call. */
const reshaped: Translation = (step) => reshape(step, step.value(0), step.sizes(0), step.resultSizes());

const END = 2 ** 31 - 1;

/** size + offset. */
function shifted(size: StoredSize, by: StoredSize): StoredSize {
  if (typeof size === 'number' && typeof by === 'number') return size + by;
  const [a, b] = typeof size === 'number' ? [0, size] : size;
  const [c, d] = typeof by === 'number' ? [0, by] : by;
  return [a + c, b + d];
}

function narrow(step: Step): Value {
  const axis = step.axis(1, step.rank(0));
  let start = step.integer(2);
  if (typeof start === 'number' && start < 0) start = shifted(step.sizes(0)[axis]!, start);
  return sliced(step, step.value(0), axis, start, shifted(start, step.integer(3)));
}

function movedim(step: Step): Value {
  const rank = step.rank(0);
  const [from, to] = [step.axes(1, rank) ?? [], step.axes(2, rank) ?? []];
  const rest = Array.from({ length: rank }, (_, i) => i).filter((axis) => !from.includes(axis));
  const perm = Array.from({ length: rank }, (_, i) => {
    const moved = to.indexOf(i);
    return moved >= 0 ? from[moved]! : rest.shift()!;
  });
  return transpose(step, step.value(0), perm);
}

function exchange(step: Step): Value {
  const rank = step.rank(0);
  const [a, b] = [step.axis(1, rank), step.axis(2, rank)];
  return transpose(
    step,
    step.value(0),
    Array.from({ length: rank }, (_, i) => (i === a ? b : i === b ? a : i)),
  );
}

/** Among the given dimensions, or all, those of size 1. */
function squeezed(step: Step): Value {
  const sizes = step.sizes(0);
  const axes = step.axes(1, sizes.length) ?? sizes.map((_, i) => i);
  return squeeze(
    step,
    step.value(0),
    axes.filter((axis) => sizes[axis] === 1),
  );
}

/** Repeats the whole along each dimension; missing ones come first. */
function tiled(step: Step): Value {
  const rank = step.rank(0);
  const list = step.argument(1);
  const repeats = (Array.isArray(list) ? list : []).map(
    (item): StoredSize =>
      typeof item === 'object' ? (item as { batch: readonly [number, number] }).batch : Number(item),
  );
  while (repeats.length < rank) repeats.unshift(1);
  const added = Array.from({ length: repeats.length - rank }, (_, i) => i);
  return step.node('Tile', [unsqueeze(step, step.value(0), added), step.graph.sizes(repeats)]);
}

function flip(step: Step): Value {
  const { graph } = step;
  const axes = step.axes(1, step.rank(0)) ?? [];
  const all = (value: number) => graph.ints(axes.map(() => value));
  return axes.length === 0
    ? step.value(0)
    : step.node('Slice', [step.value(0), all(-1), all(-END), graph.ints(axes), all(-1)]);
}

/** A cyclic shift; without dimensions, of the elements in a row. */
function roll(step: Step): Value {
  const rank = step.rank(0);
  const axes = step.axes(2, rank);
  const shifts = step.integers(1);
  if (axes === undefined) return step.fail('rolls the flattened tensor: give dims');
  return axes.reduce((value, axis, i) => {
    const size = step.size(0, axis);
    const shift = ((shifts[i]! % size) + size) % size;
    if (shift === 0) return value;
    const [head, tail] = split(step, value, axis, [size - shift, shift]);
    return step.node('Concat', [tail!, head!], { axis });
  }, step.value(0));
}

const PAD_MODES: Readonly<Record<string, string>> = {
  constant: 'constant',
  reflect: 'reflect',
  replicate: 'edge',
};

/** libtorch lists the last dimension first, ONNX all dimensions twice. */
function pad(step: Step): Value {
  const { graph } = step;
  const rank = step.rank(0);
  const padding = step.integers(1);
  const mode = PAD_MODES[step.text(2)] ?? step.fail(`has ${step.text(2)} padding`);
  const begin = new Array<number>(rank).fill(0);
  const end = new Array<number>(rank).fill(0);
  for (let i = 0; 2 * i < padding.length; i++) {
    begin[rank - 1 - i] = padding[2 * i]!;
    end[rank - 1 - i] = padding[2 * i + 1]!;
  }
  const inputs = [step.value(0), graph.ints([...begin, ...end])];
  if (mode === 'constant' && !step.isNull(3)) inputs.push(graph.scalar(step.number(3), step.dtype(0)));
  return step.node('Pad', inputs, { mode });
}

function concat(step: Step, values: readonly Value[], axis: number): Value {
  return values.length === 1 ? values[0]! : step.node('Concat', [...values], { axis });
}

/** The tensors of the list in the dtype of the result. */
function listed(step: Step): Value[] {
  return step
    .slots(0)
    .map((slot) => step.graph.cast(step.valueOf(slot), step.infoOf(slot).dtype, step.resultDType()));
}

/** libtorch lets an empty tensor of one dimension take part in any list. */
function cat(step: Step): Value {
  const rank = step.resultSizes().length;
  const values = listed(step).filter((_, i) => String(step.sizesOf(step.slots(0)[i]!)) !== '0' || rank === 1);
  return concat(step, values, step.axis(1, rank));
}

function stack(step: Step): Value {
  const axis = step.axis(1, step.resultSizes().length);
  return concat(
    step,
    listed(step).map((value) => unsqueeze(step, value, [axis])),
    axis,
  );
}

/** Parts along a dimension, whose sizes are those of the results. @param i - Position of the dimension. */
const parts =
  (i: number): Translation =>
  (step) => {
    const axis = step.axis(i, step.rank(0));
    const sizes = Array.from({ length: step.count }, (_, j) => step.resultSizes(j)[axis]!);
    return split(step, step.value(0), axis, sizes);
  };

function unbind(step: Step): Value[] {
  const axis = step.axis(1, step.rank(0));
  const pieces = split(step, step.value(0), axis, new Array<number>(step.count).fill(1));
  return pieces.map((piece) => squeeze(step, piece, [axis]));
}

/** One position of a dimension, which is removed. */
function select(step: Step): Value {
  const axis = step.axis(1, step.rank(0));
  return selected(step, step.value(0), axis, step.integer(2));
}

/** @param index - Counted from the end where it is negative. */
export function selected(step: Step, value: Value, axis: number, index: StoredSize): Value {
  if (typeof index === 'number')
    return step.node('Gather', [value, step.graph.scalar(index, 'int64')], { axis });
  return squeeze(step, sliced(step, value, axis, index, shifted(index, 1)), [axis]);
}

/** The positions of the elements of each window, [size, count]. */
function positions(step: Step, size: number, count: number, stride: number, dilation: number): Value {
  const places = Array.from(
    { length: size * count },
    (_, i) => Math.floor(i / count) * dilation + (i % count) * stride,
  );
  return step.graph.constant(places, 'int64', [size, count]);
}

/** The elements of each window of an image: [B, C, H, W] -> [B, C * kh * kw, windows]. */
function im2col(step: Step): Value {
  if (step.rank(0) !== 4) return step.fail('has an image without a batch');
  const [kernel, dilation, padding, stride] = [1, 2, 3, 4].map((i) => step.integers(i)) as [
    number[],
    number[],
    number[],
    number[],
  ];
  const counts = kernel.map((size, i) => {
    const span = dilation[i]! * (size - 1) + 1;
    return Math.floor((step.size(0, i + 2) + 2 * padding[i]! - span) / stride[i]!) + 1;
  });
  const pads = [0, 0, ...padding, 0, 0, ...padding];
  const x = padding.some((size) => size > 0)
    ? step.node('Pad', [step.value(0), step.graph.ints(pads)], { mode: 'constant' })
    : step.value(0);
  const at = (i: number) => positions(step, kernel[i]!, counts[i]!, stride[i]!, dilation[i]!);
  const rows = step.node('Gather', [x, at(0)], { axis: 2 });
  // [B, C, kh, rows, kw, columns]
  const windows = step.node('Gather', [rows, at(1)], { axis: 4 });
  const ordered = transpose(step, windows, [0, 1, 2, 4, 3, 5]);
  return step.node('Reshape', [ordered, step.graph.ints([0, ...step.resultSizes().slice(1).map(Number)])]);
}

/** Windows along a dimension; their elements become a last dimension. */
function unfold(step: Step): Value {
  const rank = step.rank(0);
  const axis = step.axis(1, rank);
  const [size, stride] = [step.number(2), step.number(3)];
  const count = step.resultSizes()[axis];
  if (typeof count !== 'number') return step.fail('has windows over the dimension of the batch');
  const places = Array.from({ length: count * size }, (_, i) => Math.floor(i / size) * stride + (i % size));
  const index = step.graph.constant(places, 'int64', [count, size]);
  const windows = step.node('Gather', [step.value(0), index], { axis });
  const perm = Array.from({ length: rank + 1 }, (_, i) => i).filter((i) => i !== axis + 1);
  return transpose(step, windows, [...perm, axis + 1]);
}

/** The factor's pixels of a block come from its channels. */
function pixelUnshuffle(step: Step): Value {
  const factor = step.number(1);
  const sizes = step.sizes(0);
  const [channels, height, width] = [-3, -2, -1].map((axis) => step.size(0, axis)) as [
    number,
    number,
    number,
  ];
  const outer = sizes.slice(0, -3);
  const blocks = [...outer, channels, height / factor, factor, width / factor, factor];
  const first = outer.length;
  const perm = [...outer.keys(), ...[0, 2, 4, 1, 3].map((axis) => axis + first)];
  const split = reshape(step, step.value(0), sizes, blocks);
  const moved = perm.map((axis) => blocks[axis]!);
  return reshape(step, transpose(step, split, perm), moved, step.resultSizes());
}

function channelShuffle(step: Step): Value {
  const { graph } = step;
  const groups = step.number(1);
  const channels = step.size(0, 1);
  const split = step.node('Reshape', [step.value(0), graph.ints([0, groups, channels / groups, -1])]);
  const shape = graph.settings.dynamicSize
    ? step.node('Shape', [step.value(0)])
    : graph.sizes([0, ...step.sizes(0).slice(1)]);
  return step.node('Reshape', [transpose(step, split, [0, 2, 1, 3]), shape]);
}

export const SHAPE: Translations = {
  reshape: reshaped,
  view: reshaped,
  flatten: reshaped,
  unflatten: reshaped,
  permute: (step) => transpose(step, step.value(0), step.axes(1, step.rank(0)) ?? []),
  transpose: exchange,
  movedim,
  squeeze: squeezed,
  squeezeDims: squeezed,
  unsqueeze: (step) => unsqueeze(step, step.value(0), [fromStart(step.number(1), step.rank(0) + 1)]),
  expand: (step) => expand(step, step.value(0), step.sizes(0), step.resultSizes()),
  repeat: tiled,
  tile: tiled,
  flip,
  roll,
  narrow,
  unfold,
  im2col,
  pad,
  cat,
  stack,
  split: parts(2),
  chunk: parts(2),
  tensorSplit: parts(2),
  tensorSplitAt: parts(2),
  unbind,
  select,
  pixelShuffle: (step) =>
    step.node('DepthToSpace', [step.value(0)], { blocksize: step.number(1), mode: 'CRD' }),
  pixelUnshuffle,
  channelShuffle,
};

/** Operations whose results may share memory with their first argument. */
export const VIEWS: ReadonlySet<string> = new Set([
  ...['reshape', 'view', 'flatten', 'unflatten', 'permute', 'transpose', 'movedim', 'squeeze', 'squeezeDims'],
  ...['unsqueeze', 'expand', 'narrow', 'split', 'chunk', 'tensorSplit', 'tensorSplitAt', 'unbind', 'select'],
  ...['index', 'detach', 'contiguous', 'channelsLast', 'to', 'asStrided', 'diagonal', 'unfold', 'alias'],
  ...['dropout', 'featureDropout', 'alphaDropout', 'featureAlphaDropout', 'tile', 'pad', 'viewDType'],
]);
