/** Operators of loaded files, by the test cases that the onnx package of Python has for them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointError, loadNpz, loadOnnx, type Tensor } from '../../lib/index.js';
import { OPERATORS } from '../../lib/onnx/load/operators/index.js';
import { limit } from '../support/limit.js';
import { hasModule, python, runPython } from '../support/python.js';

/** Writes the cases of the operators that are named, with what they read and give. Newer operators are written as those of opset 22. */
const CASES = `
import json, sys, numpy, onnx
from onnx.backend.test.case.node import collect_testcases
folder, known = sys.argv[1], set(json.loads(sys.argv[2])) | {"Constant"}
changed = {"Cast", "CastLike"}  # after opset 22, by more than types
numpy.random.seed(0)
kinds = {"float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"}
cases, arrays = {}, {}
for case in collect_testcases(None):
    model, sets = case.model, case.data_sets
    nodes = model.graph.node
    if not all(node.op_type in known and node.domain == "" for node in nodes) or not sets:
        continue
    inputs, outputs = sets[0]
    if not all(isinstance(one, (numpy.ndarray, numpy.generic)) and one.dtype.name in kinds for one in [*inputs, *outputs]):
        continue
    version = max(one.version for one in model.opset_import if one.domain == "")
    newest = max(onnx.defs.get_schema(node.op_type, version).since_version for node in nodes)
    if newest > 22 and any(node.op_type in changed for node in nodes):
        continue
    oldest = [onnx.defs.get_schema(node.op_type, max(version, 13)).since_version for node in nodes]
    if any(since != onnx.defs.get_schema(node.op_type, version).since_version for since, node in zip(oldest, nodes)):
        continue
    for one in model.opset_import:
        one.version = min(max(version, 13), 22)
    i = len(cases)
    onnx.save(model, f"{folder}/{i}.onnx")
    cases[case.name] = {"file": f"{folder}/{i}.onnx", "inputs": len(inputs), "outputs": len(outputs), "operators": sorted({node.op_type for node in nodes})}
    for key, values in (("x", inputs), ("y", outputs)):
        for j, value in enumerate(values):
            arrays[f"{i}.{key}{j}"] = numpy.asarray(value)
numpy.savez(f"{folder}/data.npz", **arrays)
with open(f"{folder}/cases.json", "w") as file:
    json.dump(cases, file)
`;

interface Case {
  file: string;
  inputs: number;
  outputs: number;
  operators: string[];
}

const folder = mkdtempSync(join(tmpdir(), 'dyconv-onnx-cases-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Settings without a form here: the file is refused. */
const REFUSED = [
  'averagepool_.*dilations.*',
  'gathernd_example_int32_batch_dim1',
  'gru_(?!.*linear_before_reset).*',
  'lstm_with_peepholes',
  'maxpool_with_argmax_.*',
  '(?:de)?quantizelinear_.*blocked.*',
  'spacetodepth_crd_mode.*',
  'resize_.*(?:tf_crop_and_resize|antialias|not_larger|not_smaller).*',
];

/** Other results than in the onnx package, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'batchnorm_.*training_mode': 'the running variance is unbiased, as in PyTorch',
  'training_dropout.*': 'other random numbers; tested elsewhere',
  'resize_downsample_scales_(?:linear|cubic)_align_corners':
    'positions follow from the size of the output, as in PyTorch and onnxruntime, not from the factor',
  'reduce_(?:max|min)_empty_set.*': 'an empty set has no largest element, as in PyTorch',
};

/** Expected values with four digits. */
const ROUNDED = /^averagepool_2d_ceil_last_window_starts_on_pad$/;

const matches = (name: string, patterns: readonly string[]) =>
  new RegExp(`^(?:${patterns.join('|')})$`).test(name);

/** The largest difference of an output, as a multiple of its largest element. */
function difference(actual: Tensor, expected: Tensor): number {
  expect(actual.shape).toEqual(expected.shape);
  expect(actual.dtype).toBe(expected.dtype);
  const [a, b] = [actual, expected].map((one) => one.detach().to({ dtype: 'float64' }));
  if (b!.numel === 0 || a!.isclose(b!, { rtol: 0, atol: 0, equalNan: true }).all().item()) return 0;
  const scale = Math.max(1, Number(b!.nanToNum({ posinf: 0, neginf: 0 }).abs().max().item()));
  const wrong =
    Number(
      a!
        .isclose(b!, { rtol: 0, atol: 1e-3 * scale, equalNan: true })
        .all()
        .item(),
    ) === 0;
  return wrong
    ? Number.POSITIVE_INFINITY
    : Number(a!.sub(b!).nanToNum({ nan: 0, posinf: 0, neginf: 0 }).abs().max().item()) / scale;
}

describe.skipIf(!hasModule('onnx, numpy'))(
  `operator tests of the onnx package (needs onnx in ${python})`,
  () => {
    let cases: Record<string, Case>;
    let data: Record<string, Tensor>;

    beforeAll(async () => {
      runPython(CASES, folder, JSON.stringify(Object.keys(OPERATORS)));
      cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as typeof cases;
      data = (await loadNpz(join(folder, 'data.npz'))) as Record<string, Tensor>;
    }, limit(120_000));

    it('give what they should, or are refused when the file is loaded', {
      timeout: limit(120_000),
    }, async () => {
      const problems: string[] = [];
      const refused: string[] = [];
      const covered = new Set<string>();
      for (const [i, [fullName, one]] of Object.entries(cases).entries()) {
        const name = fullName.replace(/^test_/, '');
        if (matches(name, Object.keys(DIFFERENT))) continue;
        const tolerance = ROUNDED.test(name) ? 1e-4 : 1e-5;
        try {
          const module = await loadOnnx<Tensor | Tensor[]>(one.file);
          const inputs = Array.from({ length: one.inputs }, (_, j) => data[`${i}.x${j}`]!);
          const result = module.forward(...inputs);
          const outputs = Array.isArray(result) ? result : [result];
          const errors = outputs.map((output, j) => difference(output, data[`${i}.y${j}`]!));
          if (Math.max(...errors) > tolerance) problems.push(`${name}: ${Math.max(...errors)}`);
          for (const operator of one.operators) covered.add(operator);
        } catch (error) {
          const isRefusal =
            error instanceof CheckpointError && error.message.startsWith(`Cannot load ${one.file}: `);
          if (isRefusal && matches(name, REFUSED)) refused.push(name);
          else problems.push(`${name}: ${(error as Error).message.slice(0, 300)}`);
        }
      }
      expect(problems).toEqual([]);
      expect(Object.keys(cases).length).toBeGreaterThan(700);
      expect(refused.length).toBeLessThan(40);
      // All cases of GRU have linear_before_reset=0; exported networks with GRUs are loaded elsewhere.
      expect(Object.keys(OPERATORS).filter((operator) => !covered.has(operator))).toEqual(['GRU']);
    });
  },
);
