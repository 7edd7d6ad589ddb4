import { describe, expect, it } from 'vitest';
import {
  autograd,
  type DType,
  dynamicConv2d,
  functional as F,
  manualSeed,
  memory,
  ones,
  randn,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { cpuAlgorithms } from '../support/cuda.js';
import { deviation } from '../support/values.js';
import { type Case, corners, outputSize, randomCase } from './dynamic-conv-cases.js';

const algorithms: readonly F.DynamicConv2dAlgorithm[] = ['auto', ...cpuAlgorithms()];
const RANDOM_CASES = 300;
const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9];
// A build with -DDYCONV_EMULATE_CUDA=ON runs the CUDA kernels on the CPU; other builds reject them there.
const emulated = native.cudaKernels() && !native.cudaBuilt();

interface Arguments {
  input: Tensor;
  weight: Tensor;
  attention: Tensor;
  bias: Tensor | null;
  gradOutput: Tensor;
}

/** Random arguments in float64, already rounded to `dtype`, so that all algorithms get the same numbers. */
function argumentsOf(c: Case, seed: number, dtype: DType): Arguments {
  manualSeed(seed);
  const make = (shape: number[], scale = 1) => randn(shape, { dtype: 'float64' }).mul(scale).to({ dtype });
  const [kh, kw] = c.kernel;
  const inPerGroup = c.inChannels / c.groups;
  const input = make([c.batch, c.inChannels, ...c.size]);
  return {
    input: c.channelsLast ? input.contiguous({ memoryFormat: 'channelsLast' }) : input,
    weight: make([c.experts, c.outChannels, inPerGroup, kh, kw], (inPerGroup * kh * kw) ** -0.5),
    attention: attentionOf(c),
    bias: c.bias ? make([c.experts, c.outChannels]) : null,
    gradOutput: make([c.batch, c.outChannels, ...outputSize(c)]),
  };
}

function attentionOf({ batch, experts, attention }: Case): Tensor {
  const logits = randn([batch, experts], { dtype: 'float64' });
  if (attention === 'any') return logits;
  if (attention === 'sigmoid') return logits.sigmoid();
  return attention === 'softmax'
    ? logits.softmax({ dim: 1 })
    : F.oneHot(logits.argmax({ dim: 1 }), experts).to({ dtype: 'float64' });
}

/** The output, then the gradients of input, weight, attention and bias. */
function run(
  c: Case,
  given: Arguments,
  algorithm: F.DynamicConv2dAlgorithm,
  dtype: DType,
): (Tensor | null)[] {
  const leaf = (t: Tensor, type: DType = dtype) => t.to({ dtype: type }).detach().requiresGrad_();
  const inputs = [
    leaf(given.input),
    leaf(given.weight),
    leaf(given.attention, dtype === 'float64' ? dtype : 'float32'),
  ];
  const bias = given.bias ? leaf(given.bias) : null;
  if (bias) inputs.push(bias);
  const { stride, padding, dilation, groups } = c;
  const output = dynamicConv2d(inputs[0]!, inputs[1]!, inputs[2]!, bias, {
    stride,
    padding,
    dilation,
    groups,
    algorithm,
  });
  const gradOutputs = given.gradOutput.to({ dtype });
  return [output.detach(), ...autograd.grad(output, inputs, { gradOutputs })];
}

const winograd = ({ kernel, stride, dilation, groups }: Case, kernels: string[]): boolean =>
  groups === 1 && kernels.includes(`${kernel}`) && [...stride, ...dilation].every((step) => step === 1);

/** Which problems an algorithm is documented to support; it must reject the others. */
function applies(algorithm: F.DynamicConv2dAlgorithm, c: Case, dtype: DType): boolean {
  const kernels = c.batch > 0 && dtype !== 'float64';
  if (algorithm.endsWith('-cuda')) return kernels && emulated;
  if (algorithm.startsWith('depthwise')) return kernels && c.inChannels === c.groups;
  if (algorithm.startsWith('fused')) return kernels;
  if (algorithm.startsWith('winograd')) {
    // Kernels of five taps have tiles of up to three outputs per axis.
    return kernels && winograd(c, /4/.test(algorithm) ? ['3,3'] : ['3,3', '5,5']);
  }
  return algorithm !== 'mix-once' || c.batch === 1;
}

const names = ['output', 'grad input', 'grad weight', 'grad attention', 'grad bias'];

