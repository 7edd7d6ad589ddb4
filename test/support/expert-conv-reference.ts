/**
 * Convolutions with one kernel per sample, by loops over numbers: what dynamic layers of any number of dimensions compute.
 * @module
 */
import { type Tensor, tensor } from '../../lib/index.js';

/** One number per spatial dimension. */
export interface Geometry {
  stride: readonly number[];
  padding: readonly number[];
  dilation: readonly number[];
  groups: number;
}

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** All positions of a block of these sizes, in the order of memory. */
function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}

const numbers = (x: Tensor) => x.to({ dtype: 'float64' }).dataSync({ dtype: 'float64' });
const offset = (at: readonly number[], sizes: readonly number[]) =>
  at.reduce((sum, i, d) => sum * sizes[d]! + i, 0);

/**
 * y[b, o, p] = Σ_i Σ_t kernel(b)[o, i, t] · x[b, i, p · stride + t · dilation − padding].
 * @param input - [B, I, ...sizes]. @param kernelSizes - [O, I / groups, ...kernel].
 * @param kernel - The kernel of a sample, in the order of memory. @param bias - Of output o of sample b.
 */
export function convolveSamples(
  input: Tensor,
  kernelSizes: readonly number[],
  kernel: (b: number) => ArrayLike<number>,
  bias: (b: number, o: number) => number,
  { stride, padding, dilation, groups }: Geometry,
): Tensor {
  const [batch = 0, channels = 0, ...sizes] = input.shape;
  const [outputs = 0, perGroup = 0, ...taps] = kernelSizes;
  const x = numbers(input);
  const result = sizes.map(
    (n, d) => Math.floor((n + 2 * padding[d]! - dilation[d]! * (taps[d]! - 1) - 1) / stride[d]!) + 1,
  );
  const y: number[] = [];
  for (let b = 0; b < batch; b++) {
    const w = kernel(b);
    for (let o = 0; o < outputs; o++) {
      const group = Math.floor(o / (outputs / groups));
      for (const place of positions(result)) {
        let sum = bias(b, o);
        for (let i = 0; i < perGroup; i++) {
          for (const tap of positions(taps)) {
            const at = place.map((p, d) => p * stride[d]! + tap[d]! * dilation[d]! - padding[d]!);
            if (at.some((p, d) => p < 0 || p >= sizes[d]!)) continue;
            const pixel = (b * channels + group * perGroup + i) * product(sizes) + offset(at, sizes);
            sum += w[(o * perGroup + i) * product(taps) + offset(tap, taps)]! * x[pixel]!;
          }
        }
        y.push(sum);
      }
    }
  }
  return tensor(new Float64Array(y), { shape: [batch, outputs, ...result] });
}

/** Σ_k share(b, k) · experts[k] and the same of the biases. @param experts - [K, ...]. @param bias - [K, O] or null. */
export function mixed(
  experts: Tensor,
  bias: Tensor | null,
  attention: Tensor,
): { kernel: (b: number) => number[]; bias: (b: number, o: number) => number } {
  const [count = 0, ...rest] = experts.shape;
  const [w, a] = [numbers(experts), numbers(attention)];
  const size = product(rest);
  const biases = bias && numbers(bias);
  const outputs = rest[0] ?? 0;
  const sum = (b: number, term: (k: number) => number) => {
    let total = 0;
    for (let k = 0; k < count; k++) total += a[b * count + k]! * term(k);
    return total;
  };
  return {
    kernel: (b) => Array.from({ length: size }, (_, i) => sum(b, (k) => w[k * size + i]!)),
    bias: (b, o) => (biases ? sum(b, (k) => biases[k * outputs + o]!) : 0),
  };
}
