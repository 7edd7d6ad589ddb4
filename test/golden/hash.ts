import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type DType, type Tensor, tensor } from '../../lib/index.js';

/** The expected values of a golden file; its head names the generator and the version of PyTorch. */
export function golden<T>(name: string): T {
  const text = readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { values: T }).values;
}

/** `count` numbers in [-0.5, 0.5) from a 32-bit hash of their position: values() of make_golden.py. */
export function values(count: number, seed: number): Float64Array {
  const offset = Number((BigInt(seed) * 1000003n) & 0xffffffffn);
  const numbers = new Float64Array(count);
  // A loop: Float64Array.from takes ten times as long, and networks have millions of weights.
  for (let i = 0; i < count; i++) {
    let x = (i + offset) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x ^= x >>> 16;
    numbers[i] = (x >>> 0) / 2 ** 32 - 0.5;
  }
  return numbers;
}

/** A tensor of {@link values}, times `scale`. */
export function filled(shape: number[], seed: number, scale = 1, dtype: DType = 'float32'): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = values(count, seed);
  if (scale !== 1) for (let i = 0; i < count; i++) numbers[i]! *= scale;
  return tensor(numbers, { shape, dtype });
}

/** The fingerprint of a large tensor in make_golden.py. */
export interface Fingerprint {
  shape: number[];
  sum: number;
  norm: number;
  dot: number;
  elements: number[];
}

/**
 * Compares a tensor with a fingerprint: every figure within `tolerance` of the tensor's 2-norm, or of `floor`
 * if that is larger: the gradient of a bias before batch norm is zero except for rounding.
 */
export function expectFingerprint(
  name: string,
  received: Tensor,
  expected: Fingerprint,
  { tolerance, floor = 0 }: { tolerance: number; floor?: number },
): void {
  expect(received.shape, name).toEqual(expected.shape);
  const flat = received.detach().to({ dtype: 'float64' }).flatten();
  const hashed = filled([flat.numel], 7, 1, 'float64');
  const data = flat.dataSync({ dtype: 'float64' });
  const at = Array.from({ length: 7 }, (_, i) => Math.floor((flat.numel * i) / 7));
  const scale = Math.max(expected.norm, floor);
  const close = (what: string, value: number, wanted: number, within: number) =>
    expect(Math.abs(value - wanted), `${name}: ${what} ${value} instead of ${wanted}`).toBeLessThanOrEqual(within);
  close('norm', Number(flat.norm().item()), expected.norm, tolerance * scale);
  close('sum', Number(flat.sum().item()), expected.sum, tolerance * scale * Math.sqrt(flat.numel));
  close('dot', Number(flat.mul(hashed).sum().item()), expected.dot, tolerance * scale * Math.sqrt(flat.numel));
  for (const [i, position] of [...at, flat.numel - 1].entries()) {
    close(`element ${position}`, data[position]!, expected.elements[i]!, tolerance * scale);
  }
}
