/**
 * Multi-head attention.
 * @module
 */
import { boolean, integer, number } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, DTypeError, invalidArgument, ShapeError } from '../errors.js';
import { dropout, softmax } from '../ops/activation.js';
import { linear, pad } from '../ops/conv.js';
import { scaledDotProductAttention } from '../ops/norm.js';
import { checkShape } from '../tensor/check.js';
import { empty, zeros } from '../tensor/create.js';
import { isFloatingPoint } from '../tensor/dtype.js';
import { cat } from '../tensor/join.js';
import type { Tensor } from '../tensor/tensor.js';
import { xavierNormal_, xavierUniform_, zeros_ } from './init.js';
import { FACTORY_KEYS, type FactoryOptions, Linear } from './layers.js';
import { Module, Parameter } from './module.js';

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions extends FactoryOptions {
  /** Probability of dropping an attention weight while training. Default 0. */
  dropout?: number | undefined;
  /** Add a learned bias to the projections. Default true. */
  bias?: boolean | undefined;
  /** Append a learned key and value to every sequence of keys and values. Default false. */
  addBiasKv?: boolean | undefined;
  /** Append a key and a value of zeros to every sequence of keys and values. Default false. */
  addZeroAttn?: boolean | undefined;
  /** Features of the keys. Default embedDim. */
  kdim?: number | undefined;
  /** Features of the values. Default embedDim. */
  vdim?: number | undefined;
  /** Inputs and output are [N, L, E] instead of [L, N, E]. Default false. */
  batchFirst?: boolean | undefined;
}

const MULTIHEAD_ATTENTION_KEYS = optionKeys(
  ...FACTORY_KEYS,
  'dropout',
  'bias',
  'addBiasKv',
  'addZeroAttn',
  'kdim',
  'vdim',
  'batchFirst',
);

/** Options of {@link MultiheadAttention.forward}. */
export interface AttentionForwardOptions {
  /** [N, S], of unbatched inputs [S]: bool, true for keys that are ignored; or floating-point, added to the scores. Default: none. */
  keyPaddingMask?: Tensor | null | undefined;
  /** Return the attention weights too. False is faster. Default true. */
  needWeights?: boolean | undefined;
  /** [L, S] or [N numHeads, L, S]: bool, true for pairs that are ignored; or floating-point, added to the scores. Default: none. */
  attnMask?: Tensor | null | undefined;
  /** Average the returned weights over the heads. Default true. */
  averageAttnWeights?: boolean | undefined;
  /** States that `attnMask`, which is required then, is the causal mask, so that it need not be read. Default false. */
  isCausal?: boolean | undefined;
}

const FORWARD_KEYS = optionKeys(
  'keyPaddingMask',
  'needWeights',
  'attnMask',
  'averageAttnWeights',
  'isCausal',
);

/** Sizes of a call: N sequences of L queries, and of S keys and values. */
interface Sizes {
  readonly batched: boolean;
  readonly N: number;
  readonly L: number;
  readonly S: number;
}

/**
 * softmax(Q Kᵀ / sqrt(E / numHeads)) V in each of several heads, whose Q, K and V are linear maps of query, key and value;
 * a linear map of the results of all heads is the output. State keys: `in_proj_weight` [3 E, E], or `q_proj_weight`,
 * `k_proj_weight` and `v_proj_weight` if kdim or vdim is not E; `in_proj_bias` [3 E]; `out_proj.weight` [E, E],
 * `out_proj.bias` [E]; `bias_k` and `bias_v` [1, 1, E].
 * @see https://arxiv.org/abs/1706.03762; https://pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
 * @example
 * const attention = new nn.MultiheadAttention(64, 4, { batchFirst: true });
 * const x = randn([2, 10, 64]);
 * const [output, weights] = attention.forward(x, x, x); // [2, 10, 64], [2, 10, 10]
 */
export class MultiheadAttention extends Module<
  [Tensor, Tensor, Tensor, AttentionForwardOptions?],
  [Tensor, Tensor | null]
