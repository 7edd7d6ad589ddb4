import { describe, expect, it } from 'vitest';
import {
  autograd,
  type DType,
  dynamicConv2d,
  functional as F,
  getNumThreads,
  manualSeed,
  noGrad,
  ones,
  randn,
  setNumThreads,
  type Tensor,
  tidy,
} from '../../lib/index.js';
import { deviation } from '../support/values.js';
import { type Case, corners, outputSize, randomCase } from './dynamic-conv-cases.js';

const RANDOM_CASES = 200;

/** Numbers of channels that fill vectors, panels and tiles, so that both directions use the fused kernels. */
const wide: Record<string, Case> = {
  'the shape of AlexNet': {
    ...corners['a plain one']!,
    inChannels: 128,
    outChannels: 192,
    size: [7, 7],
    batch: 5,
  },
  strided: { ...corners['asymmetric everything']!, inChannels: 40, outChannels: 33, batch: 9 },
  'channels last': { ...corners['channels last']!, inChannels: 50, outChannels: 70, size: [9, 4] },
  'no bias, one row': { ...corners['one row']!, inChannels: 32, outChannels: 65, bias: false },
  'a batch of one': { ...corners['a plain one']!, batch: 1, inChannels: 65, outChannels: 97 },
  '1x1': { ...corners['1x1 kernel']!, inChannels: 100, outChannels: 64, batch: 70, size: [1, 1] },
  '1x1 planes': { ...pointwiseOf(40, 33), size: [14, 14] },
  '1x1, part of a vector': { ...pointwiseOf(17, 50), size: [7, 7] },
  '1x1, no bias': { ...pointwiseOf(5, 7), size: [9, 31], bias: false },
  '1x1, one sample': { ...pointwiseOf(24, 24), size: [28, 28], batch: 1 },
  '1x1, channels last': { ...pointwiseOf(24, 24), size: [8, 8], channelsLast: true },
  'the backward of the library': {
    ...corners['a plain one']!,
    inChannels: 33,
    outChannels: 4,
    size: [50, 47],
  },
};

function pointwiseOf(inChannels: number, outChannels: number): Case {
  return { ...corners['a plain one']!, inChannels, outChannels, kernel: [1, 1], padding: [0, 0] };
}

/** One input channel per group. */
const depthwise: Record<string, Case> = {
  '3x3': { ...corners['a plain one']!, inChannels: 20, outChannels: 20, groups: 20, size: [14, 14] },
  '3x3, stride 2': { ...depthwiseOf(33, 3), stride: [2, 2], size: [17, 40] },
  '5x5': { ...depthwiseOf(24, 5), size: [14, 14] },
  '5x5, stride 2': { ...depthwiseOf(24, 5), stride: [2, 2], size: [28, 27] },
  '7x7': { ...depthwiseOf(9, 7), size: [33, 34] },
  'stride 3': { ...depthwiseOf(5, 3), stride: [3, 3], size: [20, 35] },
  dilated: { ...depthwiseOf(6, 3), dilation: [2, 3], stride: [1, 2], size: [15, 18] },
  'without padding': { ...depthwiseOf(6, 3), padding: [0, 0], size: [9, 9] },
  'two outputs per input': { ...depthwiseOf(6, 3), outChannels: 12 },
  'channels last': { ...depthwiseOf(6, 3), channelsLast: true },
  'a batch of one': { ...depthwiseOf(6, 5), batch: 1 },
};

function depthwiseOf(channels: number, kernel: number): Case {
  const padding = (kernel - 1) / 2;
  return {
    ...corners['a plain one']!,
    ...{ inChannels: channels, outChannels: channels, groups: channels },
    ...{ kernel: [kernel, kernel], padding: [padding, padding] },
  };
}

