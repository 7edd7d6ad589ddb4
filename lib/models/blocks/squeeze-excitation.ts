/**
 * Squeeze and excitation, as torchvision's `SqueezeExcitation`.
 * @module
 */
import { Conv2d } from '../../nn/layers.js';
import { Module } from '../../nn/module.js';
import { AdaptiveAvgPool2d } from '../../nn/pool.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Activation } from './conv-norm.js';

/**
 * Multiplies every channel by a factor that two 1x1 convolutions (`fc1.*`, `fc2.*`) compute from the means of all channels.
 * [B, C, H, W] -> [B, C, H, W].
 * @see https://arxiv.org/abs/1709.01507
 */
export class SqueezeExcitation extends Module {
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly fc1: Conv2d;
  readonly fc2: Conv2d;
  readonly activation: Module;
  readonly scaleActivation: Module;

  /** @param activation - Between the convolutions. @param scaleActivation - Makes the factors. */
  constructor(channels: number, squeezed: number, activation: Activation, scaleActivation: Activation) {
    super();
    this.fc1 = new Conv2d(channels, squeezed, 1);
    this.fc2 = new Conv2d(squeezed, channels, 1);
    this.activation = activation();
    this.scaleActivation = scaleActivation();
  }

  forward(input: Tensor): Tensor {
    const squeezed = this.activation.forward(this.fc1.forward(this.avgpool.forward(input)));
    return this.scaleActivation.forward(this.fc2.forward(squeezed)).mul(input);
  }
}
