/** Programs in int8, for tests. */
import { nn, noGrad, type Program, type QuantizeOptions, randn, type Tensor, tidy } from '../../lib/index.js';

export const images = (count = 16) => randn([count, 3, 8, 8]);

/** A network compiled in float32 and in int8, calibrated on `x`. */
export async function both(network: nn.Module<[Tensor]>, x: Tensor, options: Partial<QuantizeOptions> = {}) {
  const plain = nn.compile(network, x);
  return { plain, quantized: await plain.quantize({ calibration: [x], ...options }) };
}

/** The names of the steps of a run. */
export const stepsOf = (program: Program<unknown>): string[] =>
  program
    .toString()
    .split('\n')
    .flatMap((line) => /^ {2}\S+ +(\w+)\(/.exec(line)?.[1] ?? []);

/** The mean difference as a part of the mean size. */
export const relative = (actual: Tensor, expected: Tensor): number =>
  tidy(() => noGrad(() => Number(actual.sub(expected).abs().mean().div(expected.abs().mean()).item())));

export const sequence = (...layers: nn.Module[]) =>
  new nn.Sequential(...layers).eval() as nn.Module<[Tensor]>;