function argumentsOf(c: Case, seed: number) {
  manualSeed(seed);
  const make = (shape: number[], scale = 1) =>
    randn(shape, { dtype: 'float64' }).mul(scale).to({ dtype: 'float32' });
  const [kh, kw] = c.kernel;
  const input = make([c.batch, c.inChannels, ...c.size]);
  const gradOutput = make([c.batch, c.outChannels, ...outputSize(c)]);
  const format = c.channelsLast ? ({ memoryFormat: 'channelsLast' } as const) : {};
  return {
    input: input.contiguous(format),
    weight: make([c.outChannels, c.inChannels / c.groups, kh, kw], (c.inChannels * kh * kw) ** -0.5),
    bias: c.bias ? make([c.outChannels]) : null,
    gradOutput: seed % 2 ? gradOutput : gradOutput.contiguous(format),
  };
}

type Given = ReturnType<typeof argumentsOf>;

const leaf = (t: Tensor, dtype: DType) => t.to({ dtype }).detach().requiresGrad_();
const optionsOf = ({ stride, padding, dilation, groups }: Case) => ({ stride, padding, dilation, groups });

/** The output and all gradients of the convolution. */
function run(c: Case, given: Given, algorithm?: F.Conv2dAlgorithm, dtype: DType = 'float32'): Tensor[] {
  const inputs = [given.input, given.weight, ...(given.bias ? [given.bias] : [])].map((t) => leaf(t, dtype));
  const output = F.conv2d(inputs[0]!, inputs[1]!, inputs[2] ?? null, { ...optionsOf(c), algorithm });
  const gradOutputs = given.gradOutput.to({ dtype });
  return [output.detach(), ...(autograd.grad(output, inputs, { gradOutputs }) as Tensor[])];
}

/** The same as the dynamic convolution with one expert that the float64 loops compute. */
function expected(c: Case, given: Given): Tensor[] {
  const weight = leaf(given.weight, 'float64');
  const input = leaf(given.input, 'float64');
  const bias = given.bias ? leaf(given.bias, 'float64') : null;
  const output = dynamicConv2d(
    input,
    weight.unsqueeze(0),
    ones([c.batch, 1], { dtype: 'float64' }),
    bias === null ? null : bias.unsqueeze(0),
    { ...optionsOf(c), algorithm: 'reference' },
  );
  const inputs = bias ? [input, weight, bias] : [input, weight];
  const gradOutputs = given.gradOutput.to({ dtype: 'float64' });
  return [output.detach(), ...(autograd.grad(output, inputs, { gradOutputs }) as Tensor[])];
}

const names = ['output', 'grad input', 'grad weight', 'grad bias'];

function expectConformance(c: Case, seed: number): void {
  tidy(() => {
    const given = argumentsOf(c, seed);
    const exact = expected(c, given);
    run(c, given).forEach((received, i) => {
      expect(received.dtype).toBe('float32');
      expect(deviation(received, exact[i]!), `${names[i]} for ${JSON.stringify(c)}`).toBeLessThan(3e-5);
    });
  });
}

describe('conv2d in float32 agrees with float64 loops', () => {
  it.each(Object.keys(corners))('%s', (name) => expectConformance(corners[name]!, 1));
  it.each(Object.keys(wide))('with many channels: %s', (name) => {
    expectConformance(wide[name]!, 1);
    expectConformance(wide[name]!, 2);
  });
  it.each(Object.keys(depthwise))('depthwise: %s', (name) => {
    expectConformance(depthwise[name]!, 1);
    expectConformance(depthwise[name]!, 2);
  });
  it(`for ${RANDOM_CASES} random shapes`, () => {
    for (let n = 0; n < RANDOM_CASES; n++) expectConformance(randomCase(n), n);
  });
  it('for random shapes with many channels', () => {
    for (let n = 0; n < 40; n++) {
      const c = randomCase(n);
      expectConformance(
        { ...c, groups: 1, inChannels: 32 + c.inChannels, outChannels: 3 * c.outChannels },
        n,
      );
    }
  });
});

describe.each(['fused', 'winograd', 'libtorch'] as const)('conv2d by %s', (algorithm) => {
  it.each(['a plain one', 'tiles of 4x4 outputs', 'a batch that is worth tiles of 4x4', 'channels last'])(
    'agrees with float64 loops: %s',
    (name) => {
      const c = corners[name]!;
      const given = argumentsOf(c, 1);
      const exact = expected(c, given);
      run(c, given, algorithm).forEach((received, i) => {
        expect(deviation(received, exact[i]!), names[i]).toBeLessThan(1e-5);
      });
    },
  );
});

