import { describe, expect, it } from 'vitest';
import { CheckpointError, memory, ones, optim, type Tensor, tensor, tidy } from '../../lib/index.js';
import { golden } from '../golden/hash.js';

interface Case {
  options: Partial<optim.LBFGSOptions>;
  steps: { loss: number; calls: number; params: number[] }[];
}
const cases = golden<{ lbfgs: Case[] }>('optim').lbfgs;

/** Rosenbrock's function, as in make_optim.py. */
function problem(options: Partial<optim.LBFGSOptions>) {
  const double = { dtype: 'float64', requiresGrad: true } as const;
  const x = tensor([[-1.2, 1]], double);
  const y = tensor([0.5, 0.7], double);
  const optimizer = new optim.LBFGS([x, ones([1], double), y], options);
  const found = {
    optimizer,
    calls: 0,
    closure: (): Tensor => {
      found.calls++;
      optimizer.zeroGrad();
      const loss = y.sub(x.select(0, 0).square()).square().sum().mul(10).add(x.sub(1).square().sum());
      loss.backward();
      return loss;
    },
    params: () => [x, y].flatMap((p) => Array.from(p.detach().flatten().dataSync(), Number)),
  };
  return found;
}

const close = (value: number, wanted: number) =>
  expect(Math.abs(value - wanted)).toBeLessThan(1e-7 * Math.max(1, Math.abs(wanted)));

describe.each(cases)('LBFGS $options', ({ options, steps }) => {
  it.each(['without a pause', 'resumed after every step'])('equals PyTorch %s', (how) => {
    let run = problem(options);
    let calls = 0;
    for (const { loss, calls: wanted, params } of steps) {
      close(run.optimizer.step(run.closure).item() as number, loss);
      expect(calls + run.calls).toBe(wanted);
      run.params().forEach((value, i) => void close(value, params[i]!));
      if (how === 'without a pause') continue;
      calls += run.calls;
      const resumed = problem(options);
      resumed.optimizer.paramGroups[0]!.params.forEach((p, i) => {
        p.detach().copy_(run.optimizer.paramGroups[0]!.params[i]!.detach());
      });
      resumed.optimizer.loadStateDict(run.optimizer.stateDict());
      run = resumed;
    }
  });
});

describe('LBFGS', () => {
  it('keeps no tensors beyond its history', () => {
    const run = problem({ historySize: 3, lineSearchFn: 'strongWolfe', maxIter: 4 });
    const step = () => tidy(() => void run.optimizer.step(run.closure));
    step();
    step();
    const before = memory().numTensors;
    for (let i = 0; i < 3; i++) step();
    expect(memory().numTensors).toBeLessThanOrEqual(before);
  });

  it('refuses a step without a closure, several groups, and options out of range', () => {
    const p = () => ones([1], { requiresGrad: true });
    expect(() => new optim.LBFGS([p()]).step()).toThrow('for closure');
    expect(() => new optim.LBFGS([{ params: [p()] }, { params: [p()] }])).toThrow(
      'Expected one parameter group for LBFGS but received 2',
    );
    expect(() => new optim.LBFGS([p()], { lineSearchFn: 'armijo' as never })).toThrow('for lineSearchFn');
    expect(() => new optim.LBFGS([p()], { maxIter: 0 })).toThrow('for maxIter');
    expect(() => new optim.LBFGS([p()]).step(() => 'loss')).toThrow(
      'Expected the loss for the result of closure',
    );
  });

  it('rejects the state of other parameters, without changes', () => {
    const run = problem({});
    run.optimizer.step(run.closure);
    const other = new optim.LBFGS([1, 2, 3].map(() => ones([3], { requiresGrad: true })));
    expect(() => other.loadStateDict(run.optimizer.stateDict())).toThrow(CheckpointError);
    expect(Object.keys(other.stateDict().tensors)).toEqual([]);
  });
});
