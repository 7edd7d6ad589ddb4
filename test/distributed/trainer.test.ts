/** `train.evaluate` and `train.Trainer` in several processes. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { runRanks } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-trainer-'));
afterAll(() => rmSync(folder, { recursive: true }));

const DATASET = new URL('../../dist/data/dataset.js', import.meta.url).href;

const SET = `
const { train } = dyconv;
const { createDataset } = await import('${DATASET}');
const set = (count, seed) => createDataset({
  name: 'noise', split: 'train', classes: ['a', 'b', 'c'], shape: [1, 4, 4], source: 'test',
  images: Uint8Array.from({ length: count * 16 }, (_, i) => ((i + seed) * 7919) % 251),
  labels: Uint8Array.from({ length: count }, (_, i) => (i * i + seed) % 3),
});
const net = () => { manualSeed(4); return new nn.Sequential(new nn.Flatten(), new nn.Linear(16, 3)); };
`;

describe('evaluate() in a group', () => {
  it(
    'gives every process the result over all images, with all metrics',
    async () => {
      const results = await runRanks(
        3,
        `${SET}
const { accuracy, auroc, aurocPerClass, calibrationError, confusionMatrix, f1, meanLoss, perClass, topK } = train.metrics;
const metrics = () => ({
  accuracy: accuracy(), top2: topK(2), loss: meanLoss(), confusion: confusionMatrix(), perClass: perClass(), f1: f1(),
  auroc: auroc({ average: 'weighted' }), areas: aurocPerClass(), calibration: calibrationError(),
});
const group = await distributed.initProcessGroup({ timeoutMs: 20_000 });
const images = set(11, 1);
const part = data.loader(images, { batchSize: 2, rank, worldSize: 3, dropRemainder: false });
const { seconds: _, imagesPerSecond: __, ...own } = await train.evaluate(net(), part, { group, metrics: metrics(), predictions: true });
report({ ...own, predictions: own.predictions.length });
const whole = await train.evaluate(net(), data.loader(images, { batchSize: 4 }), { metrics: metrics() });
report({ ...whole, seconds: undefined, imagesPerSecond: undefined });
try { await train.evaluate(net(), part, { group, metrics: { own: { update() {}, compute() {}, reset() {} } } }); }
catch (error) { report(failure(error).message); }
await group.destroy();
`,
      );
      const close = (value: unknown): unknown => {
        if (typeof value === 'number' && !Number.isInteger(value)) return expect.closeTo(value, 6);
        if (Array.isArray(value)) return value.map(close);
        if (typeof value !== 'object' || value === null) return value;
        return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, close(one)]));
      };
      results.forEach(([all, whole, refused], rank) => {
        expect(all).toEqual({ ...(close(whole) as object), predictions: [4, 4, 3][rank] });
        expect(whole.images).toBe(11);
        expect(refused).toMatch(/^Expected a metric that has gather for metrics\.own/);
      });
    },
    limit(60_000),
  );
});

describe('a Trainer of several processes', () => {
  /** Trains \`epochs\` epochs with batches of 12 images of all processes, two of them a step, and reports the weights. */
  const training = (out: string, epochs: number, extra = '') => `${SET}
const group = Number(process.env.WORLD_SIZE) > 1 ? await distributed.initProcessGroup({ timeoutMs: 20_000 }) : undefined;
const worldSize = group?.size ?? 1;
const model = net();
const part = { batchSize: 12 / worldSize, rank: group?.rank ?? 0, worldSize };
const trainer = new train.Trainer({
  model, group, accumulate: 2, epochs: ${epochs},
  optimizer: new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
  trainLoader: data.loader(set(48, 0), { ...part, shuffle: true, dropLast: true }),
  valLoader: data.loader(set(10, 5), { ...part, dropRemainder: false }),
});
let steps = 0;
trainer.on('step', () => { steps++; ${extra} });
try {
  const result = await trainer.fit({ out: ${JSON.stringify(out)}, resume: true });
  report({ weights: [...model.parameters()].flatMap((x) => [...x.detach().reshape([-1]).dataSync()]), steps, best: result.best, stopped: result.stopped });
} catch (error) { report(failure(error)); }
await group?.destroy();
`;
  const epochsOf = (out: string) =>
    readFileSync(join(out, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === 'epoch');
  const difference = (a: number[], b: number[]) =>
    Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / Math.max(...b.map(Math.abs));

  it(
    'accumulates gradients, writes a run directory, and is resumed by another number of processes',
    async () => {
      const [pairOut, oneOut] = [join(folder, 'pair'), join(folder, 'one')];
      const one = await runRanks(1, training(oneOut, 3));
      // Stopped within the second epoch of four batches and two steps, by one of the processes.
      const stopAt3 = `if (rank === 1 && steps === 3) trainer.stop();`;
      const [first, second] = await runRanks(2, training(pairOut, 3, stopAt3));
      expect(first![0]).toMatchObject({ stopped: true, steps: 3 });
      expect(second![0].weights).toEqual(first![0].weights);
      const config = JSON.parse(readFileSync(join(pairOut, 'config.json'), 'utf8'));
      expect(config).toMatchObject({ batchSize: 12, trainImages: 48, valImages: 10 });
      const three = await runRanks(3, training(pairOut, 3));
      for (const [{ weights, steps, best }] of three as [
        { weights: number[]; steps: number; best: unknown },
      ][]) {
        expect(steps).toBe(3);
        expect(difference(weights, one[0]![0].weights)).toBeLessThan(1e-4);
        expect(best).toEqual(three[0]![0].best);
      }
      const [all, alone] = [epochsOf(pairOut), epochsOf(oneOut)];
      expect(all.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
      all.forEach(({ train, val }, i) => {
        expect(val.accuracy).toBe(alone[i].val.accuracy);
        expect(val.loss).toBeCloseTo(alone[i].val.loss, 4);
        expect(train.loss).toBeCloseTo(alone[i].train.loss, 4);
      });
    },
    limit(120_000),
  );

  it(
    'ends in every process if rank 0 cannot open the run directory',
    async () => {
      const out = '/dev/null/run';
      const [first, second] = await runRanks(2, training(out, 1));
      expect(first![0].name).not.toBe('DistributedError');
      expect(second![0]).toMatchObject({
        name: 'TrainingError',
        message: `The process of rank 0 could not open the run directory ${out}`,
      });
    },
    limit(60_000),
  );
});
