/**
 * The table of cpp/bindings/linear.cc.
 * @module
 */
import type { Handle, Optional } from './types.js';

/** Linear layers, embeddings, attention. */
export interface LinearTable<T extends Handle> {
  linear(input: T, weight: T, bias: Optional<T>): T;
  bilinear(input1: T, input2: T, weight: T, bias: Optional<T>): T;
  embedding(weight: T, indices: T, paddingIdx: number): T;
  embeddingBag(
    weight: T,
    input: T,
    offsets: T,
    mode: 'sum' | 'mean' | 'max',
    perSampleWeights: Optional<T>,
    includeLastOffset: boolean,
    paddingIdx: number | undefined,
  ): T;
  oneHot(input: T, numClasses: number): T;
  scaledDotProductAttention(
    query: T,
    key: T,
    value: T,
    attnMask: Optional<T>,
    dropoutP: number,
    isCausal: boolean,
    scale: number | undefined,
    enableGqa: boolean,
  ): T;
}
