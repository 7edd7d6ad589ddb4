import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  manualSeed,
  models,
  nn,
  noGrad,
  ones,
  randn,
  ShapeError,
  zeros,
} from '../../lib/index.js';
import { StochasticDepth } from '../../lib/models/blocks/stochastic-depth.js';
import { itRefuses } from '../support/refusals.js';
import { deviation } from '../support/values.js';

// Logits and gradients: zoo.test.ts.

/** A Vision Transformer of two layers. */
const small = (options: models.VisionTransformerOptions = {}) =>
  new models.VisionTransformer(
    { numLayers: 2, numHeads: 2, hiddenDim: 8, mlpDim: 16 },
    { imageSize: 32, patchSize: 8, numClasses: 5, ...options },
  );

/** The modules of a class, by key. */
const modulesOf = <M extends nn.AnyModule>(model: nn.AnyModule, type: new (...args: never[]) => M): M[] =>
  [...model.modules()].filter((module) => module instanceof type) as unknown as M[];

describe('StochasticDepth', () => {
  it('drops whole images while training, and keeps the mean', () => {
    manualSeed(1);
    const layer = new StochasticDepth(0.25);
    const x = ones([400, 2, 3]);
    const y = layer.forward(x);
    const perImage = y.flatten(1);
    expect(perImage.amax({ dim: 1 }).equal(perImage.amin({ dim: 1 }))).toBe(true);
    expect([...new Set(y.dataSync() as Float32Array)].sort().map((value) => value.toFixed(4))).toEqual([
      '0.0000',
      '1.3333',
    ]);
    expect(Math.abs(Number(y.mean().item()) - 1)).toBeLessThan(0.1);
    expect(layer.eval().forward(x)).toBe(x);
    expect(new StochasticDepth(0).forward(x)).toBe(x);
    expect(new StochasticDepth(1).forward(x).abs().sum().item()).toBe(0);
  });

  it('grows from the first block to the last', () => {
    const probabilities = (model: nn.Module) => modulesOf(model, StochasticDepth).map(({ p }) => p);
    const convnext = probabilities(models.convnextTiny({ numClasses: 2, stochasticDepthProb: 0.34 }));
    convnext.forEach((p, i) => void expect(p).toBeCloseTo((0.34 * i) / 17));
    expect(convnext).toHaveLength(18);
    const efficientnet = probabilities(models.efficientnetB0({ numClasses: 2, stochasticDepthProb: 0.32 }));
    efficientnet.forEach((p, i) => void expect(p).toBeCloseTo((0.32 * i) / 16));
    expect(efficientnet).toHaveLength(16);
  });

  it('is off in evaluation of a network', () => {
    manualSeed(2);
    const model = models.efficientnetB0({ numClasses: 3, stochasticDepthProb: 1 }).eval();
    const x = randn([2, 3, 32, 32]);
    noGrad(() => expect(model.forward(x).equal(model.forward(x))).toBe(true));
  });
});

describe('ConvNeXt', () => {
  it('starts as torchvision does: truncated normal weights, zero biases, layerScale', () => {
    manualSeed(3);
    const model = models.convnextTiny({ numClasses: 4, layerScale: 0.5, inChannels: 1 });
    const state = model.stateDict();
    expect(state['features.0.0.weight']!.shape).toEqual([96, 1, 4, 4]);
    const weight = state['features.7.0.block.3.weight']!;
    expect(Number(weight.std().item())).toBeCloseTo(0.02, 3);
    expect(state['features.7.0.block.3.bias']!.abs().sum().item()).toBe(0);
    expect(state['features.1.0.layer_scale']!.equal(ones([96, 1, 1]).mul(0.5))).toBe(true);
    expect(
      models.convnextTiny({ numClasses: 2 }).stateDict()['features.1.0.layer_scale']!.max().item(),
    ).toBeCloseTo(1e-6, 12);
  });

  it('becomes dynamic, with the same logits, and static again', () => {
    manualSeed(4);
    const model = models.convnextTiny({ numClasses: 4, layerScale: 0.5 }).eval();
    const x = randn([2, 3, 64, 64]);
    const wanted = noGrad(() => model.forward(x));
    nn.dynamize(model, { numExperts: 3 });
    const layers = modulesOf(model, nn.DynamicConv2d);
    // 18 depthwise convolutions and 3 that halve the size; not the first one.
    expect(layers).toHaveLength(21);
    expect(layers.filter(({ options }) => options.groups > 1)).toHaveLength(18);
    expect(
      deviation(
        noGrad(() => model.forward(x)),
        wanted,
      ),
    ).toBeLessThan(1e-5);
    nn.collapse(model);
    expect(modulesOf(model, nn.DynamicConv2d)).toHaveLength(0);
    expect(
      deviation(
        noGrad(() => model.forward(x)),
        wanted,
      ),
    ).toBeLessThan(1e-5);
  });

  it('is a program', () => {
    manualSeed(5);
    const model = models.convnextTiny({ numClasses: 4, layerScale: 0.5 }).eval();
    const program = nn.compile(model, randn([1, 3, 32, 32]));
    const x = randn([3, 3, 32, 32]);
    expect(
      deviation(
        program.runSync(x),
        noGrad(() => model.forward(x)),
      ),
    ).toBeLessThan(1e-5);
  });
});

