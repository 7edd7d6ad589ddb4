/**
 * MobileNetV2, as in torchvision.
 * @see https://arxiv.org/abs/1801.04381
 * @module
 */
import { integer, number } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { ReLU6 } from '../nn/activations.js';
import { Conv2d, Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BatchNorm2d } from '../nn/norm.js';
import { AdaptiveAvgPool2d } from '../nn/pool.js';
import { Dropout, Sequential } from '../nn/simple.js';
import type { Tensor } from '../tensor/tensor.js';
import { ConvNormActivation } from './blocks/conv-norm.js';
import { makeDivisible } from './blocks/divisible.js';
import { initialise, kaimingFanOut, smallNormal } from './blocks/initialise.js';
import { CLASSIFIER_KEYS, type ClassifierOptions, classifier } from './blocks/options.js';

/** Options of {@link mobilenetV2}. */
export interface MobileNetV2Options extends ClassifierOptions {
  /** Factor on the number of channels of every layer but the last, which has at least 1280. Default 1. */
  widthMult?: number | undefined;
  /** Numbers of channels are multiples of this. Default 8. */
  roundNearest?: number | undefined;
  /** Dropout before the last layer. Default 0.2. */
  dropout?: number | undefined;
}

/** @internal */
export const MOBILENET_V2_KEYS = optionKeys(...CLASSIFIER_KEYS, 'widthMult', 'roundNearest', 'dropout');

const relu6 = () => new ReLU6();

/** Table 2 of the paper: expansion, channels, number of blocks, stride of the first. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** 1x1 expansion, 3x3 depthwise convolution and 1x1 projection, with a shortcut if shapes agree. */
class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly #shortcut: boolean;

  constructor(inChannels: number, outChannels: number, stride: number, expansion: number) {
    super();
    const hidden = inChannels * expansion;
    this.conv = new Sequential(
      ...(expansion === 1
        ? []
        : [new ConvNormActivation(inChannels, hidden, { kernel: 1, activation: relu6 })]),
      new ConvNormActivation(hidden, hidden, { stride, groups: hidden, activation: relu6 }),
      new Conv2d(hidden, outChannels, 1, { bias: false }),
      new BatchNorm2d(outChannels),
    );
    this.#shortcut = stride === 1 && inChannels === outChannels;
  }

  forward(input: Tensor): Tensor {
    const output = this.conv.forward(input);
    return this.#shortcut ? output.add(input) : output;
  }
}

/** A MobileNetV2. [B, 3, H, W] -> logits [B, numClasses]; usually 224x224. */
export class MobileNetV2 extends Module {
  /** Convolutions, [B, 3, H, W] -> [B, C, H / 32, W / 32]. */
  readonly features: Sequential;
  /** Dropout and a linear layer. */
  readonly classifier: Sequential;
  readonly #pool = new AdaptiveAvgPool2d(1);

  /** @internal Use {@link mobilenetV2}. */
  constructor(options: MobileNetV2Options) {
    super();
    const { numClasses, inChannels } = classifier(checkOptions(options, MOBILENET_V2_KEYS));
    const { widthMult = 1, roundNearest = 8, dropout = 0.2 } = options;
    number('widthMult', widthMult, { min: Number.MIN_VALUE });
    integer('roundNearest', roundNearest, 1);
    const scale = (channels: number, factor = widthMult) => makeDivisible(channels * factor, roundNearest);
    let channels = scale(32);
    const layers: Module[] = [new ConvNormActivation(inChannels, channels, { stride: 2, activation: relu6 })];
    for (const [expansion, out, count, stride] of STAGES) {
      for (let i = 0; i < count; i++) {
        layers.push(new InvertedResidual(channels, scale(out), i === 0 ? stride : 1, expansion));
        channels = scale(out);
      }
    }
    const last = scale(1280, Math.max(1, widthMult));
    layers.push(new ConvNormActivation(channels, last, { kernel: 1, activation: relu6 }));
    this.features = new Sequential(...layers);
    this.classifier = new Sequential(new Dropout(dropout), new Linear(last, numClasses));
    initialise(this, { conv: kaimingFanOut, linear: smallNormal });
  }

  forward(input: Tensor): Tensor {
    return this.classifier.forward(this.#pool.forward(this.features.forward(input)).flatten(1));
  }
}

/**
 * MobileNetV2, 3,504,872 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.mobilenet_v2.html
 * @example const model = models.mobilenetV2({ numClasses: 10, widthMult: 0.5 });
 */
export function mobilenetV2(options: MobileNetV2Options = {}): MobileNetV2 {
  return new MobileNetV2(options);
}
