/** Options of training beyond the article's: clipping, accumulation, averages, early stopping, autocast. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, CheckpointError, TrainingError } from '../../lib/errors.js';
import { functional as F, optim, type Tensor } from '../../lib/index.js';
import {
  type EpochRecord,
  evaluate,
  type StepEvent,
  Trainer,
  type TrainerOptions,
} from '../../lib/train/index.js';
import { bitsOf, RandomImages, sgd, tinyNet } from './support.js';

function training(options: Partial<TrainerOptions> & { dropout?: number | undefined } = {}) {
  const { dropout, ...rest } = options;
  const model = options.model ?? tinyNet({ dropout });
  const optimizer = options.optimizer ?? sgd(model);
  const trainer = new Trainer({ model, optimizer, trainLoader: new RandomImages(8), epochs: 2, ...rest });
  const steps: StepEvent[] = [];
  const epochs: EpochRecord[] = [];
  trainer.on('step', (event) => steps.push(event));
  trainer.on('epoch', (record) => epochs.push(record));
  return { model, optimizer, trainer, steps, epochs };
}

function largestOf(values: Tensor): number {
  return [...values.dataSync()].reduce<number>((top, value) => Math.max(top, Math.abs(Number(value))), 0);
}

/** The largest difference between the parameters of two models. */
function distance(a: ReturnType<typeof tinyNet>, b: ReturnType<typeof tinyNet>): number {
  const others = [...b.parameters()];
  return Math.max(...[...a.parameters()].map((p, i) => largestOf(p.sub(others[i]!))));
}

describe('accumulation', () => {
  it('steps as one larger batch does', async () => {
    // Without batch norm, whose statistics are computed per small batch.
    const net = () => {
      const model = tinyNet();
      model.eval();
      model.train = () => model; // evaluation mode: running statistics, in both
      return model;
    };
    const small = training({ model: net(), trainLoader: new RandomImages(4), accumulate: 4 });
    const large = training({ model: net(), trainLoader: new RandomImages(16) });
    await small.trainer.fit();
    await large.trainer.fit();
    expect(distance(small.model as never, large.model as never)).toBeLessThan(1e-5);
    const seen = (steps: StepEvent[]) => steps.map(({ step, images }) => [step, images]);
    expect(seen(small.steps)).toEqual(seen(large.steps));
    expect(small.steps.map(({ batch, accumulated }) => [batch, accumulated])).toEqual(
      [4, 8, 12, 4, 8, 12].map((batch) => [batch, 4]),
    );
    small.steps.forEach(({ loss, accuracy }, i) => {
      expect(loss).toBeCloseTo(large.steps[i]!.loss, 4);
      expect(accuracy).toBe(large.steps[i]!.accuracy);
    });
    expect(small.epochs.map(({ train }) => train.accuracy)).toEqual(
      large.epochs.map(({ train }) => train.accuracy),
    );
  });

  it('steps with what is left at the end of an epoch', async () => {
    const { trainer, steps } = training({ accumulate: 4 }); // 6 batches an epoch
    expect(await trainer.fit()).toMatchObject({ steps: 4 });
    expect(steps.map(({ batch, accumulated, images }) => [batch, accumulated, images])).toEqual([
      [4, 4, 32],
      [6, 2, 16],
      [4, 4, 32],
      [6, 2, 16],
    ]);
  });

  it('stops between steps, never within one', async () => {
    const controller = new AbortController();
    const loader = new RandomImages(8);
    const { trainer } = training({ accumulate: 3, trainLoader: loader, signal: controller.signal });
    const timer = setInterval(() => loader.seen.length === 2 && controller.abort(), 0);
    await trainer.fit();
    clearInterval(timer);
    expect(trainer.position.batch % 3).toBe(0);
  });
});

