/**
 * Intended differences between dyconv and PyTorch: the samples of its operator database that show them, and the
 * reasons.
 */
import type { Sample } from './op-db.js';

/** Samples with an intended difference. */
export interface Difference {
  /** The operations of PyTorch, or all. */
  ops?: readonly string[];
  /** Which of their samples, by PyTorch's error or the call; or all. */
  when?: (sample: Sample) => boolean;
  /** The reason. */
  reason: string;
}

const options = (sample: Sample) => (sample.args.at(-1) ?? {}) as Record<string, unknown>;
const says = (text: RegExp) => (sample: Sample) => text.test(sample.error ?? '');

/** A sample uses the first entry that matches; a run of all samples fails for entries without a sample. */
export const DIFFERENCES: readonly Difference[] = [
  {
    when: says(/must be Tensor, not int/),
    reason: 'every element-wise operation takes a number as its second operand',
  },
  {
    ops: ['max|binary', 'min|binary'],
    when: says(/Dimension out of range/),
    reason: 'the second parameter of maximum() and minimum() is an operand, never a dimension',
  },
  {
    ops: ['linspace', 'linspace|tensor_overload', 'logspace', 'logspace|tensor_overload'],
    when: says(/invalid combination of arguments/),
    reason: 'JavaScript has one type of numbers: 1.0 is an integer',
  },
  {
    ops: ['round|decimals_0'],
    when: says(/not implemented for/),
    reason: 'rounding integers to 0 digits leaves them as they are, with the option as without',
  },
  {
    ops: ['narrow'],
    when: ({ inputs }) => inputs.length > 1,
    reason: 'start is a number: a Tensor would have to be read at every call',
  },
  {
    ops: [
      'linalg.pinv',
      'linalg.pinv|singular',
      'linalg.pinv|hermitian',
      'linalg.matrix_rank',
      'linalg.matrix_rank|hermitian',
    ],
    when: ({ inputs }) => inputs.length > 1,
    reason: 'tolerances are numbers',
  },
  {
    ops: ['nn.functional.conv_transpose3d'],
    when: (sample) => sample.dtype === 'bfloat16' && String(options(sample).padding) === '1,2,3',
    reason:
      'padded bfloat16 convolutions of three dimensions go through float32, whose result is that of float64, rounded',
  },
  {
    ops: ['tensor_split'],
    when: ({ inputs }) => inputs.length > 1,
    reason: 'positions are numbers: a Tensor would have to be read at every call',
  },
  {
    ops: ['broadcast_shapes'],
    when: ({ args }) => args.some((shape) => !Array.isArray(shape)),
    reason: 'a shape is an array',
  },
  {
    ops: ['nn.functional.avg_pool2d'],
    when: (sample) => [options(sample).padding, options(sample).stride].some((sizes) => isShort(sizes)),
    reason: 'sizes are one number, or one for each dimension',
  },
];

const isShort = (sizes: unknown) => Array.isArray(sizes) && sizes.length < 2;

/** The entry that matches a sample. */
export function meant(sample: Sample): Difference | undefined {
  return DIFFERENCES.find(({ ops, when }) => (ops?.includes(sample.op) ?? true) && (when?.(sample) ?? true));
}
