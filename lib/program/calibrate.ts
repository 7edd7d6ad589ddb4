/**
 * Ranges of values on the batches of a calibration.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { number } from '../check/arguments.js';
import { checkStrings } from '../check/index.js';
import { ArgumentError, DTypeError, invalidArgument, ShapeError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { isTensor, type Tensor } from '../tensor/tensor.js';
import type { Range } from './range.js';

/** The inputs of a network: one tensor, an array of tensors, or a batch of a loader, whose tensors are disposed after use. */
export type CalibrationBatch = Tensor | readonly Tensor[] | { readonly images: Tensor };

/** The batches of a calibration. */
export type CalibrationSource = Iterable<CalibrationBatch> | AsyncIterable<CalibrationBatch>;

/** Options of a calibration, checked. */
export interface Calibration {
  readonly calibration: CalibrationSource;
  /** Share of each value's elements in its range, in percent. */
  readonly percentile: number;
  /** Paths of layers that stay float32; undefined for the first and the last ones. */
  readonly floatLayers: readonly string[] | undefined;
}

/** Checks that an argument is an iterable. Its batches are checked later. */
function checkSource(source: unknown): CalibrationSource {
  const { [Symbol.asyncIterator]: slow, [Symbol.iterator]: fast } = Object(source) as {
    [Symbol.asyncIterator]?: unknown;
    [Symbol.iterator]?: unknown;
  };
  // A tensor can be iterated by rows.
  if (typeof source === 'object' && !isTensor(source) && typeof (slow ?? fast) === 'function')
    return source as CalibrationSource;
  throw invalidArgument('calibration', 'an iterable of batches', source);
}

/** Checks the options of a user. @throws ArgumentError */
export function checkCalibration(options: {
  calibration?: CalibrationSource | undefined;
  percentile?: number | undefined;
  floatLayers?: readonly string[] | undefined;
}): Calibration {
  const { calibration, percentile = 100, floatLayers } = options;
  return {
    calibration: checkSource(calibration),
    percentile: number('percentile', percentile, { min: 50, max: 100 }),
    floatLayers: floatLayers && checkStrings(floatLayers, 'floatLayers', 'an array of strings'),
  };
}

/**
 * Which layers are at the paths, or in modules at the paths.
 * @param known - The path of each layer.
 * @returns Their indices.
 * @throws ArgumentError for a path without a layer.
 */
export function layersAt(known: readonly string[], paths: readonly string[]): Set<number> {
  const chosen = new Set<number>();
  for (const path of paths) {
    const below = known.flatMap((layer, i) => (`${layer}.`.startsWith(`${path}.`) ? [i] : []));
    if (below.length === 0)
      throw new ArgumentError(
        `Expected paths of convolutions and linear layers for floatLayers but received ${path}; the network has ${[...new Set(known)].join(', ') || 'none'}`,
      );
    for (const i of below) chosen.add(i);
  }
  return chosen;
}

/**
 * The error of a network in which no layer is left.
 * @param count - The number of its layers.
 */
export function noLayers(
  purpose: string,
  count: number,
  floatLayers: readonly string[] | undefined,
): ArgumentError {
  const [rest, hint] =
    count === 0
      ? ['', '']
      : floatLayers === undefined
        ? [' besides the first and the last one', ': floatLayers: [] quantizes these too']
        : [' besides floatLayers', ''];
  return new ArgumentError(
    `Expected a network with convolutions or linear layers in float32${rest} for ${purpose} but it has none${hint}`,
  );
}

/** An input of a network. Sizes that are strings may vary. */
export interface CalibratedInput {
  readonly name: string;
  readonly dtype: DType | string;
  readonly shape: readonly (number | string)[];
}

/** A network whose values are observed. */
export interface Observed {
  readonly inputs: readonly CalibratedInput[];
  /** Computes the values for inputs on the CPU, and passes each one to `add`: its range, its name for errors, and its elements. */
  compute(
    inputs: readonly Tensor[],
    add: (range: Range, name: string, elements: Tensor) => void,
  ): Promise<void> | void;
}

/**
 * Adds the values of all batches to their ranges.
 * @throws ArgumentError without batches, for an item that is no batch, and for values that are not finite.
 * @throws ShapeError, DTypeError for a batch that does not fit the inputs.
 */
export async function observe({ inputs, compute }: Observed, source: CalibrationSource): Promise<void> {
  let batches = 0;
  let isEmpty = true;
  for await (const batch of source) {
    const place = `calibration[${batches}]`;
    const { tensors, owned } = partsOf(batch, place);
    try {
      checkInputs(tensors, inputs, place);
      if (tensors.every(({ numel }) => numel > 0)) {
        isEmpty = false;
        await compute(tensors, (range, name, elements) => add(range, name, elements, place));
      }
    } finally {
      for (const tensor of owned) tensor.dispose();
    }
    batches += 1;
    await nextTurn();
  }
  if (isEmpty)
    throw new ArgumentError(
      `Expected at least one batch with elements for calibration but received ${batches === 0 ? 'none' : `${batches} without any`}`,
    );
}

/** @throws ArgumentError for elements that are not finite. */
function add(range: Range, name: string, elements: Tensor, place: string): void {
  if (elements.numel === 0) return;
  const { min, max } = elements.aminmax();
  const [low, high] = [Number(min.item()), Number(max.item())];
  const wrong = [low, high].find((number) => !Number.isFinite(number));
  if (wrong !== undefined)
    throw new ArgumentError(`Expected finite values with ${place} but ${name} has ${wrong}`);
  range.add(elements, low, high);
}

/** The inputs in a batch, and the tensors that are disposed after use. */
function partsOf(batch: unknown, place: string): { tensors: readonly Tensor[]; owned: readonly Tensor[] } {
  if (isTensor(batch)) return { tensors: [batch], owned: [] };
  if (Array.isArray(batch) && batch.every(isTensor)) return { tensors: batch, owned: [] };
  const { images } = Object(batch) as { images?: unknown };
  if (isTensor(images)) return { tensors: [images], owned: Object.values(batch as object).filter(isTensor) };
  throw invalidArgument(place, 'a Tensor, an array of tensors, or a batch of a loader', batch);
}

function checkInputs(inputs: readonly Tensor[], expected: readonly CalibratedInput[], place: string): void {
  if (inputs.length !== expected.length)
    throw new ArgumentError(
      `Expected ${expected.length} ${expected.length === 1 ? 'tensor' : 'tensors'} for ${place} but received ${inputs.length}`,
    );
  for (const [i, { name, dtype, shape }] of expected.entries()) {
    const input = inputs[i]!;
    if (input.dtype !== dtype)
      throw new DTypeError(`Expected ${dtype} for ${name} of ${place} but received ${input.dtype}`);
    const fits =
      input.ndim === shape.length &&
      shape.every((size, axis) => typeof size === 'string' || size === input.shape[axis]);
    if (!fits)
      throw new ShapeError(
        `Expected shape [${shape.join(', ')}] for ${name} of ${place} but received [${input.shape.join(', ')}]`,
      );
  }
}
