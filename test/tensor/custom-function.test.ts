import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  arange,
  autograd,
  isGradEnabled,
  memory,
  NativeError,
  noGrad,
  ones,
  rand,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';
import { runProcess, startWorker } from '../support/program.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const double = (shape: number[]) => rand(shape, { dtype: 'float64', requiresGrad: true });

const cube = autograd.defineFunction({
  name: 'Cube',
  forward(ctx, x: Tensor) {
    ctx.saveForBackward(x);
    return x.pow(3);
  },
  backward(ctx, gradient) {
    const [x] = ctx.savedTensors;
    return gradient.mul(x!.square().mul(3));
  },
});

/** exp with a backward that uses its result, the usual case for saving an output. */
const exponential = autograd.defineFunction({
  forward(ctx, x: Tensor) {
    const y = x.exp();
    ctx.saveForBackward(y);
    return y;
  },
  backward: (ctx, gradient) => gradient.mul(ctx.savedTensors[0]!),
});

describe('defineFunction', () => {
  it('differentiates by its own backward', () => {
    const x = leaf(1, 2);
    const y = cube(x);
    expect([y.arraySync(), y.requiresGrad, y.isLeaf, y.gradFn]).toEqual([
      [1, 8],
      true,
      false,
      'CubeBackward',
    ]);
    y.sum().backward();
    expect(x.grad!.arraySync()).toEqual([3, 12]);
  });

  it('passes gradcheck, alone and within other operations', () => {
    expect(autograd.gradcheck((x) => cube(x!), [double([2, 3])])).toBe(true);
    expect(autograd.gradcheck((x) => exponential(x!), [double([4])])).toBe(true);
    expect(autograd.gradcheck((x, y) => cube(x!.mul(y!)).exp().sum(), [double([3]), double([3])])).toBe(true);
  });

  it('gives higher derivatives through the operations of its backward', () => {
    const x = leaf(2);
    const derive = (f: Tensor) => autograd.grad(f, x, { createGraph: true })[0]!;
    const first = derive(cube(x));
    const second = derive(first);
    expect([first.item(), second.item(), derive(second).item()]).toEqual([12, 12, 6]);
    const e = leaf(0.5);
    const d1 = autograd.grad(exponential(e), e, { createGraph: true })[0]!;
    expect(autograd.grad(d1, e)[0]!.item()).toBeCloseTo(Math.exp(0.5), 5);
  });

  it('takes numbers, several tensors, and gives several', () => {
    const seen: unknown[] = [];
    const sumAndScaled = autograd.defineFunction({
      forward(ctx, x: Tensor, factor: number, y: Tensor): Tensor[] {
        ctx.factor = factor;
        seen.push(ctx.needsInputGrad);
        return [x.add(y), x.mul(factor)];
      },
      backward: (ctx, dSum, dScaled) => [dSum!.add(dScaled!.mul(ctx.factor as number)), null, dSum!],
    });
    const [x, y] = [leaf(1, 2), leaf(3, 4)];
    const [sum, scaled] = sumAndScaled(x, 10, y);
    sum!.add(scaled!).sum().backward();
    expect([x.grad!.arraySync(), y.grad!.arraySync()]).toEqual([
      [11, 11],
      [1, 1],
    ]);
    sumAndScaled(x, 10, zeros([2]));
    expect(seen).toEqual([
      [true, false, true],
      [true, false, false],
    ]);
  });

  it('gives zeros, or null, for outputs that no gradient reaches', () => {
    const make = (materialize: boolean) =>
      autograd.defineFunction({
        forward(ctx, x: Tensor): Tensor[] {
          ctx.setMaterializeGrads(materialize);
          return [x.mul(1), x.mul(2)];
        },
        backward(_, first, second) {
          seen.push((second as Tensor | null)?.arraySync() ?? null);
          return first!;
        },
      });
    const seen: unknown[] = [];
    for (const materialize of [true, false]) make(materialize)(leaf(1, 2))[0]!.sum().backward();
    expect(seen).toEqual([[0, 0], null]);
  });

  it('leaves marked outputs and integers without gradient', () => {
    const split = autograd.defineFunction({
      forward(ctx, x: Tensor): Tensor[] {
        const positive = x.gt(0);
        const sign = x.sign();
        ctx.markNonDifferentiable(sign);
        return [x.abs(), sign, positive];
      },
      backward: (_, gradient) => gradient!,
    });
    const outputs = split(leaf(1, -2));
    expect(outputs.map((output) => output.requiresGrad)).toEqual([true, false, false]);
    outputs[0]!.sum().backward();
  });

  it('may give back its argument, a view of it, or one result twice', () => {
    const same = autograd.defineFunction({
      forward: (_, x: Tensor): Tensor[] => {
        const y = x.mul(2);
        return [x, x.view([2, 1]), y, y];
      },
      backward: (_, a, b, c, d) =>
        a!
          .add(b!.view([2]))
          .add(c!.mul(2))
          .add(d!.mul(2)),
    });
    const x = leaf(1, 2);
    const outputs = same(x);
    expect(outputs[0]).not.toBe(x);
    expect(new Set(outputs).size).toBe(4);
    outputs[0]!
      .add(outputs[1]!.view([2]).mul(10))
      .add(outputs[2]!.mul(100))
      .add(outputs[3]!.mul(1000))
      .sum()
      .backward();
    expect(x.grad!.arraySync()).toEqual([2211, 2211]);
  });

  it('records nothing in forward, nor without need', () => {
    const modes: boolean[] = [];
    const watch = autograd.defineFunction({
      forward: (_, x: Tensor) => {
        modes.push(isGradEnabled());
        return x.mul(2);
      },
      backward: (_, gradient) => {
        modes.push(isGradEnabled());
        return gradient.mul(2);
      },
    });
    expect(watch(zeros([1])).requiresGrad).toBe(false);
    expect(noGrad(() => watch(leaf(1))).requiresGrad).toBe(false);
    const x = leaf(1);
    watch(x).backward();
    expect(x.grad!.requiresGrad).toBe(false);
    watch(x).backward(undefined, { createGraph: true });
    expect(modes).toEqual([false, false, false, false, false, true]);
    expect(isGradEnabled()).toBe(true);
  });

  it('keeps the mode of the pass around a noGrad in backward', () => {
    const x = leaf(1);
    const f = autograd.defineFunction({
      forward: (_, t: Tensor) => t.mul(2),
      backward: (_, gradient) => noGrad(() => gradient.mul(2)),
    });
    f(x.exp().log()).backward();
    expect(x.grad!.requiresGrad).toBe(false);
  });

  it('hands errors of both halves to the caller as they are, and the next pass works', () => {
    const problem = new RangeError('on purpose');
    const failing = autograd.defineFunction({
      forward: (_, x: Tensor, when: string) => {
        if (when === 'forward') throw problem;
        return x.mul(2);
      },
      backward: () => {
        throw problem;
      },
    });
    expect(() => failing(leaf(1), 'forward')).toThrow(problem);
    expect(isGradEnabled()).toBe(true);
    const caught = (run: () => void) => {
      try {
        run();
      } catch (error) {
        return error;
      }
    };
    expect(caught(() => failing(leaf(1).mul(2), 'backward').mul(3).backward())).toBe(problem);
    expect(caught(() => autograd.grad(failing(leaf(1), ''), leaf(1), { allowUnused: true }))).toBe(undefined);
    const x = leaf(2);
    cube(x).backward();
    expect(x.grad!.item()).toBe(12);
  });

  it('reports wrong results of forward and backward', () => {
    const bad = (backward: () => unknown, forward: (x: Tensor) => unknown = (x) => x.mul(2)) => {
      const f = autograd.defineFunction({
        name: 'Bad',
        forward: (_, x: Tensor) => forward(x) as Tensor,
        backward: backward as () => Tensor,
      });
      return () => f(leaf(1, 2)).sum().backward();
    };
    expect(bad(() => [])).toThrow(
      'Expected 1 gradients from backward of Bad, one per argument, but received 0',
    );
    expect(bad(() => 3)).toThrow(
      'Expected a Tensor or null for gradient 0 from backward of Bad but received 3',
    );
    expect(bad(() => zeros([3]))).toThrow('BadBackward returned an invalid gradient at index 0');
    expect(
      bad(
        () => null,
        () => 4,
      ),
    ).toThrow('Expected Tensors from forward of Bad but received 4');
    expect(
      bad(
        () => null,
        () => [],
      ),
    ).toThrow('Expected at least one Tensor from forward of Bad');
    expect(() => autograd.defineFunction({ forward: 1 } as never)).toThrow(ArgumentError);
  });

  it('refuses a second pass over what it saved, and sees changes in place', () => {
    const y = cube(leaf(1));
    y.backward();
    expect(() => y.backward()).toThrow('backward through the graph a second time');
    const base = leaf(1, 2).mul(1);
    const z = cube(base);
    base.mul_(2);
    expect(() => z.sum().backward()).toThrow(NativeError);
  });

  it('goes twice through a kept graph', () => {
    const x = leaf(2);
    const y = cube(x);
    y.backward(undefined, { retainGraph: true });
    y.backward();
    expect(x.grad!.item()).toBe(24);
  });

  it('may run another backward pass in backward', () => {
    const outer = autograd.defineFunction({
      forward(ctx, x: Tensor) {
        ctx.saveForBackward(x);
        return x.exp();
      },
      backward(ctx, gradient) {
        const inner = ctx.savedTensors[0]!.detach().requiresGrad_();
        const [d] = autograd.grad(exponential(inner.add(0)), inner, { gradOutputs: gradient });
        return d!;
      },
    });
    // Recording is off in an ordinary backward pass: the inner pass enables it.
    const x = leaf(1);
    expect(() => outer(x).backward()).toThrow('does not require grad');
    outer(x).backward(undefined, { createGraph: true });
    expect(x.grad!.item()).toBeCloseTo(Math.E, 5);
  });

  it('leaves nothing behind', () => {
    const x = ones([1000], { requiresGrad: true });
    const run = (n: number) => {
      for (let i = 0; i < n; i++) {
        tidy(() => {
          exponential(cube(x)).sum().backward();
          x.grad = null;
        });
      }
    };
    run(3);
    collectGarbage();
    const before = memory().numTensors;
    run(50);
    expect(memory().numTensors).toBe(before);
    // Without tidy, outputs are garbage-collected together with the nodes that saved them.
    for (let i = 0; i < 50; i++) exponential(cube(x));
    collectGarbage();
    arange(1).dispose();
    collectGarbage();
    expect(memory().numTensors).toBeLessThanOrEqual(before + 2);
  });
});

