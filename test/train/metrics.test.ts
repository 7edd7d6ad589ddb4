/** Metrics: equal to scikit-learn's and torchmetrics' (test/golden/make_metrics.py), over any batches; in evaluate and Trainer. */
import { readFileSync } from 'node:fs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  ArgumentError,
  DatasetError,
  manualSeed,
  nn,
  optim,
  ShapeError,
  type Tensor,
  tensor,
  train,
} from '../../lib/index.js';

const { metrics } = train;

interface Averages {
  precision: number;
  recall: number;
  f1: number;
}
interface Case {
  logits: number[][];
  labels: number[];
  results: {
    topK: Record<string, number>;
    meanLoss: number;
    auroc: Record<'macro' | 'weighted', number>;
    aurocPerClass: (number | null)[];
    calibrationError: Record<'l1' | 'l2' | 'max', Record<string, number>>;
    confusion: number[][];
    perClass: train.metrics.PerClass;
    macro: Averages;
    weighted: Averages;
    micro: Averages;
  };
}
const cases = JSON.parse(readFileSync(new URL('../golden/metrics.json', import.meta.url), 'utf8')) as Case[];

/** The result over the rows of a case, in batches of `size`. */
function computed<T>(metric: train.metrics.Metric<T>, { logits, labels }: Case, size: number): T {
  metric.reset();
  for (let start = 0; start < labels.length; start += size) {
    using rows = tensor(logits.slice(start, start + size));
    using truth = tensor(labels.slice(start, start + size), { dtype: 'int64' });
    metric.update(rows, truth);
  }
  return metric.compute();
}

describe.each(cases.map((one, i) => [i, one] as const))('case %i', (_, one) => {
  const { results } = one;
  const expectClose = (metric: train.metrics.Metric<number>, expected: number) => {
    for (const size of [7, one.labels.length])
      expect(Math.abs(computed(metric, one, size) - expected)).toBeLessThan(1e-6);
  };

  it('top-k accuracy and mean loss', () => {
    for (const [k, expected] of Object.entries(results.topK)) expectClose(metrics.topK(Number(k)), expected);
    expectClose(metrics.accuracy(), results.topK['1']!);
    expectClose(metrics.meanLoss(), results.meanLoss);
    expectClose(metrics.topK(1000), 1);
  });

  it('precision, recall and F1, per class and averaged', () => {
    for (const average of ['macro', 'weighted', 'micro'] as const)
      for (const name of ['precision', 'recall', 'f1'] as const)
        expectClose(metrics[name]({ average }), results[average][name]);
    const perClass = computed(metrics.perClass(), one, 11);
    for (const [name, values] of Object.entries(results.perClass))
      for (const [c, value] of values.entries())
        expect(Math.abs(perClass[name as 'f1'][c]! - value), `${name} ${c}`).toBeLessThan(1e-6);
    expect(computed(metrics.confusionMatrix(), one, 11)).toEqual(results.confusion);
  });

  it('area under the ROC curve', () => {
    for (const average of ['macro', 'weighted'] as const)
      expectClose(metrics.auroc({ average }), results.auroc[average]);
    const areas = computed(metrics.aurocPerClass(), one, 13);
    for (const [c, expected] of results.aurocPerClass.entries()) {
      if (expected === null) expect(areas[c]).toBeNaN();
      else expect(Math.abs(areas[c]! - expected)).toBeLessThan(1e-6);
    }
  });

  it('calibration error', () => {
    for (const norm of ['l1', 'l2', 'max'] as const)
      for (const [bins, expected] of Object.entries(results.calibrationError[norm]))
        expectClose(metrics.calibrationError({ norm, bins: Number(bins) }), expected);
  });

  it('probabilities instead of logits', () => {
    using logits = tensor(one.logits);
    using probabilities = logits.softmax({ dim: 1 });
    const given = { ...one, logits: probabilities.arraySync() as number[][] };
    const expected = computed(metrics.calibrationError(), one, 50);
    expect(computed(metrics.calibrationError({ from: 'probabilities' }), given, 50)).toBeCloseTo(expected, 6);
    expect(computed(metrics.auroc({ from: 'probabilities' }), given, 50)).toBeCloseTo(results.auroc.macro, 6);
  });
});

it('a confidence of exactly 1 counts, equal scores count half', () => {
  using logits = tensor([
    [0, 1],
    [1, 0],
    [0, 1],
  ]);
  using labels = tensor([1, 1, 0], { dtype: 'int64' });
  const error = metrics.calibrationError({ from: 'probabilities', norm: 'max' });
  error.update(logits, labels);
  expect(error.compute()).toBeCloseTo(2 / 3, 6);
  const auroc = metrics.auroc({ from: 'probabilities' });
  auroc.update(logits, labels);
  expect(auroc.compute()).toBeCloseTo(0.25, 10); // of two pairs one is equal, one is wrong
});

