/**
 * MobileNetV3, as in torchvision.
 * @see https://arxiv.org/abs/1905.02244
 * @module
 */
import { number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { Hardsigmoid, Hardswish, ReLU } from '../nn/activations.js';
import { Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BatchNorm2d } from '../nn/norm.js';
import { AdaptiveAvgPool2d } from '../nn/pool.js';
import { Dropout, Sequential } from '../nn/simple.js';
import type { Tensor } from '../tensor/tensor.js';
import { ConvNormActivation } from './blocks/conv-norm.js';
import { makeDivisible } from './blocks/divisible.js';
import { initialise, kaimingFanOut, smallNormal } from './blocks/initialise.js';
import { CLASSIFIER_KEYS, type ClassifierOptions, classifier } from './blocks/options.js';
import { SqueezeExcitation } from './blocks/squeeze-excitation.js';

/** Options of the MobileNetV3s. */
export interface MobileNetV3Options extends ClassifierOptions {
  /** Factor on the number of channels of every layer. Default 1. */
  widthMult?: number | undefined;
  /** Halve the channels of the last stage, for other tasks than classification. Default false. */
  reducedTail?: boolean | undefined;
  /** Dilate the last stage instead of halving the resolution. Default false. */
  dilated?: boolean | undefined;
  /** Dropout before the last layer. Default 0.2. */
  dropout?: number | undefined;
}

/**
 * Which MobileNetV3-Small: the published one, which torchvision has (56.5 million multiply-adds for 1000 classes), or that of the preprint's
 * first version (66.2 million), which the paper on dynamic convolution used. It halves the resolution one block later and
 * has 1280 instead of 1024 hidden units.
 */
export type MobileNetV3SmallVariant = 'published' | 'preprint';

/** Options of {@link mobilenetV3Small}. */
export interface MobileNetV3SmallOptions extends MobileNetV3Options {
  /** Default `'published'`. */
  variant?: MobileNetV3SmallVariant | undefined;
}

/** @internal */
export const MOBILENET_V3_KEYS = optionKeys(
  ...CLASSIFIER_KEYS,
  'widthMult',
  'reducedTail',
  'dilated',
  'dropout',
);

/** @internal */
export const MOBILENET_V3_SMALL_KEYS = optionKeys(...MOBILENET_V3_KEYS, 'variant');

const norm = (channels: number) => new BatchNorm2d(channels, { eps: 0.001, momentum: 0.01 });
const relu = () => new ReLU();
const hardswish = () => new Hardswish();

/** A row of tables 1 and 2 of the paper: kernel, expanded and output channels, squeeze and excitation, activation, stride. */
type Row = readonly [
  kernel: number,
  expanded: number,
  out: number,
  squeeze: boolean,
  activation: 'RE' | 'HS',
  stride: number,
];

const LARGE: readonly Row[] = [
  [3, 16, 16, false, 'RE', 1],
  [3, 64, 24, false, 'RE', 2],
  [3, 72, 24, false, 'RE', 1],
  [5, 72, 40, true, 'RE', 2],
  [5, 120, 40, true, 'RE', 1],
  [5, 120, 40, true, 'RE', 1],
  [3, 240, 80, false, 'HS', 2],
  [3, 200, 80, false, 'HS', 1],
  [3, 184, 80, false, 'HS', 1],
  [3, 184, 80, false, 'HS', 1],
  [3, 480, 112, true, 'HS', 1],
  [3, 672, 112, true, 'HS', 1],
  [5, 672, 160, true, 'HS', 2],
  [5, 960, 160, true, 'HS', 1],
  [5, 960, 160, true, 'HS', 1],
];

const SMALL: readonly Row[] = [
  [3, 16, 16, true, 'RE', 2],
  [3, 72, 24, false, 'RE', 2],
  [3, 88, 24, false, 'RE', 1],
  [5, 96, 40, true, 'HS', 2],
  [5, 240, 40, true, 'HS', 1],
  [5, 240, 40, true, 'HS', 1],
  [5, 120, 48, true, 'HS', 1],
  [5, 144, 48, true, 'HS', 1],
  [5, 288, 96, true, 'HS', 2],
  [5, 576, 96, true, 'HS', 1],
  [5, 576, 96, true, 'HS', 1],
];

/** The fifth block has the stride of the fourth. */
const SMALL_PREPRINT: readonly Row[] = SMALL.map((row, i) => {
  const [kernel, expanded, out, squeeze, activation, stride] = row;
  return [kernel, expanded, out, squeeze, activation, i === 3 ? 1 : i === 4 ? 2 : stride];
});

/** The first block of the last stage is the third from the end; `reducedTail` and `dilated` apply from there. */
const TAIL = 3;

/** A block, with the channels that it has after scaling. */
interface BlockPlan {
  inChannels: number;
  kernel: number;
  expanded: number;
  outChannels: number;
  squeeze: boolean;
  activation: 'RE' | 'HS';
  stride: number;
  dilation: number;
}

/** 1x1 expansion, depthwise convolution, squeeze and excitation, 1x1 projection, with a shortcut if shapes agree. */
class InvertedResidual extends Module {
  readonly block: Sequential;
  readonly #shortcut: boolean;

  constructor(plan: BlockPlan) {
    super();
    const { inChannels, kernel, expanded, outChannels, squeeze, stride, dilation } = plan;
    const activation = plan.activation === 'HS' ? hardswish : relu;
    const layers: Module[] = [];
    if (expanded !== inChannels)
      layers.push(new ConvNormActivation(inChannels, expanded, { kernel: 1, norm, activation }));
    layers.push(
      new ConvNormActivation(expanded, expanded, {
        kernel,
        stride: dilation > 1 ? 1 : stride,
        dilation,
        groups: expanded,
        norm,
        activation,
      }),
    );
    if (squeeze) {
      const squeezed = makeDivisible(Math.floor(expanded / 4));
      layers.push(new SqueezeExcitation(expanded, squeezed, relu, () => new Hardsigmoid()));
    }
    layers.push(new ConvNormActivation(expanded, outChannels, { kernel: 1, norm, activation: null }));
    this.block = new Sequential(...layers);
    this.#shortcut = stride === 1 && inChannels === outChannels;
  }

  forward(input: Tensor): Tensor {
    const output = this.block.forward(input);
    return this.#shortcut ? output.add(input) : output;
  }
}

/** A MobileNetV3. [B, 3, H, W] -> logits [B, numClasses]; usually 224x224. */
export class MobileNetV3 extends Module {
  /** Convolutions, [B, 3, H, W] -> [B, C, H / 32, W / 32]. */
  readonly features: Sequential;
  /** Mean of all pixels. */
  readonly avgpool = new AdaptiveAvgPool2d(1);
  /** Two linear layers. */
  readonly classifier: Sequential;

  /** @internal Use {@link mobilenetV3Small} or {@link mobilenetV3Large}. */
  constructor(rows: readonly Row[], hidden: number, options: MobileNetV3Options) {
    super();
    const { numClasses, inChannels } = classifier(checkOptions(options, MOBILENET_V3_KEYS));
    const { widthMult = 1, reducedTail = false, dilated = false, dropout = 0.2 } = options;
    number('widthMult', widthMult, { min: Number.MIN_VALUE });
    const scale = (channels: number) => makeDivisible(channels * widthMult);
    const tail = reducedTail ? 2 : 1;
    let channels = scale(16);
    const layers: Module[] = [
      new ConvNormActivation(inChannels, channels, { stride: 2, norm, activation: hardswish }),
    ];
    for (const [i, [kernel, expanded, out, squeeze, activation, stride]] of rows.entries()) {
      const start = rows.length - TAIL;
      const outChannels = scale(i >= start ? out / tail : out);
      layers.push(
        new InvertedResidual({
          inChannels: channels,
          kernel,
          expanded: scale(i > start ? expanded / tail : expanded),
          outChannels,
          squeeze,
          activation,
          stride,
          dilation: dilated && i >= start ? 2 : 1,
        }),
      );
      channels = outChannels;
    }
    const last = 6 * channels;
    layers.push(new ConvNormActivation(channels, last, { kernel: 1, norm, activation: hardswish }));
    this.features = new Sequential(...layers);
    const units = scale(Math.floor(hidden / tail));
    this.classifier = new Sequential(
      new Linear(last, units),
      new Hardswish(),
      new Dropout(dropout),
      new Linear(units, numClasses),
    );
    initialise(this, { conv: kaimingFanOut, linear: smallNormal });
  }

  forward(input: Tensor): Tensor {
    return this.classifier.forward(this.avgpool.forward(this.features.forward(input)).flatten(1));
  }
}

/**
 * MobileNetV3-Large, 5,483,032 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.mobilenet_v3_large.html
 */
export function mobilenetV3Large(options: MobileNetV3Options = {}): MobileNetV3 {
  return new MobileNetV3(LARGE, 1280, options);
}

/**
 * MobileNetV3-Small, 2,542,856 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.mobilenet_v3_small.html
 * @example const model = models.mobilenetV3Small({ numClasses: 10, widthMult: 0.5 });
 */
export function mobilenetV3Small(options: MobileNetV3SmallOptions = {}): MobileNetV3 {
  const { variant = 'published', ...rest } = checkOptions(options, MOBILENET_V3_SMALL_KEYS);
  const isPublished = oneOf('variant', ['published', 'preprint'], variant) === 'published';
  return isPublished ? new MobileNetV3(SMALL, 1024, rest) : new MobileNetV3(SMALL_PREPRINT, 1280, rest);
}
