import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  autograd,
  DisposedError,
  DTypeError,
  enableGrad,
  NativeError,
  ones,
  ShapeError,
  type Tensor,
  tensor,
} from '../../lib/index.js';
import { startWorker } from '../support/program.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });

describe('registerHook', () => {
  it.each<[string, unknown]>([
    ['an Error', new RangeError('no')],
    ['a number', 5],
    ['a string', 'no'],
    ['a symbol', Symbol('no')],
    ['null', null],
  ])('passes %s that a hook throws to the caller as it is', (_, thrown) => {
    const x = leaf(1);
    x.registerHook(() => {
      throw thrown;
    });
    let caught: unknown = 'nothing';
    try {
      x.mul(2).backward();
    } catch (error) {
      caught = error;
    }
    expect(caught).toBe(thrown);
  });

  it('sees the gradient of leaves and results in every pass, until removed', () => {
    const seen: unknown[] = [];
    const x = leaf(1, 2);
    const y = x.mul(2);
    const hooks = [
      x.registerHook((gradient) => void seen.push(['x', gradient.arraySync()])),
      y.registerHook((gradient) => void seen.push(['y', gradient.arraySync()])),
    ];
    y.sum().backward(undefined, { retainGraph: true });
    hooks[1]!.remove();
    hooks[1]!.remove();
    y.sum().backward();
    hooks[0]!.remove();
    x.sum().backward();
    expect(seen).toEqual([
      ['y', [1, 1]],
      ['x', [2, 2]],
      ['x', [2, 2]],
    ]);
  });

  it('puts what it returns in the place of the gradient', () => {
    const x = leaf(1, 2);
    x.registerHook((gradient) => gradient.mul(10));
    x.registerHook((gradient) => gradient.add(1));
    x.sum().backward();
    expect(x.grad!.arraySync()).toEqual([11, 11]);
    const y = leaf(3);
    y.square()
      .mul(1)
      .registerHook(() => tensor([0]));
    const z = y.square();
    z.registerHook((gradient) => gradient.mul(-1));
    z.backward();
    expect(y.grad!.item()).toBe(-6);
  });

  it('is part of a recorded pass', () => {
    const x = leaf(2);
    x.registerHook((gradient) => gradient.mul(x));
    const [first] = autograd.grad(x.square(), x, { createGraph: true });
    expect(first!.item()).toBe(8);
    expect(autograd.grad(first!, x)[0]!.item()).not.toBe(0);
  });

  it('hands its errors to the caller', () => {
    const problem = new TypeError('of the hook');
    const x = leaf(1);
    const hook = x.registerHook(() => {
      throw problem;
    });
    expect(() => x.mul(2).backward()).toThrow(problem);
    hook.remove();
    x.mul(2).backward();
    expect(x.grad!.item()).toBe(2);
    expect(() => x.registerHook(1 as never)).toThrow(ArgumentError);
    x.registerHook(() => 3 as never);
    expect(() => x.mul(2).backward()).toThrow(
      'Expected a Tensor or nothing for the result of hook but received 3',
    );
    expect(() => tensor([1]).registerHook(() => {})).toThrow(NativeError);
  });

  it('refuses what cannot take the place of the gradient', () => {
    const pass = (hook: (gradient: Tensor) => unknown) => () => {
      const x = leaf(1, 2);
      const y = x.mul(2);
      y.registerHook(hook as never);
      y.sum().backward();
      return x.grad;
    };
    expect(pass(() => ones([5]))).toThrow(ShapeError);
    expect(pass(() => ones([2], { dtype: 'float64' }))).toThrow(DTypeError);
    expect(pass(() => null)).toThrow(ArgumentError);
    expect(pass(async () => ones([2]))).toThrow('for the result of hook but received Promise');
    const gone = (gradient: Tensor) => {
      gradient.dispose();
      return gradient;
    };
    expect(pass(gone)).toThrow(DisposedError);
    // What a hook does with its own handle does not affect the pass.
    expect(pass((gradient) => gradient.dispose())()!.arraySync()).toEqual([2, 2]);
  });

  it('may remove itself and others, add more, and dispose its tensor, in the middle of the pass', () => {
    const calls: string[] = [];
    const x = leaf(1, 2);
    const first = x.registerHook(() => {
      calls.push('first');
      first.remove();
      second.remove();
      for (let i = 0; i < 50; i++) x.registerHook(() => void calls.push('added'));
    });
    const second = x.registerHook(() => void calls.push('second'));
    x.registerHook(() => void calls.push('third'));
    x.mul(2).sum().backward();
    expect(calls).toEqual(['first', 'third']);
    x.mul(2).sum().backward();
    expect(calls.length).toBe(2 + 1 + 50);
    const y = leaf(1);
    y.registerHook(() => y.dispose());
    y.mul(2).backward();
    expect(y.isDisposed).toBe(true);
  });

  it('may run another backward pass', () => {
    const [x, z] = [leaf(1), leaf(3)];
    x.registerHook(() => enableGrad(() => z.square().backward()));
    x.mul(2).backward();
    expect([x.grad!.item(), z.grad!.item()]).toEqual([2, 6]);
  });

  it('may be removed after its tensor was disposed', () => {
    const y = leaf(1).mul(2);
    const hook = y.registerHook(() => {});
    y.dispose();
    expect(() => hook.remove()).not.toThrow();
  });
});

