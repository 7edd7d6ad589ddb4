/**
 * Height and width as free sizes: a network is recorded at two sizes, and must make the same steps.
 * @module
 */
import { ArgumentError, DyconvError } from '../errors.js';
import { untidy } from '../tensor/context.js';
import { zeros } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { Program } from './program.js';
import type { Compilable } from './record.js';
import { openSource, type Source } from './source.js';

/** More rows and columns of the second size. Multiples of 32, the usual total stride of networks for images. */
const MORE = [32, 64] as const;

/** Whether height and width of an input are free. */
export const isImage = ({ shape }: Tensor): boolean => shape.length === 4;

const sizeOf = (examples: readonly Tensor[]): string => examples.find(isImage)!.shape.slice(2).join('x');

/**
 * Builds what is exported at the size of the example and at a larger one.
 * @param differenceOf - Names the first part that differs, such as `the node Reshape`; undefined where there is none.
 * @returns Both.
 * @throws ArgumentError for a network whose steps depend on the size.
 */
export function atTwoSizes<Built>(
  examples: readonly Tensor[],
  build: (examples: readonly Tensor[]) => Built,
  differenceOf: (first: Built, second: Built) => string | undefined,
): [first: Built, second: Built] {
  if (!examples.some(isImage))
    throw new ArgumentError('Expected images [B, C, H, W] as an example for dynamicSize');
  const first = build(examples);
  const larger = examples.map((one) => {
    const { shape, dtype, device } = one;
    const grown = isImage(one) ? shape.map((size, axis) => size + (MORE[axis - 2] ?? 0)) : shape;
    return zeros(grown, { dtype, device: device as Device });
  });
  try {
    const problem = (detail: string) =>
      `Expected a network that works for all sizes of images for dynamicSize but ${detail}`;
    let second: Built;
    try {
      second = build(larger);
    } catch (cause) {
      if (!(cause instanceof DyconvError)) throw cause;
      throw new ArgumentError(problem(`for ${sizeOf(larger)}: ${cause.message}`), { cause });
    }
    const different = differenceOf(first, second);
    if (different !== undefined)
      throw new ArgumentError(
        problem(`${different} differs between ${sizeOf(examples)} and ${sizeOf(larger)}`),
      );
    return [first, second];
  } finally {
    for (const tensor of larger) tensor.dispose();
  }
}

/**
 * Records a network and builds what is exported.
 * @param settings.dynamicBatch - As for {@link openSource}.
 * @param settings.dynamicSize - Whether height and width are free: `atSizes` builds more than once then.
 * @param disposables - Receives what has to be disposed after the export, also after an error.
 * @throws ArgumentError for a program with `dynamicSize`.
 */
export function buildExport<Built>(
  network: Compilable<unknown> | Program<unknown>,
  examples: readonly Tensor[],
  settings: { readonly dynamicBatch: boolean | undefined; readonly dynamicSize: boolean },
  disposables: { dispose(): void }[],
  translate: (source: Source) => Built,
  atSizes: (build: (examples: readonly Tensor[]) => Built) => Built,
): Built {
  return untidy(() => {
    const build = (at: readonly Tensor[]): Built => {
      const source = openSource(network, at, settings.dynamicBatch);
      disposables.push(source);
      return translate(source);
    };
    if (!settings.dynamicSize) return build(examples);
    if (network instanceof Program)
      throw new ArgumentError(
        'Expected a module for dynamicSize but received a program, which has the sizes of its example',
      );
    return atSizes(build);
  });
}
