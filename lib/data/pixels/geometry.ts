/**
 * Geometric operations on an image, with the coordinates and the rounding of torchvision's for tensors.
 * @module
 */
import { ShapeError } from '../../errors.js';
import { type ByteImage, blank, roundEven, toByte } from './image.js';

/** How the value between pixels is chosen, and what is outside the image. */
export interface WarpOptions {
  interpolation: 'nearest' | 'bilinear';
  /** One value, or one per channel, 0 to 255; undefined: black. */
  fill?: number | readonly number[] | undefined;
}

/** Parameters of an affine transform. Angles in degrees. */
export interface AffineParameters {
  /** Clockwise rotation. */
  angle: number;
  /** Pixels, [horizontal, vertical]. */
  translate: readonly [number, number];
  scale: number;
  /** [horizontal, vertical]. */
  shear: readonly [number, number];
  /** The point that stays, [x, y] in pixels; default: the center of the image. */
  center?: readonly [number, number] | undefined;
}

/** The inverse of an affine transform: where the pixel of the result comes from, relative to the center. */
type Matrix = readonly [number, number, number, number, number, number];

/** Rotates, scales, shears and translates, like torchvision's `affine`. */
export function affine(image: ByteImage, parameters: AffineParameters, options: WarpOptions): ByteImage {
  const [, height, width] = image.shape;
  return warpAffine(image, inverseMatrix(parameters, [width, height]), [height, width], options);
}

/** Rotates counter-clockwise, like torchvision's `rotate`. `expand`: the result has the size of the rotated image. */
export function rotate(
  image: ByteImage,
  angle: number,
  options: WarpOptions & { expand?: boolean | undefined; center?: readonly [number, number] | undefined },
): ByteImage {
  const { expand = false, center } = options;
  const [, height, width] = image.shape;
  const degrees = ((angle % 360) + 360) % 360;
  if (center === undefined) {
    if (degrees === 0) return image;
    if (degrees === 180) return quarterTurns(image, 2);
    if ((expand || height === width) && degrees % 90 === 0) return quarterTurns(image, degrees / 90);
  }
  const parameters = { angle: -degrees, translate: [0, 0], scale: 1, shear: [0, 0], center } as const;
  const matrix = inverseMatrix(parameters, [width, height]);
  const size = expand ? expandedSize(matrix, height, width) : ([height, width] as const);
  return warpAffine(image, matrix, size, options);
}

/** Moves the corners `from` to `to`, both [x, y] from the upper left one clockwise, like torchvision's `perspective`. */
export function perspective(
  image: ByteImage,
  from: readonly Point[],
  to: readonly Point[],
  options: WarpOptions,
): ByteImage {
  const [a, b, c, d, e, f, g, h] = perspectiveCoefficients(from, to) as [
    ...[number, number, number, number],
    ...[number, number, number, number],
  ];
  const [, height, width] = image.shape;
  const across = [a, b, c].map((value) => fround(fround(value) / fround(width / 2)));
  const down = [d, e, f].map((value) => fround(fround(value) / fround(height / 2)));
  const depth = [fround(g), fround(h), 1];
  const at = (column: number, row: number, place: Float64Array) => {
    const [x, y] = [column + 0.5, row + 0.5];
    const scale = product(x, y, depth);
    place[0] = pixelOf(fround(fround(product(x, y, across) / scale) - 1), width);
    place[1] = pixelOf(fround(fround(product(x, y, down) / scale) - 1), height);
  };
  return warp(image, [height, width], at, options);
}

/** [x, y] in pixels. */
export type Point = readonly [number, number];

/** A rectangle of the image. @throws ShapeError if it extends beyond the image. */
export function crop(
  { bytes, shape: [channels, rows, columns] }: ByteImage,
  [top, left, height, width]: readonly [number, number, number, number],
): ByteImage {
  if (top < 0 || left < 0 || top + height > rows || left + width > columns)
    throw new ShapeError(
      `Expected an image of at least ${height} x ${width} pixels for a crop but received ${rows} x ${columns}`,
    );
  const out = blank(channels, height, width);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const start = (c * rows + top + y) * columns + left;
      out.bytes.set(bytes.subarray(start, start + width), (c * height + y) * width);
    }
  }
  return out;
}

