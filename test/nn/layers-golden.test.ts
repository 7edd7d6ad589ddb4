import { describe, expect, it } from 'vitest';
import { autograd, manualSeed, nn, noGrad, type Tensor, tensor, tidy } from '../../lib/index.js';
import { filled, golden } from '../golden/hash.js';
import { deviation, expectValues } from '../support/values.js';

type Input = { shape: number[]; seed: number } | { data: unknown[]; dtype: 'bool' | 'float64' };
type Dtype = 'float32' | 'float64';

/** A case of test/golden/make_layers.py. Option names are PyTorch's. */
interface Case {
  layer: string;
  args: unknown[];
  options: Record<string, unknown>;
  call: unknown[];
  callOptions: Record<string, unknown>;
  training: boolean;
  seed?: number;
  inputs: Input[];
  state: Record<string, number[]>;
  outputs: { shape: number[]; data: number[] }[];
  gradients: number[][];
  outputError: number;
  gradientError: number;
}

type AnyLayer = nn.AnyModule & { forward(...args: unknown[]): unknown };

const { cases, initial } = golden<{ cases: Case[]; initial: Record<string, Record<string, number>> }>(
  'layers',
);

/** Error of float32 that is allowed besides 4 times PyTorch's own. */
const ROUNDING = 2e-7;

const camelCase = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const spelled = (options: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).map(([key, value]) => [camelCase(key), value]));

function create({ layer, args, options }: Case): AnyLayer {
  if (layer !== 'TransformerEncoder')
    return new (nn as never as Record<string, new (...args: unknown[]) => AnyLayer>)[layer]!(
      ...args,
      spelled(options),
    );
  const [model, heads, layers, norm] = args as [number, number, number, boolean];
  const one = new nn.TransformerEncoderLayer(model, heads, spelled(options));
  return new nn.TransformerEncoder(one, layers, {
    norm: norm ? new nn.LayerNorm(model) : null,
  }) as unknown as AnyLayer;
}

/** fill() of make_layers.py. */
function build(spec: Case, dtype: Dtype): AnyLayer {
  const layer = create(spec).to({ dtype }).train(spec.training);
  const state = layer.stateDict();
  noGrad(() =>
    Object.keys(state)
      .sort()
      .forEach((key, i) => void state[key]!.copy_(filled([...state[key]!.shape], i + 1, 1, 'float64'))),
  );
  return layer;
}

const number = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(number) : value === '-inf' ? Number.NEGATIVE_INFINITY : (value as number);

function inputsOf(spec: Case, dtype: Dtype): Tensor[] {
  return spec.inputs.map((input) => {
    if ('seed' in input)
      return filled(input.shape, input.seed, 2, 'float64').to({ dtype }).detach().requiresGrad_();
    return tensor(number(input.data) as number[], { dtype: input.dtype === 'bool' ? 'bool' : dtype });
  });
}

/** The arguments of forward: tensors in the places of their numbers. */
function argumentsOf({ call, callOptions }: Case, inputs: readonly Tensor[]): unknown[] {
  const given = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(given);
    const place = (value as { t?: number } | null)?.t;
    return typeof place === 'number' ? inputs[place] : value;
  };
  const options = Object.entries(callOptions).map(([key, value]) => [camelCase(key), given(value)]);
  return [...call.map(given), ...(options.length > 0 ? [Object.fromEntries(options)] : [])];
}

const flat = (results: unknown): Tensor[] =>
  results === null ? [] : Array.isArray(results) ? results.flatMap(flat) : [results as Tensor];

/** Outputs, and the gradients of inputs and parameters. */
function run(spec: Case, dtype: Dtype): [outputs: Tensor[], gradients: Tensor[]] {
  const layer = build(spec, dtype);
  const inputs = inputsOf(spec, dtype);
  if (spec.seed !== undefined) manualSeed(spec.seed);
  const outputs = flat(layer.forward(...argumentsOf(spec, inputs)));
  const total = outputs
    .map((output, k) => output.mul(filled([...output.shape], 1000 + k, 1, 'float64').to({ dtype })).sum())
    .reduce((sum, part) => sum.add(part));
  const leaves = [...inputs.filter((input) => input.requiresGrad), ...layer.parameters()];
  return [outputs.map((output) => output.detach()), autograd.grad(total, leaves) as Tensor[]];
}

