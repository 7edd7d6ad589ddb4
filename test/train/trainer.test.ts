import { describe, expect, it } from 'vitest';
import { ArgumentError, DatasetError, TrainingError } from '../../lib/errors.js';
import { memory, optim } from '../../lib/index.js';
import {
  type EpochRecord,
  evaluate,
  type StepEvent,
  Trainer,
  type TrainerOptions,
  temperatureSchedule,
} from '../../lib/train/index.js';
import { bitsOf, RandomImages, sgd, tinyNet } from './support.js';

function training(options: Partial<TrainerOptions> = {}) {
  const model = options.model ?? tinyNet();
  const optimizer = options.optimizer ?? sgd(model);
  const trainer = new Trainer({ model, optimizer, trainLoader: new RandomImages(16), epochs: 2, ...options });
  const steps: StepEvent[] = [];
  const epochs: EpochRecord[] = [];
  trainer.on('step', (event) => steps.push(event));
  trainer.on('epoch', (record) => epochs.push(record));
  return { model, optimizer, trainer, steps, epochs };
}

describe('Trainer', () => {
  it('learns random labels by heart', async () => {
    const valLoader = new RandomImages(16);
    const { model, trainer, epochs } = training({ epochs: 40, valLoader });
    const result = await trainer.fit();
    expect(result).toMatchObject({ stopped: false, epochs: 40, steps: 120 });
    expect(result.best?.accuracy).toBe(1);
    expect(epochs.at(-1)?.train.loss).toBeLessThan(0.2 * epochs[0]!.train.loss);
    const evaluation = await evaluate(model, valLoader);
    expect(evaluation.accuracy).toBe(1);
    expect(epochs.at(-1)?.val).toEqual({ loss: evaluation.loss, accuracy: 1 });
  });

  it('reports steps and epochs', async () => {
    const { trainer, steps, epochs } = training();
    const results: unknown[] = [];
    trainer.on('end', (result) => results.push(result));
    const result = await trainer.fit();
    expect(results).toEqual([result]);
    expect(steps.map(({ epoch, batch, step }) => [epoch, batch, step])).toEqual([
      [1, 1, 1],
      [1, 2, 2],
      [1, 3, 3],
      [2, 1, 4],
      [2, 2, 5],
      [2, 3, 6],
    ]);
    expect(steps[0]).toMatchObject({ batches: 3, images: 16, lr: 0.1 });
    // Equal batches: the metrics of the epoch are the means of its steps.
    const mean = (key: 'loss' | 'accuracy') =>
      steps.slice(0, 3).reduce((sum, step) => sum + step[key] / 3, 0);
    expect(epochs[0]?.train.loss).toBeCloseTo(mean('loss'), 10);
    expect(epochs[0]?.train.accuracy).toBeCloseTo(mean('accuracy'), 10);
    expect(epochs[0]).toMatchObject({ type: 'epoch', epoch: 1, lr: 0.1, val: null });
    expect(epochs[0]!.dataSeconds).toBeLessThanOrEqual(epochs[0]!.seconds);
    expect(Date.parse(epochs[0]!.time)).not.toBeNaN();
  });

  it('gives the same records when losses are read every few steps', async () => {
    const every = training();
    const seldom = training({ readEvery: 2 });
    await every.trainer.fit();
    await seldom.trainer.fit();
    const strip = ({ loss, accuracy, step }: StepEvent) => ({ loss, accuracy, step });
    expect(seldom.steps.map(strip)).toEqual(every.steps.map(strip));
    expect(seldom.epochs.map(({ train }) => train)).toEqual(every.epochs.map(({ train }) => train));
  });

  it('steps the scheduler and the temperature once an epoch', async () => {
    const model = tinyNet();
    const optimizer = sgd(model);
    const scheduler = new optim.lr.MultiStepLR(optimizer, { milestones: [2], gamma: 0.1 });
    const { trainer, epochs } = training({
      model,
      optimizer,
      scheduler,
      epochs: 3,
      temperature: temperatureSchedule({ start: 3, epochs: 3 }),
    });
    await trainer.fit();
    expect(epochs.map(({ lr }) => Number(lr.toPrecision(6)))).toEqual([0.1, 0.1, 0.01]);
    expect(epochs.map(({ temperature }) => temperature)).toEqual([3, 2, 1]);
  });

  it('reports no temperature for a static model', async () => {
    const { nn } = await import('../../lib/index.js');
    const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(48, 3));
    const { trainer, epochs } = training({ model, epochs: 1, temperature: temperatureSchedule() });
    await trainer.fit();
    expect(epochs[0]?.temperature).toBeNull();
  });

  it('waits for async listeners of an epoch', async () => {
    const { trainer } = training();
    const order: string[] = [];
    trainer.on('epoch', async ({ epoch }) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push(`saved ${epoch}`);
    });
    trainer.on('step', ({ epoch, batch }) => batch === 1 && order.push(`epoch ${epoch}`));
    await trainer.fit();
    expect(order).toEqual(['epoch 1', 'saved 1', 'epoch 2', 'saved 2']);
  });

  it('passes on what a listener throws', async () => {
    const { trainer } = training();
    trainer.on('epoch', async () => {
      throw new Error('disk full');
    });
    await expect(trainer.fit()).rejects.toThrow('disk full');
  });

  it('stops at a loss that is not finite and leaves the weights as they were', async () => {
    const model = tinyNet();
    const { trainer, steps } = training({
      model,
      loss: (logits, labels) => {
        const loss = logits
          .sum()
          .mul(0)
          .add(labels.sum().to({ dtype: 'float32' }).mul(0))
          .add(1);
        return steps.length === 1 ? loss.div(0) : loss;
      },
    });
    let before: unknown;
    trainer.once('step', () => {
      before = [...model.parameters()].map((parameter) => [...parameter.dataSync()]);
    });
    const failure = trainer.fit();
    await expect(failure).rejects.toThrow(TrainingError);
    await expect(failure).rejects.toThrow(
      /finite loss but received Infinity in epoch 1, step 2 \(batch 2 of 3/,
    );
    expect([...model.parameters()].map((parameter) => [...parameter.dataSync()])).toEqual(before);
  });

  it('lets timers run between steps', async () => {
    const { trainer } = training({ epochs: 5 });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await trainer.fit();
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(1);
  });

  it('stops after the step under way', async () => {
    const controller = new AbortController();
    const model = tinyNet({ dropout: 0.5 });
    const { trainer, steps, epochs } = training({ model, signal: controller.signal });
    trainer.on('step', ({ step }) => step === 2 && controller.abort());
    expect(await trainer.fit()).toMatchObject({ stopped: true, epochs: 0, steps: 2 });
    expect(steps.length).toBe(2);
    expect(epochs.length).toBe(0);
    expect(trainer.stateDict()).toMatchObject({ epoch: 0, batch: 2, step: 2 });
  });

  it('does nothing when the signal is aborted beforehand', async () => {
    const { trainer, steps } = training({ signal: AbortSignal.abort() });
    expect(await trainer.fit()).toMatchObject({ stopped: true, epochs: 0, steps: 0, best: null });
    expect(steps.length).toBe(0);
  });

  it('restores the mode of every module after validation', async () => {
    const model = tinyNet();
    const { trainer, steps } = training({ model, valLoader: new RandomImages(16) });
    const frozen = [...model.namedModules()].map(([, module]) => module)[2]!;
    trainer.on('step', () => {
      if (steps.length === 1) frozen.training = false;
    });
    const modes: boolean[][] = [];
    trainer.on('validation', () => {
      modes.push([...model.namedModules()].map(([, module]) => module.training));
    });
    await trainer.fit();
    expect(modes[0]!.filter((training) => !training).length).toBe(1);
  });

  it('does not let tensors pile up', async () => {
    const { trainer } = training({ epochs: 6, valLoader: new RandomImages(16) });
    const live: number[] = [];
    trainer.on('epoch', () => void live.push(memory().numTensors));
    await trainer.fit();
    // Fewer are possible, as garbage collection may free tensors before the trainer disposes them.
    expect(Math.max(...live.slice(2))).toBeLessThanOrEqual(live[1]!);
  });

  it('names the reason when there is nothing to train on', async () => {
    const { trainer } = training({ trainLoader: new RandomImages(100) });
    const failure = trainer.fit();
    await expect(failure).rejects.toThrow(DatasetError);
    await expect(failure).rejects.toThrow(/batch larger than the training set/);
  });

  it('refuses to run twice at a time', async () => {
    const { trainer } = training({ epochs: 1 });
    const first = trainer.fit();
    await expect(trainer.fit()).rejects.toThrow(TrainingError);
    await first;
  });

  it.each([{ epochs: 0 }, { epochs: 1.5 }, { readEvery: 0 }])('refuses %o', (options) => {
    expect(() => training(options)).toThrow(ArgumentError);
  });

  it('is the same to the bit under one seed', async () => {
    const first = training({ model: tinyNet({ dropout: 0.5 }) });
    await first.trainer.fit();
    const second = training({ model: tinyNet({ dropout: 0.5 }) });
    await second.trainer.fit();
    expect(bitsOf(second.model)).toEqual(bitsOf(first.model));
  });
});
