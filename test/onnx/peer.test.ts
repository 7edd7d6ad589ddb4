/** Exported files, checked and computed by the onnx package of Python: its checker, its shape inference, its reference implementation. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx, manualSeed, saveNpz, Tensor, tidy } from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { hasModule, python, runPython } from '../support/python.js';
import { BATCHES, CASES, type Case } from './cases.js';

const CHECK = `
import json, sys, numpy, onnx
from onnx.reference import ReferenceEvaluator
folder, names = sys.argv[1], json.loads(sys.argv[2])
results = {}
for i, name in enumerate(names):
    try:
        path = f"{folder}/{i}.onnx"
        onnx.checker.check_model(path, full_check=True)
        model = onnx.load(path)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        session = ReferenceEvaluator(model)
        errors = []
        for batch in json.loads(sys.argv[3]):
            arrays = numpy.load(f"{folder}/{i}.{batch}.npz")
            feeds = {one.name: arrays[f"x{j}"] for j, one in enumerate(model.graph.input)}
            for j, result in enumerate(session.run(None, feeds)):
                expected = arrays[f"y{j}"]
                if result.shape != expected.shape or result.dtype != expected.dtype:
                    raise ValueError(f"output {j}: {result.dtype} {result.shape} instead of {expected.dtype} {expected.shape}")
                scale = max(1, numpy.abs(expected.astype(float)).max())
                errors.append(float(numpy.abs(result.astype(float) - expected.astype(float)).max() / scale))
        results[name] = {"errors": errors, "inputs": [len(one.type.tensor_type.shape.dim) for one in model.graph.input],
          "batch": [one.type.tensor_type.shape.dim[0].dim_param for one in model.graph.input]}
    except Exception as error:
        results[name] = {"problem": f"{type(error).__name__}: {error}"[:600]}
print(json.dumps(results))
`;

interface Result {
  problem?: string;
  errors: number[];
  batch: string[];
}

const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

function tensorsIn(output: unknown): Tensor[] {
  if (output instanceof Tensor) return [output];
  return Object.values(output as Record<string, unknown>).flatMap(tensorsIn);
}

/** Exports a case, and computes it for each batch size. */
async function write({ make, inputs, options }: Case, i: number): Promise<void> {
  manualSeed(i);
  const network = make();
  await exportOnnx(network, inputs(2), join(folder, `${i}.onnx`), options);
  for (const batch of BATCHES) {
    const x = inputs(batch);
    const y = tensorsIn(
      tidy(() => (typeof network === 'function' ? network(...x) : network.forward(...(x as never[])))),
    );
    const named = (key: string, tensors: Tensor[]) =>
      tensors.map((tensor, j) => [`${key}${j}`, tensor.detach()]);
    await saveNpz(
      join(folder, `${i}.${batch}.npz`),
      Object.fromEntries([...named('x', x), ...named('y', y)]),
    );
  }
}

describe.skipIf(!hasModule('onnx, numpy'))(`exported networks (needs onnx in ${python})`, () => {
  const failures = new Map<string, unknown>();
  let results: Record<string, Result>;

  beforeAll(async () => {
    for (const [i, [name, one]] of Object.entries(CASES).entries())
      await write(one, i).catch((error) => failures.set(name, error));
    const all = Object.keys(CASES).map((name) => (failures.has(name) ? null : name));
    results = JSON.parse(
      runPython(CHECK, folder, JSON.stringify(all), JSON.stringify(BATCHES)),
    ) as typeof results;
  }, limit(120_000));

  it.each(Object.keys(CASES))('%s', (name) => {
    if (failures.has(name)) throw failures.get(name);
    const { problem, errors, batch } = results[name]!;
    expect(problem).toBeUndefined();
    expect(batch).toEqual(batch.map(() => 'batch'));
    expect(errors.length).toBeGreaterThanOrEqual(BATCHES.length);
    expect(Math.max(...errors)).toBeLessThan(1e-5);
  });
});
