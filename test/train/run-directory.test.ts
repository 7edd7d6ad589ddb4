import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError, TrainingError } from '../../lib/errors.js';
import { loadSafetensors, readSafetensorsHeader } from '../../lib/formats/safetensors.js';
import { dynamicConv2d, getRngState, nn } from '../../lib/index.js';
import {
  countParameters,
  describeEnvironment,
  type EpochRecord,
  kernelChoices,
  RunDirectory,
  type StepRecord,
  Trainer,
} from '../../lib/train/index.js';
import { config, newRun, RandomImages, sgd, temporaryFolder, tinyNet } from './support.js';

const step = (number: number): StepRecord => ({
  type: 'step',
  epoch: Math.ceil(number / 10),
  step: number,
  loss: 2,
  accuracy: 0.5,
  lr: 0.1,
});

const epoch = (number: number): EpochRecord => ({
  type: 'epoch',
  epoch: number,
  lr: 0.1,
  temperature: null,
  train: { loss: 2, accuracy: 0.5 },
  val: null,
  seconds: 1,
  imagesPerSecond: 48,
  dataSeconds: 0,
  time: new Date(0).toISOString(),
});

describe('RunDirectory', () => {
  it('describes the run', async () => {
    const { path, environment } = await newRun();
    const run = await RunDirectory.open(path);
    expect(await run.readConfig()).toEqual(config);
    expect(await run.readEnvironment()).toEqual(environment);
    expect(environment).toMatchObject({ node: process.versions.node, device: 'cpu' });
    expect(environment.libtorch).toMatch(/^2\.\d+\.\d+/);
    expect(environment.cores).toBeGreaterThan(0);
    expect(environment.algorithms).toContain('reference');
    expect(readdirSync(path).sort()).toEqual(['config.json', 'environment.json', 'run.lock']);
  });

  it('never overwrites a run', async () => {
    const { path, environment, run } = await newRun();
    await run.append(step(10));
    await run.close();
    const before = readFileSync(join(path, 'metrics.jsonl'), 'utf8');
    const again = RunDirectory.create(path, { config: { ...config, seed: 2 }, environment });
    await expect(again).rejects.toThrow(TrainingError);
    await expect(again).rejects.toThrow(
      /already holds a run \(config.json, metrics.jsonl\).*--resume.*--out/,
    );
    expect(readFileSync(join(path, 'metrics.jsonl'), 'utf8')).toBe(before);
    expect((await run.readConfig()).seed).toBe(1);
  });

  it('starts in a folder with other files, and says so when the path is a file', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    const environment = describeEnvironment({ device: 'cpu' });
    await RunDirectory.create(folder, { config, environment });
    expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('mine');
    await expect(RunDirectory.create(join(folder, 'notes.txt'), { config, environment })).rejects.toThrow(
      TrainingError,
    );
  });

  it('says that a folder is no run, or that its configuration is damaged', async () => {
    const folder = temporaryFolder();
    await expect(RunDirectory.open(folder)).rejects.toThrow(
      /is not a run directory: cannot read config.json/,
    );
    writeFileSync(join(folder, 'config.json'), '{"model": ');
    await expect(RunDirectory.open(folder)).rejects.toThrow(CheckpointError);
    await expect(RunDirectory.open(folder)).rejects.toThrow(/config.json is damaged/);
  });

  it('keeps metrics that were written before a crash, and drops the line it cut short', async () => {
    const { path, run } = await newRun();
    expect(await run.readMetrics()).toEqual([]);
    await run.append(step(10));
    await run.append(epoch(1));
    await run.close();
    appendFileSync(join(path, 'metrics.jsonl'), '{"type":"step","epo');
    expect(await run.readMetrics()).toEqual([step(10), epoch(1)]);
    await run.truncateMetrics({ epoch: 1, step: 10 });
    await run.append(step(20));
    await run.close();
    expect(await run.readMetrics()).toEqual([step(10), epoch(1), step(20)]);
  });

  it('cuts metrics beyond a checkpoint', async () => {
    const { run } = await newRun();
    for (const record of [step(10), epoch(1), step(15), step(20), epoch(2)]) await run.append(record);
    await run.truncateMetrics({ epoch: 1, step: 15 });
    expect(await run.readMetrics()).toEqual([step(10), epoch(1), step(15)]);
  });

  it('names a damaged line', async () => {
    const { path, run } = await newRun();
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'metrics.jsonl'), `${JSON.stringify(step(1))}\nrubbish\n`);
    await expect(run.readMetrics()).rejects.toThrow(
      /metrics.jsonl:2 is damaged: Expected a JSON object but received 'rubbish'/,
    );
  });

  it('saves best and last weights with the training state', async () => {
    const { path, run } = await newRun();
    const model = tinyNet();
    const trainer = new Trainer({
      model,
      optimizer: sgd(model),
      trainLoader: new RandomImages(16),
      epochs: 1,
    });
    expect(await run.hasCheckpoint()).toBe(false);
    await trainer.fit();
    await run.saveCheckpoint(model, trainer, { improved: true });
    expect(await run.hasCheckpoint()).toBe(true);
    expect(readdirSync(path).sort()).toEqual([
      'best.safetensors',
      'config.json',
      'environment.json',
      'last.safetensors',
      'last.state',
      'run.lock',
    ]);
    const { metadata } = await readSafetensorsHeader(run.file('best.safetensors'));
    expect(metadata).toEqual({ epoch: '1', accuracy: String(trainer.best?.accuracy) });
    const weights = await loadSafetensors(run.file('best.safetensors'));
    expect(Object.keys(weights).sort()).toEqual(Object.keys(model.stateDict()).sort());
    const checkpoint = await run.loadCheckpoint();
    expect(checkpoint.state).toMatchObject({ epoch: 1, batch: 0, step: 3, best: trainer.best });
  });

  it('leaves the best weights alone when an epoch was worse', async () => {
    const { run } = await newRun();
    const model = tinyNet();
    const trainer = new Trainer({
      model,
      optimizer: sgd(model),
      trainLoader: new RandomImages(16),
      epochs: 1,
    });
    await trainer.fit();
    await run.saveCheckpoint(model, trainer, { improved: false });
    expect(existsSync(run.file('best.safetensors'))).toBe(false);
  });
});

