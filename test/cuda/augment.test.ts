// Batches of a set on a GPU in every format: the CUDA kernel writes them itself if no step follows it. All
// transforms are tested in test/data/augment.test.ts, the kernel on the host in test/kernels.
import { expect, it } from 'vitest';
import { augmentBatch, augmentOnDevice, batchPlan } from '../../lib/data/batches.js';
import { type Transform, train } from '../../lib/data/transforms.js';
import { type DType, tensor } from '../../lib/index.js';
import { describeOnCuda } from '../support/cuda.js';

const COUNT = 9;
const shape = [3, 20, 16] as [number, number, number];
const images = Uint8Array.from({ length: COUNT * 3 * 20 * 16 }, (_, i) => (i * 2654435761) >>> 24);
const indices = [4, 0, 8, 3, 4];

describeOnCuda('augmentation on the device', () => {
  it.each<[string, Transform | undefined]>([
    ['nothing', undefined],
    ["the article's", train({ resize: 34, size: 32 })],
  ])('equals the CPU: %s', async (_name, transform) => {
    const set = tensor(images, { shape: [COUNT, ...shape], dtype: 'uint8', device: 'cuda' });
    for (const dtype of ['float32', 'bfloat16'] satisfies DType[]) {
      for (const memoryFormat of ['contiguous', 'channelsLast'] as const) {
        const request = { seed: 5, epoch: 2 };
        const plan = batchPlan(transform, shape, { dtype, memoryFormat });
        const expected = await augmentBatch({ images, shape }, indices, plan, { ...request, threads: 1 });
        const batch = await augmentOnDevice(set, indices, plan, request);
        expect([batch.device, batch.shape, batch.dtype]).toEqual(['cuda:0', expected.shape, dtype]);
        expect(batch.strides).toEqual(expected.strides);
        const [a, b] = [batch.to({ device: 'cpu' }), expected].map((x) => x.to({ dtype: 'float32' }));
        expect(a!.sub(b!).abs().amax().item()).toBeLessThan(dtype === 'float32' ? 1e-5 : 2e-2);
      }
    }
  });
});
