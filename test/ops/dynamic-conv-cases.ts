/**
 * Shapes for the conformance suite of dynamic convolution: a list of edge cases and a reproducible sequence of
 * random ones.
 * @module
 */

/** One problem. Pairs are [height, width]. */
export interface Case {
  batch: number;
  inChannels: number;
  outChannels: number;
  size: [number, number];
  experts: number;
  kernel: [number, number];
  stride: [number, number];
  padding: [number, number];
  dilation: [number, number];
  groups: number;
  bias: boolean;
  channelsLast: boolean;
  /** The kind of attention: with sum 1, any positive numbers, one-hot, or any numbers. */
  attention: 'softmax' | 'sigmoid' | 'one-hot' | 'any';
}

const plain: Case = {
  batch: 2,
  inChannels: 3,
  outChannels: 4,
  size: [6, 5],
  experts: 2,
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1],
  dilation: [1, 1],
  groups: 1,
  bias: true,
  channelsLast: false,
  attention: 'softmax',
};

/** Edge cases: sizes around every block size of the kernels, and each option with a value other than its default. */
export const corners: Record<string, Case> = {
  'a plain one': plain,
  'batch 0': { ...plain, batch: 0 },
  'batch 1': { ...plain, batch: 1 },
  'a batch that crosses a block of samples': { ...plain, batch: 35, size: [3, 3] },
  'one expert': { ...plain, experts: 1 },
  'sixteen experts': { ...plain, experts: 16 },
  'attention of each expert by itself': { ...plain, attention: 'sigmoid', experts: 3, size: [7, 7] },
  'attention of any sign': { ...plain, attention: 'any', experts: 3, inChannels: 20, outChannels: 33 },
  'one expert a sample': { ...plain, attention: 'one-hot', experts: 4, batch: 9, size: [7, 7] },
  'no bias': { ...plain, bias: false },
  'channels last': { ...plain, channelsLast: true, inChannels: 20, outChannels: 33 },
  '1x1 kernel': { ...plain, kernel: [1, 1], padding: [0, 0], inChannels: 40, outChannels: 70 },
  'asymmetric everything': {
    ...plain,
    kernel: [2, 5],
    stride: [2, 1],
    padding: [0, 2],
    dilation: [3, 1],
    size: [9, 8],
  },
  'stride beyond the kernel': { ...plain, kernel: [1, 2], stride: [3, 4], padding: [0, 0], size: [8, 9] },
  'more channels than a panel and a tile': { ...plain, inChannels: 101, outChannels: 131, size: [3, 4] },
  'more pixels than a block': { ...plain, size: [45, 41], batch: 1 + 1, outChannels: 5 },
  'tiles of 4x4 outputs': { ...plain, size: [14, 13], inChannels: 18, outChannels: 35, batch: 21 },
  'a strip of tiles, with more padding than the kernel needs': { ...plain, size: [3, 70], padding: [2, 0] },
  'a batch that is worth tiles of 4x4': {
    ...plain,
    size: [8, 7],
    inChannels: 33,
    outChannels: 20,
    batch: 70,
  },
  'one pixel': { ...plain, size: [1, 1] },
  'one row': { ...plain, size: [1, 19], inChannels: 17, outChannels: 17 },
  groups: { ...plain, groups: 3, inChannels: 6, outChannels: 51 },
  'as many groups as input channels': { ...plain, groups: 5, inChannels: 5, outChannels: 5 },
  'depthwise, two outputs per input': { ...plain, groups: 5, inChannels: 5, outChannels: 10, stride: [2, 2] },
  'depthwise, strides and dilations': {
    ...plain,
    groups: 7,
    inChannels: 7,
    outChannels: 7,
    stride: [2, 3],
    dilation: [2, 2],
    padding: [2, 1],
    size: [11, 10],
    channelsLast: true,
  },
};

/** The n-th random case; the same on every machine. */
export function randomCase(n: number): Case {
  const next = mulberry32(n + 1);
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  const pair = (low: number, high: number): [number, number] => [between(low, high), between(low, high)];
  for (;;) {
    const depthwise = next() < 0.2;
    const groups = depthwise ? between(2, 20) : next() < 0.2 ? between(2, 3) : 1;
    const kernel = next() < 0.4 ? ([3, 3] as [number, number]) : pair(1, 4);
    const made: Case = {
      batch: next() < 0.05 ? 0 : next() < 0.15 ? between(15, 20) : between(1, 5),
      inChannels: groups * (depthwise ? 1 : between(1, 20)),
      outChannels: groups * (depthwise ? between(1, 2) : between(1, 20)),
      size: pair(1, 9),
      experts: next() < 0.8 ? between(1, 5) : between(1, 16),
      kernel,
      stride: next() < 0.5 ? [1, 1] : pair(1, 3),
      padding: pair(0, 2),
      dilation: next() < 0.6 ? [1, 1] : pair(1, 3),
      groups,
      bias: next() < 0.5,
      channelsLast: next() < 0.25,
      attention: (['softmax', 'softmax', 'sigmoid', 'one-hot', 'any'] as const)[between(0, 4)]!,
    };
    if (outputSize(made).every((size) => size > 0)) return made;
  }
}

/** [H', W'] of a case. */
export function outputSize({
  size,
  kernel,
  stride,
  padding,
  dilation,
}: Pick<Case, 'size' | 'kernel' | 'stride' | 'padding' | 'dilation'>): [number, number] {
  const along = (i: 0 | 1) =>
    Math.floor((size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i]) + 1;
  return [along(0), along(1)];
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
