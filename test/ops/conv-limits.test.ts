// Convolutions of every dimension at the limits of their arguments: the values of float64, or a typed error.
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  autograd,
  type DType,
  dynamicConv2d,
  functional as F,
  full,
  manualSeed,
  rand,
  randn,
  ShapeError,
  type Tensor,
  tidy,
} from '../../lib/index.js';
import { itRefuses, type Refusal } from '../support/refusals.js';
import { deviation } from '../support/values.js';

type Call = (x: Tensor, w: Tensor, b: Tensor) => Tensor;
interface Case {
  input: number[];
  weight: number[];
  outputs: number;
  call: Call;
  channelsLast?: boolean;
}

const conv1d =
  (options: object): Call =>
  (x, w, b) =>
    F.conv1d(x, w, b, options);
const conv2d =
  (options: object): Call =>
  (x, w, b) =>
    F.conv2d(x, w, b, options);

const cases: Record<string, Case> = {
  'a stride far beyond the input': {
    input: [4, 3, 16],
    weight: [2, 3, 4],
    outputs: 2,
    call: conv1d({ stride: 65536, padding: 1 }),
  },
  'a stride of 65536 within the input': {
    input: [2, 3, 140_000],
    weight: [2, 3, 4],
    outputs: 2,
    call: conv1d({ stride: 65536, padding: 1 }),
  },
  'a stride of 2^52': {
    input: [2, 3, 5, 6],
    weight: [4, 3, 2, 2],
    outputs: 4,
    call: conv2d({ stride: [2 ** 52, 1], padding: [100, 1] }),
  },
  'a dilation of 2^52 of a single tap': {
    input: [2, 3, 5, 6],
    weight: [4, 3, 1, 2],
    outputs: 4,
    call: conv2d({ dilation: [2 ** 52, 2] }),
  },
  'a padding of 10^5 and a stride as large': {
    input: [2, 3, 10],
    weight: [2, 3, 2],
    outputs: 2,
    call: conv1d({ padding: 100_000, stride: 40_000 }),
  },
  'three dimensions': {
    input: [2, 3, 4, 5, 6],
    weight: [2, 3, 2, 2, 2],
    outputs: 2,
    call: (x, w, b) => F.conv3d(x, w, b, { stride: [2 ** 40, 65536, 1], padding: [0, 1, 0] }),
  },
  // Here oneDNN's gradient of the weight reads and writes outside of tensors, or omits terms of sums.
  'two windows that begin before the first plane': {
    input: [2, 2, 6, 5, 5],
    weight: [3, 2, 4, 3, 3],
    outputs: 3,
    call: (x, w, b) => F.conv3d(x, w, b, { stride: [2, 1, 1], padding: [3, 1, 1] }),
  },
  'the same with 16 channels and a kernel of 7': {
    input: [2, 16, 5, 4, 4],
    weight: [16, 16, 7, 3, 3],
    outputs: 16,
    call: (x, w, b) => F.conv3d(x, w, b, { stride: 2, padding: [3, 1, 1] }),
  },
  'two windows that begin before the first column': {
    input: [2, 16, 5, 5, 1],
    weight: [16, 16, 3, 3, 5],
    outputs: 16,
    call: (x, w, b) => F.conv3d(x, w, b, { stride: [1, 1, 2], padding: [1, 1, 4] }),
  },
  'a kernel of 3 on two planes': {
    input: [2, 16, 2, 5, 5],
    weight: [16, 16, 3, 3, 3],
    outputs: 16,
    call: (x, w, b) => F.conv3d(x, w, b, { padding: 1 }),
  },
  'a kernel of 5 on three planes': {
    input: [2, 16, 3, 5, 5],
    weight: [16, 16, 5, 3, 3],
    outputs: 16,
    call: (x, w, b) => F.conv3d(x, w, b, { padding: [2, 1, 1] }),
  },
  'transposed, a kernel of 5 on three planes': {
    input: [2, 16, 3, 5, 5],
    weight: [16, 16, 5, 3, 3],
    outputs: 16,
    call: (x, w, b) => F.convTranspose3d(x, w, b, { padding: [2, 1, 1] }),
  },
  'transposed, two windows that begin before the first plane': {
    input: [2, 3, 4, 4, 4],
    weight: [3, 2, 5, 3, 3],
    outputs: 2,
    call: (x, w, b) => F.convTranspose3d(x, w, b, { stride: 2, padding: [3, 1, 1], outputPadding: 1 }),
  },
  'transposed, from one pixel': {
    input: [2, 3, 1],
    weight: [3, 2, 4],
    outputs: 2,
    call: (x, w, b) => F.convTranspose1d(x, w, b, { stride: 2 ** 50 }),
  },
  'transposed, a stride of 65536': {
    input: [2, 3, 4],
    weight: [3, 2, 4],
    outputs: 2,
    call: (x, w, b) => F.convTranspose1d(x, w, b, { stride: 65536 }),
  },
  'transposed, gaps between the windows': {
    input: [2, 4, 2, 4, 5],
    weight: [4, 2, 1, 2, 2],
    outputs: 2,
    call: (x, w, b) => F.convTranspose3d(x, w, b, { stride: [9, 3, 1] }),
    channelsLast: true,
  },
  'windows beside an image, channels last': {
    input: [5, 48, 4, 1],
    weight: [4, 48, 2, 1],
    outputs: 4,
    call: conv2d({ stride: [1, 2], padding: 1, dilation: [1, 2] }),
    channelsLast: true,
  },
  'a single window with a stride': {
    input: [5, 35, 6, 4],
    weight: [3, 35, 4, 4],
    outputs: 3,
    call: conv2d({ stride: [1, 8], padding: [3, 0] }),
  },
  'taps that meet no pixel': {
    input: [5, 35, 2, 4],
    weight: [5, 35, 4, 5],
    outputs: 5,
    call: conv2d({ stride: [7, 8], padding: [1, 2] }),
  },
  'a dilation that steps over the image': {
    input: [5, 48, 2, 9],
    weight: [2, 48, 2, 2],
    outputs: 2,
    call: conv2d({ padding: 1, dilation: [3, 1] }),
    channelsLast: true,
  },
};

