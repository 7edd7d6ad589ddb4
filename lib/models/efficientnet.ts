/**
 * EfficientNet-B0, as in torchvision.
 * @see https://arxiv.org/abs/1905.11946
 * @module
 */
import { number } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { Sigmoid, SiLU } from '../nn/activations.js';
import { uniform_ } from '../nn/init.js';
import { Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { AdaptiveAvgPool2d } from '../nn/pool.js';
import { Dropout, Sequential } from '../nn/simple.js';
import type { Tensor } from '../tensor/tensor.js';
import { ConvNormActivation } from './blocks/conv-norm.js';
import { initialise, kaimingFanOut } from './blocks/initialise.js';
import { CLASSIFIER_KEYS, type ClassifierOptions, classifier } from './blocks/options.js';
import { SqueezeExcitation } from './blocks/squeeze-excitation.js';
import { StochasticDepth } from './blocks/stochastic-depth.js';

/** Options of {@link efficientnetB0}. */
export interface EfficientNetOptions extends ClassifierOptions {
  /** Dropout before the last layer. Default 0.2. */
  dropout?: number | undefined;
  /** Probability that the last block is skipped for an image while training; it grows linearly from 0 at the first. Default 0.2. */
  stochasticDepthProb?: number | undefined;
}

/** @internal */
export const EFFICIENTNET_KEYS = optionKeys(...CLASSIFIER_KEYS, 'dropout', 'stochasticDepthProb');

const silu = () => new SiLU();

/** Table 1 of the paper: expansion, kernel, stride, input and output channels, number of blocks. */
const STAGES = [
  [1, 3, 1, 32, 16, 1],
  [6, 3, 2, 16, 24, 2],
  [6, 5, 2, 24, 40, 2],
  [6, 3, 2, 40, 80, 3],
  [6, 5, 1, 80, 112, 3],
  [6, 5, 2, 112, 192, 4],
  [6, 3, 1, 192, 320, 1],
] as const;

/** 1x1 expansion, depthwise convolution, squeeze and excitation, 1x1 projection, with a shortcut if shapes agree. */
class MBConv extends Module {
  readonly block: Sequential;
  readonly #shortcut: boolean;
  readonly stochasticDepth: StochasticDepth;

  constructor(
    inChannels: number,
    outChannels: number,
    plan: { expansion: number; kernel: number; stride: number; skipProb: number },
  ) {
    super();
    const { expansion, kernel, stride, skipProb } = plan;
    const hidden = inChannels * expansion;
    this.block = new Sequential(
      ...(expansion === 1
        ? []
        : [new ConvNormActivation(inChannels, hidden, { kernel: 1, activation: silu })]),
      new ConvNormActivation(hidden, hidden, { kernel, stride, groups: hidden, activation: silu }),
      new SqueezeExcitation(hidden, Math.max(1, Math.floor(inChannels / 4)), silu, () => new Sigmoid()),
      new ConvNormActivation(hidden, outChannels, { kernel: 1, activation: null }),
    );
    this.#shortcut = stride === 1 && inChannels === outChannels;
    this.stochasticDepth = new StochasticDepth(skipProb);
  }

  forward(input: Tensor): Tensor {
    const output = this.block.forward(input);
    return this.#shortcut ? this.stochasticDepth.forward(output).add(input) : output;
  }
}

/** An EfficientNet. [B, 3, H, W] -> logits [B, numClasses]; usually 224x224. */
export class EfficientNet extends Module {
  /** Convolutions, [B, 3, H, W] -> [B, 1280, H / 32, W / 32]. */
  readonly features: Sequential;
  /** Mean of all pixels. */
  readonly avgpool = new AdaptiveAvgPool2d(1);
  /** Dropout and a linear layer. */
  readonly classifier: Sequential;

  /** @internal Use {@link efficientnetB0}. */
  constructor(options: EfficientNetOptions) {
    super();
    const { numClasses, inChannels } = classifier(checkOptions(options, EFFICIENTNET_KEYS));
    const { dropout = 0.2, stochasticDepthProb = 0.2 } = options;
    number('stochasticDepthProb', stochasticDepthProb, { min: 0, max: 1 });
    const count = STAGES.reduce((sum, [, , , , , blocks]) => sum + blocks, 0);
    const layers: Module[] = [new ConvNormActivation(inChannels, 32, { stride: 2, activation: silu })];
    let made = 0;
    for (const [expansion, kernel, stride, input, out, blocks] of STAGES) {
      const stage = Array.from({ length: blocks }, (_, i) => {
        const skipProb = (stochasticDepthProb * made++) / count;
        return new MBConv(i === 0 ? input : out, out, {
          expansion,
          kernel,
          stride: i === 0 ? stride : 1,
          skipProb,
        });
      });
      layers.push(new Sequential(...stage));
    }
    layers.push(new ConvNormActivation(320, 1280, { kernel: 1, activation: silu }));
    this.features = new Sequential(...layers);
    this.classifier = new Sequential(new Dropout(dropout), new Linear(1280, numClasses));
    const range = 1 / Math.sqrt(numClasses);
    initialise(this, {
      conv: kaimingFanOut,
      linear: (weight) => uniform_(weight, { low: -range, high: range }),
    });
  }

  forward(input: Tensor): Tensor {
    return this.classifier.forward(this.avgpool.forward(this.features.forward(input)).flatten(1));
  }
}

/**
 * EfficientNet-B0, 5,288,548 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.efficientnet_b0.html
 */
export function efficientnetB0(options: EfficientNetOptions = {}): EfficientNet {
  return new EfficientNet(options);
}