/** The four corners and the center: upper left, upper right, lower left, lower right, center. */
export function fiveCrop(image: ByteImage, [height, width]: readonly [number, number]): ByteImage[] {
  const [, rows, columns] = image.shape;
  const [bottom, right] = [rows - height, columns - width];
  const places = [
    ...[
      [0, 0],
      [0, right],
      [bottom, 0],
      [bottom, right],
    ],
    [roundEven(bottom / 2), roundEven(right / 2)],
  ] as [number, number][];
  return places.map(([top, left]) => crop(image, [top, left, height, width]));
}

function inverseMatrix(
  { angle, translate: [tx, ty], scale, shear, center }: AffineParameters,
  [width, height]: Point,
): Matrix {
  const [cx, cy] = center ? [center[0] - width / 2, center[1] - height / 2] : [0, 0];
  const [rotation, sx, sy] = [angle, ...shear].map((degrees) => (degrees * Math.PI) / 180) as [
    number,
    number,
    number,
  ];
  // Rotation, shear and scale: R(angle) * S(scale) * SHy(sy) * SHx(sx), whose determinant without the scale is 1.
  const a = Math.cos(rotation - sy) / Math.cos(sy);
  const b = -(a * Math.tan(sx) + Math.sin(rotation));
  const c = Math.sin(rotation - sy) / Math.cos(sy);
  const d = Math.cos(rotation) - c * Math.tan(sx);
  const [m0, m1, m3, m4] = [d / scale, -b / scale, -c / scale, a / scale];
  return [m0, m1, cx - m0 * (cx + tx) - m1 * (cy + ty), m3, m4, cy - m3 * (cx + tx) - m4 * (cy + ty)];
}

/** The size that holds the whole image, as in Pillow. */
function expandedSize(matrix: Matrix, height: number, width: number): readonly [number, number] {
  const corners: Point[] = [
    [-1, -1],
    [-1, 1],
    [1, 1],
    [1, -1],
  ];
  const span = (a: number, b: number, c: number, half: number) => {
    const places = corners.map(([x, y]) => (a * x * width) / 2 + (b * y * height) / 2 + c + half);
    // Without the error of the computation, which would add a pixel.
    const cut = (value: number) => Math.trunc(value * 1e4) / 1e4;
    return Math.ceil(cut(Math.max(...places))) - Math.floor(cut(Math.min(...places)));
  };
  const [a, b, c, d, e, f] = matrix;
  return [span(d, e, f, height / 2), span(a, b, c, width / 2)];
}

function warpAffine(
  image: ByteImage,
  [a, b, c, d, e, f]: Matrix,
  size: readonly [number, number],
  options: WarpOptions,
): ByteImage {
  const [, height, width] = image.shape;
  const [rows, columns] = size;
  const across = [a, b, c].map((value) => fround(fround(value) / fround(width / 2)));
  const down = [d, e, f].map((value) => fround(fround(value) / fround(height / 2)));
  const at = (column: number, row: number, place: Float64Array) => {
    const [x, y] = [column + 0.5 - columns / 2, row + 0.5 - rows / 2];
    place[0] = pixelOf(product(x, y, across), width);
    place[1] = pixelOf(product(x, y, down), height);
  };
  return warp(image, size, at, options);
}

// Places are computed in float32 in the order of torchvision's affine grid and libtorch's grid_sample: where a place is half-way between two
// pixels, the rounding of its last bit decides which one is the nearest.
const { fround } = Math;

/** The product of [x, y, 1] and a row of a matrix. */
function product(x: number, y: number, row: readonly number[]): number {
  return fround(fround(fround(x * row[0]!) + fround(y * row[1]!)) + row[2]!);
}

/** A place from -1 to 1 as a number of pixels. */
function pixelOf(place: number, size: number): number {
  return fround(fround(fround(place + 1) * (size / 2)) - 0.5);
}

/**
 * An image whose pixel (column, row) is that of the input at the place which `at` writes, [x, y].
 * @param size - [height, width] of the result.
 */
