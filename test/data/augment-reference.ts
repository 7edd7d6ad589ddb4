/**
 * The augmentation step by step, written for readability, as in an image library: resize the whole image, cut
 * out the crop, resize that, flip, change colors, normalize, erase. In float64, with nothing composed and no
 * code shared with C++.
 */
import type { ColorJitterStep, RandomErasingStep, Step, Transform } from '../../lib/data/transforms.js';

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

/** The generator documented in cpp/kernels/augment/augment.h: numbers in [0, 1) from (seed, epoch, index). */
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

/** Bilinear with half-pixel centers, edges repeated, no antialiasing. */
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

/** cv2 stores whole gray levels between two steps. */
function rounded(plane: Plane): Plane {
  return { ...plane, at: (y, x) => Math.round(plane.at(y, x)) };
}

/** The source of random numbers, and how many gray levels are stored between two steps. */
interface Context {
  random: () => number;
  keep: (plane: Plane) => Plane;
}

function crop(plane: Plane, { top, left, height, width }: Box): Plane {
  const inside = (y: number, x: number) => y >= 0 && y < plane.height && x >= 0 && x < plane.width;
  return {
    height,
    width,
    at: (y, x) => (inside(top + y, left + x) ? plane.at(top + y, left + x) : 0),
  };
}

function mapPlanes(planes: Plane[], pixel: (values: number[]) => number[]): Plane[] {
  const [{ height, width }] = planes as [Plane];
  const out = planes.map(() => new Float64Array(height * width));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const values = pixel(planes.map((plane) => plane.at(y, x)));
      for (const [c, value] of values.entries()) out[c]![y * width + x] = value;
    }
  }
  return out.map((values) => ({ height, width, at: (y: number, x: number) => values[y * width + x]! }));
}

const clamp = (x: number) => Math.min(Math.max(x, 0), 255);
const grey = (v: number[]) => (v.length === 1 ? v[0]! : 0.2989 * v[0]! + 0.587 * v[1]! + 0.114 * v[2]!);

/** torchvision's adjust_hue by the table of sextants, on gray levels. */
function turnHue(v: number[], turn: number): number[] {
  const [r, g, b] = v.map((level) => level / 255) as [number, number, number];
  const most = Math.max(r, g, b);
  const span = most - Math.min(r, g, b);
  if (span === 0) return v;
  let hue: number;
  if (most === r) hue = (g - b) / span;
  else if (most === g) hue = 2 + (b - r) / span;
  else hue = 4 + (r - g) / span;
  hue = ((((hue / 6 + turn) % 1) + 1) % 1) * 6;
  const sextant = Math.floor(hue) % 6;
  const f = hue - Math.floor(hue);
  const s = span / most;
  const [p, q, t] = [most * (1 - s), most * (1 - s * f), most * (1 - s * (1 - f))];
  const table = [
    [most, t, p],
    [q, most, p],
    [p, most, t],
    [p, q, most],
    [t, p, most],
    [most, p, q],
  ];
  return table[sextant]!.map((level) => level * 255);
}

function jitter(planes: Plane[], step: ColorJitterStep, random: () => number): Plane[] {
  const { brightness, contrast, saturation, hue } = step;
  const order = [0, 1, 2, 3];
  for (let i = 3; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const factors = [brightness, contrast, saturation, hue].map(([low, high], kind) => {
    const neutral = kind === 3 ? 0 : 1;
    return low === neutral && high === neutral ? neutral : low + random() * (high - low);
  });
  const colour = planes.length === 3;
  let out = planes;
  for (const kind of order) {
    const factor = factors[kind]!;
    if (kind === 0) out = mapPlanes(out, (v) => v.map((level) => clamp(level * factor)));
    if (kind === 1) {
      let sum = 0;
      mapPlanes(out, (v) => {
        sum += grey(v);
        return v;
      });
      const mean = sum / (out[0]!.height * out[0]!.width);
      out = mapPlanes(out, (v) => v.map((level) => clamp(factor * level + (1 - factor) * mean)));
    }
    if (kind === 2 && colour) {
      out = mapPlanes(out, (v) => v.map((level) => clamp(factor * level + (1 - factor) * grey(v))));
    }
    if (kind === 3 && colour) out = mapPlanes(out, (v) => turnHue(v, factor));
  }
  return out;
}

function erasedBox({ height, width }: Plane, step: RandomErasingStep, random: () => number): Box | undefined {
  const { p, scale, ratio } = step;
  if (p === 0 || random() >= p) return undefined;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * (scale[0] + random() * (scale[1] - scale[0]));
    const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
    const aspect = Math.exp(low + random() * (high - low));
    const [h, w] = [roundEven(Math.sqrt(area * aspect)), roundEven(Math.sqrt(area / aspect))];
    if (h >= height || w >= width) continue;
    const top = Math.floor(random() * (height - h + 1));
    return { top, left: Math.floor(random() * (width - w + 1)), height: h, width: w };
  }
  return undefined;
}

