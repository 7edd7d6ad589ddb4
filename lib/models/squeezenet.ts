/**
 * SqueezeNet, as in torchvision.
 * @see https://arxiv.org/abs/1602.07360
 * @module
 */
import { checkOptions } from '../check/index.js';
import { ReLU } from '../nn/activations.js';
import { kaimingUniform_, normal_ } from '../nn/init.js';
import { Conv2d } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pool.js';
import { Dropout, Sequential } from '../nn/simple.js';
import { cat } from '../tensor/join.js';
import type { Tensor } from '../tensor/tensor.js';
import { initialise } from './blocks/initialise.js';
import { classifier } from './blocks/options.js';
import { VGG_KEYS, type VGGOptions } from './vgg.js';

/** Options of the SqueezeNets. */
export type SqueezeNetOptions = VGGOptions;

/** 1x1 convolution to few channels, then 1x1 and 3x3 convolutions side by side. [B, I, H, W] -> [B, 2 O, H, W]. */
class Fire extends Module {
  readonly squeeze: Conv2d;
  readonly squeezeActivation = new ReLU();
  readonly expand1x1: Conv2d;
  readonly expand1x1Activation = new ReLU();
  readonly expand3x3: Conv2d;
  readonly expand3x3Activation = new ReLU();

  constructor(inChannels: number, squeezed: number, expanded: number) {
    super();
    this.squeeze = new Conv2d(inChannels, squeezed, 1);
    this.expand1x1 = new Conv2d(squeezed, expanded, 1);
    this.expand3x3 = new Conv2d(squeezed, expanded, 3, { padding: 1 });
  }

  forward(input: Tensor): Tensor {
    const squeezed = this.squeezeActivation.forward(this.squeeze.forward(input));
    return cat(
      [
        this.expand1x1Activation.forward(this.expand1x1.forward(squeezed)),
        this.expand3x3Activation.forward(this.expand3x3.forward(squeezed)),
      ],
      { dim: 1 },
    );
  }
}

const pool = () => new MaxPool2d(3, { stride: 2, ceilMode: true });

/** Everything after the first activation. */
const LAYERS = {
  '1_0': () => [
    ...[pool(), new Fire(96, 16, 64), new Fire(128, 16, 64), new Fire(128, 32, 128)],
    ...[
      pool(),
      new Fire(256, 32, 128),
      new Fire(256, 48, 192),
      new Fire(384, 48, 192),
      new Fire(384, 64, 256),
    ],
    ...[pool(), new Fire(512, 64, 256)],
  ],
  '1_1': () => [
    ...[pool(), new Fire(64, 16, 64), new Fire(128, 16, 64)],
    ...[pool(), new Fire(128, 32, 128), new Fire(256, 32, 128)],
    ...[
      pool(),
      new Fire(256, 48, 192),
      new Fire(384, 48, 192),
      new Fire(384, 64, 256),
      new Fire(512, 64, 256),
    ],
  ],
} as const;

/** A SqueezeNet. [B, 3, H, W] -> logits [B, numClasses], which are not negative; usually 224x224. */
export class SqueezeNet extends Module {
  /** Convolutions, [B, 3, H, W] -> [B, 512, H / 16, W / 16]. */
  readonly features: Sequential;
  /** Dropout, a 1x1 convolution to the classes, and the mean of all pixels. */
  readonly classifier: Sequential;

  /** @internal Use {@link squeezenet1_0} or {@link squeezenet1_1}. */
  constructor(version: keyof typeof LAYERS, options: SqueezeNetOptions) {
    super();
    const { numClasses, inChannels } = classifier(checkOptions(options, VGG_KEYS));
    const { dropout = 0.5 } = options;
    const [channels, kernel] = version === '1_0' ? [96, 7] : [64, 3];
    const first = new Conv2d(inChannels, channels, kernel, { stride: 2 });
    const last = new Conv2d(512, numClasses, 1);
    this.features = new Sequential(first, new ReLU(), ...LAYERS[version]());
    this.classifier = new Sequential(new Dropout(dropout), last, new ReLU(), new AdaptiveAvgPool2d(1));
    initialise(this, { conv: (weight) => kaimingUniform_(weight), linear: null });
    normal_(last.weight, { std: 0.01 });
  }

  forward(input: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(input)).flatten(1);
  }
}

/** SqueezeNet 1.0, 1,248,424 parameters. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.squeezenet1_0.html */
export function squeezenet1_0(options: SqueezeNetOptions = {}): SqueezeNet {
  return new SqueezeNet('1_0', options);
}

/** SqueezeNet 1.1, 1,235,496 parameters. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.squeezenet1_1.html */
export function squeezenet1_1(options: SqueezeNetOptions = {}): SqueezeNet {
  return new SqueezeNet('1_1', options);
}
