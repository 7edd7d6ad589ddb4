/** evaluate.js --collapse-experts measures what ordinary convolutions with the mean kernels compute. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { data, functional as F, loadSafetensors, models, train } from '../../lib/index.js';
import { limit } from '../support/limit.js';
import { command, folder, small } from './support.js';

interface Result {
  accuracy: number;
  loss: number;
  collapsed: { accuracy: number; loss: number; usage: { name: string; mean: number[]; samples: number }[] };
}

it('agrees with a static AlexNet that has the means of the experts', {
  timeout: limit(120_000),
}, async () => {
  const out = join(folder, 'collapse');
  // At temperature 1 the attention differs between images.
  expect(command('train', ...small(out, '--temperature', '1')).status).toBe(0);
  const { stdout, stderr } = command(
    'evaluate',
    '--run',
    out,
    '--collapse-experts',
    '--json',
    '--threads',
    '1',
  );
  const { collapsed, ...dynamic }: Result = JSON.parse(stdout || stderr);
  expect(collapsed.usage.map(({ name, samples }) => [name, samples])).toEqual([
    ['features.8', 16],
    ['features.11', 16],
    ['features.14', 16],
  ]);
  const state = await loadSafetensors(join(out, 'best.safetensors'));
  const mixed = Object.fromEntries(
    Object.entries(state).flatMap(([key, value]) => {
      if (key.includes('routing')) return [];
      const usage = collapsed.usage.find(({ name }) => key.startsWith(`${name}.`));
      if (!usage) return [[key, value]];
      return [[key, usage.mean.map((share, k) => value.select(0, k).mul(share)).reduce((a, b) => a.add(b))]];
    }),
  );
  const model = models.alexnet();
  model.loadStateDict(mixed);
  const set = await data.bundled({ split: 'test' });
  const loader = data.loader(set, {
    batchSize: 8,
    limit: 16,
    transform: data.transforms.test({ size: 128 }),
  });
  const expected = await train.evaluate(model, loader, {
    loss: (logits, labels) => F.crossEntropy(logits, labels, { labelSmoothing: 0.1 }),
  });
  expect(collapsed.accuracy).toBe(expected.accuracy);
  expect(collapsed.loss).toBeCloseTo(expected.loss, 4);
  expect(collapsed.loss).not.toBe(dynamic.loss);

  // The run's record has it, and the comparison says it.
  const text = command('evaluate', '--run', out, '--collapse-experts').stdout;
  expect(text).toMatch(/With the mean attention: accuracy 0\.\d+, loss \d/);
  expect(text).toMatch(/features\.8: mean attention 0\.\d{3}, 0\.\d{3}; entropy \d+\.\d %/);
  const compared = JSON.parse(command('compare', out, '--json').stdout);
  expect(compared.rows[0].collapsed.accuracy.mean).toBe(collapsed.accuracy);
  expect(compared.findings[0]).toContain("With every image's attention replaced by the mean");
});

it('is an error for a model without dynamic layers', { timeout: limit(120_000) }, () => {
  const out = join(folder, 'static');
  expect(command('train', ...small(out), '--model', 'alexnet').status).toBe(0);
  const { status, stderr } = command('evaluate', '--run', out, '--collapse-experts');
  expect(status).toBe(1);
  expect(stderr).toContain('Expected a model with dynamic layers for --collapse-experts');
});
