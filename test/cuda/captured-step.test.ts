import { expect, it } from 'vitest';
import {
  cuda,
  type Device,
  functional as F,
  manualSeed,
  models,
  nn,
  optim,
  randint,
  randn,
  tidy,
  train,
} from '../../lib/index.js';
import { describeOnCuda } from '../support/cuda.js';
import { RandomImages } from '../train/support.js';

/** Parameters after some steps, ordinary or captured, with decreasing learning rate and temperature. */
function trainedBy(
  how: 'ordinary' | 'captured',
  make: (p: nn.Module) => optim.SGD | optim.AdamW,
  device: Device,
) {
  manualSeed(3);
  const model = new nn.Sequential(
    new nn.DynamicConv2d(3, 8, 3, { padding: 1, numExperts: 2 }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Linear(8 * 5 * 5, 4),
  ).to({ device });
  const optimizer = make(model);
  const schedule = new optim.lr.StepLR(optimizer, { stepSize: 2, gamma: 0.5 });
  const step = how === 'captured' ? new train.CapturedStep({ model, optimizer, warmup: 2 }) : undefined;
  const losses: number[] = [];
  for (let n = 0; n < 8; n++) {
    train.setTemperature(model, 8 - n);
    const images = randn([6, 3, 5, 5], { device });
    const labels = randint(0, 4, [6], { device });
    if (step) {
      losses.push(Number(step.run({ images, labels }).loss.item()));
    } else {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(images), labels);
      loss.backward();
      optimizer.step();
      losses.push(Number(loss.item()));
    }
    schedule.step();
  }
  const values = [...model.parameters()].map((p) => p.detach().to({ device: 'cpu' }).dataSync());
  const captured = step?.isCaptured;
  step?.dispose();
  return { losses, values, captured };
}

const optimizers: [string, (model: nn.Module) => optim.SGD | optim.AdamW][] = [
  ['SGD', (model) => new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9, weightDecay: 1e-3 })],
  ['AdamW', (model) => new optim.AdamW(model.parameters(), { lr: 0.01 })],
];

it.each(optimizers)('on the CPU, is an ordinary step with %s', (_name, make) => {
  const [captured, ordinary] = [trainedBy('captured', make, 'cpu'), trainedBy('ordinary', make, 'cpu')];
  expect(captured.captured).toBe(false);
  // A learning rate in a tensor is a float32, one in a number is not.
  captured.losses.forEach((loss, i) => void expect(loss).toBeCloseTo(ordinary.losses[i]!, 5));
  captured.values.forEach((values, i) => {
    values.forEach((value, j) => void expect(Number(value)).toBeCloseTo(Number(ordinary.values[i]![j]), 4));
  });
});

it('refuses an optimizer that cannot be captured', () => {
  const model = new nn.Linear(2, 2);
  const optimizer = new optim.RMSprop(model.parameters());
  expect(() => new train.CapturedStep({ model, optimizer })).toThrow(/RMSprop cannot be captured/);
});

describeOnCuda('captured steps', () => {
  it.each(optimizers)('follow ordinary ones with %s, schedules included', (_name, make) => {
    const captured = trainedBy('captured', make, 'cuda');
    const ordinary = trainedBy('ordinary', make, 'cuda');
    expect(captured.captured).toBe(true);
    captured.losses.forEach((loss, i) => void expect(loss).toBeCloseTo(ordinary.losses[i]!, 4));
  });

  it.each(['bfloat16', 'float16'] as const)('are taken by a trainer, in %s', async (autocast) => {
    const model = new nn.Sequential(
      new nn.Conv2d(3, 8, 3, { padding: 1 }),
      new nn.Flatten(),
      new nn.Linear(128, 3),
    );
    model.to({ device: 'cuda' });
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
    const trainLoader = new RandomImages(8);
    const options = { model, optimizer, trainLoader, device: 'cuda', epochs: 8, autocast } as const;
    const trainer = new train.Trainer({ ...options, capture: true });
    const losses: number[] = [];
    trainer.on('epoch', (record) => losses.push(record.train.loss));
    await trainer.fit();
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });

  it('are not those of a batch that is smaller than the others', () => {
    const model = new nn.Linear(4, 3).to({ device: 'cuda' });
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    using step = new train.CapturedStep({ model, optimizer, warmup: 2 });
    const run = (size: number) => {
      const images = randn([size, 4], { device: 'cuda' });
      step.run({ images, labels: randint(0, 3, [size], { device: 'cuda' }) });
      return step.isCaptured;
    };
    expect([8, 8, 5, 8, 8, 5].map(run)).toEqual([false, false, false, false, true, true]);
  });

  it('trains AlexNet-DY', () => {
    const model = models.alexnetDy({ numClasses: 10, numExperts: 2 }).to({ device: 'cuda' });
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
    using step = new train.CapturedStep({ model, optimizer });
    const images = randn([8, 3, 128, 128], { device: 'cuda' });
    const labels = randint(0, 10, [8], { device: 'cuda' });
    const losses = Array.from({ length: 12 }, () => tidy(() => step.run({ images, labels }).loss.item()));
    expect(step.isCaptured).toBe(true);
    expect(losses.every(Number.isFinite)).toBe(true);
    cuda.synchronize();
  });
});