/** The output and all gradients. */
function run(c: Case, given: Tensor[], dtype: DType): Tensor[] {
  const leaves = given.map((t) => {
    const like = t.to({ dtype });
    const last = c.channelsLast && t.ndim === 4;
    return (last ? like.contiguous({ memoryFormat: 'channelsLast' }) : like).detach().requiresGrad_();
  });
  const y = c.call(...(leaves as [Tensor, Tensor, Tensor]));
  return [y.detach(), ...(autograd.grad(y.square().sum().mul(0.01), leaves) as Tensor[])];
}

describe.each(Object.keys(cases))('%s', (name) => {
  it.each([
    ['float32', 1e-4],
    ['bfloat16', 4e-2],
    ['float16', 1e-2],
  ] as const)('in %s', (dtype, allowed) => {
    manualSeed(1);
    tidy(() => {
      const c = cases[name]!;
      const given = [c.input, c.weight, [c.outputs]].map((shape) => rand(shape).to({ dtype }));
      const expected = run(c, given, 'float64');
      run(c, given, dtype).forEach((received, i) => {
        expect(received.dtype).toBe(dtype);
        expect(received.shape).toEqual(expected[i]!.shape);
        expect(deviation(received.to({ dtype: 'float64' }), expected[i]!)).toBeLessThan(allowed);
      });
    });
  });
});

