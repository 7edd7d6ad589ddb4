// Seeded random calls of the operations with dyconv's kernels, in every dtype and layout, compared with
// float64, which uses libtorch's code or the reference. DYCONV_FUZZ_CASES=20000 runs more of them.
import { expect, it } from 'vitest';
import {
  autograd,
  type DType,
  dynamicConv2d,
  functional as F,
  manualSeed,
  randn,
  ShapeError,
  type Tensor,
  tidy,
  where,
  zeros,
} from '../../lib/index.js';
import { limit } from '../support/limit.js';

const CASES = Number(process.env.DYCONV_FUZZ_CASES ?? 300);

/** Mulberry32: a small seeded generator, good enough for sizes. */
function randomOf(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    between,
    oneIn: (n: number) => between(1, n) === 1,
    pair: (least: number, most: number): [number, number] => [between(least, most), between(least, most)],
    of: <T>(items: readonly T[]): T => items[between(0, items.length - 1)]!,
  };
}

type Random = ReturnType<typeof randomOf>;

/** The tensors of a call, and the call; its argument says whether it computes the expected values. */
interface Call {
  name: string;
  tensors: Tensor[];
  run: (tensors: Tensor[], exact: boolean) => Tensor;
}

const images = (r: Random, channels: number, least = 0) =>
  randn([r.oneIn(8) ? 0 : r.between(1, 5), channels, r.between(least, 9), r.between(1, 9)]);

function conv2d(r: Random): Call {
  const groups = r.oneIn(3) ? r.between(1, 4) : 1;
  const [perGroup, out] = r.pair(1, r.oneIn(4) ? 40 : 5);
  const options = {
    stride: r.pair(1, r.oneIn(2) ? 1 : 9),
    padding: r.pair(0, 4),
    dilation: r.pair(1, r.oneIn(2) ? 1 : 9),
    groups,
  };
  const weight = randn([out * groups, perGroup, ...r.pair(1, r.oneIn(3) ? 5 : 3)]);
  const bias = r.oneIn(2) ? [randn([out * groups])] : [];
  return {
    name: `conv2d ${JSON.stringify(options)}`,
    tensors: [images(r, perGroup * groups), weight, ...bias],
    run: ([x, w, b], exact) =>
      F.conv2d(x!, w!, b ?? null, { ...options, algorithm: exact ? 'libtorch' : 'auto' }),
  };
}

function dynamicConv(r: Random): Call {
  const { tensors, name, run: _ } = conv2d(r);
  const options = JSON.parse(name.slice('conv2d '.length)) as object;
  const [x, w] = tensors as [Tensor, Tensor];
  const experts = r.between(1, 4);
  const attention = randn([x.shape[0]!, experts]);
  return {
    name: `dynamicConv2d ${experts} ${JSON.stringify(options)}`,
    tensors: [
      x,
      randn([experts, ...w.shape]),
      r.oneIn(2) ? F.softmax(attention, { dim: 1 }) : attention,
      ...(tensors.length > 2 ? [randn([experts, w.shape[0]!])] : []),
    ],
    run: ([input, weight, a, b], exact) =>
      dynamicConv2d(input!, weight!, a!, b ?? null, { ...options, algorithm: exact ? 'reference' : 'auto' }),
  };
}

function maxPool2d(r: Random): Call {
  const kernel = r.pair(1, 5);
  const options = {
    stride: r.pair(1, 9),
    padding: kernel.map((k) => r.between(0, k >> 1)) as [number, number],
    dilation: r.pair(1, r.oneIn(2) ? 1 : 9),
    ceilMode: r.oneIn(2),
  };
  return {
    name: `maxPool2d ${kernel} ${JSON.stringify(options)}`,
    tensors: [images(r, r.between(1, 5))],
    run: ([x]) => F.maxPool2d(x!, kernel, options),
  };
}

function avgPool2d(r: Random): Call {
  const kernel = r.pair(1, 5);
  const options = {
    stride: r.pair(1, 9),
    padding: kernel.map((k) => r.between(0, k >> 1)) as [number, number],
    ceilMode: r.oneIn(2),
    countIncludePad: r.oneIn(2),
  };
  return {
    name: `avgPool2d ${kernel} ${JSON.stringify(options)}`,
    tensors: [images(r, r.between(1, 5))],
    run: ([x]) => F.avgPool2d(x!, kernel, options),
  };
}