describe('clipping', () => {
  it('limits the norm and reports its original value', async () => {
    const model = tinyNet();
    const norms: number[] = [];
    class Spy extends optim.SGD {
      override step(): void {
        norms.push(Math.hypot(...[...model.parameters()].map((p) => Number(p.grad?.norm().item() ?? 0))));
        super.step();
      }
    }
    const optimizer = new Spy(model.parameters(), { lr: 0.1 });
    const { trainer, steps } = training({ model, optimizer, clip: { norm: 0.05 } });
    await trainer.fit();
    expect(Math.max(...norms)).toBeLessThanOrEqual(0.0501);
    expect(steps.every(({ gradNorm }) => gradNorm !== null && gradNorm > 0)).toBe(true);
    expect(steps[0]!.gradNorm).toBeGreaterThan(0.05);
  });

  it('bounds every element', async () => {
    const model = tinyNet();
    let largest = 0;
    class Spy extends optim.SGD {
      override step(): void {
        for (const p of model.parameters()) if (p.grad) largest = Math.max(largest, largestOf(p.grad));
        super.step();
      }
    }
    const optimizer = new Spy(model.parameters(), { lr: 0.1 });
    const { trainer, steps } = training({ model, optimizer, clip: { value: 0.01 } });
    await trainer.fit();
    expect(largest).toBeCloseTo(0.01, 6);
    expect(steps[0]!.gradNorm).toBeNull();
  });

  it('refuses gradients that are not finite, and leaves the weights as they were', async () => {
    const { trainer, model } = training({
      clip: { norm: 1 },
      // Finite with a gradient that is not finite: sqrt at 0.
      loss: (logits) => logits.mul(0).abs().sqrt().sum(),
    });
    const before = bitsOf(model);
    await expect(trainer.fit()).rejects.toThrow(TrainingError);
    await expect(
      training({ clip: { norm: 1 }, loss: (l) => l.mul(0).abs().sqrt().sum() }).trainer.fit(),
    ).rejects.toThrow(/finite gradients but their norm is NaN in epoch 1, step 1/);
    const parameters = [...model.namedParameters()].map(([name]) => name);
    for (const name of parameters) expect(bitsOf(model)[name], name).toEqual(before[name]);
  });
});

describe('averaged weights', () => {
  it('follow the formula, and validation uses them', async () => {
    const model = tinyNet();
    const optimizer = sgd(model);
    const weight = [...model.parameters()].at(-1)!;
    const seen: number[][] = [];
    const valLoader = new RandomImages(16, { seed: 8 });
    const { trainer } = training({ model, optimizer, valLoader, ema: { decay: 0.6 }, epochs: 1 });
    trainer.on('step', () => seen.push([...weight.dataSync()] as number[]));
    const validated: number[] = [];
    trainer.on('validation', ({ loss }) => validated.push(loss));
    let averaged: number[] = [];
    await trainer.fit();
    const own = bitsOf(model);
    const again = await trainer.withEvaluationWeights(async () => {
      averaged = [...weight.dataSync()] as number[];
      return evaluate(model, valLoader);
    });
    let expected = seen[0]!;
    for (let n = 1; n < seen.length; n++) {
      const decay = Math.min(0.6, (1 + n) / (10 + n));
      expected = expected.map((value, i) => decay * value + (1 - decay) * seen[n]![i]!);
    }
    for (const [i, value] of averaged.entries()) expect(value).toBeCloseTo(expected[i]!, 5);
    expect(validated).toEqual([again.loss]);
    expect((await evaluate(model, valLoader)).loss).not.toBe(again.loss);
    expect(bitsOf(model)).toEqual(own); // and the weights are back
  });

  it('put the weights back when the function throws', () => {
    const model = tinyNet();
    const ema = new optim.ExponentialMovingAverage(model.parameters());
    ema.update();
    for (const p of model.parameters()) p.detach().fill_(3);
    expect(() =>
      ema.apply(() => {
        throw new Error('broken');
      }),
    ).toThrow('broken');
    for (const p of model.parameters()) expect([...p.dataSync()]).toEqual(new Array(p.numel).fill(3));
  });

  it('refuse a state of other parts', () => {
    const one = training({ ema: {} });
    const other = training();
    expect(() => other.trainer.loadStateDict(one.trainer.stateDict())).toThrow(
      /Expected training state without averaged weights, but it was saved with/,
    );
    const [a] = [...tinyNet().parameters()];
    const ema = new optim.ExponentialMovingAverage([a!]);
    expect(() => ema.loadStateDict({ updates: 1, averages: [] })).toThrow(CheckpointError);
  });
});

