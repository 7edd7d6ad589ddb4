/**
 * The table of cpp/bindings/recurrent.cc.
 * @module
 */
import type { Handle, Optional, Pair, Triple } from './types.js';

/** Recurrent layers and cells. */
export interface RecurrentTable<T extends Handle> {
  lstm(
    input: T,
    h0: T,
    c0: T,
    weights: readonly T[],
    hasBiases: boolean,
    numLayers: number,
    dropout: number,
    training: boolean,
    bidirectional: boolean,
    batchFirst: boolean,
  ): Triple<T>;
  gru(
    input: T,
    h0: T,
    weights: readonly T[],
    hasBiases: boolean,
    numLayers: number,
    dropout: number,
    training: boolean,
    bidirectional: boolean,
    batchFirst: boolean,
  ): Pair<T>;
  rnn(
    input: T,
    h0: T,
    weights: readonly T[],
    hasBiases: boolean,
    numLayers: number,
    dropout: number,
    training: boolean,
    bidirectional: boolean,
    batchFirst: boolean,
    nonlinearity: 'tanh' | 'relu',
  ): Pair<T>;
  lstmCell(
    input: T,
    hx: T,
    cx: T,
    weightIh: T,
    weightHh: T,
    biasIh: Optional<T>,
    biasHh: Optional<T>,
  ): Pair<T>;
  gruCell(input: T, hx: T, weightIh: T, weightHh: T, biasIh: Optional<T>, biasHh: Optional<T>): T;
  rnnCell(
    input: T,
    hx: T,
    weightIh: T,
    weightHh: T,
    biasIh: Optional<T>,
    biasHh: Optional<T>,
    nonlinearity: 'tanh' | 'relu',
  ): T;
}
