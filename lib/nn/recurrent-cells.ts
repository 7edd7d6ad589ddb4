/**
 * Single steps of recurrent layers. Initialized as in PyTorch: uniform in ±1 / sqrt(hiddenSize).
 * @module
 */
import { boolean, integer, oneOf } from '../check/arguments.js';
import { checkOptions, optionKeys } from '../check/index.js';
import { invalidArgument, ShapeError } from '../errors.js';
import { checkShape } from '../tensor/check.js';
import { empty, zeros } from '../tensor/create.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { uniform_ } from './init.js';
import { FACTORY_KEYS, type FactoryOptions } from './layers.js';
import { Module, Parameter } from './module.js';

/** Options of {@link LSTMCell} and {@link GRUCell}. */
export interface RecurrentCellOptions extends FactoryOptions {
  /** Learn biases. Default true. */
  bias?: boolean | undefined;
}

const CELL_KEYS = optionKeys(...FACTORY_KEYS, 'bias');

/** Options of {@link RNNCell}. */
export interface RNNCellOptions extends RecurrentCellOptions {
  /** Default `'tanh'`. */
  nonlinearity?: 'tanh' | 'relu' | undefined;
}

const RNN_CELL_KEYS = optionKeys(...CELL_KEYS, 'nonlinearity');

/** A state as an argument: lists are only read. */
type Given<State> = State extends readonly unknown[] ? Readonly<State> : State;

/** The differences between the kinds. */
interface Kind<State> {
  /** Rows of the weights in units of hiddenSize. */
  readonly gates: number;
  /** Names of the tensors of a state in messages. */
  readonly names: readonly string[];
  /** The tensors of a state. */
  readonly tensorsOf: (hx: Given<State>) => readonly Tensor[];
  /** The state of its tensors. */
  readonly stateOf: (tensors: readonly Tensor[]) => State;
  /** Calls the add-on with [N, I] and [N, H]. */
  readonly run: (input: Tensor, states: readonly Tensor[], parameters: CellParameters) => readonly Tensor[];
}

type CellParameters = [weightIh: Tensor, weightHh: Tensor, biasIh: Tensor | null, biasHh: Tensor | null];

/** The state of a GRU or an RNN. */
const SINGLE: Pick<Kind<Tensor>, 'names' | 'tensorsOf' | 'stateOf'> = {
  names: ['hx'],
  tensorsOf: (hx) => [hx],
  stateOf: (tensors) => tensors[0]!,
};

/** The parameters of a cell. State: one Tensor, of an LSTM two. */
abstract class RecurrentCell<State> extends Module<[Tensor, (Given<State> | null)?], State> {
  /** I: features of the input. */
  readonly inputSize: number;
  /** H: features of a state. */
  readonly hiddenSize: number;
  /** [gates H, I]. */
  weightIh: Parameter;
  /** [gates H, H]. */
  weightHh: Parameter;
  /** [gates H] or null. */
  biasIh: Parameter | null;
  /** [gates H] or null. */
  biasHh: Parameter | null;
  readonly #kind: Kind<State>;

  /** @internal */
  constructor(
    kind: Kind<State>,
    inputSize: number,
    hiddenSize: number,
    { bias = true, ...factory }: RecurrentCellOptions,
  ) {
    super();
    this.#kind = kind;
    this.inputSize = integer('inputSize', inputSize, 1);
    this.hiddenSize = integer('hiddenSize', hiddenSize, 1);
    const rows = kind.gates * hiddenSize;
    this.weightIh = new Parameter(empty([rows, inputSize], factory));
    this.weightHh = new Parameter(empty([rows, hiddenSize], factory));
    this.biasIh = boolean('bias', bias) ? new Parameter(empty([rows], factory)) : null;
    this.biasHh = bias ? new Parameter(empty([rows], factory)) : null;
    const bound = 1 / Math.sqrt(hiddenSize);
    for (const parameter of this.parameters()) uniform_(parameter, { low: -bound, high: bound });
  }

