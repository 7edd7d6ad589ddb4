/**
 * Recurrent layers and cells. libtorch has the gates of a weight in another order than ONNX.
 * @module
 */

import { tidy } from '../../tensor/context.js';
import { cat } from '../../tensor/join.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Value } from '../graph.js';
import { split, squeeze, transpose } from '../shapes.js';
import type { Step, Translations } from '../step.js';
import { gatesOf, nonlinearity } from './activation.js';

/** The differences between the kinds. */
interface Kind {
  readonly operator: 'LSTM' | 'GRU' | 'RNN';
  /** For every gate of ONNX, its place in libtorch. LSTM: i o f c of i f g o; GRU: z r h of r z n. */
  readonly gates: readonly number[];
  /** Number of tensors of a state. */
  readonly states: number;
}

const LSTM: Kind = { operator: 'LSTM', gates: [0, 3, 1, 2], states: 2 };
const GRU: Kind = { operator: 'GRU', gates: [1, 0, 2], states: 1 };
const RNN: Kind = { operator: 'RNN', gates: [0], states: 1 };

/** The settings behind the weights. */
function settingsOf(step: Step, kind: Kind) {
  const first = kind.states + 2;
  return {
    biases: step.flag(first),
    layers: step.number(first + 1),
    directions: step.flag(first + 4) ? 2 : 1,
    batchFirst: step.flag(first + 5),
    activation: kind === RNN ? nonlinearity(step.text(first + 6)) : undefined,
  };
}

/** The rows of the gates in the order of ONNX. */
function reordered(elements: Tensor, { gates }: Kind): Tensor {
  const hidden = elements.shape[0]! / gates.length;
  return cat(
    gates.map((gate) => elements.narrow(0, gate * hidden, hidden)),
    { dim: 0 },
  );
}

/** One initializer [directions, ...] of a kind of weight of one layer. */
function weightsOf(
  step: Step,
  kind: Kind,
  slots: readonly number[],
  perDirection: number,
  name: string,
): Value {
  const { graph } = step;
  return graph.once(`${kind.operator} ${slots.join()}`, () => {
    const made = tidy(() => {
      const parts = slots.map((slot) =>
        reordered(step.constantOf(slot)?.detach() ?? step.fail('has weights that depend on the input'), kind),
      );
      const rows = Array.from({ length: slots.length / perDirection }, (_, i) =>
        cat(parts.slice(i * perDirection, (i + 1) * perDirection), { dim: 0 }).unsqueeze(0),
      );
      return cat(rows, { dim: 0 });
    });
    return graph.initializer(name, graph.own(made));
  });
}

/** All layers: each is one node over both directions. */
function recurrent(step: Step, kind: Kind): Value[] {
  const settings = settingsOf(step, kind);
  const { biases, layers, directions, batchFirst } = settings;
  const weights = step.slots(kind.states + 1);
  const each = biases ? 4 : 2;
  if (weights.length !== layers * directions * each)
    step.fail('has a projection of the hidden state (projSize)');
  const states = Array.from({ length: kind.states }, (_, i) =>
    split(step, step.value(1 + i), 0, new Array<number>(layers).fill(directions)),
  );
  let x = batchFirst ? transpose(step, step.value(0), [1, 0, 2]) : step.value(0);
  const last: Value[][] = states.map(() => []);
  for (let layer = 0; layer < layers; layer++) {
    const own = weights.slice(layer * directions * each, (layer + 1) * directions * each);
    const [output, ...ends] = runLayer(step, kind, {
      ...{ x, directions, biases, activation: settings.activation, weights: own },
      states: states.map((state) => state[layer]!),
    });
    x = output!;
    for (const [i, end] of ends.entries()) last[i]!.push(end);
  }
  const results = last.map((ends) => (ends.length === 1 ? ends[0]! : step.node('Concat', ends, { axis: 0 })));
  return [batchFirst ? transpose(step, x, [1, 0, 2]) : x, ...results];
}

