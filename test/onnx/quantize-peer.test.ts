/** Networks exported in int8, computed by onnxruntime and checked by the onnx package of Python. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  functional as F,
  loadOnnx,
  manualSeed,
  models,
  nn,
  randn,
  saveNpz,
  type Tensor,
} from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { readOnnx } from '../support/onnx.js';
import { compareOnnx, hasOnnxruntime, openOnnx } from '../support/onnxruntime.js';
import { hasModule, python, runPython } from '../support/python.js';
import { withStatistics } from './cases.js';
import { folder, images, makeNet, Net, newFile, removeFolder, written } from './int8.js';

afterAll(removeFolder);

/** Networks, and the mean error of their outputs as a part of the mean output. */
const NETWORKS: Record<string, { make: () => nn.Module; shape: readonly number[]; error: number }> = {
  'dynamic and static layers': { make: () => new Net(), shape: [3, 8, 8], error: 0.03 },
  'alexnet-dy': { make: () => models.create('alexnet-dy'), shape: [3, 128, 128], error: 0.05 },
  resnet10_dy: { make: () => models.create('resnet10_dy'), shape: [3, 64, 64], error: 0.05 },
  mobilenet_v2: { make: () => models.create('mobilenet_v2'), shape: [3, 64, 64], error: 0.2 },
  squeezenet1_1: { make: () => models.create('squeezenet1_1'), shape: [3, 64, 64], error: 0.05 },
  transformer: {
    make: () => new nn.TransformerEncoderLayer(16, 2, { dimFeedforward: 32, batchFirst: true }),
    shape: [5, 16],
    error: 0.05,
  },
};

/** The operators of a file after onnxruntime has merged nodes. */
async function optimizedOperators(file: string): Promise<string[]> {
  const optimized = newFile();
  const options = { optimizedModelFilePath: optimized, graphOptimizationLevel: 'extended' };
  await (await openOnnx(file, options)).close();
  return readOnnx(optimized).nodes.map(({ operator }) => operator);
}

describe.skipIf(!hasOnnxruntime)('computed by onnxruntime (needs onnxruntime-node)', () => {
  it.each(Object.entries(NETWORKS))('%s', { timeout: limit(60_000) }, async (_, { make, shape, error }) => {
    manualSeed(2);
    const network = withStatistics(make().eval());
    const x = randn([16, ...shape]);
    const { file, quantized } = await written(network, x, { calibration: [x] });
    expect(quantized.length).toBeGreaterThan(0);
    const simulated = await loadOnnx(file);
    const session = await openOnnx(file);
    try {
      const y = randn([16, ...shape]);
      const [{ data }] = (await session.run([y])) as unknown as [{ data: Float32Array }];
      const [floats, expected] = [simulated.forward(y), network.forward(y)].map(
        (one) => one.detach().dataSync() as Float32Array,
      );
      const mean = (fn: (i: number) => number) =>
        data.reduce((sum, _, i) => sum + Math.abs(fn(i)), 0) / data.length;
      const size = mean((i) => expected![i]!);
      expect(mean((i) => data[i]! - expected![i]!) / size).toBeLessThan(error);
      // The same rounding, summed in another order: single steps differ.
      expect(mean((i) => data[i]! - floats![i]!) / size).toBeLessThan(error / 2);
    } finally {
      await session.close();
    }
  });

  it('merges the pairs with layers into kernels for int8', async () => {
    const { file } = await written(makeNet(), images(), { calibration: [images()] });
    const operators = await optimizedOperators(file);
    const count = (name: string) => operators.filter((one) => one === name).length;
    expect([count('QLinearConv'), count('QGemm')]).toEqual([2, 1]);
    // The first layer alone is a convolution of floats.
    expect(operators.filter((one) => /^(?:Fused)?Conv$/.test(one))).toHaveLength(1);
    // The input of the second convolution and of the first linear layer.
    expect(count('QuantizeLinear')).toBe(2);
  });

  it('merges products of matrices with results in float32', async () => {
    const layer = new nn.TransformerEncoderLayer(16, 2, { dimFeedforward: 32, batchFirst: true }).eval();
    const x = randn([4, 5, 16]);
    const { file, quantized } = await written(layer, x, { calibration: [x], floatLayers: [] });
    const operators = await optimizedOperators(file);
    expect(quantized.length).toBeGreaterThanOrEqual(4);
    expect(operators.filter((one) => one === 'MatMulIntegerToFloat')).toHaveLength(quantized.length);
  });

  it('adds in int8 between convolutions', async () => {
    class Block extends nn.Module {
      stem = new nn.Conv2d(3, 4, 3, { padding: 1 });
      a = new nn.Conv2d(4, 4, 3, { padding: 1 });
      b = new nn.Conv2d(4, 4, 3, { padding: 1 });
      c = new nn.Conv2d(4, 4, 3, { padding: 1 });
      head = new nn.Conv2d(4, 2, 1);
      forward(x: Tensor): Tensor {
        const y = this.a.forward(this.stem.forward(x)).relu();
        const sum = this.b.forward(y).add(y).relu();
        return this.head.forward(F.avgPool2d(this.c.forward(sum), 2));
      }
    }
    const block = new Block().eval();
    const { file } = await written(block, images(), { calibration: [images()] });
    const operators = await optimizedOperators(file);
    expect(operators).toContain('QLinearAdd');
    expect(operators).not.toContain('Relu');
    const x = images();
    expect(await compareOnnx(file, (input) => block.forward(input!), [[x]])).toBeLessThan(0.1);
  });
});

const CHECK = `
import sys, json, numpy, onnx
from onnx.reference import ReferenceEvaluator
path, arrays = sys.argv[1], numpy.load(sys.argv[2])
onnx.checker.check_model(path, full_check=True)
model = onnx.load(path)
onnx.shape_inference.infer_shapes(model, strict_mode=True)
error = 0
if model.opset_import[0].version >= 19:  # of which the package computes the rounding
    (result,) = ReferenceEvaluator(model).run(None, {"input": arrays["x"]})
    error = float(numpy.abs(result - arrays["y"]).max() / numpy.abs(arrays["y"]).max())
print(json.dumps({"error": error}))
`;

describe.skipIf(!hasModule('onnx, numpy'))(`checked by the onnx package (needs onnx in ${python})`, () => {
  it.each([13, 17, 21])('opset %i', async (opset) => {
    const { file } = await written(makeNet(), images(), { calibration: [images()], opset });
    const x = images(3);
    const y = (await loadOnnx(file)).forward(x);
    const arrays = join(folder, 'arrays.npz');
    await saveNpz(arrays, { x, y });
    const { error } = JSON.parse(runPython(CHECK, file, arrays)) as { error: number };
    // Sums in another order give single numbers another step.
    expect(error).toBeLessThan(0.05);
  });
});
