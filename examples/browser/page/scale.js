/**
 * Scales images as the training did: as libvips, which decoded its files, with the kernel `linear`.
 * @module
 */

/**
 * Bytes in rows, one channel.
 * @typedef {{ bytes: Uint8Array, width: number, height: number }} Plane
 */

/** A position between two pixels is rounded to this part of their distance. */
const STEPS = 64;
/** Averages of whole pixels come first; what is left is a factor of at least this. */
const GAP = 2;
/** Weights are integers; this is 1. */
const UNIT = 4096;

/**
 * Scales a plane to cover a size and crops it at its center.
 * @param {Plane} plane @param {number} height @param {number} width @returns {Plane}
 */
export function cover(plane, height, width) {
  const shrink = Math.min(plane.width / width, plane.height / height);
  return crop(scale(plane, shrink), height, width);
}

/** @param {Plane} plane @param {number} shrink More than 1 makes the image smaller. @returns {Plane} */
function scale(plane, shrink) {
  if (shrink === 1) return plane;
  if (shrink < 1) return enlarge(plane, shrink);
  return transpose(reduceRows(transpose(reduceRows(plane, shrink)), shrink));
}

/**
 * Fewer rows: averages of whole rows, then a triangle as wide as the rest of the factor.
 * @param {Plane} plane @param {number} factor @returns {Plane}
 */
function reduceRows(plane, factor) {
  const height = Math.round(plane.height / factor);
  const whole = Math.max(1, Math.floor(plane.height / height / GAP));
  const source = whole > 1 ? averageRows(plane, whole) : plane;
  const shrink = factor / whole;
  // Pixels that rounding the height adds or leaves out, half of them on each side.
  const extra = (height * factor - plane.height) / whole;
  const reach = Math.round(shrink);
  return blendRows(source, height, (y) => {
    const steps = Math.floor(((y + 0.5) * shrink - extra / 2) * STEPS + 0.5);
    const row = Math.floor(steps / STEPS);
    const middle = (steps - row * STEPS) / STEPS - 0.5;
    return Array.from({ length: 2 * reach + 1 }, (_, i) => ({
      row: row - reach + i,
      share: Math.max(0, 1 - Math.abs(i - reach - middle) / shrink),
    }));
  });
}

/** Between four pixels each; those at the edge continue outside. @param {Plane} plane @param {number} factor Below 1. @returns {Plane} */
function enlarge(plane, factor) {
  const width = Math.round(plane.width / factor);
  const height = Math.round(plane.height / factor);
  const bytes = new Uint8Array(width * height);
  const columns = Array.from({ length: width }, (_, x) => between(x * factor - 0.5, plane.width));
  for (let y = 0; y < height; y++) {
    const { low, high, share } = between(y * factor - 0.5, plane.height);
    const [upper, lower] = [low, high].map((row) => plane.bytes.subarray(row * plane.width));
    for (const [x, column] of columns.entries()) {
      const mix = (/** @type {Uint8Array} */ row) =>
        row[column.low] * (1 - column.share) + row[column.high] * column.share;
      bytes[y * width + x] = mix(upper) * (1 - share) + mix(lower) * share + 0.5;
    }
  }
  return { bytes, width, height };
}

/** The neighbors of a position, within the image, and the share of the higher one. @param {number} at @param {number} count */
function between(at, count) {
  const low = Math.floor(at);
  const inside = (/** @type {number} */ i) => Math.min(Math.max(i, 0), count - 1);
  return { low: inside(low), high: inside(low + 1), share: at - low };
}

/** Means of `count` rows each; the last row stands for those behind it. @param {Plane} plane @param {number} count @returns {Plane} */
function averageRows({ bytes, width, height: rows }, count) {
  const height = Math.ceil(rows / count);
  const out = new Uint8Array(width * height);
  const inverse = Math.floor(2 ** 24 / count);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = count >> 1;
      for (let i = 0; i < count; i++) sum += bytes[Math.min(y * count + i, rows - 1) * width + x];
      out[y * width + x] = (sum * inverse) / 2 ** 24;
    }
  }
  return { bytes: out, width, height };
}

/**
 * Rows that are weighted means of others; rows outside are the first or the last.
 * @param {Plane} plane @param {number} height @param {(y: number) => { row: number, share: number }[]} sharesOf
 * @returns {Plane}
 */
function blendRows({ bytes, width, height: rows }, height, sharesOf) {
  const out = new Uint8Array(width * height);
  const sums = new Float64Array(width);
  for (let y = 0; y < height; y++) {
    const shares = sharesOf(y);
    const total = shares.reduce((sum, { share }) => sum + share, 0);
    sums.fill(UNIT / 2);
    for (const { row, share } of shares) {
      const start = Math.min(Math.max(row, 0), rows - 1) * width;
      const weight = Math.floor((share / total) * UNIT);
      for (let x = 0; x < width; x++) sums[x] += weight * bytes[start + x];
    }
    for (let x = 0; x < width; x++) out[y * width + x] = sums[x] / UNIT;
  }
  return { bytes: out, width, height };
}

/** @param {Plane} plane @returns {Plane} */
function transpose({ bytes, width, height }) {
  const out = new Uint8Array(bytes.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = bytes[y * width + x];
  return { bytes: out, width: height, height: width };
}

/** The center. @param {Plane} plane @param {number} height @param {number} width @returns {Plane} */
function crop(plane, height, width) {
  const top = (plane.height - height + 1) >> 1;
  const left = (plane.width - width + 1) >> 1;
  const bytes = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const start = (top + y) * plane.width + left;
    bytes.set(plane.bytes.subarray(start, start + width), y * width);
  }
  return { bytes, width, height };
}
