/** Networks whose ONNX files are compared with what they compute here: one for every family of operations and kind of layer. */
import {
  arange,
  cat,
  DynamicConv2d,
  functional as F,
  full,
  nn,
  ones,
  randint,
  randn,
  slice,
  stack,
  type Tensor,
  tensor,
  where,
  zeros,
} from '../../lib/index.js';
import type { ExportOnnxOptions } from '../../lib/onnx/export.js';
import { DYNAMIC_FORMS } from './dynamic-cases.js';

type Outputs = Tensor | Tensor[] | Record<string, Tensor>;

/** A network and its inputs for a batch size. */
export interface Case {
  make: () => { forward(...inputs: never[]): unknown } | ((...inputs: Tensor[]) => Outputs);
  inputs: (batch: number) => Tensor[];
  options?: ExportOnnxOptions;
}

/** A function of a sequence [B, 4, 6]. */
const ofRows = (forward: (x: Tensor) => Outputs, options?: ExportOnnxOptions): Case => ({
  make: () => forward,
  inputs: (batch) => [randn([batch, 4, 6])],
  ...(options && { options }),
});

/** A module in evaluation mode on inputs of a shape. Running statistics differ from 0 and 1. */
const layer = (make: () => nn.Module, shape: readonly number[], options?: ExportOnnxOptions): Case => ({
  make: () => withStatistics(make().eval()),
  inputs: (batch) => [randn([batch, ...shape])],
  ...(options && { options }),
});

export function withStatistics<M extends nn.Module<never[], unknown>>(module: M): M {
  for (const [name, buffer] of module.namedBuffers()) {
    if (name.endsWith('running_mean')) buffer.normal_({ std: 0.5 });
    if (name.endsWith('running_var')) buffer.uniform_({ from: 0.5, to: 2 });
  }
  for (const [name, parameter] of module.namedParameters())
    if (/(bn|norm|^)\w*\.?(weight|bias)$/.test(name) && parameter.ndim === 1)
      parameter.detach().uniform_({ from: 0.5, to: 1.5 });
  return module;
}

class Residual extends nn.Module {
  conv1 = new nn.Conv2d(4, 8, 3, { padding: 1, bias: false });
  bn1 = new nn.BatchNorm2d(8);
  act = new nn.ReLU();
  conv2 = new nn.Conv2d(8, 8, 3, { padding: 1, groups: 4 });
  pool = new nn.MaxPool2d(3, { stride: 2, padding: 1 });
  drop = new nn.Dropout(0.5);
  fc = new nn.Linear(8, 5);

  forward(x: Tensor): Tensor {
    const y = this.act.forward(this.bn1.forward(this.conv1.forward(x)));
    const sum = this.conv2.forward(y).add_(y).relu_();
    const pooled = F.adaptiveAvgPool2d(this.pool.forward(sum), 1).flatten(1);
    return this.fc.forward(this.drop.forward(pooled));
  }
}

class Experts extends nn.Module<[Tensor], { logits: Tensor; attention: Tensor }> {
  conv1 = new DynamicConv2d(4, 8, 3, { padding: 1, stride: 2, numExperts: 3 });
  bn = new nn.BatchNorm2d(8);
  conv2 = new DynamicConv2d(8, 6, 3, {
    groups: 2,
    numExperts: 2,
    bias: false,
    routing: 'sigmoid',
    temperature: 2,
  });
  fc = new nn.Linear(6, 3);

  forward(x: Tensor): { logits: Tensor; attention: Tensor } {
    const y = this.bn.forward(this.conv1.forward(x)).relu();
    return {
      logits: this.fc.forward(this.conv2.forward(y).mean({ dim: [2, 3] })),
      attention: this.conv2.attention(y),
    };
  }
}

class Reader extends nn.Module<[Tensor], Tensor[]> {
  embedding = new nn.Embedding(11, 8);
  lstm = new nn.LSTM(8, 5, { numLayers: 2, bidirectional: true, batchFirst: true });
  gru = new nn.GRU(10, 6, { batchFirst: true });
  rnn = new nn.RNN(6, 4, { bias: false, batchFirst: true });