describe('describeEnvironment', () => {
  it('records the commit, the instruction set and the algorithm of every dynamic layer', () => {
    const model = tinyNet({ dropout: 0.5 });
    const state = getRngState().dataSync();
    const kernels = kernelChoices(model, [16, 3, 4, 4]);
    expect(Object.keys(kernels)).toEqual(['0']);
    expect(dynamicConv2d.algorithms()).toContain(kernels['0']);
    expect(kernelChoices(model, [1, 3, 4, 4])).toEqual({ 0: 'mix-once' });
    expect(getRngState().dataSync()).toEqual(state);
    expect([...model.namedModules()].every(([, module]) => module.training)).toBe(true);
    expect(kernelChoices(new nn.Sequential(new nn.Flatten()), [1, 2])).toEqual({});
    const { commit, cpuCapability } = describeEnvironment({ device: 'cpu', kernels });
    expect(cpuCapability).toMatch(/^[A-Z0-9]+$/);
    const head = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).stdout.trim();
    if (/^[0-9a-f]{40}$/.test(head)) expect(commit).toMatch(new RegExp(`^${head}(-dirty)?$`));
    else expect(commit).toBeNull();
  });
});

describe('countParameters', () => {
  it('counts what the article counts: parameters and batch-norm statistics', () => {
    const conv = 2 * 8 * 3 * 3 * 3 + 2 * 8;
    const routing = 3 + 1 + 2 + 2; // 3 -> 1 -> 2, with biases
    const trainable = conv + routing + 2 * 8 + (128 * 3 + 3);
    expect(countParameters(tinyNet())).toEqual({ trainable, statistics: 16, total: trainable + 16 });
  });
});
