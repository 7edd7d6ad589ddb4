// Measured tables in the dispatcher, and splits in the kernels. Their checks and the choice itself: test/ops/cuda-tuning.test.ts.
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import {
  autograd,
  cuda,
  dynamicConv2d,
  type functional as F,
  manualSeed,
  noGrad,
  randn,
  type Tensor,
} from '../../lib/index.js';
import { native } from '../../lib/native/index.js';

beforeEach(() => dynamicConv2d.setCudaTuning([]));
afterAll(() => dynamicConv2d.setCudaTuning([]));

// In a build with DYCONV_EMULATE_CUDA, tensors of the CPU take the place of those on a GPU.
const isUsable = cuda.hasKernels() && (cuda.isAvailable() || !native.cudaBuilt());
describe.skipIf(!isUsable)(`CUDA kernels${isUsable ? '' : ' (skipped: no CUDA device)'}`, () => {
  const device = cuda.isAvailable() ? 'cuda' : 'cpu';
  const gpu = cuda.isAvailable() ? cuda.deviceProperties().name : 'emulation';
  const about = { gpu, capability: '', driver: '', libtorch: '', dyconv: '' };
  const both = (ms: number) => ({ infer: ms, train: ms });

  const operands = (): [Tensor, Tensor, Tensor, Tensor] => {
    manualSeed(3);
    const one = (...shape: number[]) => randn(shape, { device }).requiresGrad_();
    return [one(3, 8, 6, 6), one(2, 12, 8, 3, 3), one(3, 2), one(2, 12)];
  };

  it('are chosen by the table: by the step, and if they apply', () => {
    const choice = (dilation = 1) => dynamicConv2d.choice(...operands(), { padding: 1, dilation });
    const rules = [choice(), choice(2)];
    const sizes = { batch: 3, in: 8, out: 12, size: 6, kernel: 3, stride: 1, groups: 1, experts: 2 };
    const ms: F.CudaTuningRow['ms'] = {
      'mix-once': both(0.1), // does not apply to more than one sample
      'mix-after': { infer: 1, train: 3 },
      'fused-cuda': { infer: 3, train: 2 },
    };
    dynamicConv2d.setCudaTuning([{ format: 1, about, rows: [{ dtype: 'float32', problem: sizes, ms }] }]);
    expect(choice()).toBe('fused-cuda');
    expect(noGrad(() => choice())).toBe('mix-after');
    // The rules still decide for what was not measured, and without a table.
    expect(choice(2)).toBe(rules[1]);
    dynamicConv2d.setCudaTuning([]);
    expect(choice()).toBe(rules[0]);
    expect(['fused-cuda', 'mix-after']).not.toContain(rules[0]);
  });

  it('divide their work by the table, with the same results', () => {
    const results = () => {
      const inputs = operands();
      const output = dynamicConv2d(...inputs, { padding: 1, algorithm: 'mix-cuda' });
      const gradients = autograd.grad(output, inputs, { gradOutputs: output.detach() });
      return [output.detach(), ...(gradients as Tensor[])];
    };
    const expected = results();
    for (const splits of [
      { mixForwardBlocks: 1, mixBackwardPixels: 1 },
      { mixForwardBlocks: 3, mixBackwardPixels: 100_000 },
    ]) {
      dynamicConv2d.setCudaTuning([{ format: 1, about, splits, rows: [] }]);
      for (const [i, one] of results().entries()) {
        const deviation = one.sub(expected[i]!).abs().amax().item();
        expect(Number(deviation), `result ${i}`).toBeLessThan(
          1e-4 * Number(expected[i]!.abs().amax().item()),
        );
      }
    }
  });
});