  /**
   * @param input - [N, I] or [I].
   * @param hx - The state [N, H] or [H]; of an LSTMCell [h, c]. Default: zeros.
   * @returns The next state.
   * @throws ShapeError, DTypeError for an input or a state that does not fit.
   */
  forward(input: Tensor, hx: Given<State> | null = null): State {
    const shape = checkShape('input', input);
    if ((shape.length !== 1 && shape.length !== 2) || shape.at(-1) !== this.inputSize) {
      throw new ShapeError(
        `Expected shape [N, ${this.inputSize}] or [${this.inputSize}] for input but received [${shape.join(', ')}]`,
      );
    }
    const batched = shape.length === 2;
    const wanted = batched ? [shape[0]!, this.hiddenSize] : [this.hiddenSize];
    const { dtype, device } = input;
    const { names, tensorsOf, stateOf, run } = this.#kind;
    const states = hx === null ? names.map(() => zeros(wanted, { dtype, device })) : tensorsOf(hx);
    for (const [i, name] of names.entries()) {
      const given = checkShape(name, states[i]!);
      if (given.join() !== wanted.join())
        throw new ShapeError(
          `Expected shape [${wanted.join(', ')}] for ${name} but received [${given.join(', ')}]`,
        );
    }
    const rows = (tensor: Tensor) => (batched ? tensor : tensor.unsqueeze(0));
    const parameters: CellParameters = [this.weightIh, this.weightHh, this.biasIh, this.biasHh];
    const next = run(rows(input), states.map(rows), parameters);
    return stateOf(batched ? next : next.map((state) => state.squeeze(0)));
  }

  protected override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}${this.biasIh === null ? ', bias=false' : ''}`;
  }
}

/**
 * One step of an {@link LSTM}; the state is [h, c], [N, H] each. State keys: `weight_ih` [4 H, I], `weight_hh` [4 H, H], `bias_ih` and
 * `bias_hh` [4 H].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html
 * @example
 * const cell = new nn.LSTMCell(8, 16);
 * let state = cell.forward(randn([4, 8])); // [4, 16] twice
 * state = cell.forward(randn([4, 8]), state);
 */
export class LSTMCell extends RecurrentCell<[Tensor, Tensor]> {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    const kind: Kind<[Tensor, Tensor]> = {
      gates: 4,
      names: ['hx[0]', 'hx[1]'],
      tensorsOf: (hx) => {
        if (Array.isArray(hx) && hx.length === 2) return hx as readonly Tensor[];
        throw invalidArgument('hx', 'an array [h, c] of two Tensors', hx);
      },
      stateOf: ([h, c]) => [h!, c!],
      run: (input, [h, c], parameters) => native.lstmCell(input, h!, c!, ...parameters),
    };
    super(kind, inputSize, hiddenSize, checkOptions(options, CELL_KEYS));
  }
}

/**
 * One step of a {@link GRU}; the state is [N, H]. State keys: `weight_ih` [3 H, I], `weight_hh` [3 H, H], `bias_ih` and `bias_hh` [3 H].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.GRUCell.html
 */
export class GRUCell extends RecurrentCell<Tensor> {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    const run: Kind<Tensor>['run'] = (input, [h], parameters) => [native.gruCell(input, h!, ...parameters)];
    super({ ...SINGLE, gates: 3, run }, inputSize, hiddenSize, checkOptions(options, CELL_KEYS));
  }
}

/**
 * One step of an {@link RNN}; the state is [N, H]. State keys: `weight_ih` [H, I], `weight_hh` [H, H], `bias_ih` and `bias_hh` [H].
 * @see https://pytorch.org/docs/stable/generated/torch.nn.RNNCell.html
 */
export class RNNCell extends RecurrentCell<Tensor> {
  /** `'tanh'` or `'relu'`. */
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(inputSize: number, hiddenSize: number, options: RNNCellOptions = {}) {
    const { nonlinearity = 'tanh', ...rest } = checkOptions(options, RNN_CELL_KEYS);
    oneOf('nonlinearity', ['tanh', 'relu'], nonlinearity);
    const run: Kind<Tensor>['run'] = (input, [h], parameters) => [
      native.rnnCell(input, h!, ...parameters, nonlinearity),
    ];
    super({ ...SINGLE, gates: 1, run }, inputSize, hiddenSize, rest);
    this.nonlinearity = nonlinearity;
  }
}
