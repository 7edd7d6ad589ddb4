/**
 * ConvNeXt, as in torchvision.
 * @see https://arxiv.org/abs/2201.03545
 * @module
 */
import { number } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { GELU } from '../nn/activations.js';
import { truncNormal_ } from '../nn/init.js';
import { Conv2d, Linear } from '../nn/layers.js';
import { Module, Parameter } from '../nn/module.js';
import { LayerNorm } from '../nn/norm.js';
import { AdaptiveAvgPool2d } from '../nn/pool.js';
import { Flatten, Sequential } from '../nn/simple.js';
import { full } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { initialise } from './blocks/initialise.js';
import { CLASSIFIER_KEYS, type ClassifierOptions, classifier } from './blocks/options.js';
import { StochasticDepth } from './blocks/stochastic-depth.js';

/** Options of {@link convnextTiny}. */
export interface ConvNeXtOptions extends ClassifierOptions {
  /** Probability that the last block is skipped for an image while training; it grows linearly from 0 at the first. Default 0.1. */
  stochasticDepthProb?: number | undefined;
  /** Initial factor on the result of every block, one per channel. Default 1e-6. */
  layerScale?: number | undefined;
}

/** @internal */
export const CONVNEXT_KEYS = optionKeys(...CLASSIFIER_KEYS, 'stochasticDepthProb', 'layerScale');

const EPS = 1e-6;

/** Channels and number of blocks of a stage. */
type Stage = readonly [channels: number, blocks: number];

/** Moves the channels to another dimension. */
class Permute extends Module {
  readonly #dims: readonly number[];
  constructor(dims: readonly number[]) {
    super();
    this.#dims = dims;
  }
  forward(input: Tensor): Tensor {
    return input.permute(this.#dims);
  }
  protected override extraRepr(): string {
    return `[${this.#dims.join(', ')}]`;
  }
}

const CHANNELS_LAST = [0, 2, 3, 1];
const CHANNELS_FIRST = [0, 3, 1, 2];

/** Normalizes the channels of every pixel, [B, C, H, W] -> same. */
class LayerNorm2d extends LayerNorm {
  override forward(input: Tensor): Tensor {
    return super.forward(input.permute(CHANNELS_LAST)).permute(CHANNELS_FIRST);
  }
}

/** Depthwise 7x7 convolution, layer norm, and two linear layers of all channels, with a shortcut. */
class CNBlock extends Module {
  /** [C, 1, 1]. */
  readonly layerScale: Parameter;
  readonly block: Sequential;
  readonly stochasticDepth: StochasticDepth;

  constructor(channels: number, layerScale: number, skipProb: number) {
    super();
    this.block = new Sequential(
      new Conv2d(channels, channels, 7, { padding: 3, groups: channels }),
      new Permute(CHANNELS_LAST),
      new LayerNorm(channels, { eps: EPS }),
      new Linear(channels, 4 * channels),
      new GELU(),
      new Linear(4 * channels, channels),
      new Permute(CHANNELS_FIRST),
    );
    this.layerScale = new Parameter(full([channels, 1, 1], layerScale));
    this.stochasticDepth = new StochasticDepth(skipProb);
  }

  forward(input: Tensor): Tensor {
    const result = this.layerScale.mul(this.block.forward(input));
    return this.stochasticDepth.forward(result).add(input);
  }
}

/** A ConvNeXt. [B, 3, H, W] -> logits [B, numClasses]; usually 224x224, at least 32x32. */
export class ConvNeXt extends Module {
  /** Convolutions, [B, 3, H, W] -> [B, C, H / 32, W / 32]. */
  readonly features: Sequential;
  /** Mean of all pixels. */
  readonly avgpool = new AdaptiveAvgPool2d(1);
  /** Layer norm and a linear layer. */
  readonly classifier: Sequential;

  /** @internal Use {@link convnextTiny}. */
  constructor(stages: readonly Stage[], options: ConvNeXtOptions) {
    super();
    const { numClasses, inChannels } = classifier(checkOptions(options, CONVNEXT_KEYS));
    const { stochasticDepthProb = 0.1, layerScale = 1e-6 } = options;
    number('stochasticDepthProb', stochasticDepthProb, { min: 0, max: 1 });
    number('layerScale', layerScale);
    const last = stages.reduce((sum, [, blocks]) => sum + blocks, -1);
    const first = stages[0]![0];
    const layers: Module[] = [
      new Sequential(new Conv2d(inChannels, first, 4, { stride: 4 }), new LayerNorm2d(first, { eps: EPS })),
    ];
    let made = 0;
    for (const [i, [channels, blocks]] of stages.entries()) {
      const stage = Array.from(
        { length: blocks },
        () => new CNBlock(channels, layerScale, (stochasticDepthProb * made++) / last),
      );
      layers.push(new Sequential(...stage));
      const next = stages[i + 1]?.[0];
      if (next === undefined) continue;
      const halve = new Conv2d(channels, next, 2, { stride: 2 });
      layers.push(new Sequential(new LayerNorm2d(channels, { eps: EPS }), halve));
    }
    this.features = new Sequential(...layers);
    const features = stages.at(-1)![0];
    this.classifier = new Sequential(
      new LayerNorm2d(features, { eps: EPS }),
      new Flatten(1),
      new Linear(features, numClasses),
    );
    const fill = (weight: Tensor) => truncNormal_(weight, { std: 0.02 });
    initialise(this, { conv: fill, linear: fill });
  }

  forward(input: Tensor): Tensor {
    return this.classifier.forward(this.avgpool.forward(this.features.forward(input)));
  }
}

/**
 * ConvNeXt-Tiny, 28,589,128 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.convnext_tiny.html
 */
export function convnextTiny(options: ConvNeXtOptions = {}): ConvNeXt {
  const stages: Stage[] = [
    [96, 3],
    [192, 3],
    [384, 9],
    [768, 3],
  ];
  return new ConvNeXt(stages, options);
}
