import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  autocast,
  autograd,
  DTypeError,
  loadProgram,
  manualSeed,
  nn,
  randn,
  ShapeError,
  stack,
  type Tensor,
  zeros,
} from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { itRefuses } from '../support/refusals.js';
import { deviation, expectValues } from '../support/values.js';
import { collectWarnings } from '../support/warnings.js';

// Values and gradients: layers-golden.test.ts.

type Single = nn.GRU | nn.RNN;
const SINGLE: [
  string,
  (options?: nn.RecurrentOptions) => Single,
  (bias?: boolean) => nn.GRUCell | nn.RNNCell,
][] = [
  ['GRU', (options) => new nn.GRU(3, 4, options), () => new nn.GRUCell(3, 4)],
  ['RNN', (options) => new nn.RNN(3, 4, options), () => new nn.RNNCell(3, 4)],
];

describe.each(SINGLE)('%s', (_, make, makeCell) => {
  it('takes the steps of its cell', () => {
    manualSeed(1);
    const [layer, cell] = [make(), makeCell()];
    cell.loadStateDict(
      Object.fromEntries(
        Object.entries(layer.stateDict()).map(([key, value]) => [key.replace('_l0', ''), value]),
      ),
    );
    const x = randn([5, 2, 3]);
    let state: Tensor | null = null;
    const steps = x.unbind(0).map((step) => (state = cell.forward(step, state)));
    const [output, last] = layer.forward(x);
    expectValues(output, stack(steps).arraySync());
    expectValues(last.squeeze(0), state!.arraySync());
  });

  it('goes on from a state', () => {
    manualSeed(2);
    const layer = make({ numLayers: 2, batchFirst: true });
    const x = randn([2, 6, 3]);
    const [whole, last] = layer.forward(x);
    const [, middle] = layer.forward(x.narrow(1, 0, 4));
    const [rest, end] = layer.forward(x.narrow(1, 4, 2), middle);
    expectValues(rest, whole.narrow(1, 4, 2).arraySync());
    expectValues(end, last.arraySync());
  });

  it('drops between layers while training only', () => {
    manualSeed(3);
    const layer = make({ numLayers: 2, dropout: 0.5 });
    const x = randn([4, 2, 3]);
    expect(layer.forward(x)[0].equal(layer.forward(x)[0])).toBe(false);
    layer.eval();
    expect(layer.forward(x)[0].equal(layer.forward(x)[0])).toBe(true);
    const training = layer.train();
    const forward = (y: Tensor) => training.forward(y)[0];
    expect(() => nn.compile(forward, x)).toThrow(/draws random numbers/);
  });

  it('is a program for every batch size, and for every length where it comes first', () => {
    manualSeed(4);
    const layer = make({ numLayers: 2, bidirectional: true, batchFirst: true }).eval();
    const program = nn.compile(layer, randn([2, 5, 3]));
    for (const batch of [1, 4]) {
      const x = randn([batch, 5, 3]);
      const [output, state] = program.runSync(x);
      const wanted = layer.forward(x);
      expectValues(output, wanted[0].arraySync());
      expectValues(state, wanted[1].arraySync());
    }
    const first = make().eval();
    const sequence = randn([7, 2, 3]);
    expectValues(
      nn.compile(first, randn([5, 2, 3])).runSync(sequence)[0],
      first.forward(sequence)[0].arraySync(),
    );
  });
});