describe('early stopping', () => {
  /** A training with given validation losses. */
  async function epochsOf(losses: number[], earlyStopping: TrainerOptions['earlyStopping'], more = {}) {
    let pass = -1;
    const { trainer, epochs } = training({
      epochs: losses.length,
      valLoader: new RandomImages(48),
      loss: (logits, labels) => {
        if (logits.requiresGrad) return logits.sum().mul(0);
        pass += 1;
        return logits
          .sum()
          .mul(0)
          .add(losses[pass]!)
          .add(labels.sum().mul(0).to({ dtype: 'float32' }));
      },
      monitor: 'loss',
      earlyStopping,
      ...more,
    });
    const result = await trainer.fit();
    return { result, epochs, trainer };
  }

  it('takes undefined for left out', async () => {
    const options = { patience: 2, minDelta: undefined, metric: undefined };
    const { result } = await epochsOf([3, 2, 2.5, 2, 1, 0], options);
    expect(result.epochs).toBe(4);
  });

  it('ends after so many validations without improvement', async () => {
    const { result, trainer } = await epochsOf([3, 2, 2.5, 2, 1, 0], { patience: 2 });
    expect(result).toMatchObject({ earlyStopped: true, stopped: false, epochs: 4 });
    expect(result.best).toMatchObject({ epoch: 2, loss: 2 });
    expect(await trainer.fit()).toMatchObject({ earlyStopped: true, epochs: 4 }); // nothing more to do
  });

  it('asks for more than minDelta', async () => {
    const { result } = await epochsOf([3, 2.95, 2.9, 2.5, 2.45], { patience: 2, minDelta: 0.2 });
    expect(result).toMatchObject({ earlyStopped: true, epochs: 3 });
    // The best epoch is the best one, however small the difference.
    expect(result.best).toMatchObject({ epoch: 3 });
  });

  it('counts validations, not epochs', async () => {
    const { result, epochs } = await epochsOf([3, 3, 3, 3, 3, 3, 3], { patience: 1 }, { validateEvery: 2 });
    expect(result).toMatchObject({ earlyStopped: true, epochs: 4 });
    expect(epochs.map(({ val }) => val !== null)).toEqual([false, true, false, true]);
  });

  it('validates after the last epoch in any case', async () => {
    const { result, epochs } = await epochsOf([3, 2, 1], undefined, { validateEvery: 2 });
    expect(result).toMatchObject({ earlyStopped: false, epochs: 3, best: { epoch: 3 } });
    expect(epochs.map(({ val }) => val !== null)).toEqual([false, true, true]);
  });
});

describe('schedules and autocast', () => {
  it('steps a scheduler with every step of the optimizer', async () => {
    const model = tinyNet();
    const optimizer = sgd(model);
    const scheduler = new optim.lr.LambdaLR(optimizer, { lrLambda: (step) => 1 / (1 + step) });
    const { trainer, steps } = training({
      model,
      optimizer,
      scheduler,
      schedulerInterval: 'step',
      accumulate: 2,
      epochs: 1,
    });
    await trainer.fit();
    expect(steps.map(({ lr }) => Number(lr.toFixed(6)))).toEqual([0.1, 0.05, 0.033333]);
  });

  it('computes the forward in bfloat16, near to float32, and keeps float32 weights', async () => {
    const plain = training({ epochs: 1 });
    const dtypes: Tensor['dtype'][] = [];
    const half = training({
      epochs: 1,
      autocast: 'bfloat16',
      valLoader: new RandomImages(16),
      loss: (logits, labels) => {
        dtypes.push(logits.dtype);
        return F.crossEntropy(logits, labels);
      },
    });
    await plain.trainer.fit();
    await half.trainer.fit();
    expect(new Set(dtypes)).toEqual(new Set(['bfloat16']));
    for (const p of half.model.parameters()) expect(p.dtype).toBe('float32');
    expect(half.epochs[0]!.train.loss).toBeCloseTo(plain.epochs[0]!.train.loss, 1);
    expect(half.epochs[0]!.train.loss).not.toBe(plain.epochs[0]!.train.loss);
  });
});