> {
  /** E: features of queries and output. */
  readonly embedDim: number;
  /** Number of heads, each with embedDim / numHeads features. */
  readonly numHeads: number;
  /** Features of the keys. */
  readonly kdim: number;
  /** Features of the values. */
  readonly vdim: number;
  /** Probability of dropping an attention weight while training. */
  readonly dropout: number;
  /** Whether inputs and output are [N, L, E] instead of [L, N, E]. */
  readonly batchFirst: boolean;
  /** Whether a key and a value of zeros is appended. */
  readonly addZeroAttn: boolean;
  /** [3 E, E], the maps to Q, K and V; null if kdim or vdim is not E. */
  inProjWeight: Parameter | null = null;
  /** [E, E], or null if there is `inProjWeight`. */
  qProjWeight: Parameter | null = null;
  /** [E, kdim], or null if there is `inProjWeight`. */
  kProjWeight: Parameter | null = null;
  /** [E, vdim], or null if there is `inProjWeight`. */
  vProjWeight: Parameter | null = null;
  /** [3 E] or null. */
  inProjBias: Parameter | null;
  /** [1, 1, E], the appended key, or null. */
  biasK: Parameter | null;
  /** [1, 1, E], the appended value, or null. */
  biasV: Parameter | null;
  /** The map of the results of all heads to the output. */
  readonly outProj: Linear;

  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    const { device, dtype, ...own } = checkOptions(options, MULTIHEAD_ATTENTION_KEYS);
    const { dropout = 0, bias = true, addBiasKv = false, addZeroAttn = false } = own;
    const { kdim = embedDim, vdim = embedDim, batchFirst = false } = own;
    const factory = { device, dtype };
    this.embedDim = integer('embedDim', embedDim, 1);
    this.numHeads = integer('numHeads', numHeads, 1);
    if (embedDim % numHeads !== 0)
      throw invalidArgument('numHeads', `a divisor of embedDim ${embedDim}`, numHeads);
    this.kdim = integer('kdim', kdim, 1);
    this.vdim = integer('vdim', vdim, 1);
    this.dropout = number('dropout', dropout, { min: 0, max: 1 });
    this.batchFirst = boolean('batchFirst', batchFirst);
    this.addZeroAttn = boolean('addZeroAttn', addZeroAttn);
    const weight = (outputs: number, inputs: number) => new Parameter(empty([outputs, inputs], factory));
    if (kdim === embedDim && vdim === embedDim) this.inProjWeight = weight(3 * embedDim, embedDim);
    else {
      this.qProjWeight = weight(embedDim, embedDim);
      this.kProjWeight = weight(embedDim, kdim);
      this.vProjWeight = weight(embedDim, vdim);
    }
    this.inProjBias = boolean('bias', bias) ? new Parameter(zeros([3 * embedDim], factory)) : null;
    const extra = () =>
      boolean('addBiasKv', addBiasKv) ? new Parameter(empty([1, 1, embedDim], factory)) : null;
    this.biasK = extra();
    this.biasV = extra();
    // In PyTorch's order, so that the same seed gives the same weights.
    this.outProj = new Linear(embedDim, embedDim, { bias, ...factory });
    for (const matrix of [this.inProjWeight, this.qProjWeight, this.kProjWeight, this.vProjWeight])
      if (matrix !== null) xavierUniform_(matrix);
    if (this.outProj.bias !== null) zeros_(this.outProj.bias);
    for (const appended of [this.biasK, this.biasV]) if (appended !== null) xavierNormal_(appended);
  }

  /**
   * @param query - [L, N, E], with batchFirst [N, L, E], or unbatched [L, E].
   * @param key - [S, N, kdim], [N, S, kdim] or [S, kdim].
   * @param value - [S, N, vdim], [N, S, vdim] or [S, vdim].
   * @returns The output, of the shape of query, and the attention weights [N, L, S], per head [N, numHeads, L, S], unbatched without
   *   N; null if `needWeights` is false.
   * @throws ShapeError for sizes that do not fit; DTypeError for a mask of integers; ArgumentError for `isCausal` without attnMask.
   */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options?: AttentionForwardOptions & { needWeights?: true | undefined },
  ): [Tensor, Tensor];
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttentionForwardOptions & { needWeights: false },
  ): [Tensor, null];
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options?: AttentionForwardOptions,
  ): [Tensor, Tensor | null];
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttentionForwardOptions = {},
  ): [Tensor, Tensor | null] {
    const { keyPaddingMask = null, attnMask = null } = checkOptions(options, FORWARD_KEYS);
    const { needWeights = true, averageAttnWeights = true, isCausal = false } = options;
    if (isCausal && attnMask === null)
      throw new ArgumentError('Expected attnMask, the causal mask, with isCausal but received none');
    const sizes = this.#checkInputs(query, key, value);
    const [q, k, v] = this.#heads(this.#project(query, key, value), sizes);
    const keys = k.shape[2]!;
    // A key that is appended to the sequence may always be attended to, which the causal mask of libtorch does not allow.
    const causal = isCausal && keyPaddingMask === null && !needWeights && keys === sizes.S;
    const mask = causal ? null : this.#mask(attnMask, keyPaddingMask, sizes, keys, q.dtype);
    const p = this.training ? this.dropout : 0;
    const [attended, perHead] = needWeights
      ? weighted(q, k, v, mask, p)
      : [scaledDotProductAttention(q, k, v, { attnMask: mask, dropoutP: p, isCausal: causal }), null];
    const output = this.outProj.forward(this.#merge(attended));
    const weights = averageAttnWeights ? (perHead?.mean({ dim: 1 }) ?? null) : perHead;
    if (sizes.batched) return [output, weights];
    return [output.squeeze(this.batchFirst ? 0 : 1), weights?.squeeze(0) ?? null];
  }

  #checkInputs(query: Tensor, key: Tensor, value: Tensor): Sizes {
    const shapes = {
      query: checkShape('query', query),
      key: checkShape('key', key),
      value: checkShape('value', value),
    };
    const dims = shapes.query.length;
    const batched = dims === 3;
    const [n, l] = this.batchFirst || !batched ? [0, dims - 2] : [1, 0];
    const [N, L] = batched ? [shapes.query[n]!, shapes.query[l]!] : [1, shapes.query[0]!];
    const S = shapes.key[batched ? l : 0] ?? 0;
    const expected = (length: number, features: number) =>
      !batched ? [length, features] : this.batchFirst ? [N, length, features] : [length, N, features];
    if (dims !== 2 && dims !== 3) throw wrongShape('query', '2 or 3 dimensions', shapes.query);
    expectShape('query', expected(L, this.embedDim), shapes.query);
    expectShape('key', expected(S, this.kdim), shapes.key);
    expectShape('value', expected(S, this.vdim), shapes.value);
    return { batched, N, L, S };
  }

  /** The three linear maps, in the layout of the inputs. */
  #project(query: Tensor, key: Tensor, value: Tensor): Tensor[] {
    const { inProjWeight, inProjBias } = this;
    // One product for all three is faster than three.
    if (inProjWeight !== null && query === key && key === value)
      return linear(query, inProjWeight, inProjBias).chunk(3, -1);
    const weights = inProjWeight?.chunk(3, 0) ?? [this.qProjWeight!, this.kProjWeight!, this.vProjWeight!];
    const biases = inProjBias?.chunk(3, 0) ?? [null, null, null];
    return [query, key, value].map((input, i) => linear(input, weights[i]!, biases[i]!));
  }

  /** Q, K and V of all heads, [N, numHeads, L or keys, E / numHeads]. */
  #heads(projected: readonly Tensor[], { batched, N }: Sizes): [Tensor, Tensor, Tensor] {
    const { embedDim: E, numHeads, batchFirst, biasK, biasV } = this;
    const time = batchFirst ? 1 : 0;
    const step = batchFirst ? [N, 1, E] : [1, N, E];
    return projected.map((input, i) => {
      let sequence = batched ? input : input.unsqueeze(1 - time);
      const appended = [null, biasK, biasV][i]!;
      if (appended !== null) sequence = cat([sequence, appended.expand(step)], { dim: time });
      if (i > 0 && this.addZeroAttn) {
        const { dtype, device } = sequence;
        sequence = cat([sequence, zeros(step, { dtype, device })], { dim: time });
      }
      const heads = sequence.unflatten(2, [numHeads, E / numHeads]);
      return heads.permute(batchFirst ? [0, 2, 1, 3] : [1, 2, 0, 3]);
    }) as [Tensor, Tensor, Tensor];
  }

  /** [N, numHeads, L, E / numHeads] to [L, N, E], or with batchFirst to [N, L, E]. */
  #merge(heads: Tensor): Tensor {
    return heads.permute(this.batchFirst ? [0, 2, 1, 3] : [2, 0, 1, 3]).flatten(2);
  }

  /** What is added to the scores: both masks, [N or 1, numHeads or 1, L or 1, keys]. */
  #mask(
    attnMask: Tensor | null,
    keyPaddingMask: Tensor | null,
    { batched, N, L, S }: Sizes,
    keys: number,
    dtype: Tensor['dtype'],
  ): Tensor | null {
    const masks: Tensor[] = [];
    if (attnMask !== null) {
      const shape = checkShape('attnMask', attnMask);
      expectShape('attnMask', shape.length === 3 ? [N * this.numHeads, L, S] : [L, S], shape);
      const mask = additive('attnMask', attnMask, dtype, keys - S);
      masks.push(
        shape.length === 3 ? mask.reshape([N, this.numHeads, L, keys]) : mask.reshape([1, 1, L, keys]),
      );
    }
    if (keyPaddingMask !== null) {
      expectShape('keyPaddingMask', batched ? [N, S] : [S], checkShape('keyPaddingMask', keyPaddingMask));
      masks.push(additive('keyPaddingMask', keyPaddingMask, dtype, keys - S).reshape([N, 1, 1, keys]));
    }
    if (masks.length === 2) return masks[0]!.add(masks[1]!);
    return masks[0] ?? null;
  }

  protected override extraRepr(): string {
    return `${this.embedDim}, ${this.numHeads}, dropout=${this.dropout}, batchFirst=${this.batchFirst}`;
  }
}

