/**
 * Resizing, and sampling on a grid.
 * @module
 */
import { gridSample, interpolate } from '../../../ops/resize.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { tensorOfHost } from '../host.js';
import { type Call, fromStart, NodeProblem, type NodeSpec, type Operators } from '../node.js';

const MODES = ['nearest', 'linear', 'cubic'] as const;
const COORDINATES = [
  ...['half_pixel', 'pytorch_half_pixel', 'half_pixel_symmetric', 'asymmetric', 'align_corners'],
] as const;
const NEAREST = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'] as const;

/** Largest number of weights of one dimension. */
const MAX_MATRIX = 2 ** 24;

/** The attributes of a Resize. */
interface Settings {
  readonly mode: (typeof MODES)[number];
  readonly coordinates: string;
  readonly nearest: (typeof NEAREST)[number];
  readonly cubic: number;
  /** Neighbors outside the input have no weight; the others are scaled so that their sum is 1. */
  readonly excludeOutside: boolean;
}

/** One resized dimension. */
interface Axis {
  readonly input: number;
  readonly output: number;
  /** output / input before rounding. */
  readonly scale: number;
}

/** The place in the input of the i-th element of the output. */
function placeOf(i: number, { input, output, scale }: Axis, coordinates: string): number {
  switch (coordinates) {
    case 'asymmetric':
      return i / scale;
    case 'align_corners':
      return output === 1 ? 0 : (i * (input - 1)) / (output - 1);
    case 'pytorch_half_pixel':
      return output === 1 ? 0 : (i + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric': {
      const adjustment = output / (input * scale);
      return (input / 2) * (1 - adjustment) + (i + 0.5) / scale - 0.5;
    }
    default:
      return (i + 0.5) / scale - 0.5;
  }
}

function nearestOf(place: number, mode: Settings['nearest']): number {
  if (mode === 'floor') return Math.floor(place);
  if (mode === 'ceil') return Math.ceil(place);
  const tie = place - Math.floor(place) === 0.5;
  return tie && mode === 'round_prefer_floor' ? Math.floor(place) : Math.round(place);
}

/** The weights of the neighbors of a place, by their distance from the one below it. */
function neighboursOf(
  place: number,
  { mode, nearest, cubic: a }: Settings,
): [offset: number, weight: number][] {
  if (mode === 'nearest') return [[nearestOf(place, nearest), 1]];
  const base = Math.floor(place);
  const t = place - base;
  if (mode === 'linear')
    return [
      [base, 1 - t],
      [base + 1, t],
    ];
  const close = (x: number) => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return [
    [base - 1, far(1 + t)],
    [base, close(t)],
    [base + 1, close(1 - t)],
    [base + 2, far(2 - t)],
  ];
}

/** Resizes a dimension by a product with the matrix [outputs, inputs] of the weights. */
function resizeAxis(x: Tensor, axis: number, along: Axis, settings: Settings): Tensor {
  const { input, output } = along;
  if (output * input > MAX_MATRIX)
    throw new NodeProblem(`resizes ${input} to ${output} elements in a way that libtorch lacks`);
  const data = new Array<number>(output * input).fill(0);
  for (let i = 0; i < output; i++) {
    const neighbours = neighboursOf(placeOf(i, along, settings.coordinates), settings);
    const used = settings.excludeOutside
      ? neighbours.filter(([place]) => place >= 0 && place < input)
      : neighbours;
    const sum = used.reduce((total, [, weight]) => total + weight, 0);
    for (const [place, weight] of used)
      data[i * input + Math.min(input - 1, Math.max(0, place))]! += weight / sum;
  }
  const matrix = tensorOfHost({ dtype: x.dtype, dims: [output, input], data }, x.device);
  return x.transpose(axis, -1).matmul(matrix.t()).transpose(axis, -1);
}

const INTERPOLATED: Readonly<Record<string, readonly (string | undefined)[]>> = {
  nearest: ['nearest', 'nearest', 'nearest'],
  linear: ['linear', 'bilinear', 'trilinear'],
  cubic: [undefined, 'bicubic', undefined],
};

