import { describe, expect, it } from 'vitest';
import {
  arange,
  cat,
  eye,
  functional as F,
  full,
  linalg,
  manualSeed,
  nn,
  ones,
  randn,
  slice,
  stack,
  type Tensor,
  tensor,
  where,
  zeros,
} from '../../lib/index.js';

type Forward = (x: Tensor) => Tensor | Tensor[];

/** One forward for each family of operations, of an input [B, 4, 6]. */
const FAMILIES: Record<string, Forward> = {
  arithmetic: (x) =>
    x
      .add(2)
      .mul(x)
      .sub(x, { alpha: 0.5 })
      .div(3)
      .pow(2)
      .clamp({ min: 0.1, max: 4 })
      .lerp(x, 0.25)
      .remainder(0.7),
  comparison: (x) => [
    where(x.gt(0), x, x.mul(0.1)),
    x.ge(x.mean()),
    x.isfinite(),
    x.eq(x.abs()).logicalNot(),
  ],
  elementwise: (x) => x.exp().log1p().sqrt().sin().tanh().sigmoid().erf(),
  reduce: (x) => [
    x.sum({ dim: 1 }),
    x.mean({ dim: [1, 2] }),
    x.amax({ dim: -1 }),
    x.logsumexp({ dim: 1 }),
    x.prod({ dim: 2 }),
  ],
  cumulative: (x) => x.cumsum({ dim: 1 }).add(x.cumprod({ dim: 2 })),
  order: (x) => [x.sort({ dim: 2 }).values, x.topk(3, { dim: 2 }).values, x.argmax({ dim: 1 })],
  statistics: (x) => [x.std({ dim: 1 }), x.var({ dim: 2, correction: 0 }), x.median({ dim: 2 }).values],
  matrix: (x) => x.matmul(x.transpose(1, 2)).matmul(x),
  linalg: (x) => linalg.solve(x.matmul(x.transpose(1, 2)).add(eye(4).mul(3)), x),
  indexing: (x) => [
    x.index(slice(), slice(1, null, 2), -1),
    x.select(1, 2),
    x.indexSelect(2, tensor([0, 5, 0], { dtype: 'int64' })),
    x.index('...', null, slice(0, 2)),
  ],
  scatter: (x) =>
    zeros([x.shape[0]!, 4, 6])
      .scatter(2, ones([x.shape[0]!, 4, 1], { dtype: 'int64' }), x)
      .add(x.maskedFill(x.gt(0), -1)),
  shape: (x) =>
    x
      .reshape([x.shape[0]! * 2, -1])
      .view([-1, 4, 6])
      .permute([2, 0, 1])
      .flip([0])
      .movedim([0], [2])
      .unsqueeze(1)
      .squeeze(1)
      .expand([x.shape[0]!, 4, 6]),
  join: (x) => [cat([x, x.neg()], { dim: 2 }), stack([x, x], { dim: 1 }), ...x.chunk(2, 1), ...x.split(2, 2)],
  create: (x) =>
    x
      .add(arange(6))
      .mul(full([x.shape[0]!, 1, 1], 0.5))
      .add(zeros([4, 1])),
  'changes in place': (x) => {
    const y = x.clone();
    y.narrow(1, 0, 2).mul_(2);
    y.add_(1).relu_();
    return y.sub(x);
  },
  conv: (x) =>
    F.conv1d(
      x,
      arange(4 * 4 * 3)
        .reshape([4, 4, 3])
        .div(48),
      null,
      { padding: 1 },
    ),
  pool: (x) => [
    F.maxPool2d(x.unsqueeze(1), 2),
    F.avgPool2d(x.unsqueeze(1), 2),
    F.adaptiveAvgPool2d(x.unsqueeze(1), [2, 3]),
  ],
  resize: (x) => F.interpolate(x.unsqueeze(1), { scaleFactor: 2, mode: 'bilinear' }),
  norm: (x) => [F.layerNorm(x, [6]), F.groupNorm(x, 2), F.normalize(x, { dim: 1 })],
  linear: (x) => F.linear(x, arange(12).reshape([2, 6]).div(12), ones([2])),
  activation: (x) => [
    F.gelu(x),
    F.silu(x),
    F.leakyRelu(x),
    F.hardswish(x),
    F.relu6(x),
    F.softmax(x, { dim: 1 }),
    F.logSoftmax(x, { dim: 2 }),
    F.glu(x, { dim: 2 }),
    F.softplus(x),
    F.elu(x),
  ],
  loss: (x) => [
    F.mseLoss(x, x.mul(0.5)),
    F.crossEntropy(x.reshape([-1, 6]), zeros([x.shape[0]! * 4], { dtype: 'int64' })),
  ],
  dtypes: (x) => [
    x.to({ dtype: 'float64' }).add(1),
    x.gt(0).to({ dtype: 'int64' }).sum({ dim: 1 }),
    x.to({ dtype: 'bfloat16' }).mul(2),
  ],
  'dynamic convolution': (() => {
    manualSeed(3);
    const layer = new nn.DynamicConv2d(4, 5, 3, { padding: 1, numExperts: 3 }).eval();
    return (x: Tensor) => layer.forward(x.reshape([-1, 4, 2, 3]));
  })(),
};

function check(expected: Tensor, received: Tensor): void {
  expect(received.shape).toEqual(expected.shape);
  expect(received.dtype).toBe(expected.dtype);
  const [a, b] = [expected, received].map((t) => t.to({ dtype: 'float64' }));
  const scale = Math.max(1, Number(a!.abs().max().item()));
  expect(Number(a!.sub(b!).abs().max().item()) / scale).toBeLessThan(1e-5);
}

describe('every family of operations', () => {
  it.each(Object.entries(FAMILIES))('%s', (_, forward) => {
    manualSeed(7);
    const program = nn.compile(forward as (x: Tensor) => Tensor[], zeros([2, 4, 6]).add(randn([2, 4, 6])));
    for (const batch of [1, 2, 4, 2, 2]) {
      const x = randn([batch, 4, 6]);
      const [expected, received] = [forward(x), program.runSync(x) as Tensor | Tensor[]].map((y) =>
        Array.isArray(y) ? y : [y],
      );
      expect(received!.length).toBe(expected!.length);
      for (const [i, tensor] of expected!.entries()) check(tensor, received![i]!);
    }
  });
});
