/**
 * The base of convolutions whose kernel is, for every sample, a weighted sum of several.
 * @module
 */
import { integer } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import type { ConvOptions } from '../ops/conv-nd.js';
import type { Operands } from '../ops/dynamic-conv-nd.js';
import type { Tensor } from '../tensor/tensor.js';
import { type ExpertUsage, UsageMeter } from './expert-usage.js';
import { checkGroups, describeConv } from './layers.js';
import { Module, type Parameter } from './module.js';

/** Options of the forward of a dynamic layer. */
export interface DynamicForwardOptions {
  /** [B, K] to use instead of the layer's own attention, for example one shared between layers. */
  attention?: Tensor | undefined;
}

const DYNAMIC_FORWARD_KEYS = optionKeys('attention');

/** The sizes of a layer, as its constructor got them. */
interface Sizes<Kernel, Options> {
  inChannels: number;
  outChannels: number;
  /** Already checked. */
  kernelSize: Kernel;
  numExperts: number;
  options: Options;
}

/** A convolution with several kernels, whose weighted sum is computed for every sample. */
export abstract class ExpertConv<
  Kernel extends readonly number[] = readonly number[],
  Options extends RequiredOptions<ConvOptions> = RequiredOptions<ConvOptions>,
> extends Module<[Tensor, DynamicForwardOptions?]> {
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Sizes of the kernels, one number per spatial dimension. */
  readonly kernelSize: Kernel;
  /** Number of kernels. */
  readonly numExperts: number;
  /** Stride, padding and the others, with their defaults. */
  readonly options: Readonly<Options>;
  /** [K, O, I / groups, ...kernelSize]; of a CondConv2d [K, O * I / groups * kh * kw]. */
  weight!: Parameter;
  /** [K, O] or null; of an ODConv2d [O] or null. */
  bias!: Parameter | null;
  /** Count the use of the experts in evaluation mode too. Default false: only in training mode. */
  tracksUsage = false;
  readonly #usage: UsageMeter;

  protected constructor({
    inChannels,
    outChannels,
    kernelSize,
    numExperts,
    options,
  }: Sizes<Kernel, Options>) {
    super();
    this.inChannels = integer('inChannels', inChannels, 1);
    this.outChannels = integer('outChannels', outChannels, 1);
    this.numExperts = integer('numExperts', numExperts, 1);
    this.kernelSize = kernelSize;
    checkGroups(options.groups, inChannels, outChannels);
    this.options = Object.freeze(options);
    this.#usage = new UsageMeter(numExperts);
  }

  /** The attention that {@link forward} would use. @param input - As for {@link forward}. @returns [B, K]. */
  abstract attention(input: Tensor): Tensor;

  /** Convolves with the sum of the kernels weighted by the attention. @param attention - [B, K]. */
  protected abstract convolve(input: Tensor, attention: Tensor): Tensor;

  /** @internal The two-dimensional dynamic convolution that computes this layer. */
  abstract operands(input: Tensor, attention: Tensor): Operands;

  /** @internal Whether the attention of every sample sums to 1. */
  abstract get sumsToOne(): boolean;

  /** @internal The kernels, [K, O, I / groups, ...kernelSize]. */
  get experts(): Tensor {
    return this.weight;
  }

  /** @internal What {@link staticParameters} takes the mean of, [B, F]: the attention. */
  factors(input: Tensor, attention: Tensor = this.attention(input)): Tensor {
    return attention;
  }

  /** @internal Weight and bias of an ordinary convolution with the mean factors. @param factors - [F]. */
  staticParameters(factors: Tensor): { weight: Tensor; bias: Tensor | null } {
    const { experts, bias } = this;
    const shares = factors.to({ dtype: experts.dtype, device: experts.device });
    const column = (ndim: number) => shares.reshape([-1, ...new Array<number>(ndim - 1).fill(1)]);
    return {
      weight: column(experts.ndim).mul(experts).sum({ dim: 0 }),
      bias: bias && column(2).mul(bias).sum({ dim: 0 }),
    };
  }

  /**
   * @param input - [B, I, ...sizes], as many sizes as the kernel has. @returns [B, O, ...sizes].
   * @throws ShapeError for an attention of another shape.
   */
  forward(input: Tensor, options: DynamicForwardOptions = {}): Tensor {
    const attention = this.givenAttention(options) ?? this.attention(input);
    const output = this.convolve(input, attention);
    this.countUsage(attention);
    return output;
  }

  /** The attention of the caller, if there is one. */
  protected givenAttention(options: DynamicForwardOptions): Tensor | undefined {
    return checkOptions(options, DYNAMIC_FORWARD_KEYS).attention;
  }

  /** Counts for {@link expertUsage}. */
  protected countUsage(attention: Tensor): void {
    if (this.training || this.tracksUsage) this.#usage.add(attention);
  }

  /** The use of the experts in training mode (with {@link tracksUsage} in both modes) since the last {@link resetExpertUsage}. */
  expertUsage(): ExpertUsage {
    return this.#usage.read();
  }

  /** Resets {@link expertUsage}. */
  resetExpertUsage(): void {
    this.#usage.reset();
  }

  protected override extraRepr(): string {
    const conv = describeConv(this.inChannels, this.outChannels, this.kernelSize, this.options);
    return `${conv}, numExperts=${this.numExperts}`;
  }
}