it('dynamicConv2d with strides beyond the input is that with the smallest ones', () => {
  manualSeed(2);
  for (const groups of [1, 16]) {
    const x = randn([5, 16, 4, 8]).requiresGrad_();
    const w = randn([2, 16, 16 / groups, 3, 3]).requiresGrad_();
    const a = full([5, 2], 0.5);
    const runWith = (stride: [number, number]) => {
      const y = dynamicConv2d(x, w, a, null, { stride, padding: [5, 0], groups });
      return [y, ...autograd.grad(y.square().sum(), [x, w])] as Tensor[];
    };
    const expected = runWith([12, 6]);
    runWith([2 ** 48, 2 ** 50]).forEach((received, i) => {
      expect(received.dataSync()).toEqual(expected[i]!.dataSync());
    });
  }
});

describe('sizes', () => {
  const x = { 1: rand([2, 4, 8]), 2: rand([2, 4, 8, 8]), 3: rand([2, 4, 8, 8, 8]) };
  const [huge, far] = [2 ** 52, 4097];
  const wraps = 'below 2^63';
  const refusals: Refusal[] = [
    ['conv1d', () => F.conv1d(x[1], rand([4, 4, far]), null, { dilation: huge }), ShapeError, wraps],
    ['conv2d', () => F.conv2d(x[2], rand([4, 4, far, 1]), null, { dilation: [huge, 1] }), ShapeError, wraps],
    [
      'conv3d',
      () => F.conv3d(x[3], rand([4, 4, 1, 1, far]), null, { dilation: [1, 1, huge] }),
      ShapeError,
      wraps,
    ],
    [
      'convTranspose1d',
      () => F.convTranspose1d(rand([1, 4, far]), rand([4, 4, 1]), null, { stride: huge }),
      ShapeError,
      wraps,
    ],
    [
      'convTranspose2d',
      () => F.convTranspose2d(x[2], rand([4, 4, far, 1]), null, { dilation: [huge, 1] }),
      ShapeError,
      wraps,
    ],
    [
      'convTranspose2d with too much padding',
      () => F.convTranspose2d(x[2], rand([4, 4, 2, 2]), null, { padding: 9 }),
      ShapeError,
      'Expected padding that leaves an output',
    ],
    [
      'dynamicConv2d',
      () => dynamicConv2d(x[2], rand([2, 4, 4, far, 1]), full([2, 2], 0.5), null, { dilation: [huge, 1] }),
      ShapeError,
      wraps,
    ],
    ['a padding', () => F.conv2d(x[2], rand([4, 4, 1, 1]), null, { padding: huge }), ShapeError, wraps],
    ['unfold', () => F.unfold(x[2], [far, 1], { dilation: [huge, 1] }), ShapeError, wraps],
    ['fold', () => F.fold(rand([2, 8, 8]), [8, 8], [far, 1], { dilation: [huge, 1] }), ShapeError, wraps],
    ['pixelShuffle', () => F.pixelShuffle(x[2], 2 ** 32), ShapeError, wraps],
    ['avgPool2d', () => F.avgPool2d(x[2], 2 ** 40), ShapeError, wraps],
    ['a kernel of no taps', () => F.conv2d(x[2], rand([4, 4, 0, 1])), ShapeError, 'at least 1 for weight'],
    [
      'an image without rows',
      () => dynamicConv2d(rand([2, 3, 0, 7]), rand([7, 1, 3, 2, 1]), full([2, 7], 1), null, { padding: 1 }),
      ShapeError,
      'at least one row and column for input',
    ],
    [
      'an image without columns',
      () => dynamicConv2d(rand([2, 3, 7, 0]), rand([7, 1, 3, 1, 2]), full([2, 7], 1), null, { padding: 1 }),
      ShapeError,
      'at least one row and column for input',
    ],
    [
      'conv2d of it',
      () => F.conv2d(rand([2, 3, 0, 7]), rand([4, 3, 2, 1]), null, { padding: 1 }),
      ShapeError,
      'input',
    ],
    ['no integer', () => F.conv2d(x[2], rand([4, 4, 1, 1]), null, { stride: 0.5 }), ArgumentError, 'stride'],
  ];
  itRefuses(refusals);
});