describe('conv2d by winograd', () => {
  const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const cases = sizes.flatMap((height) => [[height, 3] as const, [height, 5] as const]);
  it.each(cases)('agrees with images %i pixels high and 1 to 9 wide, %i taps', (height, taps) => {
    for (const width of sizes) {
      tidy(() => {
        const c: Case = {
          ...corners['a plain one']!,
          size: [height, width],
          kernel: [taps, taps],
          padding: [taps >> 1, taps >> 1],
          batch: 9,
          inChannels: 40,
          outChannels: 33,
        };
        const given = argumentsOf(c, width);
        const exact = expected(c, given);
        run(c, given, 'winograd').forEach((received, i) => {
          expect(deviation(received, exact[i]!), `${names[i]} of ${c.size}`).toBeLessThan(1e-5);
        });
      });
    }
  });
});

/** Few input channels, whose taps are multiplied together, with even and odd numbers of rows. */
const few: Record<string, Case> = {
  "AlexNet's first": {
    ...corners['a plain one']!,
    inChannels: 3,
    outChannels: 48,
    kernel: [11, 11],
    stride: [4, 4],
    padding: [5, 5],
    size: [37, 45],
  },
  'one channel': { ...corners['a plain one']!, inChannels: 1, outChannels: 20, size: [9, 30] },
  'an even kernel': { ...corners['a plain one']!, inChannels: 5, kernel: [2, 4], size: [8, 19] },
  'gaps between taps': {
    ...corners['a plain one']!,
    inChannels: 3,
    kernel: [3, 3],
    dilation: [1, 2],
    size: [8, 19],
  },
  'channels last': { ...corners['channels last']!, inChannels: 3, size: [20, 17] },
};

describe('conv2d in bfloat16', () => {
  const bf16 = (t: Tensor) => t.to({ dtype: 'bfloat16' }).to({ dtype: 'float32' });
  /**
   * Products are exact and sums are float32: only one rounding of the result remains, and slightly more in
   * libtorch.
   */
  const expectRounded = (c: Case, seed: number, algorithm: F.Conv2dAlgorithm) =>
    tidy(() => {
      const { input, weight, bias, gradOutput } = argumentsOf(c, seed);
      const given = {
        input: bf16(input),
        weight: bf16(weight),
        bias: bias && bf16(bias),
        gradOutput: bf16(gradOutput),
      };
      const exact = expected(c, given);
      run(c, given, algorithm, 'bfloat16').forEach((received, i) => {
        expect(received.dtype).toBe('bfloat16');
        const wanted = exact[i]!;
        const beyond = received
          .to({ dtype: 'float64' })
          .sub(wanted)
          .abs()
          .sub(wanted.abs().mul(2 ** -8));
        const allowed = (algorithm === 'auto' ? 2e-2 : 3e-5) * Number(wanted.abs().amax().item());
        expect(
          beyond.amax().item(),
          `${names[i]} by ${algorithm} for ${JSON.stringify(c)}`,
        ).toBeLessThanOrEqual(allowed);
      });
    });

  it.each(Object.entries({ ...few, ...wide }))('is that in float64, rounded: %s', (_, c) => {
    for (const algorithm of ['auto', 'fused'] as const) expectRounded(c, 1, algorithm);
  });

  it('is that for random shapes', () => {
    for (let n = 0; n < 60; n++) {
      const c = randomCase(n);
      expectRounded({ ...c, groups: 1, batch: Math.max(1, c.batch) }, n, 'fused');
    }
  });

  it.each([7, 32])('by winograd on images %i pixels wide', (size) => {
    const c: Case = { ...wide['the shape of AlexNet']!, inChannels: 64, outChannels: 64, size: [size, size] };
    for (const algorithm of ['auto', 'winograd'] as const) expectRounded(c, 1, algorithm);
  });

  it('limits NaN to the outputs whose window contains it', () => {
    const c = few["AlexNet's first"]!;
    const { input, weight } = argumentsOf(c, 1);
    const marked = input.clone();
    marked.select(2, 20).select(2, 22).fill_(Infinity);
    const finite = (dtype: DType, algorithm: F.Conv2dAlgorithm) =>
      F.conv2d(marked.to({ dtype }), weight.to({ dtype }), null, { ...optionsOf(c), algorithm }).isfinite();
    expect(finite('bfloat16', 'fused').equal(finite('float64', 'libtorch'))).toBe(true);
  });
});

