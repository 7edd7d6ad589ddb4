/**
 * Resizing and resampling.
 * @module
 */

import { integer, number, oneOf, type Sizes, sizes } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { INTERPOLATE_KEYS } from './option-keys.js';

const ALIGN_CORNERS = optionKeys('alignCorners');

const MODES = ['nearest', 'nearestExact', 'linear', 'bilinear', 'bicubic', 'trilinear', 'area'] as const;

/** Modes of {@link interpolate}; `nearestExact` (or `nearest-exact`) is the nearest center, `area` the mean. */
export type InterpolateMode = (typeof MODES)[number] | 'nearest-exact';

/** The number of spatial dimensions of a mode; the others support 1 to 3. */
const SPATIAL: Partial<Record<InterpolateMode, number>> = {
  linear: 1,
  bilinear: 2,
  bicubic: 2,
  trilinear: 3,
};

/** Options of {@link interpolate}: `size` or `scaleFactor`. */
export interface InterpolateOptions {
  /** Output sizes. */
  size?: Sizes | undefined;
  /** Output size as a multiple of the input's, rounded down. */
  scaleFactor?: Sizes | undefined;
  /** Default `'nearest'`. */
  mode?: InterpolateMode | undefined;
  /** Align the centers of the corner pixels. Default false: half-pixel centers. */
  alignCorners?: boolean | undefined;
  /** Widen the kernel when shrinking, for bilinear and bicubic. Default false. */
  antialias?: boolean | undefined;
}

/**
 * Resizes signals, images and volumes.
 * @param input - [B, C, L], [B, C, H, W] or [B, C, D, H, W].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
 */
export function interpolate(input: Tensor, options: InterpolateOptions): Tensor {
  const {
    size,
    scaleFactor,
    mode: wantedMode = 'nearest',
    alignCorners = false,
    antialias = false,
  } = checkOptions(options, INTERPOLATE_KEYS);
  const mode = oneOf('mode', MODES, wantedMode === 'nearest-exact' ? 'nearestExact' : wantedMode);
  if ((size === undefined) === (scaleFactor === undefined)) {
    throw invalidArgument('options', 'either size or scaleFactor', options);
  }
  const spatial = checkShape('input', input).slice(2);
  const wanted = SPATIAL[mode] ?? Math.min(Math.max(spatial.length, 1), 3);
  if (spatial.length !== wanted) {
    throw new ShapeError(
      `Expected ${wanted + 2} dimensions for input of interpolate with mode '${mode}' but received [${input.shape.join(', ')}]`,
    );
  }
  if (antialias && mode !== 'bilinear' && mode !== 'bicubic')
    throw invalidArgument('antialias', "false except for 'bilinear' and 'bicubic'", antialias);
  const target = size === undefined ? null : sizes('size', size, wanted, 1);
  const factors = scaleFactor === undefined ? null : scales(scaleFactor, wanted);
  if (mode === 'area') {
    const area = target ?? spatial.map((length, i) => Math.floor(length * factors![i]!));
    const pools = [native.adaptiveAvgPool1d, native.adaptiveAvgPool2d, native.adaptiveAvgPool3d];
    return pools[wanted - 1]!(input, area);
  }
  return native.interpolate(input, target, factors, mode, alignCorners, antialias);
}

function scales(value: Sizes, count: number): number[] {
  const all = typeof value === 'number' ? new Array<number>(count).fill(value) : value;
  if (!Array.isArray(all) || all.length !== count)
    throw invalidArgument('scaleFactor', `a number or ${count} of them`, value);
  return all.map((factor) => number('scaleFactor', factor, { min: Number.MIN_VALUE }));
}

/** Options of {@link gridSample}. */
export interface GridSampleOptions {
  /** Default `'bilinear'`. */
  mode?: 'bilinear' | 'nearest' | 'bicubic' | undefined;
  /** Values outside of the input. Default `'zeros'`. */
  paddingMode?: 'zeros' | 'border' | 'reflection' | undefined;
  /** -1 and 1 are the centers of the corner pixels instead of their outer edges. Default false. */
  alignCorners?: boolean | undefined;
}

const GRID_SAMPLE_KEYS = optionKeys('mode', 'paddingMode', 'alignCorners');

/**
 * Samples the input at a position for every output pixel.
 * @param input - [B, C, H, W] or [B, C, D, H, W]. @param grid - [B, H', W', 2] of (x, y), or [B, D', H', W', 3], from -1 to 1.
 */
export function gridSample(input: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const {
    mode = 'bilinear',
    paddingMode = 'zeros',
    alignCorners = false,
  } = checkOptions(options, GRID_SAMPLE_KEYS);
  const modes = ['bilinear', 'nearest', 'bicubic'] as const;
  const paddings = ['zeros', 'border', 'reflection'] as const;
  oneOf('mode', modes, mode);
  oneOf('paddingMode', paddings, paddingMode);
  return native.gridSample(input, grid, mode, paddingMode, alignCorners);
}

/**
 * The grid of {@link gridSample} for affine maps. @param theta - [B, 2, 3] or [B, 3, 4].
 * @param size - Shape of the output, [B, C, H, W] or [B, C, D, H, W].
 */
export function affineGrid(
  theta: Tensor,
  size: readonly number[],
  options: { alignCorners?: boolean | undefined } = {},
): Tensor {
  const { alignCorners = false } = checkOptions(options, ALIGN_CORNERS);
  return native.affineGrid(theta, size, alignCorners);
}

/** Channels to pixels, [B, C r², H, W] -> [B, C, H r, W r]. @see https://arxiv.org/abs/1609.05158 */
export function pixelShuffle(input: Tensor, upscaleFactor: number): Tensor {
  return native.pixelShuffle(input, integer('upscaleFactor', upscaleFactor, 1));
}

/** Shuffles channels: interleaves the channels of the groups, [B, C, ...] -> the same. @see https://arxiv.org/abs/1707.01083 */
export function channelShuffle(input: Tensor, groups: number): Tensor {
  return native.channelShuffle(input, integer('groups', groups, 1));
}

/** Pixels to channels, [B, C, H r, W r] -> [B, C r², H, W]. */
export function pixelUnshuffle(input: Tensor, downscaleFactor: number): Tensor {
  return native.pixelUnshuffle(input, integer('downscaleFactor', downscaleFactor, 1));
}