describe('VisionTransformer', () => {
  it('has an option for every size', () => {
    const state = small({ inChannels: 1, representationSize: 6 }).stateDict();
    expect(state['conv_proj.weight']!.shape).toEqual([8, 1, 8, 8]);
    expect(state['encoder.pos_embedding']!.shape).toEqual([1, 17, 8]);
    expect(state['heads.pre_logits.weight']!.shape).toEqual([6, 8]);
    expect(state['heads.head.weight']!.shape).toEqual([5, 6]);
    const model = small({ dropout: 0.1, attentionDropout: 0.2 });
    expect(modulesOf(model, nn.Dropout).map(({ p }) => p)).toEqual(new Array(7).fill(0.1));
    expect(modulesOf(model, nn.MultiheadAttention).map(({ dropout }) => dropout)).toEqual([0.2, 0.2]);
  });

  it('starts as torchvision does, with logits of zero', () => {
    manualSeed(6);
    const model = small();
    const state = model.stateDict();
    expect(model.forward(randn([2, 3, 32, 32])).equal(zeros([2, 5]))).toBe(true);
    expect(state.class_token!.abs().sum().item()).toBe(0);
    expect(Number(state['encoder.pos_embedding']!.std().item())).toBeCloseTo(0.02, 2);
    expect(Number(state['conv_proj.weight']!.std().item())).toBeCloseTo(Math.sqrt(1 / (3 * 64)), 2);
    expect(state['encoder.layers.encoder_layer_0.mlp.0.bias']!.abs().max().item()).toBeLessThan(1e-5);
  });

  it('is a program for every batch size, and trains', () => {
    manualSeed(7);
    const model = small({ representationSize: 6 });
    nn.init.normal_(model.stateDict()['heads.head.weight']!);
    const x = randn([3, 3, 32, 32]);
    model.forward(x).sum().backward();
    for (const [key, parameter] of model.namedParameters()) expect(parameter.grad, key).not.toBeNull();
    model.eval();
    const program = nn.compile(model, randn([2, 3, 32, 32]));
    expect(
      deviation(
        program.runSync(x),
        noGrad(() => model.forward(x)),
      ),
    ).toBeLessThan(1e-5);
  });

  itRefuses([
    [
      'images of another size',
      () => small().forward(zeros([1, 3, 32, 40])),
      ShapeError,
      'Expected shape [B, 3, 32, 32] for input but received [1, 3, 32, 40]',
    ],
    [
      'a size that patches do not fill',
      () => models.vitB_16({ imageSize: 100 }),
      ArgumentError,
      'Expected a multiple of patchSize 16 for imageSize but received 100',
    ],
    ['no hidden units', () => small({ representationSize: 0 }), ArgumentError, 'for representationSize'],
    [
      'an option of another network',
      () => models.create('convnext_tiny', { imageSize: 32 }),
      ArgumentError,
      "received 'imageSize'",
    ],
    [
      'a probability above 1',
      () => models.convnextTiny({ stochasticDepthProb: 2 }),
      ArgumentError,
      'for stochasticDepthProb',
    ],
  ]);
});