it('lets callbacks go when their graph ends', async () => {
  const body = `
    const refs = [];
    const x = dyconv.ones([4], { requiresGrad: true });
    for (let i = 0; i < 20; i++) {
      const ballast = { i };
      refs.push(new WeakRef(ballast));
      const f = dyconv.autograd.defineFunction({
        forward: (ctx, t) => { ctx.ballast = ballast; const y = t.exp(); ctx.saveForBackward(y); return y; },
        backward: (ctx, g) => { x.registerHook(() => void ballast).remove(); return g.mul(ctx.savedTensors[0]); },
      });
      const y = f(x);
      if (i % 2) y.sum().backward();
      y.registerHook(() => void ballast);
    }
    const { setFlagsFromString } = await import('node:v8');
    setFlagsFromString('--expose-gc');
    const gc = (await import('node:vm')).runInNewContext('gc');
    for (let i = 0; i < 5; i++) { await new Promise((r) => setTimeout(r, 5)); gc(); dyconv.memory(); }
    console.log(refs.filter((ref) => ref.deref() !== undefined).length);`;
  const { stdout } = await runProcess(body);
  expect(Number(stdout)).toBeLessThanOrEqual(1);
});

it('works in workers, each with its own functions, which may end in the middle', async () => {
  const body = `
    const f = dyconv.autograd.defineFunction({
      forward: (ctx, x) => x.mul(workerData), backward: (ctx, g) => g.mul(workerData) });
    const x = dyconv.ones([2], { requiresGrad: true });
    f(x).sum().backward();
    parentPort.postMessage(x.grad.arraySync());
    for (;;) { f(x).sum().backward(); x.grad = null; }`;
  const workers = [2, 3, 4].map((factor) => startWorker(body, factor));
  const results = await Promise.all(
    workers.map(
      (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
    ),
  );
  expect(results).toEqual([
    [2, 2],
    [3, 3],
    [4, 4],
  ]);
  await Promise.all(workers.map((worker) => worker.terminate()));
});