interface Layer {
  readonly x: Value;
  readonly directions: number;
  readonly biases: boolean;
  readonly activation: string | undefined;
  readonly weights: readonly number[];
  readonly states: readonly Value[];
}

/** @returns The outputs [L, B, directions * H] and the last states. */
function runLayer(step: Step, kind: Kind, layer: Layer): Value[] {
  const { directions, biases, weights } = layer;
  const each = biases ? 4 : 2;
  const pick = (...positions: number[]) =>
    Array.from({ length: directions }, (_, direction) =>
      positions.map((i) => weights[direction * each + i]!),
    ).flat();
  const hidden = (step.infoOf(weights[0]!).sizes![0] as number) / kind.gates.length;
  const operator = kind.operator.toLowerCase();
  const [outputs, ...ends] = step.graph.nodeOf(
    kind.operator,
    [
      layer.x,
      weightsOf(step, kind, pick(0), 1, `${operator}_weight_input`),
      weightsOf(step, kind, pick(1), 1, `${operator}_weight_hidden`),
      biases ? weightsOf(step, kind, pick(2, 3), 2, `${operator}_bias`) : '',
      '',
      ...layer.states,
    ],
    1 + kind.states,
    {
      hidden_size: hidden,
      direction: directions === 2 ? 'bidirectional' : 'forward',
      // The reset gate is applied behind the product, as in libtorch.
      ...(kind === GRU ? { linear_before_reset: 1 } : {}),
      ...(layer.activation === 'Relu' ? { activations: new Array<string>(directions).fill('Relu') } : {}),
    },
  );
  // [L, directions, B, H]
  const joined =
    directions === 1
      ? squeeze(step, outputs!, [1])
      : step.node('Reshape', [
          transpose(step, outputs!, [0, 2, 1, 3]),
          step.graph.ints([0, 0, directions * hidden]),
        ]);
  return [joined, ...ends];
}

/** input W_ih^T + b_ih, or of the hidden state. @param weight - Position of the weight. */
function map(step: Step, value: number, weight: number, bias: number): Value {
  return step.node('Gemm', [step.value(value), step.value(weight), step.optional(bias)], { transB: 1 });
}

function lstmCell(step: Step): Value[] {
  const hidden = step.size(1, -1);
  const sum = step.node('Add', [map(step, 0, 3, 5), map(step, 1, 4, 6)]);
  const [i, f, g, o] = gatesOf(step, sum, 4, hidden);
  const sigmoid = (value: Value | undefined) => step.node('Sigmoid', [value!]);
  const kept = step.node('Mul', [sigmoid(f), step.value(2)]);
  const cell = step.node('Add', [kept, step.node('Mul', [sigmoid(i), step.node('Tanh', [g!])])]);
  return [step.node('Mul', [sigmoid(o), step.node('Tanh', [cell])]), cell];
}

function gruCell(step: Step): Value {
  const hidden = step.size(1, -1);
  const [ri, zi, ni] = gatesOf(step, map(step, 0, 2, 4), 3, hidden);
  const [rh, zh, nh] = gatesOf(step, map(step, 1, 3, 5), 3, hidden);
  const gate = (a: Value | undefined, b: Value | undefined) =>
    step.node('Sigmoid', [step.node('Add', [a!, b!])]);
  const [reset, update] = [gate(ri, rh), gate(zi, zh)];
  const next = step.node('Tanh', [step.node('Add', [ni!, step.node('Mul', [reset, nh!])])]);
  const change = step.node('Sub', [step.value(1), next]);
  return step.node('Add', [next, step.node('Mul', [update, change])]);
}

function rnnCell(step: Step): Value {
  const sum = step.node('Add', [map(step, 0, 2, 4), map(step, 1, 3, 5)]);
  return step.node(nonlinearity(step.text(6)), [sum]);
}

export const RECURRENT: Translations = {
  lstm: (step) => recurrent(step, LSTM),
  gru: (step) => recurrent(step, GRU),
  rnn: (step) => recurrent(step, RNN),
  lstmCell,
  gruCell,
  rnnCell,
};
