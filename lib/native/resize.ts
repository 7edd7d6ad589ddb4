/**
 * The table of cpp/bindings/resize.cc.
 * @module
 */
import type { Dims, Handle, Sizes } from './types.js';

/** Interpolation, sampling on grids, channels exchanged for pixels. */
export interface ResizeTable<T extends Handle> {
  interpolate(
    input: T,
    size: Dims,
    scaleFactor: Dims,
    mode: string,
    alignCorners: boolean,
    antialias: boolean,
  ): T;
  gridSample(input: T, grid: T, mode: string, paddingMode: string, alignCorners: boolean): T;
  affineGrid(theta: T, size: Sizes, alignCorners: boolean): T;
  pixelShuffle(input: T, factor: number): T;
  pixelUnshuffle(input: T, factor: number): T;
  channelShuffle(input: T, groups: number): T;
}
