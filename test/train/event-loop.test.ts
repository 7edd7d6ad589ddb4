import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { createDataset } from '../../lib/data/dataset.js';
import { loader } from '../../lib/data/loader.js';
import { nn, optim } from '../../lib/index.js';
import { Trainer } from '../../lib/train/index.js';

/** 96 random images of 3 x 16 x 16 in three classes. */
const set = createDataset({
  name: 'random',
  split: 'train',
  classes: ['a', 'b', 'c'],
  shape: [3, 16, 16],
  images: Uint8Array.from({ length: 96 * 768 }, (_, i) => (i * 7919) % 251),
  labels: Uint8Array.from({ length: 96 }, (_, i) => i % 3),
  source: 'test',
});

function hold(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe('loops leave room for timers and signals', () => {
  it('a timer of a loop over a loader waits for one batch at most', async () => {
    let batch = 0;
    const seen = new Set<number>();
    const timer = setInterval(() => seen.add(batch), 5);
    // More batches are ready than the loop has taken.
    for await (const { images, labels } of loader(set, { batchSize: 8, prefetch: 12 })) {
      batch++;
      images.dispose();
      labels.dispose();
      hold(15);
    }
    clearInterval(timer);
    // After the first batch, whose preparation is waited for, the timer runs behind every one.
    expect(batch).toBe(12);
    expect(seen.size).toBeGreaterThanOrEqual(10);
  });

  it('the delay of the event loop in a training is a step at most', async () => {
    const model = new nn.Sequential(
      new nn.Conv2d(3, 64, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.Conv2d(64, 64, 3, { padding: 1 }),
      new nn.Flatten(),
      new nn.Linear(64 * 256, 3),
    );
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
    const trainLoader = loader(set, { batchSize: 32, prefetch: 4 });
    const trainer = new Trainer({ model, optimizer, trainLoader, epochs: 4 });
    const steps: number[] = [];
    let last = performance.now();
    trainer.on('step', () => {
      steps.push(performance.now() - last);
      last = performance.now();
    });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await trainer.fit();
    delay.disable();
    expect(steps).toHaveLength(12);
    // Some milliseconds for the timer of the monitor and its resolution.
    expect(delay.percentile(99) / 1e6).toBeLessThanOrEqual(Math.max(...steps) + 10);
  });
});
