/**
 * DenseNet, as in torchvision.
 * @see https://arxiv.org/abs/1608.06993
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { ReLU } from '../nn/activations.js';
import { kaimingNormal_, zeros_ } from '../nn/init.js';
import { Conv2d, Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BatchNorm2d } from '../nn/norm.js';
import { normActivation } from '../nn/norm-activation.js';
import { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from '../nn/pool.js';
import { Dropout } from '../nn/simple.js';
import { cat } from '../tensor/join.js';
import type { Tensor } from '../tensor/tensor.js';
import { initialise } from './blocks/initialise.js';
import { NamedSequential } from './blocks/named-sequential.js';
import { CLASSIFIER_KEYS, type ClassifierOptions, classifier } from './blocks/options.js';

/** Options of {@link densenet121}. */
export interface DenseNetOptions extends ClassifierOptions {
  /** The 1x1 convolutions have bnSize times the channels that a layer adds. Default 4. */
  bnSize?: number | undefined;
  /** Dropout after every layer. Default 0. */
  dropRate?: number | undefined;
}

/** @internal */
export const DENSENET_KEYS = optionKeys(...CLASSIFIER_KEYS, 'bnSize', 'dropRate');

/** Batch norm, ReLU and convolution, twice: 1x1, then 3x3. [B, I, H, W] -> [B, growth, H, W]. */
class DenseLayer extends Module {
  readonly norm1: BatchNorm2d;
  readonly relu1 = new ReLU();
  readonly conv1: Conv2d;
  readonly norm2: BatchNorm2d;
  readonly relu2 = new ReLU();
  readonly conv2: Conv2d;
  readonly #dropout: Dropout;

  constructor(inChannels: number, growth: number, bnSize: number, dropRate: number) {
    super();
    const hidden = bnSize * growth;
    this.norm1 = new BatchNorm2d(inChannels);
    this.conv1 = new Conv2d(inChannels, hidden, 1, { bias: false });
    this.norm2 = new BatchNorm2d(hidden);
    this.conv2 = new Conv2d(hidden, growth, 3, { padding: 1, bias: false });
    this.#dropout = new Dropout(dropRate);
  }

  forward(input: Tensor): Tensor {
    const hidden = this.conv1.forward(normActivation(this.norm1, this.relu1, input));
    const output = this.conv2.forward(normActivation(this.norm2, this.relu2, hidden));
    // A private field is not found by train() and eval().
    this.#dropout.training = this.training;
    return this.#dropout.p === 0 ? output : this.#dropout.forward(output);
  }
}

/** Layers whose inputs are the results of all layers before, `denselayer1.*` and so on. */
class DenseBlock extends NamedSequential {
  override forward(input: Tensor): Tensor {
    const features = [input];
    for (const [, layer] of this.namedChildren())
      features.push((layer as unknown as Module).forward(cat(features, { dim: 1 })));
    return cat(features, { dim: 1 });
  }
}

/** A DenseNet. [B, 3, H, W] -> logits [B, numClasses]; usually 224x224, at least 32x32. */
export class DenseNet extends Module {
  /** Convolutions, [B, 3, H, W] -> [B, C, H / 32, W / 32]. */
  readonly features: NamedSequential;
  /** Features to logits. */
  readonly classifier: Linear;
  readonly #relu = new ReLU();
  readonly #pool = new AdaptiveAvgPool2d(1);

  /** @internal Use {@link densenet121}. */
  constructor(growth: number, depths: readonly number[], first: number, options: DenseNetOptions) {
    super();
    const { numClasses, inChannels } = classifier(checkOptions(options, DENSENET_KEYS));
    const { bnSize = 4, dropRate = 0 } = options;
    integer('bnSize', bnSize, 1);
    const layers: Record<string, Module> = {
      conv0: new Conv2d(inChannels, first, 7, { stride: 2, padding: 3, bias: false }),
      norm0: new BatchNorm2d(first),
      relu0: new ReLU(),
      pool0: new MaxPool2d(3, { stride: 2, padding: 1 }),
    };
    let channels = first;
    for (const [i, depth] of depths.entries()) {
      const block = Array.from({ length: depth }, (_, n) => [
        `denselayer${n + 1}`,
        new DenseLayer(channels + n * growth, growth, bnSize, dropRate),
      ]);
      layers[`denseblock${i + 1}`] = new DenseBlock(Object.fromEntries(block) as Record<string, Module>);
      channels += depth * growth;
      if (i === depths.length - 1) break;
      const half = Math.floor(channels / 2);
      layers[`transition${i + 1}`] = new NamedSequential({
        norm: new BatchNorm2d(channels),
        relu: new ReLU(),
        conv: new Conv2d(channels, half, 1, { bias: false }),
        pool: new AvgPool2d(2, { stride: 2 }),
      });
      channels = half;
    }
    layers.norm5 = new BatchNorm2d(channels);
    this.features = new NamedSequential(layers);
    this.classifier = new Linear(channels, numClasses);
    initialise(this, { conv: (weight) => kaimingNormal_(weight), linear: null });
    zeros_(this.classifier.bias!);
  }

  forward(input: Tensor): Tensor {
    const features = this.#relu.forward(this.features.forward(input));
    return this.classifier.forward(this.#pool.forward(features).flatten(1));
  }
}

/**
 * DenseNet-121, 7,978,856 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.densenet121.html
 */
export function densenet121(options: DenseNetOptions = {}): DenseNet {
  return new DenseNet(32, [6, 12, 24, 16], 64, options);
}