  forward(words: Tensor): Tensor[] {
    const [output, [h, c]] = this.lstm.forward(this.embedding.forward(words));
    const [gates, last] = this.gru.forward(output);
    const [plain] = this.rnn.forward(gates);
    return [plain, h, c, last];
  }
}

class Cells extends nn.Module {
  lstm = new nn.LSTMCell(6, 5);
  gru = new nn.GRUCell(5, 5);
  rnn = new nn.RNNCell(5, 4);

  forward(x: Tensor): Tensor {
    let [h, c] = this.lstm.forward(x.select(1, 0));
    [h, c] = this.lstm.forward(x.select(1, 1), [h, c]);
    return this.rnn.forward(this.gru.forward(h, c));
  }
}

const FUNCTIONS: Record<string, Case> = {
  arithmetic: ofRows((x) =>
    x
      .add(2)
      .mul(x)
      .sub(x, { alpha: 0.5 })
      .div(3)
      .pow(2)
      .clamp({ min: 0.1, max: 4 })
      .lerp(x, 0.25)
      .remainder(0.7)
      .addcmul(x, x, { value: 0.3 }),
  ),
  rounding: ofRows((x) => [
    x.mul(3).round(),
    x.mul(3).trunc(),
    x.div(0.3, { roundingMode: 'floor' }),
    x.mul(4).to({ dtype: 'int64' }).floorDivide(3),
    x.fmod(0.4),
    x.sign(),
    x.reciprocal(),
  ]),
  comparison: ofRows((x) => [
    where(x.gt(0), x, x.mul(0.1)),
    x.isfinite(),
    x.eq(x.abs()).logicalNot(),
    x.to({ dtype: 'int64' }).ge(0.5),
    x.gt(0).logicalAnd(x.lt(1)),
  ]),
  elementwise: ofRows((x) => {
    const positive = x.abs().add(0.5);
    return [
      positive.log().add(positive.log2()).add(positive.log10()).add(positive.log1p()),
      positive.rsqrt().add(positive.sqrt()),
      x.exp().add(x.expm1()).add(x.exp2()),
      x.sin().add(x.cos()).add(x.tanh()).add(x.sigmoid()).add(x.erf()).add(x.erfc()),
      x.logaddexp(x.neg()),
      x.hypot(2),
    ];
  }),
  activation: ofRows((x) => [
    F.gelu(x),
    F.gelu(x, { approximate: 'tanh' }),
    F.silu(x),
    F.mish(x),
    F.leakyRelu(x),
    F.hardswish(x),
    F.hardsigmoid(x),
    F.relu6(x.mul(4)),
    F.softmax(x, { dim: 1 }),
    F.logSoftmax(x, { dim: 2 }),
    F.glu(x, { dim: 2 }),
    F.softplus(x, { beta: 2, threshold: 1 }),
    F.elu(x, { alpha: 0.5 }),
    F.selu(x),
    F.celu(x, { alpha: 2 }),
    F.hardtanh(x),
    F.softshrink(x),
    F.hardshrink(x),
    F.logSigmoid(x),
    F.softsign(x),
  ]),
  reduce: ofRows((x) => [
    x.sum({ dim: 1 }),
    x.mean({ dim: [1, 2], keepdim: true }),
    x.amax({ dim: -1 }),
    x.logsumexp({ dim: 1 }),
    x.prod({ dim: 2 }),
    x.std({ dim: 1 }),
    x.var({ dim: 2, correction: 0 }),
    x.norm({ dim: 1 }),
    x.norm({ p: 1, dim: [1, 2] }),
    x.argmax({ dim: 1 }),
    x.gt(0).any({ dim: 1 }),
    x.max({ dim: 2 }).values,
    x.max({ dim: 2 }).indices,
  ]),
  order: ofRows((x) => [x.sort({ dim: 2 }).values, x.topk(3, { dim: 2 }).values, x.cumsum({ dim: 1 })]),
  matrix: ofRows((x) => [
    x.matmul(x.transpose(1, 2)).matmul(x),
    F.linear(x, arange(12).reshape([2, 6]).div(12), ones([2])),
    x.matmul(x.transpose(1, 2)).tril(),
  ]),
  indexing: ofRows((x) => [
    x.index(slice(), slice(1, null, 2), -1),
    x.select(1, 2),
    x.indexSelect(2, tensor([0, 5, 0], { dtype: 'int64' })),
    x.index('...', null, slice(0, 2)),
    x.index(slice(), tensor([3, 1], { dtype: 'int64' })),
    x.maskedFill(x.gt(0), -1),
    x.gather(2, x.argsort({ dim: 2 })),
    x.scatter(2, x.argsort({ dim: 2 }), x),
  ]),
  shape: ofRows((x) => {
    const batch = x.shape[0]!;
    return [
      x.reshape([batch * 2, -1]),
      x.reshape([2, batch, 12]).reshape([batch * 2, 12]),
      x.view([-1, 6]).permute([1, 0]),
      x.flip([1]).roll([2], [2]).movedim([0], [2]),
      x.unsqueeze(1).squeeze(1).unflatten(2, [2, 3]).flatten(1, 2),
      x.select(1, 0).unsqueeze(1).expand([batch, 4, 6]),
      x.repeat([1, 2, 1]),
      F.pad(x, [1, 2, 0, 1], { value: 3 }),
      F.pad(x, [1, 1], { mode: 'replicate' }),
      x.narrow(1, 1, 2),
    ];
  }),
  join: ofRows((x) => [
    cat([x, x.neg()], { dim: 2 }),
    stack([x, x], { dim: 1 }),
    ...x.chunk(2, 1),
    ...x.split([1, 3], 1),
    ...x.unbind(1),
  ]),
  create: ofRows((x) =>
    x
      .add(arange(6))
      .mul(full([x.shape[0]!, 1, 1], 0.5))
      .add(arange(x.shape[0]!).reshape([-1, 1, 1]))
      .add(zeros([4, 1])),
  ),
  'changes in place': ofRows((x) => {
    const y = x.clone();
    y.add_(1).mul_(x).clamp_({ min: -1 });
    return y.view([-1, 24]).sub(1).relu_();
  }),
  dtypes: ofRows((x) => [
    x.to({ dtype: 'float64' }).add(1),
    x.gt(0).to({ dtype: 'int64' }).sum({ dim: 1 }),
    x.to({ dtype: 'int32' }).add(0.5),
  ]),
  attention: ofRows((x) => [
    F.scaledDotProductAttention(x, x, x),
    F.scaledDotProductAttention(x, x, x, { isCausal: true }),
    F.scaledDotProductAttention(x, x, x, { attnMask: ones([4, 4]).tril().gt(0), scale: 0.3 }),
  ]),
  norm: ofRows((x) => [
    F.normalize(x, { dim: 1 }),
    F.layerNorm(x, [6]),
    F.groupNorm(x, 2),
    F.rmsNorm(x, [6]),
    F.cosineSimilarity(x, x.flip([1]), { dim: 2 }),
  ]),
  pool: ofRows((x) => {
    const images = x.unsqueeze(1);
    return [
      F.maxPool2d(images, 2, { ceilMode: true, stride: 3 }),
      F.maxPool2d(images, 2, { stride: 2, padding: 1, ceilMode: true }),
      F.avgPool2d(images, 3, { stride: 1, padding: 1 }),
      F.avgPool2d(images, 3, { stride: 1, padding: 1, countIncludePad: false }),
      F.adaptiveAvgPool2d(images, [2, 3]),
      F.adaptiveAvgPool2d(images, [3, 4]),
      F.adaptiveMaxPool2d(images, 1),
      F.maxPool1d(x, 2),
      F.avgPool1d(x, 2),
    ];
  }),
  resize: ofRows((x) => {
    const images = x.unsqueeze(1);
    return [
      F.interpolate(images, { scaleFactor: 2, mode: 'bilinear' }),
      F.interpolate(images, { size: [8, 9], mode: 'nearest' }),
      F.interpolate(images, { size: [7, 11], mode: 'bilinear', alignCorners: true }),
      F.pixelShuffle(x.reshape([-1, 4, 2, 3]), 2),
      F.pixelUnshuffle(images, 2),
      F.channelShuffle(x.unsqueeze(3), 2),
    ];
  }),
};

