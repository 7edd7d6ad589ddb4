/**
 * Recurrent layers. Initialized as in PyTorch: uniform in ±1 / sqrt(hiddenSize).
 * @module
 */
import { boolean, integer, number, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys, type RequiredOptions } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { empty, zeros } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { uniform_ } from './init.js';
import { FACTORY_KEYS, type FactoryOptions } from './layers.js';
import { Module, Parameter } from './module.js';

/** Options of {@link GRU}, and of all recurrent layers. */
export interface RecurrentOptions extends FactoryOptions {
  /** Layers, each of which takes the output of the one before. Default 1. */
  numLayers?: number | undefined;
  /** Learn biases. Default true. */
  bias?: boolean | undefined;
  /** Input and output are [N, L, features] instead of [L, N, features]; states are not affected. Default false. */
  batchFirst?: boolean | undefined;
  /** Probability of dropping an output of every layer but the last while training; without effect on a single layer. Default 0. */
  dropout?: number | undefined;
  /** Also read the sequence backwards: the output has the features of both directions. Default false. */
  bidirectional?: boolean | undefined;
}

const RECURRENT_KEYS = optionKeys(
  ...FACTORY_KEYS,
  'numLayers',
  'bias',
  'batchFirst',
  'dropout',
  'bidirectional',
);

/** Options of {@link LSTM}. */
export interface LSTMOptions extends RecurrentOptions {
  /** Features of the outputs, by a learned linear map; 0: hiddenSize, without a map. Default 0. */
  projSize?: number | undefined;
}

const LSTM_KEYS = optionKeys(...RECURRENT_KEYS, 'projSize');

/** Options of {@link RNN}. */
export interface RNNOptions extends RecurrentOptions {
  /** Default `'tanh'`. */
  nonlinearity?: 'tanh' | 'relu' | undefined;
}

const RNN_KEYS = optionKeys(...RECURRENT_KEYS, 'nonlinearity');

/** The part of the settings that the kinds share. */
type Settings = RequiredOptions<Omit<RecurrentOptions, 'device' | 'dtype'>>;

/** The arguments of the add-on after the weights. */
type NativeSettings = [
  hasBiases: boolean,
  numLayers: number,
  dropout: number,
  training: boolean,
  bidirectional: boolean,
  batchFirst: boolean,
];

function checkSettings(options: Omit<RecurrentOptions, 'device' | 'dtype'>): Settings {
  const { numLayers = 1, bias = true, batchFirst = false, dropout = 0, bidirectional = false } = options;
  return {
    numLayers: integer('numLayers', numLayers, 1),
    bias: boolean('bias', bias),
    batchFirst: boolean('batchFirst', batchFirst),
    dropout: number('dropout', dropout, { min: 0, max: 1 }),
    bidirectional: boolean('bidirectional', bidirectional),
  };
}

/** A state as an argument: lists are only read. */
type Given<State> = State extends readonly unknown[] ? Readonly<State> : State;

/** The differences between the kinds. */
interface Kind<State> {
  /** Rows of the weights in units of hiddenSize. */
  readonly gates: number;
  /** Features of the tensors of a state. */
  readonly stateSizes: readonly number[];
  /** The tensors of a state. */
  readonly tensorsOf: (hx: Given<State>) => readonly Tensor[];
  /** The state of its tensors. */
  readonly stateOf: (tensors: readonly Tensor[]) => State;
  /** Calls the add-on. Returns the output and the states. */
  readonly run: (
    input: Tensor,
    states: readonly Tensor[],
    weights: readonly Tensor[],
    settings: NativeSettings,
  ) => readonly Tensor[];
}

/** The state of a GRU or an RNN. */
const SINGLE: Pick<Kind<Tensor>, 'tensorsOf' | 'stateOf'> = {
  tensorsOf: (hx) => [hx],
  stateOf: (tensors) => tensors[0]!,
};

/** Layers, directions and their parameters, which all kinds share. State: one Tensor, of an LSTM two. */
abstract class Recurrent<State> extends Module<[Tensor, (Given<State> | null)?], [Tensor, State]> {
  /** I: features of the input. */
  readonly inputSize: number;
  /** H: features of a state. */
  readonly hiddenSize: number;
  /** Number of layers. */
  readonly numLayers: number;
  /** Whether there are biases. */
  readonly bias: boolean;
  /** Whether input and output are [N, L, features]. */
  readonly batchFirst: boolean;
  /** Probability of dropping an output between layers. */
  readonly dropout: number;
  /** Whether the sequence is also read backwards. */
  readonly bidirectional: boolean;
  /** Input to gates, [gates H, I]; of further layers [gates H, directions outputs]. */
  [weight: `weightIhL${number}`]: Parameter;
  /** State to gates, [gates H, H], or [gates H, projSize]. */
  [weight: `weightHhL${number}`]: Parameter;
  /** [gates H]; undefined without biases. */
  [weight: `biasIhL${number}`]: Parameter;
  /** [gates H]; undefined without biases. */
  [weight: `biasHhL${number}`]: Parameter;
  /** [projSize, H], the map of the outputs of an LSTM with projSize. */
  [weight: `weightHrL${number}`]: Parameter;
  /** The parameters of the backward direction have the same names with `Reverse`. */
  [weight: `${'weight' | 'bias'}${'Ih' | 'Hh' | 'Hr'}L${number}Reverse`]: Parameter;
  readonly #kind: Kind<State>;
  readonly #projSize: number;
  readonly #fields: string[] = [];

