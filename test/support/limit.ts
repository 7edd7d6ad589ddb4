/**
 * The time limit of a test, in milliseconds on an ordinary machine; under memcheck, which slows everything
 * down, it is multiplied (scripts/sanitize/vitest.config.js).
 */
export const limit = (milliseconds: number): number =>
  milliseconds * Number(process.env.DYCONV_TIME_SCALE ?? 1);
