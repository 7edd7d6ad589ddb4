/**
 * Vision Transformer, as in torchvision.
 * @see https://arxiv.org/abs/2010.11929
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { GELU, Tanh } from '../nn/activations.js';
import { MultiheadAttention } from '../nn/attention.js';
import { normal_, truncNormal_, xavierUniform_, zeros_ } from '../nn/init.js';
import { Conv2d, Linear } from '../nn/layers.js';
import { Module, Parameter } from '../nn/module.js';
import { LayerNorm } from '../nn/norm.js';
import { Dropout, Sequential } from '../nn/simple.js';
import { checkShape } from '../tensor/check.js';
import { empty, zeros } from '../tensor/create.js';
import { cat } from '../tensor/join.js';
import type { Tensor } from '../tensor/tensor.js';
import { NamedSequential } from './blocks/named-sequential.js';
import { CLASSIFIER_KEYS, type ClassifierOptions, classifier } from './blocks/options.js';

/** Options of {@link vitB_16}. */
export interface VisionTransformerOptions extends ClassifierOptions {
  /** Height and width of the images in pixels, a multiple of patchSize. The positions are learned for this size. Default 224. */
  imageSize?: number | undefined;
  /** Height and width of a patch in pixels. Default 16, with which the published weights were trained. */
  patchSize?: number | undefined;
  /** Dropout of patches and of the results of attention and linear layers. Default 0. */
  dropout?: number | undefined;
  /** Dropout of attention weights. Default 0. */
  attentionDropout?: number | undefined;
  /** Units of a hidden layer with tanh before the last one; null for none. Default null. */
  representationSize?: number | null | undefined;
}

/** @internal */
export const VIT_KEYS = optionKeys(
  ...CLASSIFIER_KEYS,
  'imageSize',
  'patchSize',
  'dropout',
  'attentionDropout',
  'representationSize',
);

/** Sizes of a variant. */
interface Size {
  readonly numLayers: number;
  readonly numHeads: number;
  /** Features of a patch. */
  readonly hiddenDim: number;
  /** Hidden units of the linear layers of a block. */
  readonly mlpDim: number;
}

const EPS = 1e-6;

/** Self-attention, then two linear layers, each after a layer norm and with a shortcut. [B, S, E] -> same. */
class EncoderBlock extends Module {
  static override readonly stateKeys = { ln1: 'ln_1', ln2: 'ln_2' };
  readonly ln1: LayerNorm;
  readonly selfAttention: MultiheadAttention;
  readonly dropout: Dropout;
  readonly ln2: LayerNorm;
  readonly mlp: Sequential;

  constructor({ numHeads, hiddenDim, mlpDim }: Size, dropout: number, attentionDropout: number) {
    super();
    this.ln1 = new LayerNorm(hiddenDim, { eps: EPS });
    this.selfAttention = new MultiheadAttention(hiddenDim, numHeads, {
      dropout: attentionDropout,
      batchFirst: true,
    });
    this.dropout = new Dropout(dropout);
    this.ln2 = new LayerNorm(hiddenDim, { eps: EPS });
    const [expand, reduce] = [new Linear(hiddenDim, mlpDim), new Linear(mlpDim, hiddenDim)];
    this.mlp = new Sequential(expand, new GELU(), new Dropout(dropout), reduce, new Dropout(dropout));
    for (const { weight, bias } of [expand, reduce]) {
      xavierUniform_(weight);
      normal_(bias!, { std: 1e-6 });
    }
  }

  forward(input: Tensor): Tensor {
    const normed = this.ln1.forward(input);
    const [attended] = this.selfAttention.forward(normed, normed, normed, { needWeights: false });
    const x = this.dropout.forward(attended).add(input);
    return x.add(this.mlp.forward(this.ln2.forward(x)));
  }
}

/** Positions, blocks and a layer norm. [B, S, E] -> same. */
class Encoder extends Module {
  /** [1, S, E]. */
  readonly posEmbedding: Parameter;
  readonly dropout: Dropout;
  readonly layers: NamedSequential;
  readonly ln: LayerNorm;

