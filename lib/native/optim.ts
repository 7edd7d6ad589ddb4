/**
 * The part of the type of the add-on's tables that optimizers use: see {@link Native} in index.ts, which extends it.
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';

/** State of an optimizer, one entry a parameter: null where there is none. */
type StateTensors = readonly (Tensor | null)[];

/** Whole steps over lists of parameters, their state, and what is done to gradients. */
export interface NativeOptim {
  // optim.cc
  sgdStep(
    parameters: readonly Tensor[],
    buffers: StateTensors,
    lr: number | Tensor,
    momentum: number,
    dampening: number,
    weightDecay: number,
    nesterov: boolean,
    maximize: boolean,
    found: Tensor | null,
  ): (Tensor | null)[];
  adamStep(
    parameters: readonly Tensor[],
    averages: StateTensors,
    squares: StateTensors,
    maxSquares: StateTensors,
    steps: StateTensors,
    lr: number | Tensor,
    beta1: number,
    beta2: number,
    weightDecay: number,
    eps: number,
    decoupled: boolean,
    maximize: boolean,
    found: Tensor | null,
  ): void;
  rmsPropStep(
    parameters: readonly Tensor[],
    squares: StateTensors,
    averages: StateTensors,
    buffers: StateTensors,
    lr: number,
    alpha: number,
    eps: number,
    weightDecay: number,
    momentum: number,
    maximize: boolean,
  ): void;
  adagradStep(
    parameters: readonly Tensor[],
    sums: StateTensors,
    steps: StateTensors,
    lr: number,
    lrDecay: number,
    eps: number,
    weightDecay: number,
    maximize: boolean,
  ): void;

  // optim_more.cc
  adadeltaStep(
    parameters: readonly Tensor[],
    squares: StateTensors,
    deltas: StateTensors,
    lr: number,
    rho: number,
    eps: number,
    weightDecay: number,
    maximize: boolean,
  ): void;
  adamaxStep(
    parameters: readonly Tensor[],
    averages: StateTensors,
    norms: StateTensors,
    steps: StateTensors,
    lr: number,
    beta1: number,
    beta2: number,
    eps: number,
    weightDecay: number,
    maximize: boolean,
  ): void;
  nadamStep(
    parameters: readonly Tensor[],
    averages: StateTensors,
    squares: StateTensors,
    products: StateTensors,
    steps: StateTensors,
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
    parameters: readonly Tensor[],
    averages: StateTensors,
    squares: StateTensors,
    steps: StateTensors,
    lr: number,
    beta1: number,
    beta2: number,
    eps: number,
    weightDecay: number,
    decoupled: boolean,
    maximize: boolean,
  ): void;
  zeroGrad(parameters: readonly Tensor[]): void;
  withGradient(parameters: readonly Tensor[]): number[];
  filledState(parameter: Tensor, value: number): Tensor;
  copiedState(parameter: Tensor, saved: Tensor): Tensor;
  checkTrainable(parameters: readonly Tensor[]): void;
  clipGradNorm(
    parameters: readonly Tensor[],
    maxNorm: number,
    normType: number,
    errorIfNonfinite: boolean,
  ): number;
  clipGradValue(parameters: readonly Tensor[], clipValue: number): void;
  emaStep(averages: readonly Tensor[], values: readonly Tensor[], decay: number): void;
}