class Linear extends nn.Module {
  fc = new nn.Linear(4, 3);
  forward(x: Tensor) {
    return this.fc.forward(x.flatten(1));
  }
}

function source(batches = 3): train.BatchSource {
  return {
    length: batches,
    async *[Symbol.asyncIterator]() {
      for (let b = 0; b < batches; b++) {
        const images = tensor(
          Array.from({ length: 20 }, (_, i) => Math.sin(b * 20 + i)),
          { shape: [5, 1, 2, 2] },
        );
        yield { images, labels: tensor([0, 1, 2, b % 3, 1], { dtype: 'int64' }) };
      }
    },
  };
}

describe('evaluate and Trainer', () => {
  it('compute metrics by name, from the start of each pass', async () => {
    manualSeed(1);
    const model = new Linear();
    const options = { metrics: { top2: metrics.topK(2), f1: metrics.f1(), classes: metrics.perClass() } };
    const result = await train.evaluate(model, source(), options);
    expectTypeOf(result.metrics.classes).toEqualTypeOf<train.metrics.PerClass>();
    expectTypeOf(result.metrics.top2).toEqualTypeOf<number>();
    expect(result.metrics.top2).toBeGreaterThanOrEqual(result.accuracy);
    expect(result.metrics.classes.support).toEqual([4, 7, 4]);
    expect((await train.evaluate(model, source(), options)).metrics).toEqual(result.metrics);
    expect((await train.evaluate(model, source(), { ...options, compile: true })).metrics.top2).toBe(
      result.metrics.top2,
    );
    expect((await train.evaluate(model, source())).metrics).toBeUndefined();
  });

  it('write the metrics of a validation into the record of the epoch', async () => {
    manualSeed(1);
    const model = new Linear();
    const trainer = new train.Trainer({
      model,
      optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }),
      trainLoader: source(),
      valLoader: source(2),
      epochs: 2,
      validateEvery: 2,
      metrics: { top2: metrics.topK(2), custom: { update() {}, compute: () => 7, reset() {} } },
    });
    const records: train.EpochRecord[] = [];
    trainer.on('epoch', (record) => void records.push(record));
    await trainer.fit();
    const { metrics: expected } = await train.evaluate(model, source(2), {
      metrics: { top2: metrics.topK(2) },
    });
    expect(records.map((record) => record.metrics)).toEqual([undefined, { ...expected, custom: 7 }]);
  });
});

it('bad input is named', async () => {
  using logits = tensor([
    [1, 2],
    [3, 4],
  ]);
  using labels = tensor([0, 2], { dtype: 'int64' });
  using one = tensor([0], { dtype: 'int64' });
  using wide = tensor([[1, 2, 3]]);
  const refused: [() => unknown, new (message: string) => Error, string][] = [
    [() => metrics.topK(0), ArgumentError, 'an integer of at least 1 for k'],
    [
      () => metrics.f1({ average: 'none' as never }),
      ArgumentError,
      "one of 'macro', 'weighted', 'micro' for average",
    ],
    [() => metrics.calibrationError({ bins: 0 }), ArgumentError, 'an integer of at least 1 for bins'],
    [() => metrics.calibrationError({ norm: 'l3' as never }), ArgumentError, 'for norm'],
    [() => metrics.auroc({ from: 'scores' as never }), ArgumentError, "'logits' or 'probabilities' for from"],
    [() => metrics.meanLoss(5 as never), ArgumentError, 'a function for loss'],
    [() => metrics.topK().update(logits, labels), DatasetError, 'labels from 0 to 1 but received 2'],
    [
      () => metrics.topK().update(logits, one),
      ShapeError,
      'logits [B, classes] and labels [B] but received [2, 2] and [1]',
    ],
    [() => metrics.topK().update([1] as never, one), ArgumentError, 'a Tensor for logits'],
    [() => metrics.auroc().compute(), DatasetError, 'Expected images for a metric'],
    [() => metrics.perClass().compute(), DatasetError, 'Expected images for a metric'],
    [
      () => {
        const metric = metrics.confusionMatrix();
        metric.update(wide, one);
        using narrow = tensor([[1, 2]]);
        metric.update(narrow, one);
      },
      ShapeError,
      'logits of 3 classes, as before, but received 2',
    ],
  ];
  for (const [call, error, message] of refused) {
    expect(call, message).toThrow(error);
    expect(call).toThrow(message);
  }
  const evaluate = train.evaluate(new Linear(), source(), { metrics: { a: {} as never } });
  await expect(evaluate).rejects.toThrow('a metric for metrics.a');
});
