import { describe, expect, it } from 'vitest';
import {
  autograd,
  cuda,
  DeviceError,
  empty,
  getRngState,
  NativeError,
  ones,
  randn,
  setRngState,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { native } from '../../lib/tensor/tensor.js';
import { describeOnCuda } from '../support/cuda.js';

describe('without a device', () => {
  it.runIf(!cuda.isAvailable())('says so', () => {
    expect(cuda.deviceCount()).toBe(0);
    expect(cuda.whyUnavailable()).toMatch(native.cudaBuilt() ? /driver|NVIDIA|CUDA/ : /CPU build/);
    for (const call of [cuda.deviceProperties, cuda.memoryStats, cuda.resetPeakMemoryStats, cuda.synchronize])
      expect(() => call()).toThrow(DeviceError);
    expect(() => cuda.emptyCache()).not.toThrow();
    expect(() => ones([2]).pinMemory()).toThrow(DeviceError);
    expect(() => new cuda.Graph().capture(() => 1)).toThrow(DeviceError);
  });

  it('sets flags, and copies asynchronously where that is safe', () => {
    cuda.setFlags({ matmulTf32: false, benchmark: false });
    expect(tensor([1, 2]).to({ dtype: 'float64', nonBlocking: true }).arraySync()).toEqual([1, 2]);
    expect(ones([2]).isPinned()).toBe(false);
    expect(() => cuda.synchronize('cpu')).toThrow(/'cuda' or 'cuda:N'/);
    expect(() => new cuda.Graph().replay()).toThrow(/captured graph/);
  });
});

describeOnCuda('devices', () => {
  it('describes the device', () => {
    const { name, capability, totalMemory, multiProcessorCount } = cuda.deviceProperties('cuda:0');
    expect(name).not.toBe('');
    expect(capability[0]).toBeGreaterThanOrEqual(7);
    expect(totalMemory).toBeGreaterThan(2 ** 30);
    expect(multiProcessorCount).toBeGreaterThan(0);
  });

  it('counts memory, and frees it', () => {
    cuda.resetPeakMemoryStats();
    const before = cuda.memoryStats();
    const big = zeros([1 << 20], { device: 'cuda' });
    const during = cuda.memoryStats();
    expect(during.allocatedBytes - before.allocatedBytes).toBe(4 << 20);
    big.dispose();
    expect(cuda.memoryStats().allocatedBytes).toBe(before.allocatedBytes);
    expect(cuda.memoryStats().peakAllocatedBytes).toBeGreaterThanOrEqual(during.allocatedBytes);
    cuda.emptyCache();
    expect(cuda.memoryStats().reservedBytes).toBeLessThanOrEqual(during.reservedBytes);
  });

  it('copies from page-locked memory without waiting', () => {
    const host = randn([1000]).pinMemory();
    expect(host.isPinned()).toBe(true);
    const device = host.to({ device: 'cuda', nonBlocking: true });
    cuda.synchronize();
    expect(device.dataSync()).toEqual(host.dataSync());
  });

  it('has its own random generator, whose state can be restored', () => {
    const state = getRngState({ device: 'cuda' });
    const first = randn([5], { device: 'cuda' }).arraySync();
    expect(randn([5], { device: 'cuda' }).arraySync()).not.toEqual(first);
    setRngState(state, { device: 'cuda' });
    expect(randn([5], { device: 'cuda' }).arraySync()).toEqual(first);
  });

  it('calls gradients that are written in JavaScript', () => {
    const triple = autograd.defineFunction({
      forward: (_, x: Tensor) => x.mul(3),
      backward: (_, gradient) => [gradient.mul(3)],
    });
    const x = tensor([1, 2], { device: 'cuda', requiresGrad: true });
    triple(x).sum().backward();
    expect(x.grad!.arraySync()).toEqual([3, 3]);
  });

  it('collects garbage before it is out of memory', () => {
    const { freeBytes } = cuda.memoryStats();
    const half = [Math.floor(freeBytes / 8)]; // floats: half of what is free
    for (let i = 0; i < 6; i++) empty(half, { device: 'cuda' }); // dropped without dispose()
    cuda.emptyCache();
  });

  it('reports a lack of memory, and still works afterwards', () => {
    expect(() => empty([1 << 30, 1 << 10], { device: 'cuda' })).toThrow(NativeError);
    expect(() => empty([1 << 30, 1 << 10], { device: 'cuda' })).toThrow(/out of memory/);
    expect(ones([2], { device: 'cuda' }).sum().item()).toBe(2);
  });

  it('replays a captured graph, and ends a failed capture', () => {
    const x = tensor([1, 2], { device: 'cuda' });
    using graph = new cuda.Graph();
    const y = graph.capture(() => x.mul(3));
    x.copy_(tensor([5, 6], { device: 'cuda' }));
    graph.replay();
    expect(y.arraySync()).toEqual([15, 18]);
    expect(() => new cuda.Graph().capture(() => x.item())).toThrow();
    expect(x.add(1).arraySync()).toEqual([6, 7]);
  });
});