describe('retainGrad', () => {
  it('keeps the gradient of a result', () => {
    const x = leaf(2);
    const y = x.square();
    y.retainGrad();
    y.mul(3).backward();
    expect([y.retainsGrad, y.grad!.item(), x.grad!.item()]).toEqual([true, 3, 12]);
    x.retainGrad();
    expect(x.retainsGrad).toBe(false);
    expect(() => tensor([1]).retainGrad()).toThrow(NativeError);
  });

  it('names the operation behind a result', () => {
    expect([leaf(1).gradFn, leaf(1).mul(2).gradFn]).toEqual([null, 'MulBackward0']);
  });
});

describe('detectAnomaly', () => {
  it('leaves nothing on when its options are refused', () => {
    expect(() => autograd.detectAnomaly(() => 1, { checkNan: 'yes' as never })).toThrow(
      "Expected a boolean for checkNan but received 'yes'",
    );
    const x = leaf(-1);
    expect(autograd.detectAnomaly(() => 5)).toBe(5);
    x.sqrt().backward();
    expect(x.grad!.item()).toBeNaN();
  });

  const badRoot = (x: Tensor) => x.sub(1).sqrt().mul(0);
  const message = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      return (error as Error).message;
    }
    return 'no error';
  };

  it('names the operation that gave NaN and where its forward was called', () => {
    const run = () => badRoot(leaf(1)).sum().backward();
    expect(message(run)).toBe('no error');
    const told = message(() => autograd.detectAnomaly(run));
    expect(told).toContain("Function 'SqrtBackward0' returned nan values in its 0th output.");
    expect(told).toContain('The forward operation of SqrtBackward0 was recorded here:');
    expect(told).toMatch(/at badRoot \(.*hooks\.test\.ts/);
    expect(message(run)).toBe('no error');
  });

  it('reports other failures too, and only once', () => {
    const run = () => {
      const y = leaf(1, 2).exp();
      const loss = y.sum();
      y.mul_(2);
      loss.backward();
    };
    const told = message(() => autograd.detectAnomaly(run, { checkNan: false }));
    expect(told).toContain('modified by an inplace operation');
    expect(told).toContain('The forward operation of ExpBackward0 was recorded here:');
    expect(message(() => leaf(1, 2).matmul(leaf(1)))).not.toContain('recorded here');
    expect(
      message(() => autograd.detectAnomaly(() => badRoot(leaf(1)).backward(), { checkNan: false })),
    ).toBe('no error');
  });

  it('names both passes of a second derivative', () => {
    const told = message(() =>
      autograd.detectAnomaly(() => {
        const x = leaf(0);
        const [first] = autograd.grad(x.pow(1.5), x, { createGraph: true });
        first!.sqrt().mul(0).backward();
      }),
    );
    expect(told).toContain('returned nan values');
  });

  it('takes async functions and nests', async () => {
    await expect(
      autograd.detectAnomaly(async () => {
        await null;
        autograd.detectAnomaly(() => leaf(1).sum());
        badRoot(leaf(1)).sum().backward();
      }),
    ).rejects.toThrow('recorded here');
    expect(message(() => badRoot(leaf(1)).sum().backward())).toBe('no error');
    expect(() => autograd.detectAnomaly(1 as never)).toThrow(ArgumentError);
  });

  it("stays on while another thread's block is open, and ends with the worker", async () => {
    const run = () => badRoot(leaf(1)).sum().backward();
    const worker = startWorker(
      // A pending operation, without which the process would end.
      "setInterval(() => {}, 1000); dyconv.autograd.detectAnomaly(() => new Promise(() => parentPort.postMessage('open')));",
    );
    await once(worker, 'message');
    autograd.detectAnomaly(() => 1);
    expect(message(run)).toContain('was recorded outside of detectAnomaly()');
    await worker.terminate();
    expect(message(run)).toBe('no error');
  });
});
