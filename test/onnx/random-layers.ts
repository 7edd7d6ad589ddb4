/** Layers of random networks, by the kind of data they take. */
import { DynamicConv2d, nn, type Tensor } from '../../lib/index.js';
import type { Random } from './random.js';

/** What flows between layers, by the shape of a sample: [C, L], [C, H, W], [C, D, H, W], [L, D] and [D]. */
export type Kind = 'signal' | 'image' | 'volume' | 'sequence' | 'row';

/** Makes a layer for samples of a shape; undefined where none fits. */
export type Maker = (random: Random, shape: readonly number[]) => nn.Module | undefined;

/** A layer that is a function. */
export class Apply extends nn.Module {
  readonly #apply: (x: Tensor) => Tensor;
  readonly #text: string;
  constructor(
    text: string,
    apply: (x: Tensor) => Tensor,
    layers: Record<string, nn.Module<never[], unknown>> = {},
  ) {
    super();
    this.#apply = apply;
    this.#text = text;
    Object.assign(this, layers);
  }
  forward(x: Tensor): Tensor {
    return this.#apply(x);
  }
  protected override extraRepr(): string {
    return this.#text;
  }
}

const ACTIVATIONS: ((random: Random) => nn.Module)[] = [
  () => new nn.ReLU(),
  () => new nn.ReLU6(),
  () => new nn.SiLU(),
  () => new nn.Mish(),
  () => new nn.SELU(),
  () => new nn.Hardswish(),
  () => new nn.Hardsigmoid(),
  () => new nn.Sigmoid(),
  () => new nn.LogSigmoid(),
  () => new nn.Tanh(),
  () => new nn.Tanhshrink(),
  () => new nn.Softsign(),
  (random) => new nn.LeakyReLU({ negativeSlope: random.number(0.01, 0.3) }),
  (random) => new nn.ELU({ alpha: random.number(0.5, 1.5) }),
  (random) => new nn.CELU({ alpha: random.number(0.5, 1.5) }),
  (random) => new nn.Softplus({ beta: random.number(0.5, 2), threshold: random.pick([5, 20]) }),
  (random) => new nn.Hardtanh({ minVal: -random.number(0.5, 2), maxVal: random.number(0.5, 2) }),
  (random) => new nn.Softshrink({ lambda: random.number(0.1, 0.5) }),
  (random) => new nn.GELU({ approximate: random.pick(['none', 'tanh']) }),
  (random) => new nn.RReLU({ lower: 0.1, upper: random.number(0.2, 0.4) }),
];

const activation: Maker = (random) => random.pick(ACTIVATIONS)(random);

/** Shapes do not matter to these. */
const ANYWHERE: Maker[] = [
  activation,
  activation,
  () => new nn.Dropout(0.5),
  () => new nn.Identity(),
  (random, shape) => new nn.PReLU({ numParameters: random.pick([1, shape[0]!]), init: 0.2 }),
];

/** The sizes of a kernel that fits, and options of a convolution. */
function window(random: Random, shape: readonly number[]) {
  const places = shape.slice(1);
  const dilation = places.map((size) => (size >= 7 ? random.integer(1, 2) : 1));
  const kernel = places.map((size) => random.integer(1, Math.min(3, size)));
  const padding = kernel.map((size, i) => random.integer(0, Math.floor((dilation[i]! * (size - 1)) / 2)));
  const fits = places.map((size, i) => dilation[i]! * (kernel[i]! - 1) + 1 <= size);
  const stride = places.map((size) => (size >= 6 && random.chance(0.3) ? 2 : 1));
  return { kernel, stride, padding, dilation: dilation.map((by, i) => (fits[i] ? by : 1)) };
}

/** Numbers of channels, and a number of groups that divides both. */
function channels(random: Random, inputs: number) {
  const groups = random.chance(0.3) ? random.pick(divisors(inputs)) : 1;
  return { groups, outputs: groups * random.integer(1, Math.max(1, Math.floor(12 / groups))) };
}

export const divisors = (n: number): number[] =>
  Array.from({ length: n }, (_, i) => i + 1).filter((size) => n % size === 0);

type Layer = new (inputs: number, outputs: number, kernel: never, options: never) => nn.Module;

const conv =
  (layers: readonly Layer[], extra: (random: Random) => object = () => ({})): Maker =>
  (random, shape) => {
    const { kernel, ...options } = window(random, shape);
    const { groups, outputs } = channels(random, shape[0]!);
    const all = { ...options, groups, bias: random.chance(0.7), ...extra(random) };
    return new (random.pick(layers))(shape[0]!, outputs, kernel as never, all as never);
  };

const experts = (random: Random) => ({
  numExperts: random.integer(2, 4),
  routing: random.pick(['softmax', 'sigmoid']),
  temperature: random.pick([1, 4, 30]),
});

