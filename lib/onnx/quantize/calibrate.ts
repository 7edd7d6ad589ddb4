/**
 * Computes the ranges of values by running the network on the batches of a calibration.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CalibrationSource, observe } from '../../program/calibrate.js';
import { type QuantParams, Range } from '../../program/range.js';
import { noGrad, tidy } from '../../tensor/context.js';
import { isTensor, type Tensor } from '../../tensor/tensor.js';
import { writeModel } from '../file.js';
import type { Value } from '../graph.js';
import type { OnnxModule } from '../load/module.js';
import { loadOnnx } from '../load.js';
import type { Model } from '../message.js';

/**
 * Runs a model on all batches, and computes the quantization parameters of some of its values.
 * @param percentile - See {@link Range}.
 * @throws See {@link observe}.
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
    const loaded = await loadOnnx<Tensor | Tensor[]>(file, made.length > 0 ? { outputs: made } : {});
    network = loaded;
    const ranges = new Map(values.map((name) => [name, new Range(percentile)]));
    const compute = (inputs: readonly Tensor[], add: (range: Range, name: Value, x: Tensor) => void) =>
      tidy(() =>
        noGrad(() => {
          const onCpu = inputs.map((input) => input.detach().to({ device: 'cpu' }));
          const results = loaded.forward(...onCpu);
          const seen = new Map(model.inputs.map(({ name }, i) => [name, onCpu[i]!]));
          for (const [i, name] of made.entries()) seen.set(name, isTensor(results) ? results : results[i]!);
          for (const [name, range] of ranges) add(range, name, seen.get(name)!);
        }),
      );
    await observe({ inputs: model.inputs, compute }, source);
    return new Map([...ranges].map(([name, range]) => [name, range.params()]));
  } finally {
    for (const [, tensor] of [...(network?.namedParameters() ?? []), ...(network?.namedBuffers() ?? [])])
      tensor.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}