const errorOf = (received: Tensor[], wanted: Tensor[]) =>
  Math.max(...received.map((one, i) => deviation(one, wanted[i]!)));

const title = ({ layer, options, callOptions, inputs, training }: Case) =>
  [
    layer,
    JSON.stringify(options),
    Object.keys(callOptions).join(),
    JSON.stringify(inputs.map((x) => ('shape' in x ? x.shape : 'mask'))),
    training ? '' : 'eval',
  ].join(' ');

describe.each(cases.map((spec, i) => [`${i} ${title(spec)}`, spec] as const))('%s', (_, spec) => {
  const exact = () =>
    spec.outputs.map(({ shape, data }) => tensor(data, { dtype: 'float64' }).reshape(shape));
  const gradients = (like: Tensor[]) =>
    spec.gradients.map((data, i) => tensor(data, { dtype: 'float64' }).reshape(like[i]!.shape));

  it('has the keys and shapes of PyTorch, in the same order', () => {
    const state = Object.entries(create(spec).stateDict()).map(([key, { shape }]) => [key, shape]);
    expect(state).toEqual(Object.entries(spec.state));
  });

  it('equals PyTorch in float64: outputs and gradients', () =>
    tidy(() => {
      const [outputs, received] = run(spec, 'float64');
      expect(outputs.map(({ shape }) => shape)).toEqual(spec.outputs.map(({ shape }) => shape));
      expect(errorOf(outputs, exact())).toBeLessThanOrEqual(1e-9);
      expect(received.length).toBe(spec.gradients.length);
      expect(errorOf(received, gradients(received))).toBeLessThanOrEqual(1e-9);
    }));

  it('is as exact as PyTorch in float32', () =>
    tidy(() => {
      const [outputs, received] = run(spec, 'float32');
      expect(errorOf(outputs, exact())).toBeLessThanOrEqual(4 * spec.outputError + ROUNDING);
      expect(errorOf(received, gradients(received))).toBeLessThanOrEqual(4 * spec.gradientError + ROUNDING);
    }));

  it('gives the same as a program', () =>
    tidy(() => {
      const layer = build(spec, 'float32').eval();
      const inputs = inputsOf(spec, 'float32').map((input) => input.detach());
      const forward = (...given: Tensor[]) => layer.forward(...argumentsOf(spec, given)) as Tensor[];
      const program = nn.compile(forward, inputs, { dynamicBatch: false });
      const outputs = flat(program.runSync(inputs));
      const wanted = noGrad(() => flat(forward(...inputs)));
      for (const [i, output] of outputs.entries()) expectValues(output, wanted[i]!.arraySync(), 1e-6);
    }));
});

/** The layers whose initial weights are compared with PyTorch's of the same seed. */
const INITIAL: Record<string, () => nn.AnyModule> = {
  MultiheadAttention: () => new nn.MultiheadAttention(8, 2, { addBiasKv: true }),
  'MultiheadAttention with kdim': () => new nn.MultiheadAttention(8, 2, { kdim: 5, vdim: 3 }),
  TransformerEncoderLayer: () => new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 12 }),
  LSTM: () => new nn.LSTM(4, 6, { numLayers: 2, bidirectional: true, projSize: 3 }),
  GRUCell: () => new nn.GRUCell(4, 6),
};

it.each(Object.entries(initial))(
  '%s starts from the weights of PyTorch with the same seed',
  (name, wanted) => {
    manualSeed(5);
    const state = INITIAL[name]!().stateDict();
    expect(Object.keys(state)).toEqual(Object.keys(wanted));
    for (const [key, sum] of Object.entries(wanted))
      expect(Number(state[key]!.to({ dtype: 'float64' }).abs().sum().item()), key).toBeCloseTo(sum, 6);
  },
);
