/**
 * Untrusted text for terminals: names of files and classes may contain control sequences.
 * @module
 */

/** @typedef {typeof import('../../dist/text.js').printable} Printable */

// Commands that install the package run before it is compiled; they do not print untrusted text.
/** @type {{ printable: Printable }} */
const { printable } = await import('../../dist/text.js').catch(() => ({
  printable: (/** @type {string} */ text) => text,
}));

export { printable };

/**
 * JSON on one line. JSON itself escapes only the first 32 control characters.
 * @param {unknown} value
 */
export function printableJson(value) {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (character) =>
    printable(character) === character
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
