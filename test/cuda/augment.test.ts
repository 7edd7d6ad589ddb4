// One kernel augments images on the device. A build that emulates CUDA runs the same test on the CPU.
import { expect, it } from 'vitest';
import { augmentBatch } from '../../lib/data/loader.js';
import * as transforms from '../../lib/data/transforms.js';
import { type Device, type DType, tensor, tidy } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { describeOnCuda } from '../support/cuda.js';

const COUNT = 9;
const shape = [3, 20, 16] as const;
const images = Uint8Array.from({ length: COUNT * 3 * 20 * 16 }, (_, i) => (i * 2654435761) >>> 24);
const indices = [4, 0, 8, 3, 4];

function check(device: Device) {
  it.each<[string, DType, boolean, number]>([
    ['float32', 'float32', false, 1e-5],
    ['bfloat16, channels last', 'bfloat16', true, 2e-2],
  ])('equals the CPU: %s', async (_name, dtype, channelsLast, allowed) => {
    const transform = transforms.train({ resize: 34, size: 32 });
    const given = { images, shape: [...shape] as [number, number, number] };
    const expected = await augmentBatch(given, indices, transform, { seed: 5, epoch: 2, threads: 1 });
    tidy(() => {
      const set = tensor(images, { shape: [COUNT, ...shape], dtype: 'uint8', device });
      const batch = native.augmentWithKernel(
        set,
        tensor(BigInt64Array.from(indices, BigInt), { device }),
        [34, 34, 32, 32],
        [...transform.scale, ...transform.ratio],
        0,
        transform.flip,
        tensor([0.5, 0.5, 0.5], { device }),
        tensor([0.5, 0.5, 0.5], { device }),
        5,
        2,
        dtype,
        channelsLast,
      );
      expect([batch.shape, batch.dtype]).toEqual([[5, 3, 32, 32], dtype]);
      const off = batch.to({ device: 'cpu', dtype: 'float32' }).sub(expected).abs().amax().item();
      expect(off).toBeLessThan(allowed);
    });
  });
}

describeOnCuda('augmentation on the device', () => check('cuda'), { kernels: true });

if (native.cudaKernels() && !native.cudaBuilt()) check('cpu');
else {
  it('is refused where there are no kernels for the device', () => {
    const one = tensor(new Uint8Array(3), { shape: [1, 3, 1, 1], dtype: 'uint8' });
    const mean = tensor([0, 0, 0]);
    const index = tensor(new BigInt64Array(1));
    expect(() =>
      native.augmentWithKernel(one, index, [0, 0, 1, 1], null, 0, 0, mean, mean, 0, 0, 'float32', false),
    ).toThrow(/images on a GPU, and an add-on built with nvcc/);
  });
}
