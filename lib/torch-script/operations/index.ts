/**
 * How each operation is expressed in TorchScript: by the operations of libtorch, which every program with libtorch has.
 * @module
 */
import type { Translation, Translations } from '../step.js';
import { CONV } from './conv.js';
import { ELEMENTWISE } from './elementwise.js';
import { INDEXING } from './indexing.js';
import { LAYERS } from './layers.js';
import { TENSORS } from './tensors.js';

export { LISTS } from './tensors.js';

const ALL: Translations = { ...ELEMENTWISE, ...CONV, ...LAYERS, ...TENSORS, ...INDEXING };

const SINGLE_CALL = /^torch\.(\w+)\((\$0t?)\b(.*)\)$/;

/** The translation of an operation; undefined for one that TorchScript cannot represent here. */
export function translationOf(operation: string): Translation | undefined {
  if (Object.hasOwn(ALL, operation)) return ALL[operation];
  const name = operation.replace(/InPlace$/, '');
  if (name === operation || !Object.hasOwn(ALL, name)) return undefined;
  const translation = ALL[name]!;
  const call = typeof translation === 'string' ? SINGLE_CALL.exec(translation) : null;
  // libtorch has the operation that changes its first argument under the same name with an underscore.
  if (call) return `torch.${call[1]}_(${call[2]}${call[3]})`;
  return (step) =>
    step.fill(`torch.copy_($0, ${typeof translation === 'string' ? translation : translation(step)})`);
}