const transposed =
  (layer: Layer): Maker =>
  (random, shape) => {
    const [, ...places] = shape;
    if (Math.max(...places) > 10) return undefined;
    const stride = random.integer(1, 2);
    const kernel = random.integer(stride, 3);
    const { groups, outputs } = channels(random, shape[0]!);
    const options = {
      stride,
      groups,
      outputPadding: stride === 2 ? random.integer(0, 1) : 0,
      padding: random.integer(0, Math.floor((kernel - 1) / 2)),
    };
    return new layer(shape[0]!, outputs, kernel as never, options as never);
  };

type PoolLayer = new (kernel: never, options: never) => nn.Module;

/** @param ceil - Probability of ceilMode. */
const pool =
  (layers: { max: PoolLayer; mean: PoolLayer }, ceil = 0.4): Maker =>
  (random, shape) => {
    if (Math.min(...shape.slice(1)) < 4) return undefined;
    const kernel = shape.slice(1).map(() => random.integer(2, 3));
    const stride = kernel.map(() => random.integer(1, 3));
    const padding = kernel.map((size) => random.integer(0, Math.floor(size / 2)));
    if (random.chance(0.5))
      return new layers.max(kernel as never, { stride, padding, ceilMode: random.chance(ceil) } as never);
    // Together with padding that is counted, ceilMode is refused.
    const countIncludePad = random.chance(0.5);
    const ceilMode = !countIncludePad && random.chance(ceil);
    return new layers.mean(kernel as never, { stride, padding, countIncludePad, ceilMode } as never);
  };

const adaptive =
  (layers: readonly (new (sizes: never) => nn.Module)[], even: boolean): Maker =>
  (random, shape) => {
    const sizes = shape
      .slice(1)
      .map((size) => (even ? random.pick(divisors(size)) : random.integer(1, size)));
    return new (random.pick(layers))(sizes as never);
  };

/** Norms of channels; those of a sample need enough elements. */
const norm =
  (
    batch: new (channels: number, options: object) => nn.Module,
    instance: new (channels: number, options: object) => nn.Module,
  ): Maker =>
  (random, shape) => {
    const [inputs, ...places] = shape as [number, ...number[]];
    const count = places.reduce((product, size) => product * size, 1);
    // Of nearly equal elements, a norm with a small eps is mostly rounding.
    const options = { affine: random.chance(0.7), eps: random.pick([0.1, 0.2]) };
    if (random.chance(0.4) || count < 16) return new batch(inputs, options);
    if (random.chance(0.5)) return new nn.GroupNorm(random.pick(divisors(inputs)), inputs, options);
    return new instance(inputs, { ...options, trackRunningStats: random.chance(0.3) });
  };

const IMAGE_POOLS = { max: nn.MaxPool2d as never, mean: nn.AvgPool2d as never };

/** Layers whose nodes do not depend on the size of the images. */
const FREE: Maker[] = [
  conv([nn.Conv2d as Layer], (random) => (random.chance(0.3) ? { padding: 'same', stride: 1 } : {})),
  conv([nn.Conv2d as Layer]),
  conv([DynamicConv2d as Layer], experts),
  conv([DynamicConv2d as Layer], experts),
  conv([nn.CondConv2d as Layer], (random) => ({ numExperts: random.integer(1, 4) })),
  (random, [channels = 1]) =>
    new nn.ODConv2d(channels, random.integer(2, 12), 1, { numExperts: random.integer(1, 4) }),
  transposed(nn.ConvTranspose2d as Layer),
  norm(nn.BatchNorm2d, nn.InstanceNorm2d),
  norm(nn.BatchNorm2d, nn.InstanceNorm2d),
  (random) => new nn.LocalResponseNorm(random.pick([1, 3, 5]), { alpha: 0.1 }),
  pool(IMAGE_POOLS, 0),
  pool(IMAGE_POOLS, 0),
  (random, shape) => upsample(random, shape, true),
  (random, shape) => (shape[0]! % 4 === 0 ? new nn.PixelShuffle(random.pick([1, 2])) : undefined),
  (random, shape) => padded(random, shape),
  () => new nn.Dropout2d(0.3),
];

const IMAGE: Maker[] = [
  ...FREE,
  // Larger kernels copy windows, whose places depend on the size.
  conv([nn.ODConv2d as Layer], (random) => ({ numExperts: random.integer(1, 4) })),
  pool(IMAGE_POOLS),
  adaptive([nn.AdaptiveAvgPool2d as never, nn.AdaptiveMaxPool2d as never], true),
  adaptive([nn.AdaptiveAvgPool2d as never], false),
  (random, shape) => upsample(random, shape, false),
];

function upsample(
  random: Random,
  [, height = 0, width = 0]: readonly number[],
  byFactor: boolean,
): nn.Module | undefined {
  if (height > 12 || width > 12) return undefined;
  const mode = random.pick(['nearest', 'bilinear', 'bicubic', 'nearest-exact'] as const);
  const smooth = mode === 'bilinear' || mode === 'bicubic';
  const alignCorners = smooth && random.chance(0.4) ? { alignCorners: true } : {};
  if (byFactor) return new nn.Upsample({ scaleFactor: random.integer(1, 2), mode, ...alignCorners });
  return new nn.Upsample({
    size: [height + random.integer(0, 4), width + random.integer(0, 4)],
    mode,
    ...alignCorners,
  });
}

