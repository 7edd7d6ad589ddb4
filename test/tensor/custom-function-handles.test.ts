import { describe, expect, it } from 'vitest';
import { autograd, DisposedError, type Tensor, tensor } from '../../lib/index.js';

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
});
