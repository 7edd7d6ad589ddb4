/**
 * The article's two networks for 128x128 images: AlexNet, and AlexNet-DY, whose last three convolutions are dynamic. Also a wider
 * AlexNet with as many parameters as AlexNet-DY, as a control.
 * @module
 */

import { integer, number, oneOf } from '../check/arguments.js';
import { checkOptions, dropUndefined, optionKeys, type RequiredOptions } from '../check/index.js';
import { ReLU } from '../nn/activations.js';
import { DynamicConv2d } from '../nn/dynamic-conv.js';
import { kaimingNormal_, xavierUniform_ } from '../nn/init.js';
import { Conv2d, Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BatchNorm2d } from '../nn/norm.js';
import { MaxPool2d } from '../nn/pool.js';
import { Dropout, Sequential } from '../nn/simple.js';
import { noGrad } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import { initialise } from './blocks/initialise.js';

/** Options of {@link alexnet}. */
export interface AlexNetOptions {
  /** Default 10. */
  numClasses?: number | undefined;
  /** Default 3. */
  inChannels?: number | undefined;
  /** Dropout before the second and the third linear layer. Default 0.5. */
  dropout?: number | undefined;
  /** Output channels of the third and of the fourth convolution. Default 192; 309 in {@link alexnetWide}. */
  middleChannels?: number | undefined;
  /**
   * Factor on the initial weights of the three linear layers, which no normalization follows. With the default, their outputs are so large that
   * a learning rate of 0.1 is unstable: the loss rises to more than 50 in the first steps. 0.4 gives the scale of
   * PyTorch's default initialization, with which it does not rise. Default 1.
   */
  classifierGain?: number | undefined;
  /**
   * Distribution of the initial weights. `'kaiming'`: Kaiming-normal weights, also of each expert. `'paddle'`: the defaults of Paddle, which the
   * article's code leaves in place: convolutions are Kaiming-normal, linear layers Xavier-uniform. The experts [K, O, I, k, k] are
   * Xavier-uniform with the fans of this shape, O I k² and K I k², which makes them about 14 times smaller. Biases are 0 in both. Default
   * `'kaiming'`.
   */
  initialWeights?: InitialWeights | undefined;
}

const INITIAL_WEIGHTS = ['kaiming', 'paddle'] as const;

/** Distribution of the initial weights of {@link AlexNet}. */
export type InitialWeights = (typeof INITIAL_WEIGHTS)[number];

/** @internal */
export const ALEX_NET_KEYS = optionKeys(
  'numClasses',
  'inChannels',
  'dropout',
  'middleChannels',
  'classifierGain',
  'initialWeights',
);

/** Options of {@link alexnetDy}. */
export interface AlexNetDyOptions extends AlexNetOptions {
  /** Number of kernels of each dynamic layer. Default 2. */
  numExperts?: number | undefined;
  /** Initial softmax temperature. Default 30. */
  temperature?: number | undefined;
  /** Factor on the initial experts, see {@link DynamicConv2d}. Default 1. */
  initGain?: number | undefined;
}

/** @internal */
export const ALEX_NET_DY_KEYS = optionKeys(...ALEX_NET_KEYS, 'numExperts', 'temperature', 'initGain');

/** The convolutions, in order. `out`: null for the middle channels; `pool`: followed by 3x3 max pooling with stride 2. */
const CONVS = [
  { out: 48, kernel: 11, stride: 4, padding: 5, pool: true, dynamic: false },
  { out: 128, kernel: 5, stride: 1, padding: 2, pool: true, dynamic: false },
  { out: null, kernel: 3, stride: 1, padding: 1, pool: false, dynamic: true },
  { out: null, kernel: 3, stride: 1, padding: 1, pool: false, dynamic: true },
  { out: 128, kernel: 3, stride: 1, padding: 1, pool: true, dynamic: true },
] as const;

/** Size of the features of a 128x128 image: 128 channels of 3x3. */
const FEATURES = 128 * 3 * 3;
const HIDDEN = 2048;

/** Middle channels with which AlexNet has 0.01 % more parameters than AlexNet-DY with two experts. */
const WIDE = 309;

type DynamicOptions = RequiredOptions<Pick<AlexNetDyOptions, 'numExperts' | 'temperature' | 'initGain'>>;

/** AlexNet with batch norm for 128x128 images, static or dynamic. [B, 3, 128, 128] -> logits [B, numClasses]. */
export class AlexNet extends Module {
  /** The convolutional part, [B, 3, 128, 128] -> [B, 128, 3, 3]. */
  readonly features: Sequential;
  /** The fully connected part, [B, 1152] -> [B, classes]. */
  readonly classifier: Sequential;

  constructor(options: AlexNetOptions, dynamic: DynamicOptions | null) {
    super();
    const {
      numClasses = 10,
      inChannels = 3,
      dropout = 0.5,
      middleChannels = 192,
      classifierGain = 1,
      initialWeights = 'kaiming',
    } = checkOptions(options, ALEX_NET_KEYS);
    integer('numClasses', numClasses, 1);
    integer('middleChannels', middleChannels, 1);
    number('classifierGain', classifierGain);
    oneOf('initialWeights', INITIAL_WEIGHTS, initialWeights);
    const layers: Module[] = [];
    let channels = integer('inChannels', inChannels, 1);
    for (const { out: fixed, kernel, stride, padding, pool, dynamic: canMix } of CONVS) {
      const out = fixed ?? middleChannels;
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
    // In the order of the layers, in which they draw random numbers.
    const [first, second, head] = [
      new Linear(FEATURES, HIDDEN),
      new Linear(HIDDEN, HIDDEN),
      new Linear(HIDDEN, numClasses),
    ];
    this.classifier = new Sequential(
      ...[first, new ReLU(), new Dropout(dropout)],
      ...[second, new ReLU(), new Dropout(dropout)],
      head,
    );
    initialWeightsOf(this, initialWeights === 'paddle', dynamic?.initGain ?? 1);
    if (classifierGain !== 1)
      noGrad(() => [first, second, head].forEach(({ weight }) => void weight.mul_(classifierGain)));
  }

  forward(input: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(input).flatten(1));
  }
}

/** Sets the weights of the convolutions and linear layers, and in Paddle's way those of the experts. */
function initialWeightsOf(network: AlexNet, paddle: boolean, expertGain: number): void {
  initialise(network, { conv: kaimingFanIn, linear: paddle ? xavierUniform_ : kaimingFanIn });
  if (!paddle) return;
  network.apply((module) => {
    if (module instanceof DynamicConv2d) xavierUniform_(module.weight, { gain: expertGain });
  });
}

const kaimingFanIn = (weight: Tensor) => kaimingNormal_(weight, { nonlinearity: 'relu' });

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
  const { numExperts = 2, temperature = 30, initGain = 1, ...rest } = checkOptions(options, ALEX_NET_DY_KEYS);
  return new AlexNet(rest, { numExperts, temperature, initGain });
}

/**
 * AlexNet with 309 instead of 192 channels in the middle: 8,323,241 parameters and 1,844 batch-norm statistics for 10 classes, as many as
 * {@link alexnetDy} has. It shows whether the number of parameters explains a difference.
 */
export function alexnetWide(options: AlexNetOptions = {}): AlexNet {
  return new AlexNet({ middleChannels: WIDE, ...dropUndefined(options) }, null);
}