describe('LSTM', () => {
  it('takes the steps of its cell', () => {
    manualSeed(5);
    const [layer, cell] = [new nn.LSTM(3, 4), new nn.LSTMCell(3, 4)];
    cell.loadStateDict(
      Object.fromEntries(
        Object.entries(layer.stateDict()).map(([key, value]) => [key.replace('_l0', ''), value]),
      ),
    );
    const x = randn([5, 2, 3]);
    let state: readonly [Tensor, Tensor] | null = null;
    const steps: Tensor[] = [];
    for (const step of x.unbind(0)) {
      state = cell.forward(step, state);
      steps.push(state[0]);
    }
    const [output, [h, c]] = layer.forward(x);
    expectValues(output, stack(steps).arraySync());
    expectValues(h.squeeze(0), state![0].arraySync());
    expectValues(c.squeeze(0), state![1].arraySync());
  });

  it('is a program, from a file too, and in bfloat16', async () => {
    manualSeed(6);
    const layer = new nn.LSTM(3, 8, { numLayers: 2, batchFirst: true }).eval();
    const x = randn([4, 5, 3]);
    const [wanted, [h, c]] = layer.forward(x);
    const file = join(mkdtempSync(join(tmpdir(), 'dyconv-lstm-')), 'lstm.dyc');
    await nn.compile(layer, randn([2, 5, 3])).save(file);
    const program = await loadProgram<[Tensor, [Tensor, Tensor]]>(file);
    rmSync(dirname(file), { recursive: true });
    const [output, [hidden, memory]] = program.runSync(x);
    expectValues(output, wanted.arraySync());
    expectValues(hidden, h.arraySync());
    expectValues(memory, c.arraySync());
    const narrow = nn.compile((y: Tensor) => layer.forward(y)[0], x, { dtype: 'bfloat16' });
    expect(deviation(narrow.runSync(x), wanted)).toBeLessThan(0.05);
  });

  it('computes in bfloat16 under autocast, forward and backward', () => {
    manualSeed(7);
    const layer = new nn.LSTM(3, 8, { numLayers: 2 });
    const x = randn([5, 2, 3], { requiresGrad: true });
    const [wanted] = layer.forward(x);
    const [gradient] = autograd.grad(wanted.sum(), [x]);
    const [output, [, c]] = autocast(() => layer.forward(x), { dtype: 'bfloat16' });
    expect([output.dtype, c.dtype]).toEqual(['bfloat16', 'bfloat16']);
    expect(deviation(output.detach(), wanted.detach())).toBeLessThan(0.03);
    const [narrow] = autograd.grad(output.to({ dtype: 'float32' }).sum(), [x]);
    expect(deviation(narrow!, gradient!)).toBeLessThan(0.06);
    const cell = new nn.GRUCell(3, 4);
    const step = autocast(() => cell.forward(x.select(0, 0)), { dtype: 'bfloat16' });
    expect(step.dtype).toBe('bfloat16');
    expect(deviation(step.detach(), cell.forward(x.select(0, 0)).detach())).toBeLessThan(0.03);
  });

  it('has gradients of any order in float64', () => {
    manualSeed(8);
    const layer = new nn.LSTM(2, 3, { bidirectional: true, dtype: 'float64', projSize: 2 });
    const x = randn([3, 2, 2], { dtype: 'float64', requiresGrad: true });
    expect(autograd.gradcheck((y: Tensor) => layer.forward(y)[0], [x])).toBe(true);
    const [first] = autograd.grad(layer.forward(x)[0].square().sum(), [x], { createGraph: true });
    const [second] = autograd.grad(first!.square().sum(), [x]);
    expect(second!.abs().max().item()).toBeGreaterThan(0);
  });

  it('with projections does not warn', async () => {
    const warnings = collectWarnings();
    new nn.LSTM(3, 4, { projSize: 2 }).forward(randn([2, 1, 3]));
    expect(await warnings()).toEqual([]);
  });

  it('accepts an empty batch', () => {
    const [output, [h]] = new nn.LSTM(3, 4, { batchFirst: true }).forward(zeros([0, 5, 3]));
    expect([output.shape, h.shape]).toEqual([
      [0, 5, 4],
      [1, 0, 4],
    ]);
  });

  it('has a parameter field for every key, which can be replaced', () => {
    const layer = new nn.LSTM(3, 4, { bidirectional: true });
    expect(layer.weightIhL0!.shape).toEqual([16, 3]);
    expect(layer.biasHhL0Reverse!.shape).toEqual([16]);
    const x = randn([2, 1, 3]);
    const before = layer.forward(x)[0];
    layer.weightIhL0Reverse = new nn.Parameter(zeros([16, 3]));
    expect(layer.forward(x)[0].allclose(before)).toBe(false);
    layer.weightIhL0Reverse = new nn.Parameter(zeros([16, 2]));
    expect(() => layer.forward(x)).toThrow(
      'Expected shape [16, 3] for weight_ih_l0_reverse but received [16, 2]',
    );
    layer.weightIhL0Reverse = new nn.Parameter(zeros([16, 3], { dtype: 'float64' }));
    expect(() => layer.forward(x)).toThrow(
      'Expected dtype float32, that of input, for weight_ih_l0_reverse but received float64',
    );
  });

  it('prints its settings', () => {
    expect(String(new nn.LSTM(3, 4))).toBe('LSTM(3, 4)');
    expect(String(new nn.LSTM(3, 4, { numLayers: 2, bias: false, projSize: 2 }))).toBe(
      'LSTM(3, 4, numLayers=2, bias=false, projSize=2)',
    );
    expect(String(new nn.RNNCell(3, 4, { bias: false }))).toBe('RNNCell(3, 4, bias=false)');
  });
});