/** Erases in place: values are those of [C, H, W] after normalization. */
function erase(values: Float64Array, plane: Plane, step: RandomErasingStep, random: () => number): void {
  const box = erasedBox(plane, step, random);
  if (!box) return;
  const channels = values.length / (plane.height * plane.width);
  for (let c = 0; c < channels; c++) {
    for (let y = box.top; y < box.top + box.height; y++) {
      for (let x = box.left; x < box.left + box.width; x++) {
        const noise = () => Math.sqrt(-2 * Math.log1p(-random())) * Math.cos(2 * Math.PI * random());
        const value = step.value === 'random' ? noise() : (step.value[c] ?? step.value[0]!);
        values[(c * plane.height + y) * plane.width + x] = value;
      }
    }
  }
}

/** The short forms as the steps that they stand for. */
function stepsOf(transform: Transform): readonly Step[] {
  if (transform.kind === 'compose') return transform.steps;
  const { mean, std } = transform;
  const size = [transform.size, transform.size] as const;
  const normalize: Step = { step: 'normalize', mean, std };
  if (transform.kind === 'test') return [{ step: 'resize', size }, normalize];
  const flip: Step = { step: 'randomHorizontalFlip', p: transform.flip };
  if (transform.kind === 'pad-crop') {
    const { padding } = transform;
    return [{ step: 'resize', size }, { step: 'randomCrop', size, padding }, flip, normalize];
  }
  const { resize, scale, ratio } = transform;
  return [
    { step: 'resize', size: [resize, resize] },
    { step: 'randomResizedCrop', size, scale, ratio },
    flip,
    normalize,
  ];
}

function geometry(planes: Plane[], step: Step, { random, keep }: Context): Plane[] {
  const { height, width } = planes[0]!;
  const below = (bound: number) => Math.floor(random() * bound);
  switch (step.step) {
    case 'resize':
      return planes.map((plane) => keep(resize(plane, ...step.size)));
    case 'centerCrop': {
      const [h, w] = step.size;
      // The smaller half of what an image lacks is before it.
      const start = (extent: number, size: number) =>
        extent < size ? -Math.floor((size - extent) / 2) : roundEven((extent - size) / 2);
      const box = { top: start(height, h), left: start(width, w), height: h, width: w };
      return planes.map((plane) => crop(plane, box));
    }
    case 'randomCrop': {
      const [h, w] = step.size;
      const top = below(height + 2 * step.padding - h + 1) - step.padding;
      const left = below(width + 2 * step.padding - w + 1) - step.padding;
      return planes.map((plane) => crop(plane, { top, left, height: h, width: w }));
    }
    case 'randomResizedCrop': {
      const box = cropBox(height, width, step.scale, step.ratio, random);
      return planes.map((plane) => keep(resize(crop(plane, box), ...step.size)));
    }
    case 'randomHorizontalFlip':
    case 'randomVerticalFlip': {
      if (step.p === 0 || random() >= step.p) return planes;
      const across = step.step === 'randomHorizontalFlip';
      return planes.map((plane) => ({
        ...plane,
        at: (y, x) => (across ? plane.at(y, width - 1 - x) : plane.at(height - 1 - y, x)),
      }));
    }
    case 'colorJitter':
      return jitter(planes, step, random);
    default:
      return planes;
  }
}

/**
 * The transformed image, [C, height, width].
 * @param options.round - Round to whole gray levels after every resize, as an image library does.
 */
export function augmentReference(
  image: Uint8Array,
  [channels, height, width]: readonly [number, number, number],
  transform: Transform,
  { seed, epoch, index, round = false }: { seed: number; epoch: number; index: number; round?: boolean },
): Float64Array {
  const random = sampleRandom(seed, epoch, index);
  const context: Context = { random, keep: round ? rounded : (plane) => plane };
  let planes: Plane[] = Array.from({ length: channels }, (_, c) => ({
    height,
    width,
    at: (y, x) => image[(c * height + y) * width + x]!,
  }));
  let [mean, std]: [readonly number[], readonly number[]] = [[0], [1]];
  const steps = stepsOf(transform);
  for (const step of steps) {
    if (step.step === 'normalize') ({ mean, std } = step);
    planes = geometry(planes, step, context);
  }
  const [plane] = planes as [Plane];
  const out = new Float64Array(channels * plane.height * plane.width);
  for (let i = 0; i < out.length; i++) {
    const [c, at] = [Math.floor(i / (plane.height * plane.width)), i % (plane.height * plane.width)];
    const level = planes[c]!.at(Math.floor(at / plane.width), at % plane.width);
    out[i] = (level / 255 - (mean[c] ?? mean[0]!)) / (std[c] ?? std[0]!);
  }
  for (const step of steps) if (step.step === 'randomErasing') erase(out, plane, step, random);
  return out;
}
