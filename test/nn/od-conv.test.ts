import { describe, expect, it } from 'vitest';
import { manualSeed, nn, randn, type Tensor, zeros } from '../../lib/index.js';
import { convolveSamples } from '../support/expert-conv-reference.js';
import { checkGradients, float64, randomise, shapes } from '../support/expert-convs.js';
import { deviation } from '../support/values.js';

describe('ODConv2d', () => {
  const CASES = [
    ['3x3', { padding: 1, stride: 2 }, [4, 6, 3]],
    ['1x1', {}, [4, 6, 1]],
    ['groups, a bias', { groups: 2, bias: true, dilation: 2 }, [4, 6, [3, 2]]],
    ['depthwise', { groups: 4, padding: 1 }, [4, 4, 3]],
    ['one kernel', { numExperts: 1 }, [4, 5, 2]],
  ] as const;
  type Case = (typeof CASES)[number];
  const make = ([, options, [inputs, outputs, kernel]]: Case) =>
    randomise(
      new nn.ODConv2d(inputs, outputs, kernel as number, { minHidden: 3, ...float64, ...options }),
    ).eval();

  /** The four attentions by numbers: pooling, hidden layer with batch norm, and the heads. */
  function attentionsOf(layer: nn.ODConv2d, input: Tensor): Record<string, number[][]> {
    const state = layer.stateDict();
    const values = (key: string) => state[`attention.${key}`]!.flatten().arraySync() as number[];
    const { shape } = state['attention.fc.weight']!;
    const [hidden = 0, channels = 0] = shape;
    const pixels = input.numel / (input.shape[0]! * channels);
    const means = (input.flatten(2).sum({ dim: 2 }).arraySync() as number[][]).map((row) =>
      row.map((value) => value / pixels),
    );
    const units = means.map((mean) =>
      Array.from({ length: hidden }, (_, h) => {
        const dot = mean.reduce((sum, value, i) => sum + value * values('fc.weight')[h * channels + i]!, 0);
        const deviation = Math.sqrt(values('bn.running_var')[h]! + 1e-5);
        const normal = (dot - values('bn.running_mean')[h]!) / deviation;
        return Math.max(0, normal * values('bn.weight')[h]! + values('bn.bias')[h]!);
      }),
    );
    const head = (name: string) =>
      units.map((unit) =>
        values(`${name}.bias`).map(
          (bias, o) =>
            unit.reduce((sum, value, h) => sum + value * values(`${name}.weight`)[o * hidden + h]!, bias) /
            layer.temperature,
        ),
      );
    const sigmoid = (rows: number[][]) => rows.map((row) => row.map((value) => 1 / (1 + Math.exp(-value))));
    const softmax = (rows: number[][]) =>
      rows.map((row) => {
        const powers = row.map((value) => Math.exp(value));
        return powers.map((power) => power / powers.reduce((a, b) => a + b));
      });
    const optional = (name: string) =>
      layer.stateDict()[`attention.${name}.bias`] ? sigmoid(head(name)) : [];
    return {
      channel: sigmoid(head('channel_fc')),
      filter: optional('filter_fc'),
      spatial: optional('spatial_fc'),
      kernel: layer.numExperts === 1 ? units.map(() => [1]) : softmax(head('kernel_fc')),
    };
  }

  it.each(CASES)('%s: scales kernels, channels, filters and places', (...spec) => {
    manualSeed(8);
    const layer = make(spec as Case);
    layer.temperature = 2;
    const input = randn([3, 4, 7, 6], float64);
    const { channel, filter, spatial, kernel: share } = attentionsOf(layer, input);
    const { options, kernelSize, outChannels } = layer;
    const [perGroup, places] = [4 / options.groups, kernelSize[0] * kernelSize[1]];
    const w = layer.weight.flatten().arraySync() as number[];
    const size = outChannels * perGroup * places;
    const kernel = (b: number) =>
      Array.from({ length: size }, (_, at) => {
        const [o, rest] = [Math.floor(at / (perGroup * places)), at % (perGroup * places)];
        const [i, t] = [Math.floor(rest / places), rest % places];
        const group = Math.floor(o / (outChannels / options.groups));
        const sum = share![b]!.reduce((total, a, k) => total + a * w[k * size + at]!, 0);
        return sum * channel![b]![group * perGroup + i]! * (filter![b]?.[o] ?? 1) * (spatial![b]?.[t] ?? 1);
      });
    const bias = layer.bias?.arraySync() as number[] | undefined;
    const both = (value: unknown) => (Array.isArray(value) ? value : [value, value]) as number[];
    const wanted = convolveSamples(input, layer.weight.shape.slice(1), kernel, (_, o) => bias?.[o] ?? 0, {
      stride: both(options.stride),
      padding: both(options.padding),
      dilation: both(options.dilation),
      groups: options.groups,
    });
    expect(deviation(layer.forward(input), wanted)).toBeLessThan(1e-12);
    const half = layer.forward(input, { attention: layer.attention(input).mul(0.5) });
    const offset = layer.bias ? layer.bias.reshape([-1, 1, 1]) : zeros([1], float64);
    expect(deviation(half.sub(offset).mul(2).add(offset), wanted)).toBeLessThan(1e-12);
  });

  it.each(CASES)('%s: has right gradients', (...spec) => {
    manualSeed(9);
    const layer = make(spec as Case);
    checkGradients(layer, randn([2, 4, 5, 4], { ...float64, requiresGrad: true }));
  });

  it("has the keys of the authors' code, and loads a state without temperature", () => {
    const layer = new nn.ODConv2d(32, 8, 3);
    const wanted = shapes(layer as nn.AnyModule);
    expect(wanted).toMatchObject({
      weight: [4, 8, 32, 3, 3],
      'attention.fc.weight': [16, 32, 1, 1],
      'attention.bn.running_mean': [16],
      'attention.channel_fc.weight': [32, 16, 1, 1],
      'attention.filter_fc.bias': [8],
      'attention.spatial_fc.weight': [9, 16, 1, 1],
      'attention.kernel_fc.bias': [4],
      'attention.temperature': [],
    });
    expect(Object.keys(wanted).filter((key) => key.endsWith('weight'))).toHaveLength(7);
    const { 'attention.temperature': _, ...state } = layer.stateDict();
    expect(new nn.ODConv2d(32, 8, 3).loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
    const depthwise = Object.keys(new nn.ODConv2d(8, 8, 1, { groups: 8, numExperts: 1 }).stateDict());
    expect(depthwise.filter((key) => /(filter|spatial|kernel)_fc/.test(key))).toEqual([]);
  });

  it('is trained over batches: the batch norm needs two samples', () => {
    const layer = new nn.ODConv2d(4, 4, 3);
    layer
      .forward(randn([2, 4, 5, 5]))
      .sum()
      .backward();
    expect(() => layer.forward(randn([1, 4, 5, 5]))).toThrow(/more than 1 value per channel/);
  });
});