  /** @internal @param projSize - 0 for none. */
  constructor(
    kind: Kind<State>,
    sizes: { inputSize: number; hiddenSize: number; projSize?: number },
    settings: Settings,
    factory: FactoryOptions,
  ) {
    super();
    const { inputSize, hiddenSize, projSize = 0 } = sizes;
    this.#kind = kind;
    this.#projSize = projSize;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = settings.numLayers;
    this.bias = settings.bias;
    this.batchFirst = settings.batchFirst;
    this.dropout = settings.dropout;
    this.bidirectional = settings.bidirectional;
    const rows = kind.gates * hiddenSize;
    const outputs = projSize || hiddenSize;
    const directions = this.bidirectional ? ['', 'Reverse'] : [''];
    for (let layer = 0; layer < this.numLayers; layer++) {
      const inputs = layer === 0 ? inputSize : directions.length * outputs;
      for (const direction of directions) {
        const shapes: Record<string, number[]> = {
          weightIh: [rows, inputs],
          weightHh: [rows, outputs],
          ...(this.bias ? { biasIh: [rows], biasHh: [rows] } : {}),
          ...(projSize > 0 ? { weightHr: [projSize, hiddenSize] } : {}),
        };
        for (const [name, shape] of Object.entries(shapes)) {
          const field = `${name}L${layer}${direction}`;
          this.#fields.push(field);
          (this as Record<string, unknown>)[field] = new Parameter(empty(shape, factory));
        }
      }
    }
    const bound = 1 / Math.sqrt(hiddenSize);
    for (const parameter of this.parameters()) uniform_(parameter, { low: -bound, high: bound });
  }

  /**
   * @param input - [L, N, I], with batchFirst [N, L, I], or unbatched [L, I].
   * @param hx - The initial state, each Tensor [numLayers directions, N, H], unbatched without N. Default: zeros.
   * @returns The outputs of the last layer [L, N, directions H] or [N, L, directions H], and the last state of every layer and
   *   direction, of the shape of hx.
   * @throws ShapeError, DTypeError for an input or a state that does not fit.
   */
  forward(input: Tensor, hx: Given<State> | null = null): [Tensor, State] {
    const shape = checkShape('input', input);
    if (shape.length !== 2 && shape.length !== 3)
      throw new ShapeError(`Expected 2 or 3 dimensions for input but received [${shape.join(', ')}]`);
    if (shape.at(-1) !== this.inputSize) {
      throw new ShapeError(
        `Expected the last dimension to be inputSize ${this.inputSize} for input but received [${shape.join(', ')}]`,
      );
    }
    const batched = shape.length === 3;
    const batch = this.batchFirst ? 0 : 1;
    const states = this.#states(
      hx === null ? null : this.#kind.tensorsOf(hx),
      batched ? shape[batch]! : null,
      input,
    );
    const settings: NativeSettings = [
      ...([this.bias, this.numLayers, this.dropout] as const),
      ...([this.training, this.bidirectional, this.batchFirst] as const),
    ];
    const weights = this.#fields.map((field) => (this as Record<string, unknown>)[field] as Tensor);
    const results = batched
      ? this.#kind.run(input, states, weights, settings)
      : this.#kind.run(input.unsqueeze(batch), states, weights, settings);
    if (batched) return [results[0]!, this.#kind.stateOf(results.slice(1))];
    return [
      results[0]!.squeeze(batch),
      this.#kind.stateOf(results.slice(1).map((state) => state.squeeze(1))),
    ];
  }

