import { describe, expect, it } from 'vitest';
import { autograd, DisposedError, keep, memory, type Tensor, tensor, tidy } from '../../lib/index.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });

describe('defineFunction', () => {
  it('refuses names, marks and modes that are none, and tensors that are gone', () => {
    const run = (forward: (ctx: autograd.FunctionContext, x: Tensor) => unknown) => () =>
      autograd.defineFunction({ forward: forward as never, backward: (_, gradient) => gradient })(
        leaf(1) as never,
      );
    const identity = { forward: (_: unknown, x: Tensor) => x, backward: (_: unknown, g: Tensor) => g };
    for (const name of [3, Symbol('x'), null])
      expect(() => autograd.defineFunction({ ...identity, name: name as never })).toThrow(
        'Expected a string for name',
      );
    expect(run((ctx) => ctx.markNonDifferentiable(3 as never))).toThrow('Expected Tensors for outputs');
    expect(run((ctx) => ctx.setMaterializeGrads('x' as never))).toThrow('Expected a boolean for value');
    expect(run((ctx) => ctx.saveForBackward(3 as never))).toThrow('Expected Tensors for tensors');
    expect(run(async (_, x) => x)).toThrow(
      'Expected Tensors from forward of CustomFunction but received Promise',
    );
    const gone = (x: Tensor) => {
      const y = x.mul(2);
      y.dispose();
      return y;
    };
    expect(run((_, x) => gone(x))).toThrow(DisposedError);
    expect(
      run((ctx, x) => {
        ctx.saveForBackward(gone(x));
        return x.mul(2);
      }),
    ).toThrow(DisposedError);
    const disposing = autograd.defineFunction({
      forward: (_, x: Tensor) => x.mul(2),
      backward: (_, gradient) => gone(gradient),
    });
    expect(() => disposing(leaf(1)).backward()).toThrow(DisposedError);
  });

  it('keeps what it saved though the handle that was saved is disposed', () => {
    const made: Tensor[] = [];
    const scale = autograd.defineFunction({
      forward(ctx, x: Tensor) {
        const factor = x.mul(3);
        ctx.saveForBackward(factor);
        made.push(factor);
        return x.mul(2);
      },
      backward: (ctx, gradient) => gradient.mul(ctx.savedTensors[0]!),
    });
    const x = leaf(2);
    const y = scale(x);
    made[0]!.dispose();
    y.backward();
    expect(x.grad!.item()).toBe(6);
  });

  it('leaves gradients and saved tensors that are kept to the caller, and disposes the others', () => {
    const kept: Tensor[] = [];
    const others: Tensor[] = [];
    const pair = autograd.defineFunction({
      forward(ctx, x: Tensor) {
        ctx.saveForBackward(x.mul(3), x.mul(4));
        return [x.mul(2), x.mul(5)];
      },
      backward(ctx, first, second) {
        const [a, b] = ctx.savedTensors as [Tensor, Tensor];
        kept.push(keep(first!), keep(a));
        others.push(second!, b, first!.add(1));
        return first!.mul(second!);
      },
    });
    const x = leaf(1, 2);
    const before = memory().numTensors;
    tidy(() => {
      const [first, second] = pair(x) as [Tensor, Tensor];
      first
        .mul(tensor([7, 8]))
        .sum()
        .add(second.sum())
        .backward();
    });
    expect(kept.map((t) => t.arraySync())).toEqual([
      [7, 8],
      [3, 6],
    ]);
    expect(others.map((t) => t.isDisposed)).toEqual([true, true, true]);
    tidy(() => expect(x.grad!.arraySync()).toEqual([7, 8]));
    for (const one of kept) one.dispose();
    x.grad = null;
    expect(memory().numTensors).toBe(before);
  });

  it('keeps a gradient that is returned as well', () => {
    let seen: Tensor | undefined;
    const identity = autograd.defineFunction({
      forward: (_, x: Tensor) => x.mul(1),
      backward: (_, gradient) => {
        seen = keep(gradient);
        return gradient;
      },
    });
    const x = leaf(1);
    identity(x).mul(4).backward();
    expect(seen!.item()).toBe(4);
    expect(x.grad!.item()).toBe(4);
  });
});
