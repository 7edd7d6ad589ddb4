// What the passes over a program make of layers that follow each other, beside the same network uncompiled.
import { describe, expect, it } from 'vitest';
import {
  cat,
  functional as F,
  linspace,
  manualSeed,
  models,
  nn,
  noGrad,
  randn,
  type Tensor,
  tensor,
} from '../../lib/index.js';
import { deviation } from '../support/values.js';

/** A batch norm that has seen something, so that it does something. */
function used(features: number): nn.BatchNorm2d {
  const norm = new nn.BatchNorm2d(features);
  noGrad(() => {
    norm.runningMean!.copy_(randn([features]));
    norm.runningVar!.copy_(randn([features]).square().add(0.5));
    norm.weight!.copy_(randn([features]));
    norm.bias!.copy_(randn([features]));
  });
  return norm;
}

class Net extends nn.Module {
  readonly layers: nn.ModuleList;
  constructor(
    layers: nn.Module[],
    readonly compute: (x: Tensor) => Tensor,
  ) {
    super();
    this.layers = new nn.ModuleList(layers);
  }
  forward(x: Tensor): Tensor {
    return this.compute(x);
  }
}

/** The program of a network, which must agree with it for batches of several sizes. */
function compiled(net: nn.Module<[Tensor]>, shape: number[], batches = [1, 2, 5]) {
  net.eval();
  const program = nn.compile(net, randn([2, ...shape]));
  for (const batch of batches) {
    const x = randn([batch, ...shape]);
    const wanted = noGrad(() => net.forward(x) as Tensor);
    expect(deviation(program.runSync(x) as Tensor, wanted), `${batch} samples`).toBeLessThan(1e-5);
  }
  return program.toString();
}

const sequence = (...layers: nn.Module[]) => new nn.Sequential(...layers) as nn.Module<[Tensor]>;