/** Attention with its weights. @returns The result and the weights [N, numHeads, L, S], after dropout. */
function weighted(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | null, p: number): [Tensor, Tensor] {
  const products = q.mul(Math.sqrt(1 / q.shape[3]!)).matmul(k.transpose(-2, -1));
  const weights = softmax(mask === null ? products : products.add(mask), { dim: -1 });
  const used = p > 0 ? dropout(weights, { p }) : weights;
  return [used.matmul(v), used];
}

/** A mask as numbers that are added to scores. @param appended - Number of keys that are added at the end, and not masked. */
function additive(name: string, mask: Tensor, dtype: Tensor['dtype'], appended: number): Tensor {
  let numbers = mask;
  if (mask.dtype === 'bool') {
    numbers = zeros([...mask.shape], { dtype, device: mask.device }).maskedFill(
      mask,
      Number.NEGATIVE_INFINITY,
    );
  } else if (!isFloatingPoint(mask.dtype)) {
    throw new DTypeError(
      `Expected dtype bool or a floating-point dtype for ${name} but received ${mask.dtype}`,
    );
  }
  return appended === 0 ? numbers : pad(numbers, [0, appended]);
}

function expectShape(name: string, expected: readonly number[], shape: readonly number[]): void {
  if (expected.length !== shape.length || expected.some((size, i) => size !== shape[i]))
    throw wrongShape(name, `shape [${expected.join(', ')}]`, shape);
}

function wrongShape(name: string, expected: string, shape: readonly number[]): ShapeError {
  return new ShapeError(`Expected ${expected} for ${name} but received [${shape.join(', ')}]`);
}
