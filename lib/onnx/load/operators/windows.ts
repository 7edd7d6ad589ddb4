/**
 * The positions of the windows of convolutions and pools.
 * @module
 */
import { pad } from '../../../ops/conv.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { NodeProblem, type NodeSpec } from '../node.js';

/** The attributes of windows. */
export interface Windows {
  /** Sizes of the kernel; undefined: those of the weight. */
  readonly kernel: readonly number[] | undefined;
  readonly autoPad: 'NOTSET' | 'SAME_UPPER' | 'SAME_LOWER' | 'VALID';
  readonly strides: readonly number[] | undefined;
  readonly dilations: readonly number[] | undefined;
  readonly pads: readonly number[] | undefined;
}

/** The same for inputs of a number of spatial dimensions. */
export interface Placed {
  readonly kernel: readonly number[];
  readonly stride: number[];
  readonly dilation: number[];
  /** Padding before each dimension, and behind it. */
  readonly begin: number[];
  readonly end: number[];
}

export function windowsOf(node: NodeSpec): Windows {
  return {
    kernel: node.ints('kernel_shape'),
    autoPad: node.choice('auto_pad', 'NOTSET', ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID']),
    strides: node.ints('strides'),
    dilations: node.ints('dilations'),
    pads: node.ints('pads'),
  };
}

/** @param kernel - Sizes of the kernel. @throws NodeProblem where the numbers of dimensions differ. */
export function place(x: Tensor, windows: Windows, kernel: readonly number[]): Placed {
  const count = kernel.length;
  if (x.ndim !== count + 2)
    throw new NodeProblem(`has windows of ${count} dimensions on an input of shape [${x.shape.join(', ')}]`);
  const list = (name: string, values: readonly number[] | undefined, length: number, usual: number) => {
    if (values !== undefined && values.length !== length)
      throw new NodeProblem(`has ${values.length} ${name} instead of ${length}`);
    return values === undefined ? new Array<number>(length).fill(usual) : [...values];
  };
  const stride = list('strides', windows.strides, count, 1);
  const dilation = list('dilations', windows.dilations, count, 1);
  const pads = list('pads', windows.pads, 2 * count, 0);
  if (windows.autoPad === 'NOTSET')
    return { kernel, stride, dilation, begin: pads.slice(0, count), end: pads.slice(count) };
  if (windows.autoPad === 'VALID')
    return { kernel, stride, dilation, begin: kernel.map(() => 0), end: kernel.map(() => 0) };
  const total = kernel.map((size, i) => {
    const input = x.shape[i + 2]!;
    const outputs = Math.ceil(input / stride[i]!);
    return Math.max(0, (outputs - 1) * stride[i]! + (size - 1) * dilation[i]! + 1 - input);
  });
  const half = total.map((sum) => Math.floor(sum / 2));
  const rest = total.map((sum, i) => sum - half[i]!);
  const upper = windows.autoPad === 'SAME_UPPER';
  return { kernel, stride, dilation, begin: upper ? half : rest, end: upper ? rest : half };
}

/** Pads the spatial dimensions. */
export function padSpatial(x: Tensor, begin: readonly number[], end: readonly number[], value = 0): Tensor {
  const padding = begin.flatMap((_, i) => [begin.at(-1 - i)!, end.at(-1 - i)!]);
  return padding.every((size) => size === 0) ? x : pad(x, padding, { value });
}

/** Whether the padding is the same on both sides. */
export const isEven = ({ begin, end }: Pick<Placed, 'begin' | 'end'>): boolean =>
  begin.every((size, i) => size === end[i] && size >= 0);
