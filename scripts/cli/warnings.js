/**
 * Warnings on stderr, as plain lines.
 * @module
 */
import { printable } from './printable.js';

/** Prints process warnings of dyconv as `warning: ...`; those of others stay as Node.js prints them. None with `--no-warnings`. */
export function printWarningsPlainly() {
  const standard = process.listeners('warning');
  if (standard.length === 0) return;
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name === 'DyconvWarning') console.error(`warning: ${printable(warning.message)}`);
    else for (const listener of standard) listener.call(process, warning);
  });
}

/** Files that are named before the others are counted. */
const NAMED = 20;

/**
 * Collects the files that are left out of a set.
 * @param {{ all?: boolean }} [options] - `all`: name every file instead of 20.
 */
export function skippedFiles({ all = false } = {}) {
  /** @type {{ file: string, reason: string }[]} */
  const files = [];
  return {
    files,
    /** @param {string} file @param {string} reason */
    onSkip: (file, reason) => void files.push({ file, reason }),
    /** Prints those that were collected since the last call. */
    print() {
      const found = files.splice(0).sort((a, b) => (a.file < b.file ? -1 : Number(a.file > b.file)));
      const named = all ? found.length : NAMED;
      for (const { file, reason } of found.slice(0, named))
        console.error(`warning: ${printable(file)}: ${printable(reason)}`);
      const more = found.length - named;
      if (more > 0) console.error(`warning: and ${more} more that ${more === 1 ? 'is' : 'are'} left out`);
    },
  };
}
