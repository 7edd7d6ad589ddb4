/** The plan of a data set is made and checked once for all batches. */
import { beforeEach, expect, it, vi } from 'vitest';
import { planFor } from '../../lib/data/plan.js';
import { ArgumentError, data } from '../../lib/index.js';

vi.mock('../../lib/data/plan.js', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../lib/data/plan.js')>();
  return { ...original, planFor: vi.fn(original.planFor) };
});

const { resize, compose, normalize, mixup } = data.transforms;
const transform = compose([resize({ size: 6 }), normalize({ mean: 0.5, std: 0.5 })]);
const set = await data.bundled({ split: 'test' });
beforeEach(() => {
  vi.mocked(planFor).mockClear();
});

async function pass(loader: data.Loader): Promise<void> {
  for await (const { images, labels } of loader) {
    images.dispose();
    labels.dispose();
  }
}

it.each(['cpu', 'device'] as const)('of a set in memory, transformed on the %s', async (augmentOn) => {
  const loader = data.loader(set, { batchSize: 100, transform, augmentOn, mix: mixup() });
  for (let epoch = 0; epoch < 2; epoch++) await pass(loader);
  loader.dispose();
  expect(planFor).toHaveBeenCalledTimes(1);
});

it('of samples of two sizes: once a size', async () => {
  const get = async (i: number) => ({
    image: new Uint8Array(i % 2 ? 12 : 27),
    shape: i % 2 ? ([3, 2, 2] as const) : ([3, 3, 3] as const),
    label: 0,
  });
  const loader = data.loader({ length: 20, classes: ['a'], get }, { batchSize: 4, transform });
  for (let epoch = 0; epoch < 2; epoch++) await pass(loader as data.Loader);
  expect(planFor).toHaveBeenCalledTimes(2);
});

it('is checked for a custom set that is copied to the device, too', async () => {
  const four = { length: 2, classes: ['a'], get: () => ({ image: new Uint8Array(4), label: 0 }) };
  const wrong = compose([normalize({ mean: [0.1, 0.2, 0.3], std: 1 })]);
  const loader = data.loader(
    { ...four, shape: [4, 1, 1] as const },
    { batchSize: 1, transform: wrong, augmentOn: 'device' },
  );
  const failed = pass(loader as data.Loader);
  await expect(failed).rejects.toThrow(ArgumentError);
  await expect(failed).rejects.toThrow('1 or 4 values, one per channel for transform.mean');
});