/** The mode of F.interpolate with the same result; undefined if there is none. */
function modeOf(settings: Settings, dims: number, axes: readonly Axis[]): string | undefined {
  const { mode, coordinates, nearest, cubic, excludeOutside } = settings;
  const own = INTERPOLATED[mode]![dims - 1];
  if (mode === 'nearest') {
    if (coordinates === 'asymmetric' && nearest === 'floor') return own;
    return coordinates === 'half_pixel' && nearest === 'round_prefer_ceil' ? 'nearest-exact' : undefined;
  }
  if (mode === 'cubic' && (excludeOutside || Math.abs(cubic + 0.75) > 1e-6)) return undefined;
  // A single element is in the middle here.
  const half =
    coordinates === 'half_pixel' ||
    (coordinates === 'pytorch_half_pixel' && axes.every(({ output }) => output > 1));
  return half || coordinates === 'align_corners' ? own : undefined;
}

/** Factors or sizes of the dimensions: of all, or of those in `axes`. */
function axesOf(call: Call, x: Tensor, chosen: readonly number[] | undefined): Axis[] {
  const places = (chosen ?? x.shape.map((_, i) => i)).map((axis) => fromStart(axis, x.ndim));
  const scales = call.has(2) ? call.numbers(2) : [];
  const given = scales.length > 0 ? scales : call.numbers(3);
  if (given.length !== places.length)
    throw new NodeProblem(`has ${given.length} sizes for ${places.length} dimensions`);
  return x.shape.map((input, axis) => {
    const value = given[places.indexOf(axis)];
    if (value === undefined) return { input, output: input, scale: 1 };
    if (scales.length > 0) return { input, output: Math.floor(input * value), scale: value };
    return { input, output: value, scale: value / input };
  });
}

function resize(node: NodeSpec) {
  if (node.flag('antialias')) node.fail('has antialiasing, whose filter differs between libtorch and ONNX');
  node.choice('keep_aspect_ratio_policy', 'stretch', ['stretch']);
  const settings: Settings = {
    mode: node.choice('mode', 'nearest', MODES),
    coordinates: node.choice('coordinate_transformation_mode', 'half_pixel', COORDINATES),
    nearest: node.choice('nearest_mode', 'round_prefer_floor', NEAREST),
    cubic: node.float('cubic_coeff_a', -0.75),
    excludeOutside: node.flag('exclude_outside'),
  };
  const chosen = node.ints('axes');
  return (call: Call): Tensor => {
    const x = call.tensor(0);
    const axes = axesOf(call, x, chosen);
    const inner = axes.slice(2);
    const isImage =
      x.ndim >= 3 && x.ndim <= 5 && axes.slice(0, 2).every(({ input, output }) => input === output);
    const mode = isImage ? modeOf(settings, x.ndim - 2, inner) : undefined;
    if (mode !== undefined) {
      const alignCorners = settings.coordinates === 'align_corners' ? true : undefined;
      const extent =
        call.has(2) && call.numbers(2).length > 0 && alignCorners === undefined
          ? { scaleFactor: inner.map(({ scale }) => scale) }
          : { size: inner.map(({ output }) => output) };
      return interpolate(x, { ...extent, mode: mode as 'nearest', alignCorners });
    }
    return axes.reduce(
      (result, along, axis) =>
        along.input === along.output && along.scale === 1
          ? result
          : resizeAxis(result, axis, along, settings),
      x,
    );
  };
}

/** The names of the modes changed in opset 20. */
const GRID_MODES = {
  bilinear: 'bilinear',
  linear: 'bilinear',
  nearest: 'nearest',
  bicubic: 'bicubic',
  cubic: 'bicubic',
} as const;

function grid(node: NodeSpec) {
  const names = ['bilinear', 'linear', 'nearest', 'bicubic', 'cubic'] as const;
  const mode = GRID_MODES[node.choice('mode', node.opset < 20 ? 'bilinear' : 'linear', names)];
  const paddingMode = node.choice('padding_mode', 'zeros', ['zeros', 'border', 'reflection']);
  const alignCorners = node.flag('align_corners');
  return (call: Call): Tensor =>
    gridSample(call.tensor(0), call.tensor(1), { mode, paddingMode, alignCorners });
}

export const RESIZE: Operators = { Resize: resize, GridSample: grid };
