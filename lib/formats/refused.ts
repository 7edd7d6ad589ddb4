/**
 * What a file holds and no dtype can: each such array is refused by itself, when it is asked for, and the others are read.
 * @module
 */
import { CheckpointError } from '../errors.js';
import type { Tensor } from '../tensor/tensor.js';

/**
 * Tensors by name. A name that is refused is a property that is not enumerated and throws when it is read; that it is
 * there is reported once a file, as a process warning with the code `DYCONV_LEFT_OUT`.
 * @param refused - Names with the reason for each.
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
