/**
 * The article's two networks for 128x128 images: AlexNet, and AlexNet-DY, whose last three convolutions are dynamic.
 * @module
 */

import { integer } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { ReLU } from '../nn/activations.js';
import { DynamicConv2d } from '../nn/dynamic-conv.js';
import { constant_, kaimingNormal_ } from '../nn/init.js';
import { Conv2d, Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BatchNorm2d } from '../nn/norm.js';
import { MaxPool2d } from '../nn/pool.js';
import { Dropout, Sequential } from '../nn/simple.js';
import type { Tensor } from '../tensor/tensor.js';

/** Options of {@link alexnet}. */
export interface AlexNetOptions {
  /** Default 10. */
  numClasses?: number | undefined;
  /** Default 3. */
  inChannels?: number | undefined;
  /** Dropout before the second and the third linear layer. Default 0.5. */
  dropout?: number | undefined;
}

/** @internal */
export const ALEX_NET_KEYS = optionKeys('numClasses', 'inChannels', 'dropout');

/** Options of {@link alexnetDy}. */
export interface AlexNetDyOptions extends AlexNetOptions {
  /** Number of kernels of each dynamic layer. Default 2. */
  numExperts?: number | undefined;
  /** Initial softmax temperature. Default 30. */
  temperature?: number | undefined;
}

/** @internal */
export const ALEX_NET_DY_KEYS = optionKeys(...ALEX_NET_KEYS, 'numExperts', 'temperature');

/** The convolutions, in order. `pool`: followed by 3x3 max pooling with stride 2. */
const CONVS = [
  { out: 48, kernel: 11, stride: 4, padding: 5, pool: true, dynamic: false },
  { out: 128, kernel: 5, stride: 1, padding: 2, pool: true, dynamic: false },
  { out: 192, kernel: 3, stride: 1, padding: 1, pool: false, dynamic: true },
  { out: 192, kernel: 3, stride: 1, padding: 1, pool: false, dynamic: true },
  { out: 128, kernel: 3, stride: 1, padding: 1, pool: true, dynamic: true },
] as const;

/** Size of the features of a 128x128 image: 128 channels of 3x3. */
const FEATURES = 128 * 3 * 3;
const HIDDEN = 2048;

type DynamicOptions = RequiredOptions<Pick<AlexNetDyOptions, 'numExperts' | 'temperature'>>;

/** AlexNet with batch norm for 128x128 images, static or dynamic. [B, 3, 128, 128] -> logits [B, numClasses]. */
export class AlexNet extends Module {
  /** The convolutional part, [B, 3, 128, 128] -> [B, 128, 3, 3]. */
  readonly features: Sequential;
  /** The fully connected part, [B, 1152] -> [B, classes]. */
  readonly classifier: Sequential;

  constructor(options: AlexNetOptions, dynamic: DynamicOptions | null) {
    super();
    const { numClasses = 10, inChannels = 3, dropout = 0.5 } = checkOptions(options, ALEX_NET_KEYS);
    integer('numClasses', numClasses, 1);
    const layers: Module[] = [];
    let channels = integer('inChannels', inChannels, 1);
    for (const { out, kernel, stride, padding, pool, dynamic: canMix } of CONVS) {
      const options = { stride, padding };
      layers.push(
        canMix && dynamic !== null
          ? new DynamicConv2d(channels, out, kernel, { ...options, ...dynamic })
          : new Conv2d(channels, out, kernel, options),
        new BatchNorm2d(out),
        new ReLU(),
      );
      if (pool) layers.push(new MaxPool2d(3, { stride: 2 }));
      channels = out;
    }
    this.features = new Sequential(...layers);
    this.classifier = new Sequential(
      new Linear(FEATURES, HIDDEN),
      new ReLU(),
      new Dropout(dropout),
      new Linear(HIDDEN, HIDDEN),
      new ReLU(),
      new Dropout(dropout),
      new Linear(HIDDEN, numClasses),
    );
    this.apply((module) => {
      if (!(module instanceof Conv2d || module instanceof Linear)) return;
      kaimingNormal_(module.weight, { nonlinearity: 'relu' });
      if (module.bias !== null) constant_(module.bias, 0);
    });
  }

  forward(input: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(input).flatten(1));
  }
}

/**
 * AlexNet: 7,525,418 parameters and 1,376 batch-norm statistics for 10 classes. Weights are Kaiming-normal, biases 0.
 * @example const model = models.alexnet({ numClasses: 10 });
 */
export function alexnet(options: AlexNetOptions = {}): AlexNet {
  return new AlexNet(options, null);
}

/**
 * AlexNet-DY: AlexNet with dynamic convolutions of 2 experts in its last three layers; 8,322,992 parameters and 1,376
 * batch-norm statistics for 10 classes.
 * @see https://arxiv.org/abs/1912.03458
 */
export function alexnetDy(options: AlexNetDyOptions = {}): AlexNet {
  const { numExperts = 2, temperature = 30, ...rest } = checkOptions(options, ALEX_NET_DY_KEYS);
  return new AlexNet(rest, { numExperts, temperature });
}
