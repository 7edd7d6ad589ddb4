/**
 * Computes the ranges of values by running the network on the batches of a calibration.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ArgumentError, DTypeError, invalidArgument, ShapeError } from '../../errors.js';
import { noGrad, tidy } from '../../tensor/context.js';
import { isTensor, type Tensor } from '../../tensor/tensor.js';
import { writeModel } from '../file.js';
import type { Value } from '../graph.js';
import type { OnnxModule } from '../load/module.js';
import { loadOnnx } from '../load.js';
import type { Model, ValueInfo } from '../message.js';
import { type QuantParams, Range } from './range.js';

/** The inputs of a network: one tensor, an array of tensors, or a batch of a loader, whose tensors are disposed after use. */
export type CalibrationBatch = Tensor | readonly Tensor[] | { readonly images: Tensor };

/** The batches of a calibration. */
export type CalibrationSource = Iterable<CalibrationBatch> | AsyncIterable<CalibrationBatch>;

/** Checks that an argument is an iterable. Its batches are checked later. */
export function checkCalibration(source: unknown): CalibrationSource {
  const { [Symbol.asyncIterator]: slow, [Symbol.iterator]: fast } = Object(source) as {
    [Symbol.asyncIterator]?: unknown;
    [Symbol.iterator]?: unknown;
  };
  // A tensor can be iterated by rows.
  if (typeof source === 'object' && !isTensor(source) && typeof (slow ?? fast) === 'function')
    return source as CalibrationSource;
  throw invalidArgument('calibration', 'an iterable of batches', source);
}

/**
 * Runs a model on all batches, and computes the quantisation parameters of some of its values.
 * @param percentile - See {@link Range}.
 * @throws ArgumentError without batches, for an item that is no batch, and for values that are not finite.
 * @throws ShapeError, DTypeError for a batch that does not fit the inputs.
 */
export async function calibrate(
  model: Model,
  values: readonly Value[],
  source: CalibrationSource,
  percentile: number,
): Promise<Map<Value, QuantParams>> {
  const folder = await mkdtemp(join(tmpdir(), 'dyconv-calibration-'));
  let network: OnnxModule<Tensor | Tensor[]> | undefined;
  try {
    const file = join(folder, 'float32.onnx');
    await writeModel(file, model, undefined);
    const given = new Set(model.inputs.map(({ name }) => name));
    const made = values.filter((name) => !given.has(name));
    network = await loadOnnx<Tensor | Tensor[]>(file, made.length > 0 ? { outputs: made } : {});
    const ranges = new Map(values.map((name) => [name, new Range(percentile)]));
    await observe({ network, model, made, ranges }, source);
    return new Map([...ranges].map(([name, range]) => [name, range.params()]));
  } finally {
    for (const [, tensor] of [...(network?.namedParameters() ?? []), ...(network?.namedBuffers() ?? [])])
      tensor.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A network and the values whose ranges are computed. */
interface Observed {
  readonly network: OnnxModule<Tensor | Tensor[]>;
  readonly model: Model;
  /** The values that are outputs of `network`; others are its inputs. */
  readonly made: readonly Value[];
  readonly ranges: ReadonlyMap<Value, Range>;
}

async function observe({ network, model, made, ranges }: Observed, source: CalibrationSource): Promise<void> {
  let batches = 0;
  let isEmpty = true;
  for await (const batch of source) {
    const place = `calibration[${batches}]`;
    const { inputs, owned } = partsOf(batch, place);
    try {
      checkInputs(inputs, model.inputs, place);
      if (inputs.every(({ numel }) => numel > 0)) {
        isEmpty = false;
        tidy(() =>
          noGrad(() => {
            const onCpu = inputs.map((input) => input.detach().to({ device: 'cpu' }));
            const results = network.forward(...onCpu);
            const seen = new Map(model.inputs.map(({ name }, i) => [name, onCpu[i]!]));
            for (const [i, name] of made.entries()) seen.set(name, isTensor(results) ? results : results[i]!);
            for (const [name, range] of ranges) add(range, name, seen.get(name)!, place);
          }),
        );
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
function add(range: Range, name: Value, elements: Tensor, place: string): void {
  if (elements.numel === 0) return;
  const { min, max } = elements.aminmax();
  const [low, high] = [Number(min.item()), Number(max.item())];
  const wrong = [low, high].find((number) => !Number.isFinite(number));
  if (wrong !== undefined)
    throw new ArgumentError(`Expected finite values with ${place} but ${name} has ${wrong}`);
  range.add(elements, low, high);
}

/** The inputs in a batch, and the tensors that are disposed after use. */
function partsOf(batch: unknown, place: string): { inputs: readonly Tensor[]; owned: readonly Tensor[] } {
  if (isTensor(batch)) return { inputs: [batch], owned: [] };
  if (Array.isArray(batch) && batch.every(isTensor)) return { inputs: batch, owned: [] };
  const { images } = Object(batch) as { images?: unknown };
  if (isTensor(images)) return { inputs: [images], owned: Object.values(batch as object).filter(isTensor) };
  throw invalidArgument(place, 'a Tensor, an array of tensors, or a batch of a loader', batch);
}

function checkInputs(inputs: readonly Tensor[], expected: readonly ValueInfo[], place: string): void {
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