describe('a convolution takes in', () => {
  it.each([
    ['relu', () => new nn.ReLU()],
    ['relu6', () => new nn.ReLU6()],
    ['hardswish', () => new nn.Hardswish()],
    ['hardsigmoid', () => new nn.Hardsigmoid()],
    ['sigmoid', () => new nn.Sigmoid()],
    ['silu', () => new nn.SiLU()],
    ['gelu', () => new nn.GELU()],
  ])('batch norm and %s', (name, make) => {
    manualSeed(1);
    const listing = compiled(sequence(new nn.Conv2d(5, 20, 3, { padding: 1 }), used(20), make()), [5, 9, 7]);
    expect(listing).toContain('fusedConv2d');
    expect(listing).toContain(`'${name}'`);
    expect(listing).not.toContain('batchNorm');
  });

  it('batch norm without a bias of its own, and without weight and bias of the norm', () => {
    manualSeed(2);
    const plain = new nn.BatchNorm2d(8, { affine: false });
    noGrad(() => plain.runningMean!.copy_(randn([8])));
    const listing = compiled(
      sequence(
        new nn.Conv2d(3, 8, 3, { bias: false }),
        plain,
        new nn.Conv2d(8, 8, 3, { bias: false, stride: 2 }),
        used(8),
      ),
      [3, 12, 12],
    );
    expect(listing).not.toContain('batchNorm');
  });

  it('the addition of another tensor, on either side, and the activation after it', () => {
    manualSeed(3);
    const [a, b, c] = [1, 2, 3].map(() => new nn.Conv2d(16, 16, 3, { padding: 1 })) as [
      nn.Conv2d,
      nn.Conv2d,
      nn.Conv2d,
    ];
    const net = new Net([a, b, c], (x) => {
      const y = F.relu(a.forward(x).add(x));
      return y.add(b.forward(y)).add(c.forward(y));
    });
    const listing = compiled(net, [16, 8, 8]);
    expect(listing.match(/fusedConv2d/g)).toHaveLength(3);
    expect(listing).not.toMatch(/\badd\(/);
  });

  it('nothing that would change a value that is used elsewhere', () => {
    manualSeed(4);
    const conv = new nn.Conv2d(4, 8, 1);
    const norm = used(8);
    const listing = compiled(
      new Net([conv, norm], (x) => {
        const y = conv.forward(x);
        return F.relu(norm.forward(y)).mul(y);
      }),
      [4, 5, 5],
    );
    expect(listing).toContain('batchNorm');
    expect(listing).toContain('fusedConv2d');
  });

  it.each([
    ['1x1', 40, 24, 1, {}],
    ['of few channels', 3, 48, 11, { stride: 4, padding: 5 }],
    ['of stride 2', 24, 40, 3, { stride: 2, padding: 1 }],
    ['dilated', 17, 33, 3, { dilation: 2, padding: 2 }],
    ['5x5', 20, 70, 5, { padding: 2 }],
    ['not square', 20, 130, [3, 1] as [number, number], { padding: [1, 0] as [number, number] }],
    ['of groups', 12, 24, 3, { groups: 3 }],
    ['depthwise', 40, 40, 5, { groups: 40, padding: 2, stride: 2 }],
  ])('a kernel %s', (_, channels, out, kernel, options) => {
    manualSeed(5);
    compiled(sequence(new nn.Conv2d(channels, out, kernel, options), used(out), new nn.ReLU()), [
      channels,
      23,
      22,
    ]);
  });
});

describe('activations with an exponential', () => {
  const F64 = { dtype: 'float64' } as const;
  const ACTIVATIONS = [
    ['sigmoid', F.sigmoid],
    ['silu', F.silu],
    ['gelu', (x: Tensor) => F.gelu(x)],
  ] as const;
  const LAYERS: [string, number[], () => nn.Module][] = [
    ['1x1', [40, 9, 8], () => new nn.Conv2d(40, 70, 1)],
    ["Winograd's algorithm", [32, 16, 16], () => new nn.Conv2d(32, 32, 3, { padding: 1 })],
    ['stride 2', [24, 15, 14], () => new nn.Conv2d(24, 40, 3, { stride: 2, padding: 1 })],
    ['few channels', [3, 15, 14], () => new nn.Conv2d(3, 20, 3, { stride: 2, padding: 1 })],
    ['depthwise 3x3', [37, 13, 12], () => new nn.Conv2d(37, 37, 3, { groups: 37, padding: 1 })],
    ['depthwise 5x5', [40, 13, 12], () => new nn.Conv2d(40, 40, 5, { groups: 40, padding: 2, stride: 2 })],
    ['linear', [70], () => new nn.Linear(70, 50)],
    ['dynamic 3x3', [24, 12, 12], () => new nn.DynamicConv2d(24, 40, 3, { numExperts: 3, padding: 1 })],
    ['dynamic 1x1', [24, 7, 9], () => new nn.DynamicConv2d(24, 40, 1, { numExperts: 3 })],
    [
      'dynamic depthwise',
      [40, 9, 8],
      () => new nn.DynamicConv2d(40, 40, 3, { groups: 40, numExperts: 3, padding: 1 }),
    ],
  ];
  it.each(
    ACTIVATIONS.flatMap(([name, activation]) =>
      LAYERS.map(([kind, shape, make]) => ({ name, kind, activation, shape, make })),
    ),
  )('$name after $kind', ({ name, activation, shape, make }) => {
    manualSeed(14);
    const layer = make() as nn.Module<[Tensor]>;
    const listing = compiled(new Net([layer], (x) => activation(layer.forward(x) as Tensor)), shape, [1, 3]);
    expect(listing).toContain(`'${name}'`);
    expect(listing).not.toContain(`${name}(`);
  });

  /** A program that applies an activation to the numbers that it gets: its convolution multiplies by 1. */
  function applied(activation: (x: Tensor) => Tensor, x: Tensor) {
    const conv = new nn.Conv2d(1, 1, 1, { bias: false });
    noGrad(() => conv.weight.fill_(1));
    const program = nn.compile(new Net([conv], (y) => activation(conv.forward(y))).eval(), x);
    expect(program.toString()).toContain('fusedConv2d');
    return program.runSync(x) as Tensor;
  }

  // Sigmoid and SiLU: units of the last place of the result, which come from an exponential, a sum and a division
  // (measured: 1.4 here, 1.3 in libtorch). GELU: the error of the normal distribution times the number (2.7e-7 here,
  // 3.5e-7 in libtorch).
  it.each([
    ['sigmoid', F.sigmoid, (_: Tensor, result: Tensor) => result.abs().mul(4 * 2 ** -23)],
    ['silu', F.silu, (_: Tensor, result: Tensor) => result.abs().mul(4 * 2 ** -23)],
    ['gelu', (x: Tensor) => F.gelu(x), (x: Tensor) => x.abs().mul(3e-7)],
  ] as const)('%s is within float32 rounding of the exact value', (_, activation, bound) => {
    const x = cat([linspace(-90, 90, 40_000), linspace(-2, 2, 40_000)]).reshape([1, 1, 200, 400]);
    const exact = activation(x.to(F64));
    const error = applied(activation, x).to(F64).sub(exact).abs();
    // Beyond the smallest normal numbers there is no relative precision.
    const allowed = bound(x.to(F64), exact).add(2 ** -120);
    expect(Number(error.div(allowed).amax().item()), 'parts of the bound').toBeLessThanOrEqual(1);
  });

  // As in libtorch, except GELU of infinity, which is NaN there.
  const LARGE = 2 ** 127;
  it.each([
    ['sigmoid', F.sigmoid, [1, 0, NaN, 0.5, 1, 0, 1, 0]],
    ['silu', F.silu, [Infinity, NaN, NaN, 0, LARGE, -0, 200, -0]],
    ['gelu', (x: Tensor) => F.gelu(x), [Infinity, NaN, NaN, 0, LARGE, -0, 200, -0]],
  ] as const)('%s of infinities, NaN and large numbers', (_, activation, wanted) => {
    const numbers = [Infinity, -Infinity, NaN, 0, LARGE, -LARGE, 200, -200];
    const x = tensor(numbers).reshape([1, 1, 2, 4]);
    expect([...applied(activation, x).dataSync()]).toEqual([...wanted]);
  });

  it('the approximation of GELU with tanh remains a step', () => {
    const linear = new nn.Linear(6, 6);
    const net = new Net([linear], (x) => F.gelu(linear.forward(x), { approximate: 'tanh' }));
    expect(compiled(net, [6])).toContain('gelu(');
  });
});

it('linear layers of four dimensions take in an addition', () => {
  manualSeed(13);
  const linear = new nn.Linear(6, 6);
  const listing = compiled(new Net([linear], (x) => F.relu(linear.forward(x).add(x))), [3, 4, 6]);
  expect(listing).toContain('fusedLinear');
  expect(listing).not.toMatch(/\badd\(/);
});

describe('dynamic convolutions', () => {
  it.each([
    ['3x3', 3, { padding: 1 }],
    ['5x5', 5, {}],
    ['1x1', 1, {}],
    ['of stride 2', 3, { stride: 2 }],
    ['without bias', 3, { bias: false }],
  ])('%s take in batch norm and the activation', (_, kernel, options) => {
    manualSeed(6);
    const conv = new nn.DynamicConv2d(24, 40, kernel, { numExperts: 3, temperature: 1, ...options });
    const listing = compiled(sequence(conv, used(40), new nn.ReLU()), [24, 10, 9]);
    expect(listing).toContain('fusedDynamicConv2d');
    expect(listing).not.toContain('batchNorm');
  });

  // 7 x 9 pixels: Winograd's algorithm for batches, mixed panels for one sample.
  it.each([
    ['three panels of channels', 48, 192],
    ['a last panel that is not full', 20, 72],
    ['one panel', 32, 16],
    ['few input channels, which are copied', 3, 70],
  ])('one sample is computed with experts mixed panel by panel: %s', (_, inputs, outputs) => {
    manualSeed(8);
    const conv = new nn.DynamicConv2d(inputs, outputs, 3, { numExperts: 4, temperature: 1, padding: 1 });
    expect(compiled(sequence(conv, new nn.ReLU()), [inputs, 7, 9])).toContain('fusedDynamicConv2d');
  });

  it.each([
    ['3x3', 3, { padding: 1 }],
    ['5x5 of stride 2', 5, { padding: 2, stride: 2 }],
    ['dilated, without bias', 3, { padding: 2, dilation: 2, bias: false }],
  ])('depthwise ones take in batch norm, an addition and the activation: %s', (_, kernel, options) => {
    manualSeed(9);
    const conv = new nn.DynamicConv2d(40, 40, kernel, {
      groups: 40,
      numExperts: 3,
      temperature: 1,
      ...options,
    });
    const listing = compiled(sequence(conv, used(40), new nn.Hardswish()), [40, 17, 14]);
    expect(listing).toContain('fusedDynamicDepthwiseConv2d');
    expect(listing).not.toContain('batchNorm');
  });

  it('depthwise ones keep a batch norm where attention does not sum to 1', () => {
    manualSeed(10);
    const conv = new nn.DynamicConv2d(20, 20, 3, { groups: 20, numExperts: 2, routing: 'sigmoid' });
    const listing = compiled(sequence(conv, used(20), new nn.ReLU()), [20, 6, 6]);
    expect(listing).toContain('fusedDynamicDepthwiseConv2d');
    expect(listing).toContain('batchNorm');
  });

  it('keep a batch norm where attention does not sum to 1', () => {
    manualSeed(7);
    const conv = new nn.DynamicConv2d(8, 8, 3, { numExperts: 2, routing: 'sigmoid' });
    expect(compiled(sequence(conv, used(8), new nn.ReLU()), [8, 6, 6])).toContain('batchNorm');
  });
});

it('linear layers take in the activation, and a residual of any shape', () => {
  manualSeed(8);
  const [first, second] = [new nn.Linear(30, 70), new nn.Linear(70, 30)];
  const net = new Net([first, second], (x) => second.forward(F.relu(first.forward(x))).add(x));
  const listing = compiled(net, [4, 30]);
  expect(listing.match(/fusedLinear/g)).toHaveLength(2);
  expect(listing).not.toMatch(/\badd\(/);
});

it('squeeze and excitation, pooling and views of channels-last images', () => {
  manualSeed(9);
  const [conv, squeeze, excite] = [
    new nn.Conv2d(3, 24, 3, { padding: 1, stride: 2 }),
    new nn.Conv2d(24, 8, 1),
    new nn.Conv2d(8, 24, 1),
  ];
  const net = new Net([conv, squeeze, excite], (x) => {
    const y = F.hardswish(conv.forward(x));
    const scale = F.hardsigmoid(excite.forward(F.relu(squeeze.forward(F.adaptiveAvgPool2d(y, 1)))));
    const z = F.maxPool2d(scale.mul(y), 3, { stride: 2, padding: 1 });
    return z.view([z.shape[0]!, -1]);
  });
  const listing = compiled(net, [3, 20, 18]);
  for (const name of ['channelMeans', 'scaleChannels', 'fusedMaxPool2d']) expect(listing).toContain(name);
});

it('numbers that are not finite stay where they are, in Winograd tiles too', () => {
  manualSeed(10);
  const net = sequence(new nn.Conv2d(32, 32, 3, { padding: 1 }), new nn.ReLU());
  const program = nn.compile(net.eval(), randn([2, 32, 16, 16]));
  const x = randn([4, 32, 16, 16]);
  noGrad(() => x.narrow(2, 3, 1).narrow(3, 5, 1).fill_(Number.POSITIVE_INFINITY));
  const [received, wanted] = [program.runSync(x) as Tensor, noGrad(() => net.forward(x))];
  expect(received.isfinite().equal(wanted.isfinite())).toBe(true);
});

it('weights that change are packed again', () => {
  manualSeed(11);
  const conv = new nn.Conv2d(16, 32, 3, { padding: 1 });
  const net = sequence(conv, used(32), new nn.ReLU()).eval() as nn.Module<[Tensor]>;
  const program = nn.compile(net, randn([2, 16, 8, 8]));
  const x = randn([3, 16, 8, 8]);
  program.runSync(x);
  noGrad(() => conv.weight.mul_(-2));
  expect(
    deviation(
      program.runSync(x) as Tensor,
      noGrad(() => net.forward(x)),
    ),
  ).toBeLessThan(1e-5);
});

describe.each([
  ['alexnet', 128],
  ['alexnet-dy', 128],
  ['resnet18', 64],
  ['mobilenet_v3_small', 64],
  ['efficientnet_b0', 64],
] as const)('%s', (name, size) => {
  it('gives the same logits compiled', { timeout: 60_000 }, () => {
    manualSeed(12);
    const net = models.create(name) as nn.Module<[Tensor]>;
    const listing = compiled(net, [3, size, size], [1, 3]);
    for (const left of ['batchNorm', ' conv2d', 'relu(', 'hardswish(', 'sigmoid(', 'silu(', 'maxPool2d(']) {
      expect(listing.replaceAll('fusedMaxPool2d', '')).not.toContain(left);
    }
  });
});
