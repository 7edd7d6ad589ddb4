/**
 * What happens to samples that cannot be read.
 * @module
 */
import { invalidArgument } from '../errors.js';
import { datasetError, warn } from './dataset.js';

/** Options for samples that cannot be read. */
export interface UnreadableOptions {
  /** What to do with samples that cannot be read. Default: `error`, which names the first one. */
  unreadable?: 'error' | 'skip' | undefined;
  /** Called for everything that is left out. Without it a process warning names it, once. */
  onSkip?: ((name: string, reason: string) => void) | undefined;
}

/** Checks the option `unreadable`. */
export function checkUnreadable({ unreadable }: UnreadableOptions): void {
  if (unreadable !== undefined && unreadable !== 'error' && unreadable !== 'skip')
    throw invalidArgument('unreadable', `'error' or 'skip'`, unreadable);
}

/**
 * The function that handles an error: it throws a DatasetError, or reports what is left out and returns null.
 * @param problem - The start of the message, such as `cannot be read as an image`.
 */
export function skipper({ unreadable = 'error', onSkip }: UnreadableOptions) {
  const warned = new Set<string>();
  return (name: string, problem: string, error: unknown): null => {
    const message = `${problem}: ${(error as Error).message}`;
    if (unreadable === 'error') throw datasetError(name, message, error);
    if (onSkip) onSkip(name, message);
    else if (!warned.has(name)) warn('DYCONV_SKIPPED', `${name}: ${message}`);
    warned.add(name);
    return null;
  };
}
