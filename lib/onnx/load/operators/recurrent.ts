/**
 * Recurrent layers. A weight has its gates in another order than in libtorch, and both directions in one tensor.
 * @module
 */
import { zeros } from '../../../tensor/create.js';
import { cat } from '../../../tensor/join.js';
import { native, type Tensor } from '../../../tensor/tensor.js';
import {
  type Call,
  NodeProblem,
  type NodeSpec,
  type Operator,
  type Operators,
  type Result,
} from '../node.js';

/** The differences between the kinds. */
interface Kind {
  /** For every gate of libtorch, its place in ONNX. LSTM: i f g o of i o f c; GRU: r z n of z r h. */
  readonly gates: readonly number[];
  /** The functions that libtorch has, for each direction. */
  readonly activations: readonly string[];
  /** Number of tensors of a state. */
  readonly states: number;
}

const LSTM: Kind = { gates: [0, 2, 3, 1], activations: ['Sigmoid', 'Tanh', 'Tanh'], states: 2 };
const GRU: Kind = { gates: [1, 0, 2], activations: ['Sigmoid', 'Tanh'], states: 1 };
const RNN: Kind = { gates: [0], activations: ['Tanh'], states: 1 };

/** Refuses what libtorch's layers do not have. */
function checkAttributes(node: NodeSpec, kind: Kind, directions: number): 'tanh' | 'relu' {
  if (node.has('clip')) node.fail('has clipped gates');
  if (node.flag('input_forget')) node.fail('has coupled gates');
  if (node.hasInput(7)) node.fail('has peepholes');
  if (kind === GRU && !node.flag('linear_before_reset'))
    node.fail('applies the reset gate before the product (linear_before_reset=0)');
  const names = (node.texts('activations') ?? []).map((name) => name.toLowerCase());
  const usual = Array.from({ length: directions }, () =>
    kind.activations.map((name) => name.toLowerCase()),
  ).flat();
  if (names.length === 0 || String(names) === String(usual)) return 'tanh';
  if (kind === RNN && names.every((name) => name === 'relu')) return 'relu';
  return node.fail(`has the activations ${names.join(', ').slice(0, 60)}`);
}

/** The rows of the gates in the order of libtorch. */
function reordered(rows: Tensor, { gates }: Kind): Tensor {
  if (gates.length === 1) return rows;
  const hidden = rows.shape[0]! / gates.length;
  return cat(gates.map((gate) => rows.narrow(0, gate * hidden, hidden)));
}

/** w_ih, w_hh, and b_ih, b_hh where there are biases, of every direction. */
function weightsOf(call: Call, kind: Kind, directions: number): Tensor[] {
  const [input, hidden, bias] = [call.tensor(1), call.tensor(2), call.optional(3)];
  return Array.from({ length: directions }, (_, direction) => {
    const own = [input.select(0, direction), hidden.select(0, direction)];
    if (bias !== null) {
      const both = bias.select(0, direction);
      const half = both.shape[0]! / 2;
      own.push(both.narrow(0, 0, half), both.narrow(0, half, half));
    }
    return own.map((rows) => reordered(rows, kind));
  }).flat();
}

/** Only sequences of full length. */
function checkLengths(call: Call, length: number): void {
  if (call.has(4) && call.numbers(4).some((given) => given !== length))
    throw new NodeProblem('has sequences of different lengths');
}

const recurrent =
  (kind: Kind): Operator =>
  (node) => {
    const direction = node.choice('direction', 'forward', ['forward', 'reverse', 'bidirectional']);
    const directions = direction === 'bidirectional' ? 2 : 1;
    const nonlinearity = checkAttributes(node, kind, directions);
    const batchFirst = node.int('layout', 0) === 1;
    return (call): Result => {
      const given = call.tensor(0);
      const ordered = batchFirst ? given.transpose(0, 1) : given;
      const [length, batch] = ordered.shape as [number, number];
      checkLengths(call, length);
      const hidden = call.tensor(2).shape.at(-1)!;
      const states = Array.from({ length: kind.states }, (_, i) => {
        const { dtype, device } = given;
        const state = call.optional(5 + i);
        if (state === null) return zeros([directions, batch, hidden], { dtype, device });
        return batchFirst ? state.transpose(0, 1).contiguous() : state.contiguous();
      });
      const x = direction === 'reverse' ? ordered.flip([0]) : ordered;
      const weights = weightsOf(call, kind, directions);
      const settings = [call.has(3), 1, 0, call.training, directions === 2, false] as const;
      const [output, ...last] =
        kind === LSTM
          ? native.lstm(x, states[0]!, states[1]!, weights, ...settings)
          : kind === GRU
            ? native.gru(x, states[0]!, weights, ...settings)
            : native.rnn(x, states[0]!, weights, ...settings, nonlinearity);
      const steps = direction === 'reverse' ? output.flip([0]) : output;
      // [L, B, directions * H] to [L, directions, B, H], or [B, L, directions, H].
      const split = steps.reshape([length, batch, directions, hidden]);
      const y = split.permute(batchFirst ? [1, 0, 2, 3] : [0, 2, 1, 3]);
      return [y, ...last.map((state) => (batchFirst ? state.transpose(0, 1) : state))];
    };
  };

export const RECURRENT: Operators = { LSTM: recurrent(LSTM), GRU: recurrent(GRU), RNN: recurrent(RNN) };