describe('conv2d refuses', () => {
  const [x, w] = [ones([1, 3, 8, 8]), ones([4, 3, 7, 7])];
  it.each<[string, () => unknown, string]>([
    ['kernels of 7x7 by winograd', () => F.conv2d(x, w, null, { algorithm: 'winograd' }), 'winograd'],
    [
      'groups by fused',
      () => F.conv2d(ones([1, 4, 8, 8]), ones([4, 2, 3, 3]), null, { groups: 2, algorithm: 'fused' }),
      'Expected a problem that fused can compute for algorithm but received input [1, 4, 8, 8]',
    ],
    [
      'an unknown algorithm',
      () => F.conv2d(x, w, null, { algorithm: 'magic' as 'auto' }),
      "Expected one of 'auto', 'winograd', 'fused', 'libtorch' for algorithm but received 'magic'",
    ],
  ])('%s', (_, call, message) => expect(call).toThrow(message));
});

describe('conv2d in float32', () => {
  const c = wide['the shape of AlexNet']!;

  it('computes only the requested gradients', () => {
    const given = argumentsOf(c, 3);
    const all = run(c, given).slice(1);
    for (let subset = 1; subset < 8; subset++) {
      const leaves = [given.input, given.weight, given.bias!].map((t, i) =>
        subset & (1 << i) ? leaf(t, 'float32') : t,
      );
      const output = F.conv2d(leaves[0]!, leaves[1]!, leaves[2]!, optionsOf(c));
      output.backward(given.gradOutput);
      leaves.forEach((t, i) => {
        if (!(subset & (1 << i))) {
          expect(t.grad).toBeNull();
          return;
        }
        expect(deviation(t.grad!, all[i]!.to({ dtype: 'float64' }))).toBeLessThan(1e-6);
      });
    }
  });

  it('can be differentiated twice', () => {
    const given = argumentsOf({ ...c, inChannels: 32, outChannels: 8, size: [3, 3] }, 4);
    const second = (dtype: DType) => {
      const [x, w] = [leaf(given.input, dtype), leaf(given.weight, dtype)];
      const output = F.conv2d(x, w, null, optionsOf(c));
      const grads = autograd.grad(output.mul(output).sum(), [x, w], { createGraph: true }) as Tensor[];
      return autograd.grad(grads[0]!.mul(grads[0]!).sum().add(grads[1]!.sum()), [x, w]) as Tensor[];
    };
    const exact = second('float64');
    second('float32').forEach((received, i) => {
      expect(deviation(received, exact[i]!)).toBeLessThan(1e-4);
    });
  });

  it('gives the same without a graph, after an in-place change of the weight, and from run to run', () => {
    const { input, weight, bias } = argumentsOf(c, 5);
    const call = () => noGrad(() => F.conv2d(input, weight, bias, optionsOf(c)));
    const first = call();
    expect(call().equal(first)).toBe(true);
    weight.mul_(2);
    const doubled = call();
    expect(doubled.equal(first)).toBe(false);
    expect(
      deviation(doubled, run(c, { input, weight, bias, gradOutput: first })[0]!.to({ dtype: 'float64' })),
    ).toBe(0);
  });

  it('agrees for any number of threads', () => {
    const threads = getNumThreads();
    const given = argumentsOf({ ...c, batch: 9 }, 6);
    const exact = run({ ...c, batch: 9 }, given).map((t) => t.to({ dtype: 'float64' }));
    try {
      for (const n of [1, 3, 16]) {
        setNumThreads(n);
        run({ ...c, batch: 9 }, given).forEach((t, i) => {
          expect(deviation(t, exact[i]!)).toBeLessThan(1e-5);
        });
      }
    } finally {
      setNumThreads(threads);
    }
  });
});
