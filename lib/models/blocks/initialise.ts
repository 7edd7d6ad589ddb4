/**
 * Initial weights of whole networks.
 * @module
 */
import { kaimingNormal_, normal_, zeros_ } from '../../nn/init.js';
import { Conv2d, Linear } from '../../nn/layers.js';
import type { AnyModule } from '../../nn/module.js';
import type { Tensor } from '../../tensor/tensor.js';

/** How to initialize the weights of a kind of layer; null leaves weights and biases as the layer made them. */
export interface Initialisation {
  /** In place. */
  conv: ((weight: Tensor) => unknown) | null;
  /** In place. */
  linear: ((weight: Tensor) => unknown) | null;
}

/** Kaiming-normal by the number of outputs: the initial convolutions of most networks of torchvision. */
export const kaimingFanOut = (weight: Tensor): Tensor =>
  kaimingNormal_(weight, { mode: 'fanOut', nonlinearity: 'relu' });

/** Normal numbers of standard deviation 0.01: the initial linear layers of MobileNet and VGG. */
export const smallNormal = (weight: Tensor): Tensor => normal_(weight, { std: 0.01 });

/** Initializes all convolutions and linear layers of a network; the biases of those that are initialized become 0. */
export function initialise(model: AnyModule, { conv, linear }: Initialisation): void {
  model.apply((module) => {
    const fill = module instanceof Conv2d ? conv : module instanceof Linear ? linear : null;
    if (fill === null) return;
    const { weight, bias } = module as unknown as Conv2d | Linear;
    fill(weight);
    if (bias !== null) zeros_(bias);
  });
}
