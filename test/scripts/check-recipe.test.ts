/** check-recipe.js trains the recipe's steps, sends them to the process that it compares with, and judges the difference. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { command, folder } from './support.js';

/** In place of Python: checks what it is sent, and answers with a loss and norm that a factor makes different from 1. */
const REFERENCE = `#!${process.execPath}
const { existsSync } = require('node:fs');
const args = process.argv.slice(3);
const value = (name) => Number(args[args.indexOf('--' + name) + 1]);
const size = value('batch') * (3 * 128 * 128 * 4 + 8);
console.log(JSON.stringify({ torch: args.join(' ') }));
let buffer = Buffer.alloc(0);
process.stdin.on('data', (part) => {
  buffer = Buffer.concat([buffer, part]);
  const end = buffer.indexOf(10);
  if (end < 0 || buffer.length < end + 1 + size) return;
  const step = JSON.parse(buffer.subarray(0, end));
  const labels = buffer.subarray(end + 1 + size - 8 * value('batch'), end + 1 + size);
  buffer = buffer.subarray(end + 1 + size);
  const isSent = step.weights !== null && existsSync(step.weights);
  const sum = new BigInt64Array(new Uint8Array(labels).buffer).reduce((a, b) => a + b, 0n);
  console.log(JSON.stringify({ loss: 1, gradNorm: 2, lr: step.lr, temperature: step.temperature, isSent, sum: Number(sum) }));
});
`;

const python = join(folder, 'reference.cjs');
writeFileSync(python, REFERENCE);
chmodSync(python, 0o755);

const SMALL = [
  ...['--dataset', 'bundled', '--limit-train', '16', '--batch-size', '8', '--steps', '3', '--threads', '1'],
  ...['--json', '--seed', '3'],
];

interface Report {
  steps: { loss: number; gradNorm: number; lr: number; pytorch: Record<string, unknown> }[];
  torch: string;
  largest: number;
  isWithin: boolean;
}

it('sends weights, batches, learning rate and temperature, and fails by the bound', {
  timeout: limit(120_000),
}, () => {
  const args = [...SMALL, '--model', 'alexnet-dy', '--pytorch', python, '--warmup-epochs', '2'];
  const { status, stdout, stderr } = command('check-recipe', ...args);
  expect(status, stderr).toBe(1);
  const report: Report = JSON.parse(stdout);
  expect(report.torch).toContain('--mode mix-after --batch 8 --experts 2 --threads 1');
  // Four steps of warm-up; an epoch has two steps, and the temperature falls by 3.
  expect(report.steps.map(({ lr }) => lr)).toEqual([0.025, 0.05, expect.closeTo(0.075, 12)]);
  expect(report.steps.map(({ pytorch }) => [pytorch.lr, pytorch.temperature, pytorch.isSent])).toEqual([
    [0.025, 30, true],
    [0.05, 30, false],
    [expect.closeTo(0.075, 12), 27, false],
  ]);
  for (const { pytorch } of report.steps) expect(Number(pytorch.sum)).toBeGreaterThan(0);
  const expected = Math.max(...report.steps.map(({ loss }) => Math.abs(loss - 1)));
  expect(report.largest).toBeCloseTo(expected, 10);

  const generous = command('check-recipe', ...args, '--bound', '1000', '--synchronize');
  expect(generous.status, generous.stderr).toBe(0);
  expect(JSON.parse(generous.stdout).steps.map((step: Report['steps'][0]) => step.pytorch.isSent)).toEqual([
    ...[true, true, true],
  ]);
});

it('shows each layer without changing the model', { timeout: limit(120_000) }, () => {
  const args = [...SMALL, '--model', 'alexnet', '--dropout', '0'];
  const { loss, after, gradNorm, layers } = JSON.parse(command('check-recipe', ...args, '--layers').stdout);
  const [first, second] = (JSON.parse(command('check-recipe', ...args).stdout) as Report).steps;
  expect(loss).toBe(first!.loss);
  expect(gradNorm).toBeCloseTo(first!.gradNorm, 4);
  expect(second!.loss).not.toBe(after);
  const last = layers.find(({ name }: { name: string }) => name === 'classifier.6.weight');
  expect(last.share).toBeCloseTo((0.1 * last.grad) / last.weight, 10);
  expect(layers).toHaveLength(13);
});

it('an interpreter that does not exist is an error of one line', () => {
  const { status, stderr } = command('check-recipe', ...SMALL, '--pytorch', join(folder, 'none'));
  expect(status).toBe(1);
  expect(stderr.trim().split('\n').at(-1)).toMatch(/^error: .*ENOENT/);
});
