/**
 * The table of cpp/bindings/dynamic_conv.cc.
 * @module
 */
import type { Handle, Optional, Sizes } from './types.js';

/** Dynamic convolution and its routing. */
export interface DynamicConvTable<T extends Handle> {
  /** @throws ShapeError unless the input is [B, channels, H, W]. */
  checkImages(input: T, channels: number): void;
  dynamicConv2d(
    input: T,
    weight: T,
    attention: T,
    bias: Optional<T>,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: number,
    algorithm: string,
  ): T;
  dynamicConv2dChoice(
    input: T,
    weight: T,
    attention: T,
    bias: Optional<T>,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: number,
  ): string;
  dynamicConv2dAlgorithms(): string[];
  routing(
    input: T,
    weight1: T,
    bias1: Optional<T>,
    weight2: T,
    bias2: Optional<T>,
    temperature: number | T,
    kind: string,
  ): T;
}
