/**
 * Post-training quantization of programs to int8.
 * @module
 */
import { checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError } from '../errors.js';
import type { StoredGraph, StoredQuantization } from '../native/compile.js';
import { plainMode, tidy, untidy } from '../tensor/context.js';
import { native, type Tensor } from '../tensor/tensor.js';
import {
  type Calibration,
  type CalibrationSource,
  checkCalibration,
  layersAt,
  noLayers,
  observe,
} from './calibrate.js';
import { formatSize } from './listing.js';
import { Range } from './range.js';
import { Runnable } from './runner.js';

/** Options of {@link Program.quantize}. */
export interface QuantizeOptions {
  /**
   * Some hundred representative inputs, as batches: tensors, arrays with a tensor for each input, or batches of a loader, whose
   * tensors are disposed. The range of each activation is computed from them.
   */
  calibration: CalibrationSource;
  /**
   * The share of an activation's elements in the calibration that its range covers, in percent, 50 to 100. The rest is clamped, in equal
   * parts at both ends. Default 100: from minimum to maximum.
   */
  percentile?: number | undefined;
  /**
   * Paths of layers or modules that stay float32, such as `features.0`. Default: the first and the last convolutions and linear
   * layers. `[]` for none.
   */
  floatLayers?: readonly string[] | undefined;
}

const QUANTIZE_KEYS = optionKeys('calibration', 'percentile', 'floatLayers');

/** A layer that can compute in int8. */
interface QuantizableLayer {
  /** Slot of its result. */
  readonly result: number;
  /** Slot whose range its input has. */
  readonly range: number;
  readonly path: string;
}

/** The program of a graph whose outputs are the values to observe. */
class Observer extends Runnable<readonly Tensor[]> {
  protected override open(id: number): this {
    return new Observer(id) as this;
  }
}

/** The layers that are to compute in int8. @throws ArgumentError if there is none, or a path has none. */
function chooseLayers(program: number, floatLayers: readonly string[] | undefined): QuantizableLayer[] {
  const known = native.quantizableLayers(program);
  const paths = known.map(([, , path]) => path);
  const isFloat =
    floatLayers === undefined
      ? new Set(known.flatMap(([, , , first, last], i) => (first || last ? [i] : [])))
      : layersAt(paths, floatLayers);
  const chosen = known
    .filter((_, i) => !isFloat.has(i))
    .map(([result, range, path]) => ({ result, range, path }));
  if (chosen.length === 0) throw noLayers('int8', known.length, floatLayers);
  return chosen;
}

/** @internal The quantized form of a program in float32: its number. See `Program.quantize`. */
export async function quantizeProgram(
  program: number,
  settings: { readonly dtype: string; readonly optimize: boolean },
  options: QuantizeOptions,
): Promise<number> {
  const checked = checkCalibration(checkOptions(options, QUANTIZE_KEYS));
  if (settings.dtype !== 'float32' || !settings.optimize)
    throw new ArgumentError(
      `Expected a program in float32 with merged steps for quantize() but received one ${settings.optimize ? `in ${settings.dtype}` : 'with { optimize: false }'}`,
    );
  const layers = chooseLayers(program, checked.floatLayers);
  const graph = native.compiledSource(program);
  const [, tensors] = native.compiledState(program);
  try {
    const quantization = await calibrate(graph, tensors, layers, checked);
    return plainMode(() => native.loadCompiled({ ...graph, quantization }, tensors, false, true));
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

/** Computes the ranges of what the layers read. */
async function calibrate(
  graph: StoredGraph,
  tensors: readonly Tensor[],
  layers: readonly QuantizableLayer[],
  { calibration, percentile }: Calibration,
): Promise<StoredQuantization> {
  const slots = [...new Set(layers.map(({ range }) => range))];
  const names = slots.map(
    (slot) => `the input of ${layers.find(({ range }) => range === slot)!.path || 'a layer'}`,
  );
  const ranges = slots.map(() => new Range(percentile));
  const observed = { ...graph, output: slots.map((slot) => ({ slot })) };
  const observer = new Observer(plainMode(() => native.loadCompiled(observed, tensors, false, true)));
  const inputs = graph.inputs.map((slot, i) => {
    const { dtype, sizes } = graph.slots[slot]!;
    return {
      name: graph.inputs.length === 1 ? 'the input' : `input ${i}`,
      dtype,
      shape: (sizes ?? []).map((size) => (typeof size === 'number' ? size : formatSize(size))),
    };
  });
  try {
    await observe(
      {
        inputs,
        compute: async (batch, add) => {
          const values = await untidy(() => observer.run(batch));
          try {
            tidy(() => {
              for (const [i, value] of values.entries()) add(ranges[i]!, names[i]!, value);
            });
          } finally {
            for (const value of values) value.dispose();
          }
        },
      },
      calibration,
    );
  } finally {
    observer.dispose();
  }
  return {
    layers: layers.map(({ result }) => result),
    ranges: slots.map((slot, i) => {
      const { scale, zeroPoint } = ranges[i]!.params();
      return { slot, scale: String(scale), zeroPoint };
    }),
  };
}
