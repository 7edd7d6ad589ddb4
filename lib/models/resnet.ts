/**
 * ResNet, ResNeXt and Wide ResNet, as in torchvision: the stride of a bottleneck is in its 3x3 convolution (ResNet v1.5).
 * @see https://arxiv.org/abs/1512.03385
 * @see https://arxiv.org/abs/1611.05431
 * @see https://arxiv.org/abs/1605.07146
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { ReLU } from '../nn/activations.js';
import { zeros_ } from '../nn/init.js';
import { Conv2d, Linear } from '../nn/layers.js';
import { Module } from '../nn/module.js';
import { BatchNorm2d } from '../nn/norm.js';
import { normActivation } from '../nn/norm-activation.js';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/pool.js';
import { Sequential } from '../nn/simple.js';
import type { Tensor } from '../tensor/tensor.js';
import { initialise, kaimingFanOut } from './blocks/initialise.js';
import { CLASSIFIER_KEYS, type ClassifierOptions, classifier } from './blocks/options.js';

/** Options of the ResNets. */
export interface ResNetOptions extends ClassifierOptions {
  /** Start every residual block as an identity: the weight of its last batch norm is 0. Default false. */
  zeroInitResidual?: boolean | undefined;
  /** Groups of the 3x3 convolutions of bottlenecks. Default 1; 32 and 64 for the ResNeXts. */
  groups?: number | undefined;
  /** Channels of a group of the 3x3 convolutions at the first stage. Default 64; 128 for the Wide ResNets. */
  widthPerGroup?: number | undefined;
  /** Dilate the second, third or fourth stage instead of halving the resolution. Only for bottlenecks. Default [false, false, false]. */
  replaceStrideWithDilation?: readonly [boolean, boolean, boolean] | undefined;
}

/** @internal */
export const RESNET_KEYS = optionKeys(
  ...CLASSIFIER_KEYS,
  'zeroInitResidual',
  'groups',
  'widthPerGroup',
  'replaceStrideWithDilation',
);

/** The parts of a residual block. */
interface BlockPlan {
  inChannels: number;
  /** Channels of the 3x3 convolutions, before `widthPerGroup` and `groups`. */
  planes: number;
  stride: number;
  dilation: number;
  groups: number;
  widthPerGroup: number;
}

const conv1x1 = (inChannels: number, outChannels: number, stride = 1) =>
  new Conv2d(inChannels, outChannels, 1, { stride, bias: false });

/** The shortcut of a block that changes the shape; otherwise null. */
function shortcut(inChannels: number, outChannels: number, stride: number): Sequential | null {
  if (stride === 1 && inChannels === outChannels) return null;
  return new Sequential(conv1x1(inChannels, outChannels, stride), new BatchNorm2d(outChannels));
}