function warp(
  image: ByteImage,
  [height, width]: readonly [number, number],
  at: (column: number, row: number, place: Float64Array) => void,
  { interpolation, fill }: WarpOptions,
): ByteImage {
  const [channels] = image.shape;
  const out = blank(channels, height, width);
  const place = new Float64Array(2);
  const values = new Float64Array(channels);
  const fills = Float64Array.from({ length: channels }, (_, c) =>
    typeof fill === 'object' ? (fill[c] ?? fill[0]!) : (fill ?? 0),
  );
  const plane = height * width;
  const sample = interpolation === 'nearest' ? nearest : bilinear;
  for (let row = 0, pixel = 0; row < height; row++) {
    for (let column = 0; column < width; column++, pixel++) {
      at(column, row, place);
      const inside = sample(image, place[0]!, place[1]!, values);
      for (let c = 0; c < channels; c++) {
        const value = values[c]!;
        // torchvision's formula: a pixel at the border is weighed by its part inside twice if there is a fill value.
        out.bytes[c * plane + pixel] = toByte(
          fill === undefined ? value : (value - fills[c]!) * inside + fills[c]!,
        );
      }
    }
  }
  return out;
}

/** Writes the values at a place; outside the image they are 0. Returns the part of the place that is inside. */
function nearest({ bytes, shape }: ByteImage, x: number, y: number, values: Float64Array): number {
  const [channels, height, width] = shape;
  const column = roundEven(x);
  const row = roundEven(y);
  const isInside = column >= 0 && row >= 0 && column < width && row < height;
  for (let c = 0; c < channels; c++) values[c] = isInside ? bytes[(c * height + row) * width + column]! : 0;
  return Number(isInside);
}

function bilinear({ bytes, shape }: ByteImage, x: number, y: number, values: Float64Array): number {
  const [channels, height, width] = shape;
  values.fill(0);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  let inside = 0;
  for (let row = top; row <= top + 1; row++) {
    if (row < 0 || row >= height) continue;
    const weightY = 1 - Math.abs(y - row);
    for (let column = left; column <= left + 1; column++) {
      if (column < 0 || column >= width) continue;
      const weight = weightY * (1 - Math.abs(x - column));
      inside += weight;
      for (let c = 0; c < channels; c++) values[c]! += weight * bytes[(c * height + row) * width + column]!;
    }
  }
  return inside;
}

/** Rotates counter-clockwise by 90 degrees, `turns` times. */
function quarterTurns(image: ByteImage, turns: number): ByteImage {
  const { bytes, shape } = image;
  const [channels, height, width] = shape;
  const out = turns === 2 ? blank(channels, height, width) : blank(channels, width, height);
  const [, rows, columns] = out.shape;
  for (let c = 0, i = 0; c < channels; c++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, i++) {
        const [row, column] =
          turns === 1
            ? [x, width - 1 - y]
            : turns === 2
              ? [height - 1 - y, width - 1 - x]
              : [height - 1 - x, y];
        out.bytes[i] = bytes[(c * height + row) * width + column]!;
      }
    }
  }
  return out;
}

/** The 8 coefficients of the perspective that gives the points `from` at the points `to`. */
function perspectiveCoefficients(from: readonly Point[], to: readonly Point[]): number[] {
  const rows = to.flatMap(([x, y], i) => {
    const [u, v] = from[i]!;
    return [
      [x, y, 1, 0, 0, 0, -u * x, -u * y, u],
      [0, 0, 0, x, y, 1, -v * x, -v * y, v],
    ];
  });
  // Gauss-Jordan elimination with the largest pivot of the column.
  for (let column = 0; column < 8; column++) {
    let pivot = column;
    for (let row = column + 1; row < 8; row++)
      if (Math.abs(rows[row]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = row;
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    const top = rows[column]!;
    for (const [row, values] of rows.entries()) {
      if (row === column) continue;
      const factor = values[column]! / top[column]!;
      for (let i = column; i < 9; i++) values[i]! -= factor * top[i]!;
    }
  }
  return rows.map((values, i) => values[8]! / values[i]!);
}
