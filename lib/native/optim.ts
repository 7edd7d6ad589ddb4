/**
 * The table of cpp/bindings/optim.cc.
 * @module
 */
import type { Handle, Optional } from './types.js';

type StateTensors<T> = readonly Optional<T>[];

/** Whole steps of optimizers over lists of parameters, and their state. */
export interface OptimTable<T extends Handle> {
  sgdStep(
    parameters: readonly T[],
    buffers: StateTensors<T>,
    fresh: readonly number[],
    lr: number | T,
    momentum: number,
    dampening: number,
    weightDecay: number,
    nesterov: boolean,
    maximize: boolean,
    found: Optional<T>,
  ): void;
  adamStep(
    parameters: readonly T[],
    averages: StateTensors<T>,
    squares: StateTensors<T>,
    maxSquares: StateTensors<T>,
    steps: StateTensors<T>,
    lr: number | T,
    beta1: number,
    beta2: number,
    weightDecay: number,
    eps: number,
    decoupled: boolean,
    maximize: boolean,
    found: Optional<T>,
  ): void;
  rmsPropStep(
    parameters: readonly T[],
    squares: StateTensors<T>,
    averages: StateTensors<T>,
    buffers: StateTensors<T>,
    lr: number,
    alpha: number,
    eps: number,
    weightDecay: number,
    momentum: number,
    maximize: boolean,
  ): void;
  adagradStep(
    parameters: readonly T[],
    sums: StateTensors<T>,
    steps: StateTensors<T>,
    lr: number,
    lrDecay: number,
    eps: number,
    weightDecay: number,
    maximize: boolean,
  ): void;
  adadeltaStep(
    parameters: readonly T[],
    squares: StateTensors<T>,
    deltas: StateTensors<T>,
    lr: number,
    rho: number,
    eps: number,
    weightDecay: number,
    maximize: boolean,
  ): void;
  adamaxStep(
    parameters: readonly T[],
    averages: StateTensors<T>,
    norms: StateTensors<T>,
    steps: StateTensors<T>,
    lr: number,
    beta1: number,
    beta2: number,
    eps: number,
    weightDecay: number,
    maximize: boolean,
  ): void;
  nadamStep(
    parameters: readonly T[],
    averages: StateTensors<T>,
    squares: StateTensors<T>,
    products: StateTensors<T>,
    steps: StateTensors<T>,
    lr: number,
    beta1: number,
    beta2: number,
    eps: number,
    weightDecay: number,
    momentumDecay: number,
    decoupled: boolean,
    maximize: boolean,
  ): void;
  radamStep(
    parameters: readonly T[],
    averages: StateTensors<T>,
    squares: StateTensors<T>,
    steps: StateTensors<T>,
    lr: number,
    beta1: number,
    beta2: number,
    eps: number,
    weightDecay: number,
    decoupled: boolean,
    maximize: boolean,
  ): void;
  filledState(parameter: T, value: number): T;
  copiedState(parameter: T, saved: T): T;
  emaStep(averages: readonly T[], values: readonly T[], decay: number): void;
}
