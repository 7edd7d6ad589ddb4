import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  autocast,
  DTypeError,
  manualSeed,
  nn,
  ones,
  randn,
  ShapeError,
  tensor,
  zeros,
} from '../../lib/index.js';
import { itRefuses } from '../support/refusals.js';
import { deviation, expectValues } from '../support/values.js';

// Values and gradients: layers-golden.test.ts.

const causal = (length: number) => ones([length, length]).triu(1).to({ dtype: 'bool' });

describe('MultiheadAttention', () => {
  it('drops attention weights while training', () => {
    manualSeed(1);
    const layer = new nn.MultiheadAttention(4, 2, { dropout: 0.5 });
    const x = randn([6, 1, 4]);
    const [, kept] = layer.forward(x, x, x, { averageAttnWeights: false });
    expect(kept.eq(0).sum().item()).toBeGreaterThan(10);
    const [, all] = layer.eval().forward(x, x, x, { averageAttnWeights: false });
    expect(all.eq(0).sum().item()).toBe(0);
    expectValues(all.sum({ dim: -1 }), ones([1, 2, 6]).arraySync());
    layer.train();
    const [fast, none] = layer.forward(x, x, x, { needWeights: false });
    expect(none).toBeNull();
    expect(fast.allclose(layer.eval().forward(x, x, x)[0])).toBe(false);
  });

  it('ignores what masks hide: bool, floating-point, and the causal hint agree', () => {
    manualSeed(2);
    const layer = new nn.MultiheadAttention(8, 2, { batchFirst: true });
    const x = randn([2, 5, 8]);
    const mask = causal(5);
    const numbers = zeros([5, 5]).maskedFill(mask, Number.NEGATIVE_INFINITY);
    const outputs = [
      layer.forward(x, x, x, { attnMask: mask }),
      layer.forward(x, x, x, { attnMask: numbers, needWeights: false }),
      layer.forward(x, x, x, { attnMask: mask, needWeights: false, isCausal: true }),
    ];
    for (const [output] of outputs) expectValues(output, outputs[0]![0].arraySync());
    // The first place sees itself only.
    const [first] = layer.forward(x.narrow(1, 0, 1), x.narrow(1, 0, 1), x.narrow(1, 0, 1));
    expectValues(outputs[2]![0].narrow(1, 0, 1), first.arraySync());
  });

  it('may attend to the appended key beside a causal mask', () => {
    manualSeed(3);
    const layer = new nn.MultiheadAttention(4, 2, { addBiasKv: true });
    const x = randn([3, 1, 4]);
    const attnMask = causal(3);
    const [wanted] = layer.forward(x, x, x, { attnMask });
    const [fast] = layer.forward(x, x, x, { attnMask, isCausal: true, needWeights: false });
    expectValues(fast, wanted.arraySync());
  });

  it('is a program for every batch size', () => {
    manualSeed(4);
    const layer = new nn.MultiheadAttention(8, 2, { batchFirst: true, addZeroAttn: true }).eval();
    const forward = (x: ReturnType<typeof randn>) => layer.forward(x, x, x);
    const program = nn.compile(forward, randn([2, 5, 8]));
    for (const batch of [1, 3, 7]) {
      const x = randn([batch, 5, 8]);
      const [output, weights] = program.runSync(x);
      const wanted = layer.forward(x, x, x);
      expectValues(output, wanted[0].arraySync());
      expectValues(weights, wanted[1].arraySync());
    }
    const named = nn.compile(layer, [randn([2, 3, 8]), randn([2, 4, 8]), randn([2, 4, 8])]);
    const [q, k, v] = [randn([5, 3, 8]), randn([5, 4, 8]), randn([5, 4, 8])];
    expectValues(named.runSync([q, k, v])[0], layer.forward(q, k, v)[0].arraySync());
  });

  it('cannot be a program where it drops', () => {
    const layer = new nn.MultiheadAttention(4, 2, { dropout: 0.5 });
    const forward = (x: ReturnType<typeof randn>) => layer.forward(x, x, x, { needWeights: false })[0];
    expect(() => nn.compile(forward, randn([3, 2, 4]))).toThrow(/draws random numbers/);
  });

  it('computes in bfloat16 under autocast', () => {
    manualSeed(5);
    const layer = new nn.MultiheadAttention(8, 2);
    const x = randn([5, 2, 8]);
    const [wanted] = layer.forward(x, x, x);
    const [output] = autocast(() => layer.forward(x, x, x), { dtype: 'bfloat16' });
    expect(output.dtype).toBe('bfloat16');
    expect(deviation(output, wanted)).toBeLessThan(0.03);
  });

  it('prints its settings', () => {
    expect(String(new nn.MultiheadAttention(8, 2))).toBe(
      'MultiheadAttention(8, 2, dropout=0, batchFirst=false\n  (out_proj): Linear(8, 8, bias=true)\n)',
    );
  });

  const x = randn([5, 2, 8]);
  const layer = new nn.MultiheadAttention(8, 2);
  itRefuses([
    [
      'heads that do not divide',
      () => new nn.MultiheadAttention(8, 3),
      ArgumentError,
      'a divisor of embedDim 8 for numHeads',
    ],
    [
      'a probability above 1',
      () => new nn.MultiheadAttention(8, 2, { dropout: 2 }),
      ArgumentError,
      'a number from 0 to 1 for dropout',
    ],
    [
      'a layout that is no boolean',
      () => new nn.MultiheadAttention(8, 2, { batchFirst: 1 as never }),
      ArgumentError,
      'a boolean for batchFirst but received 1',
    ],
    [
      'one dimension',
      () => layer.forward(zeros([8]), x, x),
      ShapeError,
      '2 or 3 dimensions for query but received [8]',
    ],
    [
      'other features',
      () => layer.forward(zeros([5, 2, 7]), x, x),
      ShapeError,
      'shape [5, 2, 8] for query but received [5, 2, 7]',
    ],
    [
      'keys of another batch',
      () => layer.forward(x, zeros([4, 3, 8]), x),
      ShapeError,
      'shape [4, 2, 8] for key but received [4, 3, 8]',
    ],
    [
      'fewer values than keys',
      () => layer.forward(x, x, zeros([4, 2, 8])),
      ShapeError,
      'shape [5, 2, 8] for value but received [4, 2, 8]',
    ],
    ['unbatched keys', () => layer.forward(x, zeros([5, 8]), x), ShapeError, 'for key but received [5, 8]'],
    [
      'a mask of another length',
      () => layer.forward(x, x, x, { attnMask: causal(4) }),
      ShapeError,
      'shape [5, 5] for attnMask but received [4, 4]',
    ],
    [
      'a mask that is not for every head',
      () => layer.forward(x, x, x, { attnMask: zeros([2, 5, 5]) }),
      ShapeError,
      'shape [4, 5, 5] for attnMask but received [2, 5, 5]',
    ],
    [
      'a padding of keys first',
      () => layer.forward(x, x, x, { keyPaddingMask: zeros([5, 2]) }),
      ShapeError,
      'shape [2, 5] for keyPaddingMask but received [5, 2]',
    ],
    [
      'a mask of integers',
      () =>
        layer.forward(x, x, x, {
          keyPaddingMask: tensor([
            [1n, 0n, 0n, 0n, 0n],
            [0n, 0n, 0n, 0n, 0n],
          ]),
        }),
      DTypeError,
      'dtype bool or a floating-point dtype for keyPaddingMask but received int64',
    ],
    [
      'the causal hint without a mask',
      () => layer.forward(x, x, x, { isCausal: true }),
      ArgumentError,
      'Expected attnMask',
    ],
    ['no Tensor', () => layer.forward(x, [] as never, x), ArgumentError, 'a Tensor for key'],
  ]);
});

