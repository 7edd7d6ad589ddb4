/**
 * VGG and the AlexNet of torchvision: convolutions, then three linear layers.
 * @see https://arxiv.org/abs/1409.1556
 * @see https://arxiv.org/abs/1404.5997
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { ReLU } from '../nn/activations.js';
import { Conv2d, Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BatchNorm2d } from '../nn/norm.js';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pool.js';
import { Dropout, Sequential } from '../nn/simple.js';
import type { Tensor } from '../tensor/tensor.js';
import { initialise, kaimingFanOut, smallNormal } from './blocks/initialise.js';
import { CLASSIFIER_KEYS, type ClassifierOptions, classifier } from './blocks/options.js';

/** Options of the VGGs and of {@link torchvisionAlexnet}. */
export interface VGGOptions extends ClassifierOptions {
  /** Dropout of the classifier. Default 0.5. */
  dropout?: number | undefined;
}

/** @internal */
export const VGG_KEYS = optionKeys(...CLASSIFIER_KEYS, 'dropout');

/** Convolutions, pooling to a fixed size and linear layers. [B, 3, H, W] -> logits [B, numClasses]. */
abstract class ConvolutionsThenLinear extends Module {
  /** Convolutions and max pooling. */
  readonly features: Sequential;
  /** To 7x7 pixels, or 6x6 for AlexNet. */
  readonly avgpool: AdaptiveAvgPool2d;
  /** Three linear layers. */
  readonly classifier: Sequential;

  constructor(features: readonly Module[], size: number, classifier: readonly Module[]) {
    super();
    this.features = new Sequential(...features);
    this.avgpool = new AdaptiveAvgPool2d(size);
    this.classifier = new Sequential(...classifier);
  }

  forward(input: Tensor): Tensor {
    return this.classifier.forward(this.avgpool.forward(this.features.forward(input)).flatten(1));
  }
}

/** The convolutions' channels; 0 is 2x2 max pooling. */
const DEPTHS = {
  11: [64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0],
  13: [64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0],
  16: [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0],
  19: [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0],
} as const;

function convolutions(depth: keyof typeof DEPTHS, inChannels: number, batchNorm: boolean): Module[] {
  let channels = inChannels;
  return DEPTHS[depth].flatMap((out): Module[] => {
    if (out === 0) return [new MaxPool2d(2, { stride: 2 })];
    const conv = new Conv2d(channels, out, 3, { padding: 1 });
    channels = out;
    return batchNorm ? [conv, new BatchNorm2d(out), new ReLU()] : [conv, new ReLU()];
  });
}

/** A VGG. [B, 3, H, W] -> logits [B, numClasses]; usually 224x224, at least 32x32. */
export class VGG extends ConvolutionsThenLinear {
  /** @internal Use {@link vgg11} and the others. */
  constructor(depth: keyof typeof DEPTHS, batchNorm: boolean, options: VGGOptions) {
    const { numClasses, inChannels } = classifier(checkOptions(options, VGG_KEYS));
    const { dropout = 0.5 } = options;
    super(convolutions(depth, inChannels, batchNorm), 7, [
      new Linear(512 * 7 * 7, 4096),
      new ReLU(),
      new Dropout(dropout),
      new Linear(4096, 4096),
      new ReLU(),
      new Dropout(dropout),
      new Linear(4096, numClasses),
    ]);
    initialise(this, { conv: kaimingFanOut, linear: smallNormal });
  }
}

/** torchvision's AlexNet. [B, 3, H, W] -> logits [B, numClasses]; usually 224x224, at least 63x63. */
export class TorchvisionAlexNet extends ConvolutionsThenLinear {
  /** @internal Use {@link torchvisionAlexnet}. */
  constructor(options: VGGOptions) {
    const { numClasses, inChannels } = classifier(checkOptions(options, VGG_KEYS));
    const { dropout = 0.5 } = options;
    const pool = () => new MaxPool2d(3, { stride: 2 });
    const features = [
      ...[new Conv2d(inChannels, 64, 11, { stride: 4, padding: 2 }), new ReLU(), pool()],
      ...[new Conv2d(64, 192, 5, { padding: 2 }), new ReLU(), pool()],
      ...[new Conv2d(192, 384, 3, { padding: 1 }), new ReLU()],
      ...[new Conv2d(384, 256, 3, { padding: 1 }), new ReLU()],
      ...[new Conv2d(256, 256, 3, { padding: 1 }), new ReLU(), pool()],
    ];
    super(features, 6, [
      new Dropout(dropout),
      new Linear(256 * 6 * 6, 4096),
      new ReLU(),
      new Dropout(dropout),
      new Linear(4096, 4096),
      new ReLU(),
      new Linear(4096, numClasses),
    ]);
  }
}

/**
 * torchvision's AlexNet for 224x224 images, 61,100,840 parameters; {@link alexnet} is the article's for 128x128.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.alexnet.html
 */
export function torchvisionAlexnet(options: VGGOptions = {}): TorchvisionAlexNet {
  return new TorchvisionAlexNet(options);
}

/** VGG-11, 132,863,336 parameters. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg11.html */
export function vgg11(options: VGGOptions = {}): VGG {
  return new VGG(11, false, options);
}

/** VGG-11 with batch norm. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg11_bn.html */
export function vgg11Bn(options: VGGOptions = {}): VGG {
  return new VGG(11, true, options);
}

/** VGG-13, 133,047,848 parameters. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg13.html */
export function vgg13(options: VGGOptions = {}): VGG {
  return new VGG(13, false, options);
}

/** VGG-13 with batch norm. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg13_bn.html */
export function vgg13Bn(options: VGGOptions = {}): VGG {
  return new VGG(13, true, options);
}

/** VGG-16, 138,357,544 parameters. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg16.html */
export function vgg16(options: VGGOptions = {}): VGG {
  return new VGG(16, false, options);
}

/** VGG-16 with batch norm. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg16_bn.html */
export function vgg16Bn(options: VGGOptions = {}): VGG {
  return new VGG(16, true, options);
}

/** VGG-19, 143,667,240 parameters. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg19.html */
export function vgg19(options: VGGOptions = {}): VGG {
  return new VGG(19, false, options);
}

/** VGG-19 with batch norm. @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg19_bn.html */
export function vgg19Bn(options: VGGOptions = {}): VGG {
  return new VGG(19, true, options);
}