function expectConformance(
  c: Case,
  seed: number,
  dtype: DType,
  tolerance: number,
  candidates = algorithms,
): void {
  tidy(() => {
    const given = argumentsOf(c, seed, dtype);
    const expected = run(c, given, 'reference', 'float64');
    for (const algorithm of candidates) {
      if (!applies(algorithm, c, dtype)) {
        expect(() => run(c, given, algorithm, dtype)).toThrow(
          `Expected a problem that ${algorithm} can compute`,
        );
        continue;
      }
      run(c, given, algorithm, dtype).forEach((received, i) => {
        const found = deviation(received!, expected[i]!);
        expect(found, `${names[i]} of ${algorithm} for ${JSON.stringify(c)}`).toBeLessThan(tolerance);
      });
    }
  });
}

describe('dynamicConv2d agrees with the float64 reference', () => {
  it.each(Object.keys(corners))('%s, in float32', (name) =>
    expectConformance(corners[name]!, 1, 'float32', 3e-5),
  );
  it.each(Object.keys(corners))('%s, in float64', (name) =>
    expectConformance(corners[name]!, 2, 'float64', 1e-12),
  );

  it.each(Array.from({ length: 10 }, (_, i) => i))(
    `for random shapes, part %i of ${RANDOM_CASES}`,
    (part) => {
      const share = RANDOM_CASES / 10;
      for (let n = part * share; n < (part + 1) * share; n++)
        expectConformance(randomCase(n), n, 'float32', 3e-5);
    },
  );

  // Tiles of 2 to 4 outputs per axis (3 for five taps), and every size of the last tile.
  it.each(SIZES)('with images %i pixels high and 1 to 9 wide, by all forms of winograd', (height) => {
    const forms = algorithms.filter((algorithm) => algorithm.startsWith('winograd'));
    for (const width of SIZES) {
      const attention = width % 2 ? 'softmax' : 'any';
      const c: Case = {
        ...corners['a plain one']!,
        size: [height, width],
        batch: 3,
        inChannels: 18,
        attention,
      };
      expectConformance(c, width, 'float32', 1e-5, forms);
      const five: Case = { ...c, kernel: [5, 5], padding: [2, width % 3] };
      if (outputSize(five).every((size) => size > 0)) expectConformance(five, width, 'float32', 1e-5, forms);
    }
  });

  // Sums are float32 and rounded once; on tensor cores the mixed weights are rounded as well.
  const onGpus = emulated ? (['mix-cuda', 'fused-cuda'] as const) : [];
  it.each([
    ...(['auto', 'fused', 'winograd', 'depthwise', 'mix-after', 'grouped', ...onGpus] as const).map(
      (algorithm) => ['bfloat16', algorithm, 2e-2] as const,
    ),
    ...(['auto', 'mix-after', ...onGpus] as const).map((algorithm) => ['float16', algorithm, 4e-3] as const),
  ])('in %s with %s', (dtype, algorithm, tolerance) => {
    for (const c of Object.values(corners)) {
      if (!applies(algorithm, c, dtype) || c.batch === 0) continue;
      tidy(() => {
        const given = argumentsOf(c, 3, dtype);
        const expected = run(c, given, 'reference', 'float64');
        run(c, given, algorithm, dtype).forEach((received, i) => {
          const found = deviation(received!, expected[i]!);
          expect(found, `${names[i]} for ${JSON.stringify(c)}`).toBeLessThan(tolerance);
        });
      });
    }
  });
});

describe.skipIf(!emulated)(
  `mix-cuda${emulated ? '' : ' (skipped: not a build with DYCONV_EMULATE_CUDA)'}`,
  () => {
    // float16, which no other kernel on the CPU supports.
    it.each([
      ['many experts', 16, 8, 64, 8, 1, 'fused-cuda'],
      ['few experts', 8, 8, 64, 8, 1, 'mix-cuda'],
      ['a small plane', 16, 8, 64, 7, 1, 'mix-cuda'],
      ['few output channels', 16, 8, 31, 8, 1, 'mix-cuda'],
      ['small groups', 16, 8, 64, 8, 4, 'mix-cuda'],
    ])(
      'is what "auto" takes, or fused-cuda: %s',
      (_what, experts, inputs, outputs, size, groups, expected) => {
        const half = (...shape: number[]) => zeros(shape, { dtype: 'float16' });
        const weight = half(experts, outputs, inputs / groups, 3, 3);
        const attention = zeros([2, experts]);
        const options = { padding: 1, groups };
        const choice = dynamicConv2d.choice(half(2, inputs, size, size), weight, attention, null, options);
        expect(choice).toBe(expected);
      },
    );

    it('frees the K x O outputs after the backward pass, even if the graph is still referenced', () => {
      const leaf = (...shape: number[]) => randn(shape).requiresGrad_();
      const attention = ones([4, 4]).div(4).requiresGrad_();
      const options = { padding: 1, algorithm: 'mix-cuda' } as const;
      const output = dynamicConv2d(randn([4, 8, 32, 32]), leaf(4, 16, 8, 3, 3), attention, null, options);
      const before = memory().allocatedBytes;
      tidy(() => output.sum().backward());
      const outputs = 4 * (4 * 16) * 32 * 32 * 4;
      expect(before - memory().allocatedBytes).toBeGreaterThan(outputs * 0.9);
      expect(output.requiresGrad).toBe(true);
    });
  },
);

