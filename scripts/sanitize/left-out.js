/**
 * What memcheck cannot run, and why. Printed by every run.
 * @module
 */

/** @type {Record<string, string>} */
export const LEFT_OUT_FILES = {
  'test/soak.test.ts': 'bounds memory, of which memcheck needs several times as much; its loops take a day',
  'test/fuzz.test.ts': 'its processes run one after the other for hours; scripts/sanitize.sh --fuzz runs it',
};

/** Tests by a part of their names. @type {Record<string, string>} */
export const LEFT_OUT_TESTS = {
  'stay small while': 'bounds memory',
};

/** Files that count what is alive in their process, so that no other's garbage may go meanwhile: a process each. */
export const ALONE = ['test/data/loader.test.ts', 'test/memory.test.ts'];