  constructor(length: number, size: Size, dropout: number, attentionDropout: number) {
    super();
    this.posEmbedding = new Parameter(normal_(empty([1, length, size.hiddenDim]), { std: 0.02 }));
    this.dropout = new Dropout(dropout);
    const layers = Array.from({ length: size.numLayers }, (_, i) => [
      `encoder_layer_${i}`,
      new EncoderBlock(size, dropout, attentionDropout),
    ]);
    this.layers = new NamedSequential(Object.fromEntries(layers) as Record<string, Module>);
    this.ln = new LayerNorm(size.hiddenDim, { eps: EPS });
  }

  forward(input: Tensor): Tensor {
    return this.ln.forward(this.layers.forward(this.dropout.forward(input.add(this.posEmbedding))));
  }
}

/** The last layer, which starts at zero, behind a hidden one with tanh if `hidden` is given. */
function headsOf(inputs: number, hidden: number | null, numClasses: number): NamedSequential {
  const head = new Linear(hidden ?? inputs, numClasses);
  zeros_(head.weight);
  zeros_(head.bias!);
  if (hidden === null) return new NamedSequential({ head });
  const preLogits = new Linear(inputs, hidden);
  truncNormal_(preLogits.weight, { std: Math.sqrt(1 / inputs) });
  zeros_(preLogits.bias!);
  return new NamedSequential({ pre_logits: preLogits, act: new Tanh(), head });
}

/** A Vision Transformer. [B, 3, imageSize, imageSize] -> logits [B, numClasses]. */
export class VisionTransformer extends Module {
  /** [1, 1, E], the first element of every sequence, from whose output the logits are computed. */
  readonly classToken: Parameter;
  /** Patches to features. */
  readonly convProj: Conv2d;
  /** Positions and blocks. */
  readonly encoder: Module;
  /** Features to logits. */
  readonly heads: NamedSequential;
  /** Height and width of the images in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch in pixels. */
  readonly patchSize: number;

  /** @internal Use {@link vitB_16}. */
  constructor(size: Size, options: VisionTransformerOptions) {
    super();
    const { numClasses, inChannels } = classifier(checkOptions(options, VIT_KEYS));
    const { imageSize = 224, patchSize = 16, dropout = 0, attentionDropout = 0 } = options;
    const { representationSize = null } = options;
    this.patchSize = integer('patchSize', patchSize, 1);
    if (!Number.isInteger(imageSize) || imageSize < 1 || imageSize % patchSize !== 0)
      throw invalidArgument('imageSize', `a multiple of patchSize ${patchSize}`, imageSize);
    this.imageSize = imageSize;
    if (representationSize !== null) integer('representationSize', representationSize, 1);
    const { hiddenDim } = size;
    this.classToken = new Parameter(zeros([1, 1, hiddenDim]));
    this.convProj = new Conv2d(inChannels, hiddenDim, patchSize, { stride: patchSize });
    truncNormal_(this.convProj.weight, { std: Math.sqrt(1 / (inChannels * patchSize ** 2)) });
    zeros_(this.convProj.bias!);
    const patches = (imageSize / patchSize) ** 2;
    this.encoder = new Encoder(patches + 1, size, dropout, attentionDropout);
    this.heads = headsOf(hiddenDim, representationSize, numClasses);
  }

  /** @throws ShapeError for images of another size. */
  forward(input: Tensor): Tensor {
    const shape = checkShape('input', input);
    const { imageSize, classToken } = this;
    if (shape.length !== 4 || shape[2] !== imageSize || shape[3] !== imageSize) {
      throw new ShapeError(
        `Expected shape [B, ${this.convProj.inChannels}, ${imageSize}, ${imageSize}] for input but received [${shape.join(', ')}]`,
      );
    }
    const patches = this.convProj.forward(input).flatten(2).transpose(1, 2);
    const tokens = classToken.expand([shape[0]!, 1, classToken.shape[2]!]);
    const encoded = this.encoder.forward(cat([tokens, patches], { dim: 1 }));
    return this.heads.forward(encoded.select(1, 0));
  }
}

/**
 * ViT-B/16, 86,567,656 parameters.
 * @see https://pytorch.org/vision/stable/models/generated/torchvision.models.vit_b_16.html
 * @example const model = models.vitB_16({ numClasses: 10, imageSize: 32, patchSize: 4 });
 */
export function vitB_16(options: VisionTransformerOptions = {}): VisionTransformer {
  return new VisionTransformer({ numLayers: 12, numHeads: 12, hiddenDim: 768, mlpDim: 3072 }, options);
}
