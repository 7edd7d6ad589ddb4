/**
 * Arrays of a file that no dtype can represent: each throws when it is accessed, and the others are read.
 * @module
 */
import { CheckpointError } from '../errors.js';
import type { Tensor } from '../tensor/tensor.js';

/**
 * Tensors by name. A rejected name is a non-enumerable property that throws when it is read; its
 * existence is reported once per file, as a process warning with the code `DYCONV_LEFT_OUT`.
 * @param refused - Rejected names with the reason for each.
 */
export function withRefused(
  tensors: Iterable<readonly [string, Tensor]>,
  refused: ReadonlyMap<string, string>,
  file: string,
): Record<string, Tensor> {
  const record: Record<string, Tensor> = Object.fromEntries(tensors);
  for (const [name, reason] of refused) {
    Object.defineProperty(record, name, {
      configurable: true,
      enumerable: false,
      get() {
        throw new CheckpointError(`${file}: ${name} cannot be read: ${reason}`);
      },
    });
  }
  if (refused.size > 0) {
    const names = [...refused].slice(0, 8).map(([name, reason]) => `${name} (${reason.split(';')[0]})`);
    const more = refused.size > 8 ? ` and ${refused.size - 8} more` : '';
    process.emitWarning(`${file}: left out ${names.join(', ')}${more}`, {
      type: 'DyconvWarning',
      code: 'DYCONV_LEFT_OUT',
    });
  }
  return record;
}
