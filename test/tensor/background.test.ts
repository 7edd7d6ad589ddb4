import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  autocast,
  autograd,
  background,
  DisposedError,
  DynamicConv2d,
  functional as F,
  memory,
  models,
  nn,
  noGrad,
  ones,
  optim,
  rand,
  randn,
  ShapeError,
  type Tensor,
  tensor,
  tidy,
} from '../../lib/index.js';
import { deviation } from '../support/values.js';

/** A product that takes long enough to meet a block that is not done. */
const slow = () => background(() => ones([1200, 1200]).matmul(ones([1200, 1200])));

describe('background', () => {
  it('gives the result of one operation', async () => {
    const [a, b] = [randn([5, 7]), randn([7, 3])];
    const product = await background(() => a.matmul(b));
    expect(deviation(product, a.matmul(b))).toBe(0);
    expect(product.requiresGrad).toBe(false);
  });

  it('gives the results of many, in the nesting of the result', async () => {
    const x = randn([4, 6]);
    const { top, sum } = await background(() => {
      const y = x.mul(2).add(1).relu();
      return { top: y.topk(2), sum: [y.sum({ dim: 0 })] };
    });
    const y = x.mul(2).add(1).relu();
    expect(top.indices.arraySync()).toEqual(y.topk(2).indices.arraySync());
    expect(deviation(sum[0]!, y.sum({ dim: 0 }))).toBe(0);
  });

  it('computes while the event loop is free', async () => {
    const x = rand([900, 900]);
    await background(() => x.matmul(x));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const start = performance.now();
    await background(() => {
      let y = x;
      for (let i = 0; i < 12; i++) y = y.matmul(x).div(500);
      return y;
    });
    const elapsed = performance.now() - start;
    delay.disable();
    expect(elapsed).toBeGreaterThan(40);
    expect(delay.max / 1e6).toBeLessThan(elapsed / 2);
  });

  it('is computed in the order of the calls, with tensors of earlier blocks', async () => {
    const x = tensor([1, 2, 3]);
    let y!: Tensor;
    const first = background(() => {
      ones([1000, 1000]).matmul(ones([1000, 1000]));
      y = x.mul(2);
    });
    const second = background(() => y.add(1));
    const third = background(() => y.add_(100));
    await Promise.all([first, second, third]);
    expect((await second).arraySync()).toEqual([3, 5, 7]);
    expect(y.arraySync()).toEqual([102, 104, 106]);
  });

  it('trains: forward, backward and step give the weights of the same steps on this thread', async () => {
    const make = () => {
      const model = new nn.Sequential(new nn.Linear(6, 16), new nn.ReLU(), new nn.Linear(16, 3));
      return model;
    };
    const [one, other] = [make(), make()];
    other.loadStateDict(one.stateDict());
    const [x, labels] = [randn([8, 6]), tensor([0, 1, 2, 0, 1, 2, 0, 1], { dtype: 'int64' })];
    const options = { lr: 0.05, weightDecay: 0.01 };
    const optimizers = [
      new optim.Adam(one.parameters(), options),
      new optim.Adam(other.parameters(), options),
    ];
    for (let i = 0; i < 4; i++) {
      for (const optimizer of optimizers) optimizer.zeroGrad();
      F.crossEntropy(one.forward(x), labels).backward();
      optimizers[0]!.step();
      const loss = await background(() => {
        const loss = F.crossEntropy(other.forward(x), labels);
        loss.backward();
        return loss;
      });
      expect(loss.requiresGrad).toBe(true);
      await background(() => optimizers[1]!.step());
    }
    const state = other.stateDict();
    for (const [name, value] of Object.entries(one.stateDict()))
      expect(deviation(state[name]!, value), name).toBeLessThanOrEqual(1e-6);
  });

  it('runs the steps of every optimizer', async () => {
    for (const make of [
      (p: Tensor[]) => new optim.SGD(p, { lr: 0.1 }),
      (p: Tensor[]) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 }),
      (p: Tensor[]) => new optim.AdamW(p, { lr: 0.1 }),
      (p: Tensor[]) => new optim.RMSprop(p, { lr: 0.1 }),
    ]) {
      const [a, b] = [ones([3], { requiresGrad: true }), ones([3], { requiresGrad: true })];
      const [here, there] = [make([a]), make([b])];
      for (let i = 0; i < 3; i++) {
        a.grad = tensor([1, 2, 3]);
        b.grad = tensor([1, 2, 3]);
        here.step();
        await background(() => there.step());
      }
      expect(b.arraySync()).toEqual(a.arraySync());
    }
  });

  it('runs whole networks, dynamic ones too', async () => {
    for (const name of ['alexnet', 'alexnet-dy'] as const) {
      const model = models.create(name, { numClasses: 10 }).eval();
      const x = randn([2, 3, 128, 128]);
      const [expected, received] = [
        noGrad(() => model.forward(x)),
        await background(() => noGrad(() => model.forward(x))),
      ];
      expect(deviation(received, expected)).toBeLessThanOrEqual(1e-6);
      expect(received.requiresGrad).toBe(false);
    }
  });

  it('trains dynamic layers, whose use of experts is counted', async () => {
    const layer = new DynamicConv2d(3, 4, 3, { numExperts: 2 });
    const x = randn([4, 3, 8, 8]);
    const y = await background(() => layer.forward(x));
    expect(deviation(y, layer.forward(x))).toBeLessThanOrEqual(1e-6);
    await background(() => y.sum().backward());
    expect(layer.weight.grad!.shape).toEqual([2, 4, 3, 3, 3]);
    expect(layer.expertUsage().samples).toBe(8);
    await expect(background(() => layer.forward(x.relu().narrow(1, 0, 2)))).rejects.toThrow(
      'Expected [B, 3, H, W] for input but received [4, 2, 8, 8]',
    );
  });

  it('keeps grad mode, autocast and tidy of the calls', async () => {
    const w = ones([4, 4], { requiresGrad: true });
    const x = ones([4, 4]);
    const { plain, graph, half } = await background(() => ({
      plain: noGrad(() => w.mul(2)),
      graph: w.mul(2),
      half: autocast(() => x.matmul(x)),
    }));
    expect([plain.requiresGrad, graph.requiresGrad, half.dtype]).toEqual([false, true, 'bfloat16']);
    expect(x.matmul(x).dtype).toBe('float32');
    const before = memory().numTensors;
    const kept = await tidy(() => background(() => tidy(() => x.add(1).mul(2).sub(3))));
    expect(kept.arraySync()).toEqual(x.arraySync());
    kept.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it('refuses to give values and sizes before they are computed', async () => {
    const x = ones([2, 2]);
    await expect(background(() => x.add(1).sum().item())).rejects.toThrow(
      /Expected a computed Tensor for input of item but received one that background\(\) has not computed yet/,
    );
    await expect(background(() => x.add(1).shape)).rejects.toThrow(ArgumentError);
    let y!: Tensor;
    const pending = background(() => {
      y = x.add(1);
    });
    expect(() => y.add(1)).toThrow('await the promise of background() first');
    expect(() => y.dataSync()).toThrow(ArgumentError);
    await pending;
    expect(y.add(1).arraySync()).toEqual([
      [3, 3],
      [3, 3],
    ]);
  });

  it('refuses uses of tensors that a block under way changes, and changes of those that it reads', async () => {
    const [x, w] = [ones([2]), ones([2], { requiresGrad: true })];
    const wait = slow();
    const adding = background(() => x.add(1));
    expect(x.add(1).arraySync()).toEqual([2, 2]);
    expect(() => x.add_(1)).toThrow(
      /Expected a Tensor that background\(\) does not read .* for input of add_/,
    );
    const changing = background(() => x.mul_(3));
    expect(() => x.add(1)).toThrow(/Expected a Tensor that background\(\) does not change/);
    const loss = w.mul(2).sum();
    const backward = background(() => loss.backward());
    expect(() => w.grad).toThrow(/does not change/);
    await Promise.all([wait, adding, changing, backward]);
    expect((await adding).arraySync()).toEqual([2, 2]);
    expect(x.add_(1).arraySync()).toEqual([4, 4]);
    expect(w.grad!.arraySync()).toEqual([2, 2]);
  });

  it.each([
    ['a batch norm', (norm: nn.Module) => norm],
    ['a batch norm with its activation', (norm: nn.Module) => new nn.Sequential(norm, new nn.ReLU())],
  ])('refuses to read the statistics that %s changes meanwhile', async (_, layersOf) => {
    const norm = new nn.BatchNorm2d(4);
    const layers = layersOf(norm);
    const x = randn([4, 4, 8, 8]);
    const first = slow();
    const second = background(() => layers.forward(x));
    expect(() => norm.runningMean!.dataSync()).toThrow('background()');
    await Promise.all([first, second]);
    expect(norm.runningMean!.dataSync().some((value) => Number(value) !== 0)).toBe(true);
  });

  it('refuses an async function, whose own failure is not an unhandled rejection', async () => {
    await expect(background(async () => Promise.reject(new Error('later')))).rejects.toThrow(
      new ArgumentError('Expected a function that is not async for fn of background'),
    );
    await new Promise((resolve) => setTimeout(resolve, 1)); // vitest fails for an unhandled rejection
  });

  it('rejects with the error of the operation, and disposes what was not computed', async () => {
    const before = memory().numTensors;
    const x = ones([2, 3]);
    let late!: Tensor;
    const error = await background(() => {
      const wrong = x.matmul(x);
      late = wrong.add(1);
      return late;
    }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ShapeError);
    expect((error as Error).message).toMatch(/^matmul: /);
    expect(() => late.add(1)).toThrow(DisposedError);
    x.dispose();
    expect(memory().numTensors).toBe(before);
    expect((await background(() => ones([2]).add(1))).arraySync()).toEqual([2, 2]);
  });

  it('refuses functions that cannot be deferred', async () => {
    const x = ones([4], { requiresGrad: true });
    await expect(background(async () => x.add(1))).rejects.toThrow('Expected a function that is not async');
    await expect(background(() => 1)).rejects.toThrow(/received none: nothing to compute/);
    await expect(background(3 as never)).rejects.toThrow('Expected a function for fn');
    let inner!: Promise<unknown>;
    const outer = background(() => {
      inner = background(() => x.add(1)).catch((reason: unknown) => reason);
    });
    await expect(outer).rejects.toThrow(/nothing to compute/);
    expect(String(await inner)).toContain('outside of the function of another background()');
    await expect(background(() => x.split(2))).rejects.toThrow(/fixed number of results/);
    await expect(
      background(() => {
        throw new RangeError('mine');
      }),
    ).rejects.toThrow(RangeError);
    const cube = autograd.defineFunction({
      forward: (ctx, t: Tensor) => {
        ctx.saveForBackward(t);
        return t.pow(3);
      },
      backward: (ctx, g) => g.mul(ctx.savedTensors[0]!),
    });
    const loss = cube(x).sum();
    await expect(background(() => loss.backward())).rejects.toThrow(/thread/);
    expect(x.add(1).arraySync()).toEqual([2, 2, 2, 2]);
  });

  it('may be disposed, or collected, before it is computed', async () => {
    const x = ones([2]);
    const result = await background(() => {
      x.add(1).dispose();
      using y = x.add(2);
      return y.mul(2);
    });
    expect(result.arraySync()).toEqual([6, 6]);
  });
});
