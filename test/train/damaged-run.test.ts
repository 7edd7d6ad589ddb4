/** Damaged files of a run directory: every error has a class and names the file. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ArgumentError, CheckpointError } from '../../lib/errors.js';
import { readSafetensors, saveSafetensors } from '../../lib/formats/safetensors.js';
import { RunDirectory, Trainer } from '../../lib/train/index.js';
import { config, newRun, RandomImages, sgd, tinyNet } from './support.js';

const DEEP = 100_000;
const deep = `{"a":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`;
const NOT_OBJECTS: [string, RegExp][] = [
  ['null', /but received null/],
  ['[]', /but received \[\] \(array\)/],
  ['5', /but received 5 \(number\)/],
  ['', /but received nothing/],
  ['{"a":', /but received '\{"a":' \(string\): /],
  [deep, /more than 100 levels deep/],
];

async function refusal(work: Promise<unknown>): Promise<CheckpointError> {
  const error = await work.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CheckpointError);
  return error as CheckpointError;
}

describe('config.json', () => {
  it.each(NOT_OBJECTS)('%#', async (text, message) => {
    const { path, run } = await newRun();
    writeFileSync(run.file('config.json'), text);
    const { message: told } = await refusal(RunDirectory.open(path));
    expect(told).toMatch(message);
    expect(told).toContain(`${join(path, 'config.json')} is damaged: `);
    await run.close();
  });

  it.each([
    [{}, 'Expected a string for model but received undefined'],
    [{ ...config, modelOptions: null }, 'an object for modelOptions but received null'],
    [
      { ...config, modelOptions: { numClasses: 1e9 } },
      'Expected 3, the number of classes for modelOptions.numClasses',
    ],
    [{ ...config, device: 'tpu' }, "Expected 'cpu', 'cuda' or 'cuda:<number>' for device but received 'tpu'"],
    [{ ...config, batchSize: '512' }, "Expected an integer of at least 1 for batchSize but received '512'"],
    [{ ...config, classes: [1] }, 'Expected a string for classes[0] but received 1'],
    [{ ...config, classes: [] }, 'Expected at least one class for classes'],
    [{ ...config, imageShape: [3, 40_000, 40_000] }, 'an integer from 1 to 4096 for imageShape[1]'],
    [{ ...config, imageSize: 40_000 }, 'an integer from 1 to 4096 for imageSize'],
    [{ ...config, imageShape: [3, 28] }, 'Expected three numbers [C, H, W] for imageShape'],
    [{ ...config, temperature: 30 }, 'an object or null for temperature but received 30'],
    [{ ...config, monitor: 'f1' }, "Expected 'accuracy' or 'loss' for monitor but received 'f1' (string)"],
    [{ ...config, lr: null }, 'Expected a number for lr but received null'],
  ])('%# names the field', async (damaged, message) => {
    const { path, run } = await newRun();
    writeFileSync(run.file('config.json'), JSON.stringify(damaged));
    const { message: told } = await refusal(run.readConfig());
    expect(told).toContain(`${join(path, 'config.json')} is damaged: `);
    expect(told).toContain(message);
    await run.close();
  });

  it('of a run is taken as it is, with fields of another version', async () => {
    const { run } = await newRun();
    const other = { ...config, later: { than: ['this', 1] } };
    writeFileSync(run.file('config.json'), JSON.stringify(other));
    expect(await run.readConfig()).toEqual(other);
    await run.close();
  });
});

describe('metrics.jsonl', () => {
  const step = '{"type":"step","epoch":1,"step":10,"loss":1,"accuracy":0,"lr":1}';

  it.each([
    ...NOT_OBJECTS.filter(([text]) => text !== ''),
    ['{}', /a string for type but received undefined/],
    ['{"type":"epoch"}', /an integer of at least 1 for epoch but received undefined/],
    ['{"type":"epoch","epoch":1,"lr":1,"train":null}', /loss and accuracy for train but received null/],
  ] as [string, RegExp][])('%#', async (line, message) => {
    const { run } = await newRun();
    writeFileSync(run.file('metrics.jsonl'), `${step}\n${line}\n${step}\n`);
    for (const work of [() => run.readMetrics(), () => run.truncateMetrics({ epoch: 1, step: 10 })]) {
      const { message: told } = await refusal(work());
      expect(told).toMatch(message);
      expect(told).toContain(`${run.file('metrics.jsonl')}:2`);
    }
    await run.close();
  });

  it('keeps records of a type that this version does not know', async () => {
    const { run } = await newRun();
    writeFileSync(run.file('metrics.jsonl'), `{"type":"note","text":"kept"}\n${step}\n`);
    await run.truncateMetrics({ epoch: 0, step: 0 });
    expect(readFileSync(run.file('metrics.jsonl'), 'utf8')).toBe('{"type":"note","text":"kept"}\n');
    expect(await run.readMetrics()).toEqual([]);
    await run.close();
  });

  it('keeps null for a number that was not finite', async () => {
    const { run } = await newRun();
    const line = step.replace('"loss":1', '"loss":null');
    writeFileSync(run.file('metrics.jsonl'), `${line}\n`);
    expect(await run.readMetrics()).toMatchObject([{ step: 10, loss: Number.NaN }]);
    await run.truncateMetrics({ epoch: 1, step: 10 });
    expect(readFileSync(run.file('metrics.jsonl'), 'utf8')).toBe(`${line}\n`);
    await run.close();
  });
});

describe('a record that does not fit', () => {
  it('is not written', async () => {
    const { run } = await newRun();
    const record = { type: 'step', epoch: 1, step: 1, loss: 1, accuracy: 0 } as never;
    const message = 'Expected a number for record.lr but received undefined';
    await expect(run.append(record)).rejects.toThrow(new ArgumentError(message));
    expect(await run.readMetrics()).toEqual([]);
    const evaluation = { classes: ['a'], confusion: [[1, 2]] } as never;
    await expect(run.writeEvaluation(evaluation)).rejects.toThrow('Expected a string for record.checkpoint');
    await run.close();
  });
});

describe('last.state', () => {
  /** A run with a checkpoint whose state is modified. */
  async function changed(change: (state: string) => string) {
    const { run } = await newRun();
    const model = tinyNet();
    const parts = () => ({ model, optimizer: sgd(model), trainLoader: new RandomImages(16), epochs: 2 });
    const trainer = new Trainer(parts());
    await trainer.fit();
    await run.saveCheckpoint(model, trainer, { improved: false });
    const { tensors, metadata } = await readSafetensors(run.file('last.state'));
    const state = change(metadata.state!);
    await saveSafetensors(run.file('last.state'), tensors, { metadata: { ...metadata, state } });
    return { run, model, trainer: new Trainer(parts()) };
  }
  const field = (key: string, value: unknown) => (state: string) =>
    JSON.stringify({ ...JSON.parse(state), [key]: value });

  it.each([
    ...NOT_OBJECTS.map(([text, message]): [() => string, RegExp] => [() => text, message]),
    [() => '{}', /contains damaged training state: Expected an object for it\.meter/],
    [field('epoch', null), /Expected an integer of at least 0 for epoch but received null/],
    [field('step', -1), /an integer of at least 0 for step/],
    [field('meter', {}), /a number for meter\.loss/],
    [field('best', {}), /a number for best\.epoch/],
    [field('generator', null), /a tensor for generator but received null/],
    [field('optimizer', {}), /does not fit this training: /],
    [field('optimizer', { param_groups: null, state: null }), /does not fit this training: /],
    [field('scheduler', {}), /without a scheduler/],
  ] as [(state: string) => string, RegExp][])('%#', async (change, message) => {
    const { run, model, trainer } = await changed(change);
    const { message: told } = await refusal(run.resume(model, trainer));
    expect(told).toMatch(message);
    expect(told).toContain(run.file('last.state'));
    await run.close();
  });
});
