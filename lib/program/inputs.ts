/**
 * What the inputs of a compiled program are.
 * @module
 */
import { untidy } from '../tensor/context.js';
import { zeros } from '../tensor/create.js';
import type { Device } from '../tensor/dtype.js';
import { native, type Tensor } from '../tensor/tensor.js';
import { sizesFor } from './listing.js';
import type { Program } from './program.js';

/**
 * @internal The batch size that a program is fixed to: the first size of its first input; undefined if it is free.
 * @throws DisposedError for a disposed program.
 */
export function fixedBatchOf(program: Program<unknown>): number | undefined {
  const { dynamicBatch, inputs, slots } = native.compiledSource(program.id);
  if (dynamicBatch) return undefined;
  const size = slots[inputs[0] ?? -1]?.sizes?.[0];
  return typeof size === 'number' ? size : undefined;
}

/** @internal Inputs of zeros, of one row where the batch size is free. The caller must dispose them. */
export function zeroInputsOf(program: Program<unknown>): Tensor[] {
  const { inputs, slots } = native.compiledSource(program.id);
  return untidy(() =>
    inputs.map((input) => {
      const { sizes, dtype, device } = slots[input]!;
      return zeros(sizesFor(sizes, 1) ?? [], { dtype, device: device as Device });
    }),
  );
}
