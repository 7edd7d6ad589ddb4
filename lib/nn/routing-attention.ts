/**
 * The routing of dynamic convolution: attention over the kernels.
 * @module
 */
import { integer, number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { LEAST_TEMPERATURE, type RoutingKind, routing } from '../ops/dynamic-conv.js';
import { full } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import { ReLU } from './activations.js';
import { constant_, kaimingNormal_ } from './init.js';
import { Conv2d, FACTORY_KEYS, type FactoryOptions } from './layers.js';
import { Module } from './module.js';
import { Sequential } from './simple.js';

/** Options of {@link RoutingAttention}. */
export interface RoutingAttentionOptions extends FactoryOptions {
  /** The hidden layer has channels / reduction units, at least 1. Default 4. */
  reduction?: number | undefined;
  /** Softmax temperature, which divides the logits. Default 30. */
  temperature?: number | undefined;
  /** Default `'softmax'`. */
  kind?: RoutingKind | undefined;
}

const ROUTING_ATTENTION_KEYS = optionKeys(...FACTORY_KEYS, 'reduction', 'temperature', 'kind');

/**
 * Attention over K kernels: global average pool, 1x1 conv to channels / reduction, ReLU, 1x1 conv to K,
 * softmax(logits / temperature). [B, C, H, W] -> [B, K]. All of it runs as one operation.
 *
 * Several layers share one if it is their option `routing`, and its result their `attention`:
 * @example
 * class Block extends nn.Module {
 *   routing = new nn.RoutingAttention(64, 4);
 *   conv1 = new nn.DynamicConv2d(64, 64, 3, { padding: 1, routing: this.routing });
 *   conv2 = new nn.DynamicConv2d(64, 64, 3, { padding: 1, routing: this.routing });
 *   forward(x: Tensor): Tensor {
 *     const attention = this.routing.forward(x);
 *     return this.conv2.forward(this.conv1.forward(x, { attention }).relu(), { attention });
 *   }
 * }
 */
export class RoutingAttention extends Module {
  /** Channels of the input. */
  readonly channels: number;
  /** Number of kernels. */
  readonly numExperts: number;
  /** The function from logits to weights. */
  readonly kind: RoutingKind;
  /** The two small layers, which hold the parameters `net.0.*` and `net.2.*`. */
  readonly net: Sequential;
  /** float32 []. Part of the state, so that a loaded model evaluates as it was trained. */
  readonly temperature!: Tensor;
  readonly #squeeze: Conv2d;
  readonly #expand: Conv2d;

  constructor(channels: number, numExperts: number, options: RoutingAttentionOptions = {}) {
    super();
    const {
      reduction = 4,
      temperature = 30,
      kind = 'softmax',
      ...factory
    } = checkOptions(options, ROUTING_ATTENTION_KEYS);
    this.channels = integer('inChannels', channels, 1);
    this.numExperts = integer('numExperts', numExperts, 1);
    number('reduction', reduction, { min: Number.MIN_VALUE });
    this.kind = oneOf('routing', ['softmax', 'sigmoid'], kind);
    const hidden = Math.max(1, Math.floor(channels / reduction));
    this.#squeeze = new Conv2d(channels, hidden, 1, factory);
    this.#expand = new Conv2d(hidden, numExperts, 1, factory);
    for (const layer of [this.#squeeze, this.#expand]) {
      kaimingNormal_(layer.weight, { nonlinearity: 'relu' });
      constant_(layer.bias!, 0);
    }
    this.net = new Sequential(this.#squeeze, new ReLU(), this.#expand);
    const value = full([], checkTemperature(temperature), { dtype: 'float32', device: factory.device });
    this.registerBuffer('temperature', value);
  }

  forward(input: Tensor): Tensor {
    const { weight: w1, bias: b1 } = this.#squeeze;
    const { weight: w2, bias: b2 } = this.#expand;
    // Read on its device: on a GPU, the call does not wait.
    return routing(input, w1, b1!, w2, b2!, { temperature: this.temperature, kind: this.kind });
  }

  protected override extraRepr(): string {
    return `kind=${this.kind}, temperature=${this.temperature.item()}`;
  }
}

/** @internal */
export function checkTemperature(value: number): number {
  return number('temperature', value, { min: LEAST_TEMPERATURE });
}
