/** Callbacks of a trainer, and `fit({ out })`, which makes a run directory. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  data,
  loadSafetensors,
  manualSeed,
  nn,
  optim,
  report,
  type Tensor,
  TrainingError,
  train,
} from '../../lib/index.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-callbacks-'));
afterAll(() => rmSync(folder, { recursive: true }));

class Net extends nn.Module {
  fc = new nn.Linear(784, 10);
  dropout = new nn.Dropout(0.2);
  forward(x: Tensor) {
    return this.fc.forward(this.dropout.forward(x.flatten(1)));
  }
}

const trainSet = await data.bundled({ split: 'train', channels: 1 });
const testSet = await data.bundled({ split: 'test', channels: 1 });

function parts(options: Partial<train.TrainerOptions> = {}): train.TrainerOptions {
  manualSeed(5);
  const model = new Net();
  return {
    model,
    optimizer: new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
    trainLoader: data.loader(trainSet, { batchSize: 20, limit: 200, shuffle: true, seed: 1 }),
    valLoader: data.loader(testSet, { batchSize: 50, limit: 100 }),
    epochs: 3,
    ...options,
  };
}

describe('callbacks', () => {
  it('are called in order, awaited, and closed also after an error', async () => {
    const calls: string[] = [];
    const logging: train.Callback = {
      onStart: async ({ trainer }) => void calls.push(`start ${trainer.position.step}`),
      onStep: ({ step }) => void (step % 10 === 0 && calls.push(`step ${step}`)),
      onValidation: ({ epoch, images }) => void calls.push(`validation ${epoch} ${images}`),
      onEpoch: async ({ epoch }, { improved, trainer }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        calls.push(`epoch ${epoch} ${improved || trainer.best!.epoch < epoch}`);
      },
      onEnd: ({ steps }) => void calls.push(`end ${steps}`),
      close: () => void calls.push('close'),
    };
    const after: train.Callback = {
      onEpoch: () => void calls.push('second'),
      close: () => void calls.push('closed'),
    };
    const trainer = new train.Trainer(parts({ epochs: 2, callbacks: [logging, after] }));
    trainer.on('epoch', () => void calls.push('listener'));
    await trainer.fit();
    const epoch = (n: number) => [
      `step ${10 * n}`,
      `validation ${n} 100`,
      `epoch ${n} true`,
      'second',
      'listener',
    ];
    expect(calls).toEqual(['start 0', ...epoch(1), ...epoch(2), 'end 20', 'close', 'closed']);

    calls.length = 0;
    const failing: train.Callback = {
      onEpoch() {
        throw new RangeError('no');
      },
    };
    await expect(new train.Trainer(parts({ callbacks: [failing, after] })).fit()).rejects.toThrow(RangeError);
    expect(calls).toEqual(['closed']);
  });

  it('can stop the training within an epoch and after one; fit continues', async () => {
    const stopping: train.Callback = {
      onStep: ({ step }, { trainer }) => void (step === 4 && trainer.stop()),
      onEpoch: ({ epoch }, { trainer }) => void (epoch === 1 && trainer.stop()),
    };
    const trainer = new train.Trainer(parts({ callbacks: [stopping] }));
    expect(await trainer.fit()).toMatchObject({ stopped: true, steps: 4, epochs: 0 });
    expect(await trainer.fit()).toMatchObject({ stopped: true, steps: 10, epochs: 1 });
    expect(await trainer.fit()).toMatchObject({ stopped: false, steps: 30, epochs: 3 });
  });

  it('are checked', () => {
    const refused: [unknown, string][] = [
      [{}, 'an array of callbacks for callbacks'],
      [[{}], 'at least one of onStart, onStep, onValidation, onEpoch, onEnd, close for callbacks[0]'],
      [[{ onEpoch: 5 }], 'a function for callbacks[0].onEpoch'],
    ];
    for (const [callbacks, message] of refused) {
      const make = () => new train.Trainer(parts({ callbacks: callbacks as never }));
      expect(make, message).toThrow(ArgumentError);
      expect(make).toThrow(message);
    }
  });
});

describe('fit({ out })', () => {
  it('makes a run directory, which reports read', async () => {
    const out = join(folder, 'run');
    const options = parts({ metrics: { top3: train.metrics.topK(3) } });
    const trainer = new train.Trainer(options);
    const result = await trainer.fit({ out, logEvery: 5, keep: { every: 2, last: 1 }, config: { seed: 5 } });
    const { config, epochs, steps } = await report.loadRun(out);
    expect(config).toMatchObject({
      model: 'Net',
      dataset: 'bundled',
      classes: trainSet.classes,
      trainImages: 200,
      valImages: 100,
      imageShape: [1, 28, 28],
      imageSize: 28,
      epochs: 3,
      batchSize: 20,
      lr: 0.05,
      momentum: 0.9,
      seed: 5,
      parameters: { trainable: 7850, total: 7850 },
    });
    expect(steps.map(({ step }) => step)).toEqual([5, 10, 15, 20, 25, 30]);
    expect(epochs.map(({ epoch, metrics }) => [epoch, typeof metrics?.top3])).toEqual(
      [1, 2, 3].map((n) => [n, 'number']),
    );
    expect(Math.max(...epochs.map(({ val }) => val!.accuracy))).toBe(result.best!.accuracy);
    expect(Object.keys(await loadSafetensors(join(out, 'best.safetensors')))).toEqual([
      'fc.weight',
      'fc.bias',
    ]);
    expect(existsSync(join(out, 'epoch-0002.safetensors'))).toBe(true);
    expect(existsSync(join(out, 'run.lock'))).toBe(false);
    await expect(new train.Trainer(parts()).fit({ out })).rejects.toThrow(TrainingError);
    await expect(new train.Trainer(parts()).fit({ out })).rejects.toThrow('already holds a run');
  });

  it('a run that was stopped continues as if it had not been', async () => {
    const weights = async (out: string) =>
      (await loadSafetensors(join(out, 'last.safetensors')))['fc.weight']!.dataSync();
    const whole = join(folder, 'whole');
    await new train.Trainer(parts()).fit({ out: whole });
    const halves = join(folder, 'halves');
    const stop: train.Callback = { onStep: ({ step }, { trainer }) => void (step === 14 && trainer.stop()) };
    const first = new train.Trainer(parts({ callbacks: [stop] }));
    expect(await first.fit({ out: halves, resume: true })).toMatchObject({ stopped: true, steps: 14 });
    const second = new train.Trainer(parts());
    expect(await second.fit({ out: halves, resume: true })).toMatchObject({ stopped: false, steps: 30 });
    expect(await weights(halves)).toEqual(await weights(whole));
    const lines = (out: string) =>
      readFileSync(join(out, 'metrics.jsonl'), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ type, epoch, step, loss, train: means, val }) => ({ type, epoch, step, loss, means, val }));
    expect(lines(halves)).toEqual(lines(whole));
  });

  it('names wrong options', async () => {
    const start = (options: object) => new train.Trainer(parts()).fit(options);
    await expect(start({ out: '' })).rejects.toThrow('the path of a folder for out');
    await expect(start({ output: 'x' })).rejects.toThrow("but received 'output'");
    await expect(start({ out: join(folder, 'bad'), config: { epochs: 'many' } })).rejects.toThrow(
      'config.epochs',
    );
  });
});
