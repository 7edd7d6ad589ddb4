/** Files that test/golden/make_onnx.py makes by PyTorch's exporters, compared with what PyTorch computes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { loadOnnx, type OnnxModule, type Tensor, tensor } from '../../lib/index.js';

/** A network of the generator. */
export interface Expected {
  /** Of one sample. */
  shape: number[];
  integers: boolean;
  files: string[];
  /** In evaluation mode, for a batch of 3. */
  output: number[][];
  /** Of the sum of the squared outputs, for the images, summed over height and width. */
  gradient?: number[][];
  /** Names of the parameters in PyTorch. */
  keys?: string[];
  trained?: { before: number[][]; after: number[][] };
}

/** The file with the expected values. */
export function readExpected(folder: string): Record<string, Expected> {
  return (
    JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as { networks: Record<string, Expected> }
  ).networks;
}

const BATCH = 3;

/** The same numbers as values() of the generator. */
export function inputsOf({ shape, integers }: Expected): Tensor {
  const sizes = [BATCH, ...shape];
  const count = sizes.reduce((product, size) => product * size, 1);
  const values = Array.from({ length: count }, (_, i) => (integers ? (i * 7) % 11 : Math.sin(i * 1.3)));
  return tensor(values, { dtype: integers ? 'int64' : 'float32' }).reshape(sizes);
}

/** Compares numbers with a tensor, as multiples of the largest one. */
export function expectClose(actual: Tensor, expected: number[][], tolerance: number): void {
  const flat = expected.flat();
  expect(actual.shape).toEqual([expected.length, expected[0]!.length]);
  const scale = Math.max(1, ...flat.map(Math.abs));
  const errors = Array.from(
    actual.detach().dataSync() as Float32Array,
    (value, i) => Math.abs(value - flat[i]!) / scale,
  );
  expect(Math.max(...errors)).toBeLessThan(tolerance);
}

/** Loads a file and compares outputs and gradients. */
export async function checkFile(folder: string, file: string, expected: Expected): Promise<OnnxModule> {
  const module = await loadOnnx(join(folder, file));
  expect(module.training).toBe(false);
  expect(module.inputs[0]).toMatchObject({ name: 'x', dtype: expected.integers ? 'int64' : 'float32' });
  const x = inputsOf(expected);
  if (!expected.integers) x.requiresGrad = true;
  const y = module.forward(x);
  expectClose(y, expected.output, 1e-5);
  y.square().sum().backward();
  if (expected.gradient) expectClose(x.grad!.sum({ dim: [2, 3] }), expected.gradient, 2e-5);
  for (const [name, parameter] of module.namedParameters()) expect(parameter.grad, name).not.toBeNull();
  return module;
}