describe('TransformerEncoderLayer and TransformerEncoder', () => {
  const encoder = () =>
    new nn.TransformerEncoder(new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 12, dropout: 0.2 }), 2);

  it('drops while training', () => {
    manualSeed(6);
    const model = encoder();
    const x = randn([4, 2, 8]);
    expect(model.forward(x).allclose(model.forward(x))).toBe(false);
    model.eval();
    expect(model.forward(x).equal(model.forward(x))).toBe(true);
  });

  it('copies its layer: equal weights that are trained apart, settings, mode and frozen parameters', () => {
    const layer = new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 12, dtype: 'float64' }).eval();
    layer.norm1.weight!.requiresGrad = false;
    const model = new nn.TransformerEncoder(layer, 2);
    const [first, second] = [model.layers[0]!, model.layers[1]!];
    expect(first.linear1.weight.equal(second.linear1.weight)).toBe(true);
    expect(first.linear1.weight.equal(layer.linear1.weight)).toBe(true);
    first.linear1.weight.detach().add_(1);
    expect(first.linear1.weight.equal(second.linear1.weight)).toBe(false);
    expect([first.training, first.linear1.weight.dtype, first.norm1.weight!.requiresGrad]).toEqual([
      ...[false, 'float64', false],
    ]);
    expect([...model.parameters()].length).toBe(2 * [...layer.parameters()].length);
  });

  it('takes a function as activation', () => {
    manualSeed(7);
    const [a, b] = [
      new nn.TransformerEncoderLayer(8, 2, { activation: 'gelu', dropout: 0 }),
      new nn.TransformerEncoderLayer(8, 2, { activation: (x) => x.mul(0), dropout: 0 }),
    ];
    b.loadStateDict(a.stateDict());
    const x = randn([3, 1, 8]);
    expect(a.forward(x).allclose(b.forward(x))).toBe(false);
    const once = b.norm1.forward(x.add(b.selfAttn.forward(x, x, x)[0]));
    expectValues(b.forward(x), b.norm2.forward(once.add(b.linear2.bias!)).arraySync());
  });

  it('is a program, also in bfloat16', () => {
    manualSeed(8);
    const model = encoder().eval();
    const x = randn([4, 2, 8]);
    const wanted = model.forward(x);
    expectValues(nn.compile(model, x).runSync(x), wanted.arraySync());
    expect(deviation(nn.compile(model, x, { dtype: 'bfloat16' }).runSync(x), wanted)).toBeLessThan(0.05);
  });

  it('names the layer of an error', () => {
    expect(() => encoder().forward(zeros([4, 2, 7]))).toThrow(
      'layers.0.self_attn (MultiheadAttention): Expected shape [4, 2, 8] for query but received [4, 2, 7]',
    );
  });

  class Other extends nn.TransformerEncoderLayer {}
  itRefuses([
    [
      'heads that do not divide',
      () => new nn.TransformerEncoderLayer(8, 3),
      ArgumentError,
      'a divisor of dModel 8 for nhead',
    ],
    [
      'an unknown activation',
      () => new nn.TransformerEncoderLayer(8, 2, { activation: 'tanh' as never }),
      ArgumentError,
      "one of 'relu', 'gelu' for activation",
    ],
    [
      'no layer',
      () => new nn.TransformerEncoder(new nn.ReLU() as never, 2),
      ArgumentError,
      'for encoderLayer',
    ],
    [
      'a subclass, which cannot be copied',
      () => new nn.TransformerEncoder(new Other(8, 2), 2),
      ArgumentError,
      'not of a subclass',
    ],
    [
      'a norm that is no module',
      () => new nn.TransformerEncoder(new nn.TransformerEncoderLayer(8, 2), 2, { norm: 3 as never }),
      ArgumentError,
      'a Module for norm',
    ],
  ]);
});