  /** The initial states [layers directions, N, size]. @param batch - null for unbatched input. */
  #states(given: readonly Tensor[] | null, batch: number | null, { dtype, device }: Tensor): Tensor[] {
    const count = this.numLayers * (this.bidirectional ? 2 : 1);
    return this.#kind.stateSizes.map((size, i) => {
      if (given === null) return zeros([count, batch ?? 1, size], { dtype, device: device as Device });
      const name = this.#kind.stateSizes.length === 1 ? 'hx' : `hx[${i}]`;
      const wanted = batch === null ? [count, size] : [count, batch, size];
      const shape = checkShape(name, given[i]!);
      if (shape.join() !== wanted.join()) {
        throw new ShapeError(
          `Expected shape [${wanted.join(', ')}] for ${name} but received [${shape.join(', ')}]`,
        );
      }
      return batch === null ? given[i]!.unsqueeze(1) : given[i]!;
    });
  }

  protected override extraRepr(): string {
    const { numLayers, bias, batchFirst, dropout, bidirectional } = this;
    const projSize = this.#projSize;
    const usual = {
      numLayers: 1,
      bias: true,
      batchFirst: false,
      dropout: 0,
      bidirectional: false,
      projSize: 0,
    };
    const rest = Object.entries({ numLayers, bias, batchFirst, dropout, bidirectional, projSize })
      .filter(([key, value]) => value !== usual[key as keyof typeof usual])
      .map(([key, value]) => `, ${key}=${value}`);
    return `${this.inputSize}, ${this.hiddenSize}${rest.join('')}`;
  }
}

/** Checks the sizes that all kinds have. */
function checkSizes(inputSize: number, hiddenSize: number): { inputSize: number; hiddenSize: number } {
  return { inputSize: integer('inputSize', inputSize, 1), hiddenSize: integer('hiddenSize', hiddenSize, 1) };
}

/**
 * Long short-term memory. The state is [h, c], [numLayers directions, N, H] each; with projSize, h has projSize features. State keys:
 * `weight_ih_l0` [4 H, I], `weight_hh_l0` [4 H, H], `bias_ih_l0` and `bias_hh_l0` [4 H], `weight_hr_l0` [projSize, H], the same
 * with `_reverse` and with the numbers of further layers.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html
 * @example
 * const lstm = new nn.LSTM(8, 16, { numLayers: 2, batchFirst: true });
 * const [output, [h, c]] = lstm.forward(randn([4, 10, 8])); // [4, 10, 16], [2, 4, 16] twice
 */
export class LSTM extends Recurrent<[Tensor, Tensor]> {
  /** Features of the outputs; 0: hiddenSize, without a map. */
  readonly projSize: number;

  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    const { device, dtype, projSize = 0, ...rest } = checkOptions(options, LSTM_KEYS);
    const sizes = checkSizes(inputSize, hiddenSize);
    if (integer('projSize', projSize, 0) >= hiddenSize)
      throw invalidArgument('projSize', `an integer below hiddenSize ${hiddenSize}`, projSize);
    const kind: Kind<[Tensor, Tensor]> = {
      gates: 4,
      stateSizes: [projSize || hiddenSize, hiddenSize],
      tensorsOf: (hx) => {
        if (Array.isArray(hx) && hx.length === 2) return hx as readonly Tensor[];
        throw invalidArgument('hx', 'an array [h, c] of two Tensors', hx);
      },
      stateOf: ([h, c]) => [h!, c!],
      run: (input, [h, c], ...rest) => native.lstm(input, h!, c!, rest[0], ...rest[1]),
    };
    super(kind, { ...sizes, projSize }, checkSettings(rest), { device, dtype });
    this.projSize = projSize;
  }
}

/**
 * Gated recurrent unit. The state is [numLayers directions, N, H]. State keys: `weight_ih_l0` [3 H, I], `weight_hh_l0` [3 H, H],
 * `bias_ih_l0` and `bias_hh_l0` [3 H], the same with `_reverse` and with the numbers of further layers.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.GRU.html
 */
export class GRU extends Recurrent<Tensor> {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    const { device, dtype, ...rest } = checkOptions(options, RECURRENT_KEYS);
    const kind: Kind<Tensor> = {
      ...SINGLE,
      gates: 3,
      stateSizes: [hiddenSize],
      run: (input, [h], weights, settings) => native.gru(input, h!, weights, ...settings),
    };
    super(kind, checkSizes(inputSize, hiddenSize), checkSettings(rest), { device, dtype });
  }
}

/**
 * Elman network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu. The state is [numLayers directions, N, H]. State keys as of
 * {@link GRU}, with H rows.
 * @see https://pytorch.org/docs/stable/generated/torch.nn.RNN.html
 */
export class RNN extends Recurrent<Tensor> {
  /** `'tanh'` or `'relu'`. */
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    const { device, dtype, nonlinearity = 'tanh', ...rest } = checkOptions(options, RNN_KEYS);
    oneOf('nonlinearity', ['tanh', 'relu'], nonlinearity);
    const kind: Kind<Tensor> = {
      ...SINGLE,
      gates: 1,
      stateSizes: [hiddenSize],
      run: (input, [h], weights, settings) => native.rnn(input, h!, weights, ...settings, nonlinearity),
    };
    super(kind, checkSizes(inputSize, hiddenSize), checkSettings(rest), { device, dtype });
    this.nonlinearity = nonlinearity;
  }
}
