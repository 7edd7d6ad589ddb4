import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/errors.js';
import { alexnet, alexnetDy } from '../../lib/models/index.js';
import { DynamicConv2d } from '../../lib/nn/dynamic-conv.js';
import {
  type AnyModule,
  BatchNorm2d,
  Bilinear,
  Conv2d,
  Conv3d,
  ConvTranspose1d,
  GRU,
  Linear,
  LSTM,
  LSTMCell,
  Module,
  MultiheadAttention,
  ReLU,
  RNN,
  Sequential,
  TransformerEncoderLayer,
} from '../../lib/nn/index.js';
import { summary } from '../../lib/nn/summary.js';
import { memory } from '../../lib/runtime/memory.js';
import { zeros } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { collectGarbage } from '../support/garbage.js';

describe('summary', () => {
  it.each([
    ['alexnet', alexnet, 7_525_418, 7_526_794],
    ['alexnet-dy', alexnetDy, 8_322_992, 8_324_368],
  ] as const)('counts %s as the article does', (_, make, trainable, total) => {
    const result = summary(make({ numClasses: 10 }), [1, 3, 128, 128]);
    expect(result).toMatchObject({ trainable, total, nonTrainable: 0, statistics: 1376 });
    const rows = result.rows.map((row) => row.parameters + row.statistics);
    expect(rows.reduce((sum, count) => sum + count, 0)).toBe(total);
    expect(String(result)).toContain(total.toLocaleString('en-US'));
    expect(result.rows.at(-1)).toMatchObject({ type: 'Linear', name: 'classifier.6', outputShape: [1, 10] });
  });

  it('knows the routing of the article: 1,108 parameters', () => {
    const { rows } = summary(new DynamicConv2d(64, 128, 3, { numExperts: 4 }), [2, 64, 9, 9]);
    expect(rows.map(({ type, parameters, outputShape }) => [type, parameters, outputShape])).toEqual([
      ['RoutingAttention', 1108, [2, 4]],
      ['DynamicConv2d', 4 * (128 * 64 * 9 + 128), [2, 128, 7, 7]],
    ]);
    // Pooling 2*64*81; two maps 64->16->4; mixing of 4 kernels and a 3x3 conv of 7x7 outputs, for 2 samples.
    expect(rows[0]!.flops).toBe(2 * 64 * 81 + 2 * 2 * (64 * 16 + 16 * 4));
    expect(rows[1]!.flops).toBe(2 * 2 * 4 * 128 * 64 * 9 + 2 * 2 * 128 * 49 * 64 * 9);
  });

  it('counts operations of grouped convolutions and linear layers', () => {
    const conv = summary(new Conv2d(8, 16, 3, { groups: 4, padding: 1 }), [2, 8, 5, 5]);
    expect(conv.flops).toBe(2 * (2 * 16 * 5 * 5) * 2 * 9);
    expect(summary(new Linear(7, 3), [4, 7]).flops).toBe(2 * 4 * 7 * 3);
  });

  /** A layer as a module of one input. */
  class Of extends Module {
    constructor(
      readonly layer: AnyModule,
      readonly call: (x: Tensor) => unknown,
    ) {
      super();
    }
    forward(x: Tensor): Tensor {
      this.call(x);
      return x;
    }
  }
  const of = <L extends AnyModule>(layer: L, call: (layer: L, x: Tensor) => unknown) =>
    new Of(layer, (x) => call(layer, x));

  // The numbers of torch.utils.flop_counter of PyTorch 2.13.
  it.each<[string, Module, number[], number]>([
    ['Conv3d', new Conv3d(2, 3, [1, 2, 3]), [1, 2, 3, 4, 5], 1944],
    ['ConvTranspose1d', new ConvTranspose1d(4, 6, 3, { stride: 2, groups: 2 }), [2, 4, 5], 720],
    [
      'MultiheadAttention',
      of(new MultiheadAttention(8, 2, { batchFirst: true }), (layer, x) => layer.forward(x, x, x)),
      [2, 5, 8],
      6720,
    ],
    [
      'MultiheadAttention of other keys',
      of(new MultiheadAttention(8, 2, { kdim: 6, vdim: 4, addBiasKv: true }), (layer, x) =>
        layer.forward(x, zeros([5, 2, 6]), zeros([5, 2, 4])),
      ),
      [3, 2, 8],
      4288,
    ],
    [
      'TransformerEncoderLayer',
      new TransformerEncoderLayer(8, 2, { dimFeedforward: 16 }) as never,
      [5, 3, 8],
      17_760,
    ],
    ['LSTM', new LSTM(3, 4, { numLayers: 2, bidirectional: true, projSize: 2 }) as never, [5, 2, 3], 7680],
    ['GRU', new GRU(3, 4, { numLayers: 2 }) as never, [5, 2, 3], 3600],
    ['RNN', new RNN(3, 4) as never, [5, 2, 3], 560],
    ['LSTMCell', new LSTMCell(3, 4) as never, [2, 3], 448],
  ])('counts operations as PyTorch does: %s', (_, model, shape, wanted) => {
    expect(summary(model, shape).flops).toBe(wanted);
  });

  it('counts those of a bilinear map: the product with the first input, then with the second', () => {
    const model = of(new Bilinear(3, 4, 5), (layer, x) => layer.forward(x, zeros([2, 4])));
    expect(summary(model, [2, 3]).flops).toBe(2 * 2 * 5 * (3 * 4 + 4));
  });

  it('shows the first output of a layer with several', () => {
    const { rows } = summary(new LSTM(3, 4) as never, [5, 2, 3]);
    expect(rows).toMatchObject([{ type: 'LSTM', outputShape: [5, 2, 4], parameters: 4 * 4 * (3 + 4 + 2) }]);
    expect(rows[0]!.outputBytes).toBe(4 * (5 * 2 * 4 + 2 * 2 * 4));
  });

  it('leaves the model and the memory as they were', () => {
    const model = new Sequential(new Conv2d(3, 4, 3), new BatchNorm2d(4), new ReLU());
    model.at(1)!.eval();
    collectGarbage();
    const before = memory().numTensors;
    const mean = [...model.namedBuffers()].find(([key]) => key.endsWith('running_mean'))![1].dataSync();
    summary(model, [2, 3, 8, 8]);
    expect(memory().numTensors).toBe(before);
    expect([model.training, model.at(1)!.training, model.at(0)!.training]).toEqual([true, false, true]);
    expect(Object.hasOwn(model.at(0)!, 'forward')).toBe(false);
    const after = [...model.namedBuffers()].find(([key]) => key.endsWith('running_mean'))![1].dataSync();
    expect(after).toEqual(mean);
  });

  it('counts a layer that runs twice once, with the operations of both calls', () => {
    class Twice extends Module {
      inner = new Linear(4, 4, { bias: false });
      forward(x: Tensor): Tensor {
        return this.inner.forward(this.inner.forward(x));
      }
    }
    const result = summary(new Twice(), [1, 4]);
    expect(result.rows).toHaveLength(1);
    expect(result).toMatchObject({ total: 16, flops: 2 * 2 * 16 });
  });

  it('counts frozen parameters separately', () => {
    const model = new Linear(2, 3);
    model.weight.requiresGrad = false;
    expect(summary(model, [1, 2])).toMatchObject({ trainable: 3, nonTrainable: 6, total: 9 });
  });

  it('refuses a shape that is none', () => {
    expect(() => summary(new Linear(2, 3), [1, -2])).toThrow(ArgumentError);
  });
});