describe('the reference', () => {
  const small: Case = {
    ...corners['asymmetric everything']!,
    inChannels: 4,
    outChannels: 2,
    groups: 2,
    size: [5, 4],
  };

  it('passes gradcheck', () => {
    const { input, weight, attention, bias } = argumentsOf(small, 4, 'float64');
    const { stride, padding, dilation, groups } = small;
    const leaves = [input, weight, attention, bias!].map((t) => t.detach().requiresGrad_());
    const fn = (x: Tensor, w: Tensor, a: Tensor, b: Tensor) =>
      dynamicConv2d(x, w, a, b, { stride, padding, dilation, groups, algorithm: 'reference' });
    expect(autograd.gradcheck(fn as (...inputs: Tensor[]) => Tensor, leaves)).toBe(true);
  });

  it('computes a sum by hand', () => {
    // One pixel, two experts: 0.25 (2·3 + 1) + 0.75 (4·3 + 5).
    const y = dynamicConv2d(
      tensor([[[[3]]]], { dtype: 'float64' }),
      tensor([[[[[2]]]], [[[[4]]]]], { dtype: 'float64' }),
      tensor([[0.25, 0.75]], { dtype: 'float64' }),
      tensor([[1], [5]], { dtype: 'float64' }),
      { algorithm: 'reference' },
    );
    expect(y.item()).toBe(0.25 * 7 + 0.75 * 17);
  });
});

