import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  DisposedError,
  fromTypedArray,
  memory,
  ones,
  releaseHandle,
  Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { startWorker } from '../support/program.js';

describe('a handle', () => {
  it('is a plain object that gives the same memory', () => {
    const x = tensor([1, 2, 3]);
    const handle = structuredClone(x.share());
    const y = Tensor.fromHandle(handle);
    x.add_(1);
    expect(y.arraySync()).toEqual([2, 3, 4]);
    x.dispose();
    expect(y.arraySync()).toEqual([2, 3, 4]);
  });

  it('is claimed as often as it says', () => {
    const handle = tensor([1]).share({ claims: 2 });
    expect(memory()).toMatchObject({ sharedTensors: 1, sharedBytes: 4 });
    Tensor.fromHandle(handle);
    Tensor.fromHandle(handle);
    expect(memory().sharedTensors).toBe(0);
    expect(() => Tensor.fromHandle(handle)).toThrow(DisposedError);
  });

  it('can be given up', () => {
    const handle = tensor([1]).share();
    expect(releaseHandle(handle)).toBe(true);
    expect(releaseHandle(handle)).toBe(false);
    expect(() => Tensor.fromHandle(handle)).toThrow('claimed or released');
    expect(memory().sharedTensors).toBe(0);
  });

  it('keeps strides, dtype and whether a leaf requires a gradient', () => {
    const leaf = Tensor.fromHandle(ones([2, 3], { requiresGrad: true }).share());
    expect([leaf.requiresGrad, leaf.isLeaf]).toEqual([true, true]);
    const view = Tensor.fromHandle(zeros([2, 3], { dtype: 'int16' }).t().share());
    expect([view.dtype, view.shape, view.strides, view.requiresGrad]).toEqual([
      'int16',
      [3, 2],
      [1, 3],
      false,
    ]);
  });

  it('copies a tensor that shares a typed array, whose buffer is freed with its thread', () => {
    const array = new Float32Array([1]);
    const y = Tensor.fromHandle(fromTypedArray(array).share());
    array[0] = 2;
    expect(y.item()).toBe(1);
  });

  it.each([
    ['nothing', undefined, ArgumentError],
    ['a number', 1, ArgumentError],
    ['another object', { other: 1 }, ArgumentError],
    ['an odd number', { id: 0.5 }, ArgumentError],
    ['a number of none', { id: 10 ** 9 }, DisposedError],
    ['another process', { process: 7 }, DisposedError],
  ])('is not %s', (_, change, error) => {
    const real = tensor([1]).share();
    const handle = typeof change === 'object' && !('other' in change) ? { ...real, ...change } : change;
    releaseHandle(real);
    expect(() => Tensor.fromHandle(handle as never)).toThrow(error);
    expect(() => Tensor.fromHandle(handle as never)).toThrow('for handle');
  });

  it('refuses results of a graph, disposed tensors and odd numbers of claims', () => {
    expect(() => ones([1], { requiresGrad: true }).mul(2).share()).toThrow('use detach()');
    expect(() => ones([1]).share({ claims: 0 })).toThrow('for claims');
    const gone = ones([1]);
    gone.dispose();
    expect(() => gone.share()).toThrow(DisposedError);
  });
});

describe('between threads', () => {
  it('a tensor is sent to a worker and its result is sent back, without a copy', async () => {
    const x = zeros([1000]);
    const worker = startWorker(
      `const x = dyconv.Tensor.fromHandle(workerData);
       x.fill_(3);
       parentPort.postMessage(x.mul(2).share());`,
      x.share(),
    );
    const exit = once(worker, 'exit');
    const [handle] = await once(worker, 'message');
    await exit;
    // The thread has ended, but what it shared still exists.
    expect(Tensor.fromHandle(handle).sum().item()).toBe(6000);
    expect(x.sum().item()).toBe(3000);
  });

  it('one handle serves many workers', async () => {
    const handle = ones([10]).share({ claims: 3 });
    const workers = [1, 2, 3].map((n) =>
      startWorker(
        `parentPort.postMessage(dyconv.Tensor.fromHandle(workerData.handle).mul(workerData.n).sum().item());`,
        { handle, n },
      ),
    );
    const answers = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
    expect(answers).toEqual([10, 20, 30]);
    await Promise.all(workers.map((worker) => worker.terminate()));
    expect(() => Tensor.fromHandle(handle)).toThrow(DisposedError);
  });
});
