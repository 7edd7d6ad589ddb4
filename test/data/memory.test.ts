/** The memory of a data set belongs to the loader's job while it runs. */
import { expect, it } from 'vitest';
import { ArgumentError, data } from '../../lib/index.js';

const bundled = await data.bundled({ split: 'test' });
const [channels, height, width] = bundled.shape;
const size = channels * height * width;

function setOn(buffer: ArrayBuffer | SharedArrayBuffer) {
  const images = new Uint8Array(buffer).fill(1);
  const length = images.length / size;
  const labels = new Uint8Array(length);
  return Object.assign(Object.create(Object.getPrototypeOf(bundled)), bundled, { images, labels, length });
}

it('cannot be transferred away once a job reads it', async () => {
  const set = setOn(new ArrayBuffer(64 * size));
  const batches = data.loader(set, { batchSize: 64 })[Symbol.asyncIterator]();
  const pending = batches.next();
  await Promise.resolve(); // the job has the addresses
  try {
    structuredClone(set.images, { transfer: [set.images.buffer] });
  } catch {
    // Newer Node.js throws; Node.js 20 copies.
  }
  expect(set.images.length).toBe(64 * size);
  const { value } = await pending;
  expect(value!.images.mean().item()).toBeCloseTo(1 / 255, 6);
  await batches.return?.(undefined as never);
});

it('cannot be a buffer that may become smaller', async () => {
  const set = setOn(Reflect.construct(ArrayBuffer, [2 * size, { maxByteLength: 4 * size }]));
  const read = async () => {
    for await (const batch of data.loader(set, { batchSize: 2 })) batch.images.dispose();
  };
  await expect(read()).rejects.toThrow(ArgumentError);
  await expect(read()).rejects.toThrow(
    'Expected an array over a buffer of fixed length for dataset.images but received one that can be resized',
  );
});

it('is an error if it was detached before', async () => {
  const set = setOn(new ArrayBuffer(2 * size));
  const loader = data.loader(set, { batchSize: 2 });
  structuredClone(set.images.buffer, { transfer: [set.images.buffer] });
  const read = async () => {
    for await (const batch of loader) batch.images.dispose();
  };
  await expect(read()).rejects.toMatchObject({
    code: 'ERR_ARGUMENT',
    message: expect.stringContaining('for indices'),
  });
});

it('may be shared with other threads', async () => {
  const set = setOn(new SharedArrayBuffer(2 * size));
  for await (const { images } of data.loader(set, { batchSize: 2 }))
    expect(images.shape).toEqual([2, ...bundled.shape]);
});