describe('bad input', () => {
  const layer = new nn.LSTM(3, 4, { numLayers: 2 });
  const x = zeros([5, 2, 3]);
  const state = () => zeros([2, 2, 4]);
  itRefuses([
    [
      'no layers',
      () => new nn.LSTM(3, 4, { numLayers: 0 }),
      ArgumentError,
      'an integer of at least 1 for numLayers',
    ],
    ['no features', () => new nn.GRU(3, 0), ArgumentError, 'an integer of at least 1 for hiddenSize'],
    [
      'a projection as large',
      () => new nn.LSTM(3, 4, { projSize: 4 }),
      ArgumentError,
      'an integer below hiddenSize 4 for projSize',
    ],
    ['a dropout above 1', () => new nn.RNN(3, 4, { dropout: 1.5 }), ArgumentError, 'for dropout'],
    [
      'an unknown nonlinearity',
      () => new nn.RNN(3, 4, { nonlinearity: 'gelu' as never }),
      ArgumentError,
      "one of 'tanh', 'relu' for nonlinearity",
    ],
    [
      'a projection of a GRU',
      () => new nn.GRU(3, 4, { projSize: 2 } as never),
      ArgumentError,
      "received 'projSize'",
    ],
    [
      'one dimension',
      () => layer.forward(zeros([3])),
      ShapeError,
      '2 or 3 dimensions for input but received [3]',
    ],
    [
      'other features',
      () => layer.forward(zeros([5, 2, 4])),
      ShapeError,
      'inputSize 3 for input but received [5, 2, 4]',
    ],
    [
      'no steps',
      () => layer.forward(zeros([0, 2, 3])),
      ShapeError,
      'at least one time step for input but received shape [0, 2, 3]',
    ],
    [
      'another dtype',
      () => layer.forward(zeros([5, 2, 3], { dtype: 'float64' })),
      DTypeError,
      'for weight_ih_l0 but received float32',
    ],
    [
      'integers',
      () => layer.forward(zeros([5, 2, 3], { dtype: 'int64' })),
      DTypeError,
      'a floating-point dtype for input but received int64',
    ],
    [
      'one state of two',
      () => layer.forward(x, state() as never),
      ArgumentError,
      'an array [h, c] of two Tensors for hx',
    ],
    [
      'the state of another batch',
      () => layer.forward(x, [zeros([2, 1, 4]), state()]),
      ShapeError,
      'shape [2, 2, 4] for hx[0] but received [2, 1, 4]',
    ],
    [
      'a state of one layer',
      () => layer.forward(x, [state(), zeros([1, 2, 4])]),
      ShapeError,
      'shape [2, 2, 4] for hx[1] but received [1, 2, 4]',
    ],
    [
      'a batch of states',
      () => layer.forward(zeros([5, 3]), [state(), state()]),
      ShapeError,
      'shape [2, 4] for hx[0]',
    ],
    ['no Tensor as a state', () => new nn.GRU(3, 4).forward(x, 3 as never), ArgumentError, 'a Tensor for hx'],
    [
      'a cell’s wrong input',
      () => new nn.GRUCell(3, 4).forward(zeros([2, 4])),
      ShapeError,
      'shape [N, 3] or [3] for input but received [2, 4]',
    ],
    [
      'a cell’s wrong state',
      () => new nn.LSTMCell(3, 4).forward(zeros([2, 3]), [zeros([2, 4]), zeros([3, 4])]),
      ShapeError,
      'shape [2, 4] for hx[1] but received [3, 4]',
    ],
    [
      'a cell’s wrong dtype',
      () => new nn.RNNCell(3, 4).forward(zeros([2, 3]), zeros([2, 4], { dtype: 'float64' })),
      DTypeError,
      'for hx but received float64',
    ],
  ]);

  // A file of a program may call operations with any arguments.
  const weights = () => [zeros([16, 3]), zeros([16, 4])];
  const lstm = (list: Tensor[], layers = 1, dropout = 0) =>
    native.lstm(
      zeros([5, 2, 3]),
      zeros([1, 2, 4]),
      zeros([1, 2, 4]),
      list,
      false,
      layers,
      dropout,
      true,
      false,
      false,
    );
  itRefuses([
    [
      'too few weights',
      () => lstm([zeros([16, 3])]),
      ArgumentError,
      '2 weights for each of the 1 directions of each of the 1 layers but received 1',
    ],
    ['no weights', () => lstm([]), ArgumentError, 'but received 0'],
    [
      'a weight of another size',
      () => lstm([zeros([16, 3]), zeros([16, 3])]),
      ShapeError,
      'shape [16, 4] for weight_hh_l0 but received [16, 3]',
    ],
    [
      'more layers than states',
      () => lstm(weights(), 2 ** 40),
      ShapeError,
      'layers in 1 directions for h0 but received shape [1, 2, 4]',
    ],
    ['a negative number of layers', () => lstm(weights(), -1), ShapeError, 'Expected -1 layers'],
    [
      'a dropout above 1',
      () => lstm(weights(), 1, 2),
      ArgumentError,
      'a number from 0 to 1 for dropout but received 2',
    ],
    [
      'states of two widths',
      () => native.lstm(x, zeros([1, 2, 5]), zeros([1, 2, 4]), weights(), false, 1, 0, true, false, false),
      ShapeError,
      'at most as many values for h0 as for c0',
    ],
    [
      'one bias of a cell',
      () => native.gruCell(zeros([2, 3]), zeros([2, 4]), zeros([12, 3]), zeros([12, 4]), zeros([12]), null),
      ArgumentError,
      'Expected both biases or none',
    ],
  ]);
});
