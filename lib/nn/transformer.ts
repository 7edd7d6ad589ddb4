/**
 * Encoder layers of transformers.
 * @module
 */
import { boolean, integer, number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { gelu, relu } from '../ops/activation.js';
import { checkTensor } from '../tensor/check.js';
import { noGrad } from '../tensor/context.js';
import type { Tensor } from '../tensor/tensor.js';
import { MultiheadAttention } from './attention.js';
import { ModuleList } from './containers.js';
import { FACTORY_KEYS, type FactoryOptions, Linear } from './layers.js';
import { checkModule, Module } from './module.js';
import { LayerNorm } from './norm.js';
import { Dropout } from './simple.js';

/** Options of {@link TransformerEncoderLayer}. */
export interface TransformerEncoderLayerOptions extends FactoryOptions {
  /** Hidden units of the two linear layers. Default 2048. */
  dimFeedforward?: number | undefined;
  /** Probability of the four dropouts: of attention weights, hidden units, and of both results that are added to the input. Default 0.1. */
  dropout?: number | undefined;
  /** Between the linear layers. Default `'relu'`. */
  activation?: 'relu' | 'gelu' | ((input: Tensor) => Tensor) | undefined;
  /** Added to the variances. Default 1e-5. */
  layerNormEps?: number | undefined;
  /** Input and output are [N, L, E] instead of [L, N, E]. Default false. */
  batchFirst?: boolean | undefined;
  /** Normalize before attention and linear layers instead of after them. Default false. */
  normFirst?: boolean | undefined;
  /** Learn biases of linear layers and norms. Default true. */
  bias?: boolean | undefined;
}

const ENCODER_LAYER_KEYS = optionKeys(
  ...FACTORY_KEYS,
  'dimFeedforward',
  'dropout',
  'activation',
  'layerNormEps',
  'batchFirst',
  'normFirst',
  'bias',
);

/** Options of {@link TransformerEncoderLayer.forward}. */
export interface EncoderLayerForwardOptions {
  /** [L, L] or [N nhead, L, L]: bool, true for pairs that are ignored; or floating-point, added to the scores. Default: none. */
  srcMask?: Tensor | null | undefined;
  /** [N, L], of unbatched input [L]: bool, true for places that are ignored; or floating-point. Default: none. */
  srcKeyPaddingMask?: Tensor | null | undefined;
  /** States that `srcMask`, which is required then, is the causal mask. Default false. */
  isCausal?: boolean | undefined;
}

const LAYER_FORWARD_KEYS = optionKeys('srcMask', 'srcKeyPaddingMask', 'isCausal');

const ACTIVATIONS = { relu, gelu };

/**
 * Self-attention and two linear layers, each with a residual connection and a layer norm. State keys: `self_attn.*`,
 * `linear1.*`, `linear2.*`, `norm1.*`, `norm2.*`.
 * @see https://arxiv.org/abs/1706.03762; https://pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html
 * @example
 * const layer = new nn.TransformerEncoderLayer(64, 4, { dimFeedforward: 128, batchFirst: true });
 * const y = layer.forward(randn([2, 10, 64])); // [2, 10, 64]
 */
export class TransformerEncoderLayer extends Module<[Tensor, EncoderLayerForwardOptions?], Tensor> {
  /** Attention of each position to all positions. */
  readonly selfAttn: MultiheadAttention;
  /** Maps the input to the hidden units. */
  readonly linear1: Linear;
  /** Dropout of the hidden units. */
  readonly dropout: Dropout;
  /** Maps the hidden units to the output. */
  readonly linear2: Linear;
  /** Normalization of the attention block. */
  readonly norm1: LayerNorm;
  /** Normalization of the linear layers. */
  readonly norm2: LayerNorm;
  /** Dropout of the result of the attention. */
  readonly dropout1: Dropout;
  /** Dropout of the result of the linear layers. */
  readonly dropout2: Dropout;
  /** The options of the constructor, with their defaults. */
  readonly options: Readonly<RequiredOptions<Omit<TransformerEncoderLayerOptions, 'device' | 'dtype'>>>;

  /** @param dModel - E: features of input and output. @param nhead - Number of heads of the attention. */
  constructor(dModel: number, nhead: number, options: TransformerEncoderLayerOptions = {}) {
    super();
    const { device, dtype, ...own } = checkOptions(options, ENCODER_LAYER_KEYS);
    const { dimFeedforward = 2048, dropout = 0.1, activation = 'relu', layerNormEps = 1e-5 } = own;
    const { batchFirst = false, normFirst = false, bias = true } = own;
    integer('dModel', dModel, 1);
    integer('nhead', nhead, 1);
    if (dModel % nhead !== 0) throw invalidArgument('nhead', `a divisor of dModel ${dModel}`, nhead);
    integer('dimFeedforward', dimFeedforward, 1);
    number('layerNormEps', layerNormEps, { min: 0 });
    boolean('normFirst', normFirst);
    if (typeof activation !== 'function') oneOf('activation', ['relu', 'gelu'], activation);
    this.options = Object.freeze({
      ...{ dimFeedforward, dropout, activation, layerNormEps },
      ...{ batchFirst, normFirst, bias },
    });
    const factory = { device, dtype };
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst, ...factory });
    this.linear1 = new Linear(dModel, dimFeedforward, { bias, ...factory });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias, ...factory });
    this.norm1 = new LayerNorm(dModel, { eps: layerNormEps, bias, ...factory });
    this.norm2 = new LayerNorm(dModel, { eps: layerNormEps, bias, ...factory });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
  }

  /** @param src - [L, N, E], with batchFirst [N, L, E], or unbatched [L, E]. @returns The same shape. */
  forward(src: Tensor, options: EncoderLayerForwardOptions = {}): Tensor {
    checkTensor('src', src);
    checkOptions(options, LAYER_FORWARD_KEYS);
    if (this.options.normFirst) {
      const x = src.add(this.#attend(this.norm1.forward(src), options));
      return x.add(this.#feed(this.norm2.forward(x)));
    }
    const x = this.norm1.forward(src.add(this.#attend(src, options)));
    return this.norm2.forward(x.add(this.#feed(x)));
  }

  #attend(x: Tensor, { srcMask, srcKeyPaddingMask, isCausal }: EncoderLayerForwardOptions): Tensor {
    const options = { attnMask: srcMask, keyPaddingMask: srcKeyPaddingMask, isCausal };
    const [attended] = this.selfAttn.forward(x, x, x, { ...options, needWeights: false });
    return this.dropout1.forward(attended);
  }

  #feed(x: Tensor): Tensor {
    const { activation } = this.options;
    const activate = typeof activation === 'function' ? activation : ACTIVATIONS[activation];
    const hidden = this.dropout.forward(activate(this.linear1.forward(x)));
    return this.dropout2.forward(this.linear2.forward(hidden));
  }

  protected override extraRepr(): string {
    const { activation, normFirst } = this.options;
    const name = typeof activation === 'function' ? activation.name || 'a function' : activation;
    return `activation=${name}, normFirst=${normFirst}`;
  }
}

/** Options of {@link TransformerEncoder}. */
export interface TransformerEncoderOptions {
  /** A norm of the output. Default: none. */
  norm?: Module | null | undefined;
}

const ENCODER_KEYS = optionKeys('norm');

/** Options of {@link TransformerEncoder.forward}. */
export interface EncoderForwardOptions {
  /** {@link EncoderLayerForwardOptions.srcMask} of every layer. */
  mask?: Tensor | null | undefined;
  /** {@link EncoderLayerForwardOptions.srcKeyPaddingMask} of every layer. */
  srcKeyPaddingMask?: Tensor | null | undefined;
  /** {@link EncoderLayerForwardOptions.isCausal} of every layer. Default false; a mask is not compared with the causal one, as PyTorch does. */
  isCausal?: boolean | undefined;
}

const ENCODER_FORWARD_KEYS = optionKeys('mask', 'srcKeyPaddingMask', 'isCausal');

/**
 * Encoder layers one after another. State keys: `layers.0.*`, `layers.1.*` ..., `norm.*`.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html
 * @example
 * const layer = new nn.TransformerEncoderLayer(64, 4, { batchFirst: true });
 * const encoder = new nn.TransformerEncoder(layer, 6, { norm: new nn.LayerNorm(64) });
 */
export class TransformerEncoder extends Module<[Tensor, EncoderForwardOptions?], Tensor> {
  /** The layers, in their order. */
  readonly layers: ModuleList<TransformerEncoderLayer>;
  /** The norm of the output, or null. */
  readonly norm: Module | null;

  /**
   * @param encoderLayer - A layer that is copied `numLayers` times: all start from its weights, as in PyTorch. It does not become
   *   part of the encoder.
   */
  constructor(
    encoderLayer: TransformerEncoderLayer,
    numLayers: number,
    options: TransformerEncoderOptions = {},
  ) {
    super();
    const { norm = null } = checkOptions(options, ENCODER_KEYS);
    const plain = (encoderLayer as unknown) instanceof TransformerEncoderLayer;
    if (!plain || encoderLayer.constructor !== TransformerEncoderLayer)
      throw invalidArgument(
        'encoderLayer',
        'a TransformerEncoderLayer itself, not of a subclass',
        encoderLayer,
      );
    integer('numLayers', numLayers, 1);
    this.layers = new ModuleList(Array.from({ length: numLayers }, () => copyOf(encoderLayer)));
    this.norm = norm === null ? null : checkModule('norm', norm);
  }

  /** @param src - [L, N, E], with batchFirst [N, L, E], or unbatched [L, E]. @returns The same shape. */
  forward(src: Tensor, options: EncoderForwardOptions = {}): Tensor {
    checkTensor('src', src);
    const { mask: srcMask, ...rest } = checkOptions(options, ENCODER_FORWARD_KEYS);
    let x = src;
    for (const layer of this.layers) x = layer.forward(x, { srcMask, ...rest });
    return this.norm?.forward(x) ?? x;
  }
}

/** A layer with the same settings and copies of the parameters. */
function copyOf(layer: TransformerEncoderLayer): TransformerEncoderLayer {
  const { embedDim, numHeads, inProjWeight } = layer.selfAttn;
  const { dtype, device } = inProjWeight!;
  const copy = new TransformerEncoderLayer(embedDim, numHeads, { ...layer.options, dtype, device });
  const parameters = new Map(layer.namedParameters());
  noGrad(() => {
    for (const [key, parameter] of copy.namedParameters()) {
      parameter.copy_(parameters.get(key)!);
      parameter.requiresGrad = parameters.get(key)!.requiresGrad;
    }
  });
  return copy.train(layer.training);
}