describe('float16', () => {
  it('goes near to float32 with float32 weights and a scaled loss', async () => {
    const plain = training({ epochs: 3 });
    const dtypes = new Set<Tensor['dtype']>();
    const half = training({
      epochs: 3,
      autocast: 'float16',
      loss: (logits, labels) => {
        dtypes.add(logits.dtype);
        return F.crossEntropy(logits, labels);
      },
    });
    await plain.trainer.fit();
    await half.trainer.fit();
    expect([...dtypes]).toEqual(['float16']);
    for (const p of half.model.parameters()) expect(p.dtype).toBe('float32');
    expect(half.trainer.stateDict().scaler!.scale).toBeGreaterThan(1);
    expect(half.epochs[2]!.train.loss).toBeCloseTo(plain.epochs[2]!.train.loss, 1);
  });

  it('skips steps whose gradients are not finite, clipped or not, and continues', async () => {
    for (const clip of [undefined, { norm: 1 }]) {
      const { model, trainer, steps } = training({ epochs: 1, autocast: 'float16', clip });
      const weights = () => String([...model.parameters()].map((p) => [...p.dataSync()]));
      const { scaler, ...rest } = trainer.stateDict();
      expect(scaler!.scale).toBe(65536);
      // A scale beyond the range of float16, until it has been halved often enough.
      trainer.loadStateDict({ ...rest, scaler: { ...scaler!, scale: 2 ** 30 } });
      const before = weights();
      const seen: boolean[] = [];
      trainer.on('step', () => seen.push(weights() === before));
      await trainer.fit();
      expect(seen).toEqual(steps.map(() => true));
      expect(steps).toHaveLength(6);
      expect(trainer.stateDict().scaler!.scale).toBe(2 ** 24);
      if (clip) expect(steps.every(({ gradNorm }) => gradNorm !== null)).toBe(true);
    }
  });
});

describe('a captured step', () => {
  it('is an ordinary one where there is no GPU', async () => {
    const [ordinary, captured] = [training(), training({ capture: true, device: 'cpu' })];
    await ordinary.trainer.fit();
    await captured.trainer.fit();
    expect(captured.steps.map(({ loss }) => loss)).toEqual(ordinary.steps.map(({ loss }) => loss));
    expect(distance(captured.model as never, ordinary.model as never)).toBe(0);
  });

  it('needs an optimizer that can be captured', () => {
    const model = tinyNet();
    const optimizer = new optim.RMSprop(model.parameters());
    expect(() => training({ model, optimizer, capture: true })).toThrow(/RMSprop cannot be captured/);
  });
});

it.each([
  [{ capture: true, accumulate: 2 }, /capture without accumulate and clip/],
  [{ capture: true, clip: { norm: 1 } }, /capture without accumulate and clip/],
  [{ accumulate: 0 }, /positive integer for accumulate/],
  [{ validateEvery: 0.5 }, /positive integer for validateEvery/],
  [{ clip: {} }, /norm or value for clip/],
  [{ clip: { norm: 0 } }, /clip\.norm/],
  [{ clip: { value: -1 } }, /clip\.value/],
  [{ ema: { decay: 1 } }, /below 1 for decay/],
  [{ earlyStopping: { patience: 0 } }, /earlyStopping\.patience/],
  [{ monitor: 'f1' as 'loss' }, /monitor/],
  [{ schedulerInterval: 'day' as 'step' }, /schedulerInterval/],
  [{ autocast: 'float64' as 'bfloat16' }, /autocast/],
] as [Partial<TrainerOptions>, RegExp][])('refuses %j', (options, message) => {
  expect(() => training(options)).toThrow(ArgumentError);
  expect(() => training(options)).toThrow(message);
});
