import { describe, expect, it } from 'vitest';
import { DatasetError } from '../../lib/errors.js';
import { memory, nn } from '../../lib/index.js';
import { tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { type Batch, evaluate } from '../../lib/train/index.js';
import { settleGarbage } from '../support/garbage.js';

/** Images [B, 3, 1, 1] whose values are the logits themselves. */
class Echo extends nn.Module {
  forward(images: Tensor): Tensor {
    return images.reshape([-1, 3]);
  }
}

class Rows {
  readonly given: Batch[] = [];
  constructor(
    private readonly rows: { logits: number[]; label: number }[],
    private readonly batchSize: number,
  ) {}

  get length(): number {
    return Math.ceil(this.rows.length / this.batchSize);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    for (let start = 0; start < this.rows.length; start += this.batchSize) {
      const rows = this.rows.slice(start, start + this.batchSize);
      const batch = {
        images: tensor(Float32Array.from(rows.flatMap(({ logits }) => logits)), {
          shape: [rows.length, 3, 1, 1],
        }),
        labels: tensor(
          BigInt64Array.from(rows, ({ label }) => BigInt(label)),
          { shape: [rows.length] },
        ),
      };
      this.given.push(batch);
      yield batch;
    }
  }
}

const rows = [
  { logits: [3, 1, 0], label: 0 },
  { logits: [0, 2, 1], label: 2 },
  { logits: [0, 0, 5], label: 2 },
];

const lossOf = ({ logits, label }: (typeof rows)[number]) =>
  Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[label]!;

describe('evaluate', () => {
  it('averages over images, independently of the batches', async () => {
    const expected = rows.reduce((sum, row) => sum + lossOf(row) / rows.length, 0);
    for (const batchSize of [1, 2, 3]) {
      const result = await evaluate(new Echo(), new Rows(rows, batchSize));
      expect(result.loss).toBeCloseTo(expected, 5);
      expect(result.accuracy).toBeCloseTo(2 / 3, 10);
      expect(result.images).toBe(3);
      expect(result.confusion).toEqual([
        [1, 0, 0],
        [0, 0, 0],
        [0, 1, 1],
      ]);
      expect(result.imagesPerSecond).toBeCloseTo(3 / result.seconds, 6);
      expect(result.predictions).toBeUndefined();
    }
  });

  it('keeps predictions when asked to', async () => {
    const { predictions } = await evaluate(new Echo(), new Rows(rows, 2), { predictions: true });
    expect(predictions?.map(({ label, predicted }) => [label, predicted])).toEqual([
      [0, 0],
      [2, 1],
      [2, 2],
    ]);
    expect(predictions?.[2]?.probability).toBeCloseTo(Math.exp(5) / (Math.exp(5) + 2), 5);
  });

  it('disposes the batches and stops when the signal says so', async () => {
    const controller = new AbortController();
    const loader = new Rows(rows, 1);
    const result = await evaluate(new Echo(), loader, {
      signal: controller.signal,
      onBatch: (done) => done === 2 && controller.abort(),
    });
    expect(result.images).toBe(2);
    expect(loader.given.length).toBe(2);
    for (const { images } of loader.given) expect(() => images.dataSync()).toThrow();
  });

  it('restores the training mode even when the model throws', async () => {
    class Broken extends nn.Module {
      forward(): Tensor {
        throw new Error('broken');
      }
    }
    const model = new Broken().train();
    await expect(evaluate(model, new Rows(rows, 1))).rejects.toThrow('broken');
    expect(model.training).toBe(true);
  });

  it('refuses an empty loader', async () => {
    await expect(evaluate(new Echo(), new Rows([], 1))).rejects.toThrow(DatasetError);
  });

  it('computes with a program if it is asked to, and leaves no tensor', async () => {
    const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(3, 3), new nn.BatchNorm1d(3));
    const plain = await evaluate(model, new Rows(rows, 2), { predictions: true });
    await settleGarbage();
    const before = memory().numTensors;
    let calls = 0;
    const forward = model.forward.bind(model);
    model.forward = (x) => {
      calls++;
      return forward(x);
    };
    const compiled = await evaluate(model, new Rows(rows, 1), { predictions: true, compile: true });
    expect(compiled.loss).toBeCloseTo(plain.loss, 5);
    expect(compiled.confusion).toEqual(plain.confusion);
    expect(compiled.predictions!.map(({ predicted }) => predicted)).toEqual(
      plain.predictions!.map(({ predicted }) => predicted),
    );
    expect(memory().numTensors).toBe(before);
    const recorded = calls;
    calls = 0;
    await evaluate(model, new Rows([...rows, ...rows], 1), { compile: true });
    expect(calls).toBe(recorded); // For the recording, whatever the number of batches.
    expect(model.training).toBe(true);
  });

  it('refuses to compile with autocast, and disposes the batch of a forward that cannot be compiled', async () => {
    class Reads extends Echo {
      override forward(images: Tensor): Tensor {
        return images.reshape([-1, 3]).mul(Number(images.sum().item()));
      }
    }
    const both = evaluate(new Echo(), new Rows(rows, 2), { compile: true, autocast: 'bfloat16' });
    await expect(both).rejects.toThrow('Expected compile or autocast of evaluate but received both');
    const flag = evaluate(new Echo(), new Rows(rows, 2), { compile: 1 as never });
    await expect(flag).rejects.toThrow('Expected a boolean for compile but received 1 (number)');
    const batches = new Rows(rows, 2);
    await expect(evaluate(new Reads(), batches, { compile: true })).rejects.toThrow(/item/);
    for (const { images, labels } of batches.given) {
      expect(() => images.shape).toThrow('disposed');
      expect(() => labels.shape).toThrow('disposed');
    }
  });
});
