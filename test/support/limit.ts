/**
 * A test's time limit, in milliseconds on an ordinary machine: under memcheck, which multiplies every time, it is as much
 * longer (scripts/sanitize/vitest.config.js).
 */
export const limit = (milliseconds: number): number =>
  milliseconds * Number(process.env.DYCONV_TIME_SCALE ?? 1);