function batchNorm(r: Random): Call {
  const channels = r.between(1, 6);
  const input = randn([r.between(2, 5), channels, ...r.pair(2, 9)]);
  const affine = r.oneIn(2) ? [randn([channels]), randn([channels])] : [];
  return {
    name: 'batchNorm',
    tensors: [input, ...affine],
    run: ([x, w, b]) => F.batchNorm(x!, { weight: w ?? null, bias: b ?? null, training: true }),
  };
}

function linear(r: Random): Call {
  const [rows, out] = r.pair(r.oneIn(6) ? 0 : 1, 9);
  const inner = r.oneIn(5) ? 900 : r.between(1, 9);
  const scale = inner ** -0.5;
  return {
    name: `linear ${rows} x ${inner} x ${out}`,
    tensors: [
      randn([r.between(1, 3), rows, inner]),
      randn([out, inner]).mul(scale),
      ...(r.oneIn(2) ? [randn([out])] : []),
    ],
    run: ([x, w, b]) => F.linear(x!, w!, b ?? null),
  };
}

/** Dropout keeps values and gradients times two: the difference is 0. */
function dropout(r: Random): Call {
  return {
    name: 'dropout',
    tensors: [images(r, r.between(1, 5))],
    run: ([x], exact) => {
      if (exact) return x!.mul(0);
      const y = F.dropout(x!, { p: 0.5, training: true });
      return y.sub(where(y.ne(0), x!.mul(2), zeros([], { dtype: x!.dtype })));
    },
  };
}

const FAMILIES = [conv2d, conv2d, dynamicConv, dynamicConv, maxPool2d, avgPool2d, batchNorm, linear, dropout];
const ALLOWED: Partial<Record<DType, number>> = {
  float32: 3e-4,
  bfloat16: 8e-2,
  float16: 2e-2,
  float64: 1e-9,
};

/** The same numbers in different memory layouts. */
function laidOut(r: Random, t: Tensor): Tensor {
  if (t.numel === 0) return t;
  const way = r.between(0, 3);
  if (way === 1 && t.ndim === 4) return t.contiguous({ memoryFormat: 'channelsLast' });
  if (way === 2 && t.ndim > 1) return t.transpose(0, 1).contiguous().transpose(0, 1);
  if (way === 3) return t.narrow(0, 0, 1).expand(t.shape);
  return t;
}

type Outcome = { error: string } | { values: Tensor[] };

function outcome(call: Call, given: Tensor[], dtype: DType, exact: boolean): Outcome {
  const leaves = given.map((t) => t.to({ dtype }).detach().requiresGrad_());
  try {
    const y = call.run(leaves, exact);
    manualSeed(y.numel);
    const gradOutputs = randn(y.shape).to({ dtype: 'bfloat16' }).to({ dtype });
    return { values: [y.detach(), ...(autograd.grad(y, leaves, { gradOutputs }) as Tensor[])] };
  } catch (error) {
    return { error: (error as Error).name };
  }
}

function check(seed: number): void {
  const r = randomOf(seed);
  manualSeed(seed);
  const call = r.of(FAMILIES)(r);
  const dtype = r.of(['float32', 'float32', 'bfloat16', 'float16', 'float64'] as const);
  const given = call.tensors.map((t) => laidOut(r, t.to({ dtype })));
  const sizes = given.map((t) => `[${t.shape}]`).join(' ');
  const about = `seed ${seed}: ${call.name} of ${sizes} in ${dtype}`;
  const [got, expected] = [outcome(call, given, dtype, false), outcome(call, given, 'float64', true)];
  if ('error' in expected || 'error' in got) {
    expect(got, about).toEqual(expected);
    expect(got, about).toEqual({ error: ShapeError.name });
    return;
  }
  got.values.forEach((t, i) => {
    const e = expected.values[i]!;
    expect(t.shape, about).toEqual(e.shape);
    expect(t.dtype, about).toBe(dtype);
    if (t.numel === 0) return;
    const difference = t.to({ dtype: 'float64' }).sub(e);
    // A window without a pixel has -Infinity in both.
    const off = Number(difference.nanToNum({ nan: 0 }).abs().amax().item());
    const finite = e.nanToNum({ nan: 0, posinf: 0, neginf: 0 });
    const scale = Math.max(Number(finite.abs().amax().item()), 0.1);
    expect(t.isfinite().arraySync(), about).toEqual(e.isfinite().arraySync());
    expect(off / scale, `${i === 0 ? 'output' : `gradient ${i - 1}`} of ${about}`).toBeLessThan(
      ALLOWED[dtype]!,
    );
  });
}

it(`${CASES} random calls give what float64 gives`, { timeout: limit(120_000 + 60 * CASES) }, () => {
  for (let seed = 1; seed <= CASES; seed++) tidy(() => check(seed));
});
