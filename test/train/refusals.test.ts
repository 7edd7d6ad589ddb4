/** Wrong arguments of the functions of training. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ArgumentError, nn, ones, optim, train, zeros } from '../../lib/index.js';
import { config } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'dyconv-refusals-'));
afterAll(() => rmSync(folder, { recursive: true }));

const nothing = undefined as never;
const other = {} as never;
const model = new nn.Linear(2, 2);
const optimizer = new optim.SGD(model.parameters());
async function* batches() {
  yield { images: ones([1, 2]), labels: zeros([1], { dtype: 'int64' }) };
}
const loader = { length: 1, [Symbol.asyncIterator]: batches };
const trainer = new train.Trainer({ model, optimizer, trainLoader: loader, epochs: 1 });
const withTrainer = (changes: object) => () =>
  new train.Trainer({ model, optimizer, trainLoader: loader, epochs: 1, ...changes });
const description = { config, environment: train.describeEnvironment({ device: 'cpu' }) };
const run = await train.RunDirectory.create(join(folder, 'run'), description);
const circular: Record<string, unknown> = {};
circular.self = circular;
const badBatches = {
  length: 1,
  [Symbol.asyncIterator]: async function* () {
    yield { images: 1 } as never;
  },
};

it.each<[string, () => unknown]>([
  ['a Module for model but received undefined', () => train.countParameters(nothing)],
  ['a Module for model but received Object (object)', () => train.evaluate(other, loader)],
  ['a loader of batches for loader but received undefined', () => train.evaluate(model, nothing)],
  ['a function for loss', () => train.evaluate(model, loader, { loss: 'mse' as never })],
  ['a Tensor for batch.images but received 1 (number)', () => train.evaluate(model, badBatches)],
  ['a Module for model', () => train.getTemperature(other)],
  ['a Module for model', () => train.setTemperature(nothing, 1)],
  ['a Module for model', () => train.kernelChoices(other, [1, 3, 8, 8])],
  ['an object for options but received null', () => train.kernelChoices(model, [1, 2], null as never)],
  ['an array of sizes for shape', () => train.kernelChoices(model, 5 as never)],
  ['an object for options but received undefined', () => train.describeEnvironment(nothing)],
  ['the path of a file for path but received a symbol', () => train.loadWeights(Symbol('a') as never)],
  ['the paths of weights and state for files', () => train.loadCheckpoint(nothing)],
  ['a string for files.state but received undefined', () => train.loadCheckpoint({ weights: 'a' } as never)],
  ['a Trainer for trainer', () => train.saveCheckpoint({ weights: 'a', state: 'b' }, model, other)],
  ['an Optimizer for optimizer', () => new train.CapturedStep({ model } as never)],
  [
    'a Tensor for batch.labels',
    () => new train.CapturedStep({ model, optimizer }).run({ images: ones([1, 2]) } as never),
  ],
  ['a Module for model', withTrainer({ model: {} })],
  ['an Optimizer for optimizer', withTrainer({ optimizer: null })],
  ['a loader of batches for trainLoader', withTrainer({ trainLoader: [] })],
  ['a loader of batches for valLoader', withTrainer({ valLoader: 3 })],
  ['an LRScheduler for scheduler', withTrainer({ scheduler: {} })],
  ['a function for temperature', withTrainer({ temperature: 30 })],
  ['the name of a device for device', withTrainer({ device: 0 })],
  ['an object for clip', withTrainer({ clip: 1 })],
  ['the path of a folder for path but received 2 (number)', () => train.RunDirectory.open(2 as never)],
  ['the path of a folder for path', () => train.RunDirectory.assertFree(nothing)],
  ['an object for description', () => train.RunDirectory.create(join(folder, 'a'), nothing)],
  [
    'a configuration for config but received 1 (number)',
    () => train.RunDirectory.create(join(folder, 'a'), { ...description, config: 1 as never }),
  ],
  [
    'a string for config.model but received undefined',
    () => train.RunDirectory.create(join(folder, 'a'), { ...description, config: {} as never }),
  ],
  [
    'an integer of at least 1 for config.batchSize but received 0 (number)',
    () =>
      train.RunDirectory.create(join(folder, 'a'), { ...description, config: { ...config, batchSize: 0 } }),
  ],
  [
    'a string for environment.dyconv but received undefined',
    () => train.RunDirectory.create(join(folder, 'a'), { ...description, environment: {} as never }),
  ],
  [
    'values that JSON can hold for environment',
    () =>
      train.RunDirectory.create(join(folder, 'a'), {
        ...description,
        environment: { ...description.environment, ...circular },
      }),
  ],
  ['a string for config.model but received undefined', () => run.writeConfig({} as never)],
  ['a value that JSON can represent for record', () => run.append({ type: 'note', size: 1n } as never)],
  ['a string for record.type but received undefined', () => run.append({ size: 1 } as never)],
  ['an evaluation for record', () => run.writeEvaluation(nothing)],
  ['a name for checkpoint', () => run.weightsFile(Symbol('best') as never)],
  ['the name of a file for name', () => run.file(5 as never)],
  ['a Trainer for trainer', () => run.saveCheckpoint(model, other, { improved: true })],
  ['an object for options', () => run.saveCheckpoint(model, trainer, nothing)],
  ['a position for position', () => run.truncateMetrics(nothing)],
  ['a Module for model', () => run.resume(other, trainer)],
])('expects %s', async (message, call) => {
  const made = async () => call();
  await expect(made()).rejects.toThrow(ArgumentError);
  await expect(made()).rejects.toThrow(message);
  // No incomplete file is left.
  expect(readdirSync(folder)).toEqual(['run']);
  expect(readdirSync(join(folder, 'run')).sort()).toEqual(['config.json', 'environment.json', 'run.lock']);
});