/** Two 3x3 convolutions and a shortcut. [B, I, H, W] -> [B, planes, H / stride, W / stride]. */
class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu = new ReLU();
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor({ inChannels, planes, stride, dilation, groups, widthPerGroup }: BlockPlan) {
    if (groups !== 1) throw invalidArgument('groups', '1 for a ResNet without bottlenecks', groups);
    if (widthPerGroup !== 64)
      throw invalidArgument('widthPerGroup', '64 for a ResNet without bottlenecks', widthPerGroup);
    if (dilation !== 1) {
      throw invalidArgument('replaceStrideWithDilation', 'only false for a ResNet without bottlenecks', true);
    }
    super();
    this.conv1 = new Conv2d(inChannels, planes, 3, { stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = new Conv2d(planes, planes, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(planes);
    this.downsample = shortcut(inChannels, planes, stride);
  }

  /** The batch norm before the sum. */
  get lastNorm(): BatchNorm2d {
    return this.bn2;
  }

  forward(input: Tensor): Tensor {
    const hidden = normActivation(this.bn1, this.relu, this.conv1.forward(input));
    const shortcut = () => this.downsample?.forward(input) ?? input;
    return normActivation(this.bn2, this.relu, this.conv2.forward(hidden), shortcut);
  }
}

/** 1x1, 3x3 and 1x1 convolutions and a shortcut. [B, I, H, W] -> [B, 4 planes, H / stride, W / stride]. */
class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly relu = new ReLU();
  readonly downsample: Sequential | null;

  constructor({ inChannels, planes, stride, dilation, groups, widthPerGroup }: BlockPlan) {
    super();
    const width = Math.floor((planes * widthPerGroup) / 64) * groups;
    const outChannels = planes * Bottleneck.expansion;
    this.conv1 = conv1x1(inChannels, width);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = new Conv2d(width, width, 3, { stride, padding: dilation, dilation, groups, bias: false });
    this.bn2 = new BatchNorm2d(width);
    this.conv3 = conv1x1(width, outChannels);
    this.bn3 = new BatchNorm2d(outChannels);
    this.downsample = shortcut(inChannels, outChannels, stride);
  }

  /** The batch norm before the sum. */
  get lastNorm(): BatchNorm2d {
    return this.bn3;
  }

  forward(input: Tensor): Tensor {
    const narrow = normActivation(this.bn1, this.relu, this.conv1.forward(input));
    const hidden = normActivation(this.bn2, this.relu, this.conv2.forward(narrow));
    const shortcut = () => this.downsample?.forward(input) ?? input;
    return normActivation(this.bn3, this.relu, this.conv3.forward(hidden), shortcut);
  }
}

/** The kind of block, and the number of blocks of the four stages. */
interface Architecture {
  block: typeof BasicBlock | typeof Bottleneck;
  depths: readonly [number, number, number, number];
  /** Defaults of the options. */
  groups?: number | undefined;
  widthPerGroup?: number | undefined;
}

/** A ResNet. [B, 3, H, W] -> logits [B, numClasses]; usually 224x224, any size above 32 pixels. */
export class ResNet extends Module {
  /** 7x7 convolution, stride 2. */
  readonly conv1: Conv2d;
  /** Batch norm of {@link conv1}. */
  readonly bn1 = new BatchNorm2d(64);
  /** Activation. */
  readonly relu = new ReLU();
  /** 3x3 pooling, stride 2. */
  readonly maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
  /** Stage 1, a quarter of the resolution. */
  readonly layer1: Sequential;
  /** Stage 2, an eighth. */
  readonly layer2: Sequential;
  /** Stage 3, a sixteenth. */
  readonly layer3: Sequential;
  /** Stage 4, a thirty-second. */
  readonly layer4: Sequential;
  /** Mean of all pixels. */
  readonly avgpool = new AdaptiveAvgPool2d(1);
  /** Features to logits. */
  readonly fc: Linear;

  /** @internal Use {@link resnet18} and the others. */
  constructor({ block, depths, ...defaults }: Architecture, options: ResNetOptions) {
    super();
    const { numClasses, inChannels } = classifier(checkOptions(options, RESNET_KEYS));
    const {
      zeroInitResidual = false,
      groups = defaults.groups ?? 1,
      widthPerGroup = defaults.widthPerGroup ?? 64,
      replaceStrideWithDilation: dilated = [false, false, false],
    } = options;
    if (!Array.isArray(dilated) || dilated.length !== 3)
      throw invalidArgument('replaceStrideWithDilation', 'three booleans', dilated);
    const plan = {
      groups: integer('groups', groups, 1),
      widthPerGroup: integer('widthPerGroup', widthPerGroup, 1),
    };
    const stages = stagesOf(block, depths, plan, [false, ...dilated]);
    this.conv1 = new Conv2d(inChannels, 64, 7, { stride: 2, padding: 3, bias: false });
    [this.layer1, this.layer2, this.layer3, this.layer4] = stages as [
      Sequential,
      Sequential,
      Sequential,
      Sequential,
    ];
    this.fc = new Linear(512 * block.expansion, numClasses);
    initialise(this, { conv: kaimingFanOut, linear: null });
    if (!zeroInitResidual) return;
    for (const module of this.modules()) {
      if (module instanceof BasicBlock || module instanceof Bottleneck) zeros_(module.lastNorm.weight!);
    }
  }

  forward(input: Tensor): Tensor {
    const stem = this.maxpool.forward(normActivation(this.bn1, this.relu, this.conv1.forward(input)));
    const features = this.layer4.forward(this.layer3.forward(this.layer2.forward(this.layer1.forward(stem))));
    return this.fc.forward(this.avgpool.forward(features).flatten(1));
  }
}

/** The four stages. @param dilated - Of each stage: dilate instead of halving the resolution. */
function stagesOf(
  Block: Architecture['block'],
  depths: Architecture['depths'],
  plan: Pick<RequiredOptions<ResNetOptions>, 'groups' | 'widthPerGroup'>,
  dilated: readonly boolean[],
): Sequential[] {
  let inChannels = 64;
  let dilation = 1;
  return depths.map((depth, stage) => {
    const planes = 64 << stage;
    const stride = stage === 0 || dilated[stage] ? 1 : 2;
    const first = { inChannels, planes, stride, dilation, ...plan };
    if (dilated[stage]) dilation *= 2;
    inChannels = planes * Block.expansion;
    const next = { inChannels, planes, stride: 1, dilation, ...plan };
    return new Sequential(...Array.from({ length: depth }, (_, i) => new Block(i === 0 ? first : next)));
  });
}

const basic = (...depths: Architecture['depths']): Architecture => ({ block: BasicBlock, depths });
const deep = (...depths: Architecture['depths']): Architecture => ({ block: Bottleneck, depths });

/**
 * ResNet-10: one basic block per stage, 5,418,792 parameters. Not in torchvision; the paper on dynamic convolution uses it.
 * @example const model = models.resnet10({ numClasses: 10 });
 */
export function resnet10(options: ResNetOptions = {}): ResNet {
  return new ResNet(basic(1, 1, 1, 1), options);
}

/**
 * ResNet-18, 11,689,512 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.resnet18.html
 * @example const model = models.resnet18({ numClasses: 10 });
 */
export function resnet18(options: ResNetOptions = {}): ResNet {
  return new ResNet(basic(2, 2, 2, 2), options);
}

/**
 * ResNet-34, 21,797,672 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.resnet34.html
 */
export function resnet34(options: ResNetOptions = {}): ResNet {
  return new ResNet(basic(3, 4, 6, 3), options);
}

/**
 * ResNet-50, 25,557,032 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.resnet50.html
 */
export function resnet50(options: ResNetOptions = {}): ResNet {
  return new ResNet(deep(3, 4, 6, 3), options);
}

/**
 * ResNet-101, 44,549,160 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.resnet101.html
 */
export function resnet101(options: ResNetOptions = {}): ResNet {
  return new ResNet(deep(3, 4, 23, 3), options);
}

/**
 * ResNet-152, 60,192,808 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.resnet152.html
 */
export function resnet152(options: ResNetOptions = {}): ResNet {
  return new ResNet(deep(3, 8, 36, 3), options);
}

/**
 * ResNeXt-50 32x4d, 25,028,904 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.resnext50_32x4d.html
 */
export function resnext50_32x4d(options: ResNetOptions = {}): ResNet {
  return new ResNet({ ...deep(3, 4, 6, 3), groups: 32, widthPerGroup: 4 }, options);
}

/**
 * ResNeXt-101 32x8d, 88,791,336 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.resnext101_32x8d.html
 */
export function resnext101_32x8d(options: ResNetOptions = {}): ResNet {
  return new ResNet({ ...deep(3, 4, 23, 3), groups: 32, widthPerGroup: 8 }, options);
}

/**
 * ResNeXt-101 64x4d, 83,455,272 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.resnext101_64x4d.html
 */
export function resnext101_64x4d(options: ResNetOptions = {}): ResNet {
  return new ResNet({ ...deep(3, 4, 23, 3), groups: 64, widthPerGroup: 4 }, options);
}

/**
 * Wide ResNet-50-2, 68,883,240 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.wide_resnet50_2.html
 */
export function wideResnet50_2(options: ResNetOptions = {}): ResNet {
  return new ResNet({ ...deep(3, 4, 6, 3), widthPerGroup: 128 }, options);
}

/**
 * Wide ResNet-101-2, 126,886,696 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.wide_resnet101_2.html
 */
export function wideResnet101_2(options: ResNetOptions = {}): ResNet {
  return new ResNet({ ...deep(3, 4, 23, 3), widthPerGroup: 128 }, options);
}
