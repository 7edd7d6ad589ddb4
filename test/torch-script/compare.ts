/** Exported networks beside the networks: run by loadTorchScript, and by PyTorch in Python for all files at once. */
import { join } from 'node:path';
import {
  exportTorchScript,
  loadTorchScript,
  noGrad,
  saveSafetensors,
  type Tensor,
  tidy,
} from '../../lib/index.js';
import type { ExportTorchScriptOptions } from '../../lib/torch-script/export.js';
import { differenceOf, tensorsIn } from '../support/onnxruntime.js';
import { runPython } from '../support/python.js';

/** A network and what it is exported with. */
export interface Exported {
  readonly network: Parameters<typeof exportTorchScript>[0];
  readonly example: Tensor | readonly Tensor[];
  readonly inputs: Iterable<readonly Tensor[]>;
  readonly options?: ExportTorchScriptOptions;
}

const forwardOf = (network: Exported['network']) => (inputs: readonly Tensor[]) =>
  tensorsIn(
    noGrad(() =>
      tidy(() =>
        typeof network === 'function'
          ? network(...inputs)
          : (network as never as { forward(...x: readonly Tensor[]): Tensor }).forward(...inputs),
      ),
    ),
  );

/** Networks that are compared, in a folder. */
export class Comparison {
  readonly #folder: string;
  readonly #forPython: boolean;
  #count = 0;

  /** @param forPython - Whether inputs and outputs are kept for {@link byPython}. */
  constructor(folder: string, forPython: boolean) {
    this.#folder = folder;
    this.#forPython = forPython;
  }

  /** The largest difference of what the file gives from what the network gives, relative to the largest output. */
  async differenceFor({ network, example, inputs, options }: Exported): Promise<number> {
    const stem = join(this.#folder, String(this.#count++));
    await exportTorchScript(network, example, `${stem}.pt`, options);
    using program = await loadTorchScript<unknown>(`${stem}.pt`);
    const forward = forwardOf(network);
    const kept: Record<string, Tensor> = {};
    let largest = 0;
    for (const [run, x] of [...inputs].entries()) {
      const expected = forward(x);
      const found = tensorsIn(program.runSync(x.length === 1 ? x[0]! : [...x]));
      if (found.length !== expected.length)
        throw new Error(`${found.length} outputs instead of ${expected.length}`);
      for (const [i, { dtype, shape }] of found.entries()) {
        const result = { type: dtype, dims: shape, data: found[i]!.dataSync() };
        largest = Math.max(largest, differenceOf(result, expected[i]!));
      }
      for (const [i, one] of x.entries()) kept[`${run}.x${i}`] = one.detach().contiguous();
      for (const [i, one] of expected.entries()) kept[`${run}.y${i}`] = one.detach().contiguous();
    }
    if (this.#forPython) await saveSafetensors(`${stem}.safetensors`, kept);
    return largest;
  }

  /** The differences of all files, computed by PyTorch in one process. */
  byPython(): number[] {
    return JSON.parse(runPython(COMPARE, this.#folder, String(this.#count))) as number[];
  }
}

const COMPARE = `
import json, sys, torch
from safetensors.torch import load_file
assert 'dyconv' not in sys.modules
folder, count = sys.argv[1], int(sys.argv[2])

def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for item in (value.values() if isinstance(value, dict) else value) for t in tensors(item)]

def difference(found, expected):
    assert found.shape == expected.shape and found.dtype == expected.dtype, (found.shape, expected.shape, found.dtype)
    a, b = found.double().flatten(), expected.double().flatten()
    finite = b.isfinite()
    assert torch.equal(a[~finite].nan_to_num(7), b[~finite].nan_to_num(7)) and a[finite].isfinite().all()
    if not finite.any():
        return 0.0
    return float((a[finite] - b[finite]).abs().max() / b[finite].abs().max().clamp_min(1e-30))

results = []
for i in range(count):
    module = torch.jit.load(f'{folder}/{i}.pt')
    kept = load_file(f'{folder}/{i}.safetensors')
    worst = 0.0
    for run in sorted({key.split('.')[0] for key in kept}):
        pick = lambda kind: [kept[f'{run}.{kind}{j}'] for j in range(len(kept)) if f'{run}.{kind}{j}' in kept]
        with torch.no_grad():
            found = tensors(module(*pick('x')))
        expected = pick('y')
        assert len(found) == len(expected)
        worst = max([worst] + [difference(a, b) for a, b in zip(found, expected)])
    results.append(worst)
print(json.dumps(results))
`;