function padded(random: Random, [, height = 0, width = 0]: readonly number[]): nn.Module | undefined {
  if (Math.min(height, width) < 3) return undefined;
  const padding = [0, 0, 0, 0].map(() => random.integer(0, 2));
  return random.pick([
    () => new nn.ZeroPad2d(padding),
    () => new nn.ConstantPad2d(padding, random.number(-1, 1)),
    () => new nn.ReflectionPad2d(padding),
    () => new nn.ReplicationPad2d(padding),
  ])();
}

const SIGNAL: Maker[] = [
  conv([nn.Conv1d as Layer]),
  conv([nn.DynamicConv1d as Layer], experts),
  transposed(nn.ConvTranspose1d as Layer),
  norm(nn.BatchNorm1d, nn.InstanceNorm1d),
  pool({ max: nn.MaxPool1d as never, mean: nn.AvgPool1d as never }),
  adaptive([nn.AdaptiveAvgPool1d as never, nn.AdaptiveMaxPool1d as never], true),
  adaptive([nn.AdaptiveAvgPool1d as never], false),
];

const VOLUME: Maker[] = [
  conv([nn.Conv3d as Layer]),
  conv([nn.DynamicConv3d as Layer], experts),
  transposed(nn.ConvTranspose3d as Layer),
  norm(nn.BatchNorm3d, nn.InstanceNorm3d),
  pool({ max: nn.MaxPool3d as never, mean: nn.AvgPool3d as never }),
  adaptive([nn.AdaptiveAvgPool3d as never, nn.AdaptiveMaxPool3d as never], true),
];

/** The first output of a recurrent layer. */
function recurrent(random: Random, [, features = 1]: readonly number[]): nn.Module {
  const hidden = random.integer(2, 8);
  const options = {
    batchFirst: true,
    numLayers: random.integer(1, 2),
    bidirectional: random.chance(0.4),
    bias: random.chance(0.8),
  };
  const layer = random.pick([
    () => new nn.LSTM(features, hidden, options),
    () => new nn.GRU(features, hidden, options),
    () => new nn.RNN(features, hidden, { ...options, nonlinearity: random.pick(['tanh', 'relu']) }),
  ])();
  return new Apply('the outputs', (x) => layer.forward(x)[0], { layer });
}

function attention(random: Random, [, features = 1]: readonly number[]): nn.Module {
  const heads = random.pick(divisors(features));
  const layer = new nn.MultiheadAttention(features, heads, { batchFirst: true, bias: random.chance(0.7) });
  const needWeights = random.chance(0.5);
  return new Apply(`needWeights=${needWeights}`, (x) => layer.forward(x, x, x, { needWeights })[0], {
    layer,
  });
}

function encoder(random: Random, [, features = 1]: readonly number[]): nn.Module | undefined {
  if (features < 4) return undefined;
  const layer = new nn.TransformerEncoderLayer(features, random.pick(divisors(features)), {
    batchFirst: true,
    dimFeedforward: 16,
    layerNormEps: 1e-3,
    normFirst: random.chance(0.5),
    activation: random.pick(['relu', 'gelu']),
  });
  return random.chance(0.5)
    ? layer
    : new nn.TransformerEncoder(layer, 2, { norm: new nn.LayerNorm(features, { eps: 1e-3 }) });
}

/** Layers over the last dimension. */
const LAST: Maker[] = [
  (random, shape) => new nn.Linear(shape.at(-1)!, random.integer(2, 16), { bias: random.chance(0.8) }),
  (random, shape) =>
    shape.at(-1)! < 4
      ? undefined
      : new nn.LayerNorm(shape.at(-1)!, { affine: random.chance(0.7), eps: 1e-3 }),
  (_, shape) => (shape.at(-1)! < 4 ? undefined : new nn.RMSNorm(shape.at(-1)!, { eps: 1e-3 })),
  (random) => new (random.pick([nn.Softmax, nn.LogSoftmax, nn.Softmin]))({ dim: -1 }),
  (_, shape) => (shape.at(-1)! % 2 === 0 ? new nn.GLU({ dim: -1 }) : undefined),
];

const SEQUENCE: Maker[] = [...LAST, recurrent, recurrent, attention, encoder, encoder];

const ROW: Maker[] = [
  ...LAST,
  (_, [features = 1]) => new nn.BatchNorm1d(features),
  (random, [features = 1]) => {
    const layer = new nn.Bilinear(features, features, random.integer(2, 6));
    return new Apply('of the same twice', (x) => layer.forward(x, x.tanh()), { layer });
  },
];

/** The layers for each kind of data. */
export const MAKERS: Readonly<Record<Kind | 'free', readonly Maker[]>> = {
  free: [...FREE, ...ANYWHERE],
  signal: [...SIGNAL, ...ANYWHERE],
  image: [...IMAGE, ...ANYWHERE],
  volume: [...VOLUME, ...ANYWHERE],
  sequence: [...SEQUENCE, activation],
  row: [...ROW, ...ANYWHERE],
};
