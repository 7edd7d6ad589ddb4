/**
 * The augmentation step by step, slowly and readably, as an image library does it: resize the whole image, cut out the
 * crop, resize that, flip, normalise. In float64, nothing composed and nothing shared with the C++ code.
 */
import type { Transform } from '../../lib/data/transforms.js';

/** One plane of an image. */
interface Plane {
  height: number;
  width: number;
  at(y: number, x: number): number;
}

const MASK = (1n << 64n) - 1n;
const GOLDEN = 0x9e3779b97f4a7c15n;

function mix(value: bigint): bigint {
  let z = value & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}

/** The generator that cpp/ops/augment.h documents: numbers in [0, 1) from (seed, epoch, index). */
export function sampleRandom(seed: number, epoch: number, index: number): () => number {
  const key = mix((mix((mix(BigInt(seed) + GOLDEN) ^ BigInt(epoch)) + GOLDEN) ^ BigInt(index)) + GOLDEN);
  let n = 0n;
  return () => {
    n++;
    return Number(mix(key + n * GOLDEN) >> 11n) / 2 ** 53;
  };
}

/** Half to even, as Python's `round`. */
function roundEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

interface Box {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** RandomResizedCrop.get_params of torchvision. */
export function cropBox(
  height: number,
  width: number,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  random: () => number,
): Box {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * (scale[0] + random() * (scale[1] - scale[0]));
    const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
    const aspect = Math.exp(low + random() * (high - low));
    const w = roundEven(Math.sqrt(area * aspect));
    const h = roundEven(Math.sqrt(area / aspect));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const top = Math.floor(random() * (height - h + 1));
      return { top, left: Math.floor(random() * (width - w + 1)), height: h, width: w };
    }
  }
  let [h, w] = [height, width];
  if (width / height < ratio[0]) h = Math.min(height, Math.round(width / ratio[0]));
  else if (width / height > ratio[1]) w = Math.min(width, Math.round(height * ratio[1]));
  return { top: Math.floor((height - h) / 2), left: Math.floor((width - w) / 2), height: h, width: w };
}

/** Bilinear with half-pixel centres, edges repeated, no antialiasing. */
function resize(plane: Plane, height: number, width: number): Plane {
  const values = new Float64Array(height * width);
  const place = (i: number, out: number, size: number) => {
    const exact = Math.min(Math.max(((i + 0.5) * size) / out - 0.5, 0), size - 1);
    const low = Math.floor(exact);
    return { low, high: Math.min(low + 1, size - 1), share: exact - low };
  };
  for (let y = 0; y < height; y++) {
    const row = place(y, height, plane.height);
    for (let x = 0; x < width; x++) {
      const column = place(x, width, plane.width);
      const line = (at: number) =>
        plane.at(at, column.low) * (1 - column.share) + plane.at(at, column.high) * column.share;
      values[y * width + x] = line(row.low) * (1 - row.share) + line(row.high) * row.share;
    }
  }
  return { height, width, at: (y, x) => values[y * width + x]! };
}

/** What cv2 keeps between two steps: whole grey levels. */
function rounded(plane: Plane): Plane {
  return { ...plane, at: (y, x) => Math.round(plane.at(y, x)) };
}

/**
 * The transformed image, [C, size, size], in grey levels before normalisation when `levels` is set.
 * @param options.round - Round to whole grey levels after every resize, as an image library does.
 */
export function augmentReference(
  image: Uint8Array,
  [channels, height, width]: readonly [number, number, number],
  transform: Transform,
  { seed, epoch, index, round = false }: { seed: number; epoch: number; index: number; round?: boolean },
): Float64Array {
  const { size, mean, std } = transform;
  const random = sampleRandom(seed, epoch, index);
  const keep = round ? rounded : (plane: Plane) => plane;
  let box: Box | undefined;
  let flip = false;
  if (transform.kind === 'train') {
    box = cropBox(transform.resize, transform.resize, transform.scale, transform.ratio, random);
  }
  let [shiftY, shiftX] = [0, 0];
  if (transform.kind === 'pad-crop') {
    shiftY = Math.floor(random() * (2 * transform.padding + 1)) - transform.padding;
    shiftX = Math.floor(random() * (2 * transform.padding + 1)) - transform.padding;
  }
  if (transform.kind !== 'test') flip = transform.flip > 0 && random() < transform.flip;
  const out = new Float64Array(channels * size * size);
  for (let c = 0; c < channels; c++) {
    let plane: Plane = { height, width, at: (y, x) => image[(c * height + y) * width + x]! };
    if (transform.kind === 'train' && box) {
      const { top, left } = box;
      const whole = keep(resize(plane, transform.resize, transform.resize));
      plane = { height: box.height, width: box.width, at: (y, x) => whole.at(top + y, left + x) };
    }
    plane = keep(resize(plane, size, size));
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const [fromY, fromX] = [y + shiftY, (flip ? size - 1 - x : x) + shiftX];
        const inside = fromY >= 0 && fromY < size && fromX >= 0 && fromX < size;
        const level = inside ? plane.at(fromY, fromX) : 0;
        out[(c * size + y) * size + x] = (level / 255 - (mean[c] ?? mean[0]!)) / (std[c] ?? std[0]!);
      }
    }
  }
  return out;
}