const LAYERS: Record<string, Case> = {
  'residual block': layer(() => new Residual(), [4, 9, 9]),
  'dynamic convolution': {
    make: () => withStatistics(new Experts().eval()),
    inputs: (batch) => [randn([batch, 4, 11, 9])],
  },
  'dynamic convolution of any size': {
    make: () => withStatistics(new Experts().eval()),
    inputs: (batch) => [randn([batch, 4, 11 + 2 * batch, 9])],
    options: { dynamicSize: true },
  },
  ...DYNAMIC_FORMS,
  'dynamic convolution in one dimension': layer(
    () => new nn.DynamicConv1d(4, 3, 3, { numExperts: 2 }),
    [4, 9],
  ),
  'dynamic convolution in three dimensions': layer(
    () => new nn.DynamicConv3d(2, 3, 3, { numExperts: 2, padding: 1 }),
    [2, 4, 5, 6],
  ),
  CondConv2d: layer(() => new nn.CondConv2d(4, 6, 3, { padding: 1 }), [4, 7, 7]),
  ODConv2d: layer(() => new nn.ODConv2d(4, 6, 3, { padding: 1 }), [4, 7, 7]),
  'transposed convolution': layer(
    () =>
      new nn.Sequential(
        new nn.ConvTranspose2d(4, 6, 3, { stride: 2, outputPadding: 1 }),
        new nn.PReLU({ numParameters: 6 }),
      ),
    [4, 5, 6],
  ),
  'convolutions in one and three dimensions': layer(
    () => new nn.Conv1d(4, 6, 3, { dilation: 2, padding: 'same' }),
    [4, 9],
  ),
  'pools behind zeros': layer(
    () =>
      new nn.Sequential(
        ...[
          new nn.ZeroPad2d(1),
          new nn.MaxPool2d(2),
          new nn.ZeroPad2d(2),
          new nn.MaxPool2d(2, { stride: 1 }),
        ],
        ...[new nn.ZeroPad2d(3), new nn.AvgPool2d(3, { padding: 1 })],
      ),
    [2, 6, 6],
  ),
  norms: layer(
    () => new nn.Sequential(new nn.GroupNorm(2, 4), new nn.InstanceNorm2d(4, { affine: true })),
    [4, 6, 5],
  ),
  transformer: layer(
    () => new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16, batchFirst: true, normFirst: true }),
    [5, 8],
  ),
  'layer norm': layer(
    () => new nn.Sequential(new nn.LayerNorm([3, 4]), new nn.LayerNorm(4, { affine: false })),
    [3, 4],
  ),
  recurrent: { make: () => new Reader().eval(), inputs: (batch) => [randint(0, 11, [batch, 7])] },
  cells: { make: () => new Cells().eval(), inputs: (batch) => [randn([batch, 2, 6])] },
  'two inputs': {
    make: () => new nn.Bilinear(3, 4, 2).eval(),
    inputs: (batch) => [randn([batch, 3]), randn([batch, 4])],
  },
  'the newest opset': layer(() => new Residual(), [4, 9, 9], { opset: 22 }),
  'reductions of the newest opset': {
    ...ofRows((x) => x.mean({ dim: 1 }).amax({ dim: 1 })),
    options: { opset: 22 },
  },
};

/** All cases by name. */
export const CASES: Readonly<Record<string, Case>> = { ...FUNCTIONS, ...LAYERS };

/** Batch sizes at which each is compared; it is exported from an example of another one. */
export const BATCHES = [1, 3] as const;
