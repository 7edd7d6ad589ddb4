/**
 * Stochastic depth, as torchvision's `StochasticDepth` by row.
 * @module
 */
import { number } from '../../check/arguments.js';
import { Module } from '../../nn/module.js';
import { Dropout } from '../../nn/simple.js';
import { ones } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';

/**
 * Zeroes the result of a block for whole images with probability p while training, and divides the others by 1 - p.
 * [B, ...] -> [B, ...].
 * @see https://arxiv.org/abs/1603.09382
 */
export class StochasticDepth extends Module {
  readonly p: number;
  /** Always in training mode: it is called while training only. */
  readonly #dropout: Dropout;

  constructor(p: number) {
    super();
    this.p = number('stochasticDepthProb', p, { min: 0, max: 1 });
    this.#dropout = new Dropout(p);
  }

  forward(input: Tensor): Tensor {
    if (!this.training || this.p === 0) return input;
    const { dtype, device, shape } = input;
    const perImage = [shape[0]!, ...shape.slice(1).map(() => 1)];
    return input.mul(this.#dropout.forward(ones(perImage, { dtype, device })));
  }

  protected override extraRepr(): string {
    return `p=${this.p}`;
  }
}