describe.each(algorithms)('identities of %s', (algorithm) => {
  const c: Case = algorithm.startsWith('depthwise')
    ? { ...corners['depthwise, two outputs per input']!, batch: 4, experts: 3 }
    : algorithm.startsWith('winograd')
      ? { ...corners['a plain one']!, batch: 4, experts: 3, inChannels: 18, size: [7, 9] }
      : { ...corners.groups!, batch: algorithm === 'mix-once' ? 1 : 4, experts: 3 };
  const { stride, padding, dilation, groups } = c;
  const options = { stride, padding, dilation, groups, algorithm };
  const single = (t: Tensor) => t.to({ dtype: 'float32' }).detach();
  const given = argumentsOf(c, 5, 'float32');
  const attention = single(given.attention);
  const first = (t: Tensor) => t.narrow(0, 0, 1);

  it('with all experts equal is the static convolution', () => {
    const weight = first(given.weight).expand(given.weight.shape);
    const bias = first(given.bias!).expand(given.bias!.shape);
    const expected = F.conv2d(given.input, first(given.weight).squeeze(0), first(given.bias!).squeeze(0), {
      stride,
      padding,
      dilation,
      groups,
    });
    expect(deviation(dynamicConv2d(given.input, weight, attention, bias, options), expected)).toBeLessThan(
      1e-5,
    );
  });

  it('with one expert is the static convolution', () => {
    const expected = F.conv2d(given.input, first(given.weight).squeeze(0), null, {
      stride,
      padding,
      dilation,
      groups,
    });
    const received = dynamicConv2d(given.input, first(given.weight), ones([c.batch, 1]), null, options);
    expect(deviation(received, expected)).toBeLessThan(1e-5);
  });

  it('has logits whose gradients sum to 0 over experts, and <a, da> = <y, dy>', () => {
    const logits = randn([c.batch, c.experts]).requiresGrad_();
    const shares = logits.softmax({ dim: 1 });
    const y = dynamicConv2d(given.input, given.weight, shares, given.bias, options);
    const gradOutputs = given.gradOutput;
    const [gradLogits, gradShares] = autograd.grad(y, [logits, shares], { gradOutputs });
    const scale = Number(gradShares!.abs().amax().item());
    expect(Number(gradLogits!.sum({ dim: 1 }).abs().amax().item())).toBeLessThan(1e-5 * scale);
    const received = shares.detach().mul(gradShares!).sum({ dim: 1 });
    expect(
      deviation(
        received,
        y
          .detach()
          .mul(gradOutputs)
          .sum({ dim: [1, 2, 3] }),
      ),
    ).toBeLessThan(1e-4);
  });

  it('gives the same gradients of experts and attention whether or not the input needs one', () => {
    const needing = (input: boolean) => {
      const x = given.input.detach().requiresGrad_(input);
      const [w, a] = [given.weight, attention].map((t) => t.detach().requiresGrad_());
      const y = dynamicConv2d(x, w!, a!, null, options);
      return autograd.grad(y, [w!, a!], { gradOutputs: given.gradOutput });
    };
    const expected = needing(true);
    needing(false).forEach((received, i) => {
      expect(deviation(received!, expected[i]!)).toBeLessThan(1e-5);
    });
  });

  it.each([0, 1, 2])(
    'keeps the digits of small experts beside expert %i, a million times as large',
    (large) => {
      const sizes = tensor(Array.from({ length: 3 }, (_, k) => (k === large ? 1e6 : 1)));
      const small = [0, 1, 2].filter((k) => k !== large);
      const shares = F.oneHot(tensor(Array.from({ length: c.batch }, (_, b) => BigInt(small[b % 2]!))), 3);
      const weight = given.weight.narrow(0, 0, 3).mul(sizes.reshape([3, 1, 1, 1, 1]));
      const wide = { ...given, weight, attention: shares.to({ dtype: 'float32' }), bias: null };
      const three: Case = { ...c, experts: 3, bias: false };
      const [output, gradInput] = run(three, wide, algorithm, 'float32');
      const [expectedOutput, expectedGradInput] = run(three, wide, 'reference', 'float64');
      expect(deviation(output!, expectedOutput!)).toBeLessThan(1e-5);
      expect(deviation(gradInput!, expectedGradInput!)).toBeLessThan(1e-5);
    },
  );

  it('is differentiable twice', () => {
    const second = (dtype: DType, name: F.DynamicConv2dAlgorithm) => {
      const leaves = [given.input, given.weight, given.attention].map((t) =>
        t.to({ dtype }).detach().requiresGrad_(),
      );
      const [x, w, a] = leaves as [Tensor, Tensor, Tensor];
      const y = dynamicConv2d(x, w, a, null, { ...options, algorithm: name });
      const grads = autograd.grad(y, leaves, {
        gradOutputs: given.gradOutput.to({ dtype }),
        createGraph: true,
      });
      const total = grads.map((g) => g!.pow(2).sum()).reduce((sum, term) => sum.add(term));
      return autograd.grad(total, leaves);
    };
    const expected = second('float64', 'mix-after');
    second('float32', algorithm).forEach((received, i) => {
      expect(deviation(received!, expected[i]!)).toBeLessThan(1e-4);
    });
  });

  it('is bit-reproducible', () => {
    const [once, again] = [run(c, given, algorithm, 'float32'), run(c, given, algorithm, 'float32')];
    once.forEach((t, i) => {
      expect(t!.dataSync()).toEqual(again[i]!.dataSync());
    });
  });
});

it('has a literal name for every algorithm of the add-on', () => {
  expect(dynamicConv2d.algorithms()).toEqual(native.dynamicConv2dAlgorithms());
});

describe('dynamicConv2d names wrong arguments', () => {
  const x = ones([2, 3, 5, 5]);
  const w = ones([4, 6, 3, 3, 3]);
  const a = ones([2, 4]);
  it.each<[string, () => Tensor, string]>([
    ['input', () => dynamicConv2d(ones([3, 5, 5]), w, a), 'Expected shape [B, I, H, W] for input'],
    ['weight', () => dynamicConv2d(x, ones([4, 6, 2, 3, 3]), a), 'for weight'],
    ['attention', () => dynamicConv2d(x, w, ones([2, 3])), 'Expected shape [B, K] = [2, 4] for attention'],
    ['bias', () => dynamicConv2d(x, w, a, ones([6])), 'Expected shape [K, O] = [4, 6] for bias'],
    ['groups', () => dynamicConv2d(x, w, a, null, { groups: 2 }), 'divisible by groups = 2'],
    ['a small image', () => dynamicConv2d(ones([2, 3, 2, 5]), w, a), "no smaller than the kernel's reach"],
    ['dtypes', () => dynamicConv2d(x.to({ dtype: 'float64' }), w, a), 'Expected dtype'],
    ['algorithm', () => dynamicConv2d(x, w, a, null, { algorithm: 'magic' as never }), 'algorithm'],
  ])('%s', (_, call, message) => expect(call).toThrow(message));
});
