/**
 * The table of cpp/bindings/shape.cc.
 * @module
 */
import type { Handle, Sizes } from './types.js';

/** Views and copies of one tensor in another shape or order. */
export interface ShapeTable<T extends Handle> {
  reshape(input: T, shape: Sizes): T;
  view(input: T, shape: Sizes): T;
  asStrided(input: T, shape: Sizes, strides: Sizes, storageOffset: number | undefined): T;
  permute(input: T, dims: Sizes): T;
  transpose(input: T, dim0: number, dim1: number): T;
  movedim(input: T, source: Sizes, destination: Sizes): T;
  flatten(input: T, startDim: number, endDim: number): T;
  unflatten(input: T, dim: number, sizes: Sizes): T;
  squeeze(input: T, dim: number | undefined): T;
  squeezeDims(input: T, dim: Sizes): T;
  unsqueeze(input: T, dim: number): T;
  expand(input: T, shape: Sizes): T;
  repeat(input: T, repeats: Sizes): T;
  tile(input: T, repeats: Sizes): T;
  repeatInterleave(input: T, repeats: T, dim: number | undefined): T;
  flip(input: T, dims: Sizes): T;
  roll(input: T, shifts: Sizes, dims: Sizes): T;
  rot90(input: T, k: number, dims: Sizes): T;
  narrow(input: T, dim: number, start: number, length: number): T;
  unfold(input: T, dim: number, size: number, step: number): T;
  pad(input: T, padding: Sizes, mode: string, value: number | undefined): T;
}
