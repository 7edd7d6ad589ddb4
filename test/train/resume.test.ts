import { cpSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError, DatasetError } from '../../lib/errors.js';
import { readSafetensorsHeader } from '../../lib/formats/safetensors.js';
import { optim } from '../../lib/index.js';
import { loadCheckpoint, saveCheckpoint, Trainer, temperatureSchedule } from '../../lib/train/index.js';
import { bitsOf, RandomImages, sgd, temporaryFolder, tinyNet } from './support.js';

function training(options: { signal?: AbortSignal; epochs?: number; seed?: number } = {}) {
  const model = tinyNet({ dropout: 0.5, seed: options.seed });
  const optimizer = sgd(model);
  const scheduler = new optim.lr.MultiStepLR(optimizer, { milestones: [1, 3], gamma: 0.5 });
  const trainer = new Trainer({
    model,
    optimizer,
    scheduler,
    trainLoader: new RandomImages(8),
    valLoader: new RandomImages(16, { seed: 8 }),
    temperature: temperatureSchedule({ start: 4, epochs: 4 }),
    epochs: options.epochs ?? 4,
    signal: options.signal,
  });
  return { model, trainer };
}

const filesIn = (folder: string) => ({
  weights: join(folder, 'last.safetensors'),
  state: join(folder, 'last.state'),
});

/** Trains to a step, saves, and continues with new objects that start with other weights. */
async function stopAndResume(folder: string, lastStep: number) {
  const controller = new AbortController();
  const first = training({ signal: controller.signal });
  first.trainer.on('step', ({ step }) => step === lastStep && controller.abort());
  await first.trainer.fit();
  await saveCheckpoint(filesIn(folder), first.model, first.trainer);

  const second = training({ seed: 99 });
  const checkpoint = await loadCheckpoint(filesIn(folder));
  second.model.loadStateDict(checkpoint.weights, { strict: true });
  second.trainer.loadStateDict(checkpoint.state);
  checkpoint.dispose();
  const result = await second.trainer.fit();
  return { ...second, result };
}

describe('resuming', () => {
  // 6 batches per epoch: 6 and 12 are ends of epochs, the others are within one.
  it.each([1, 5, 6, 12, 17])('after step %i ends with the same weights to the bit', async (step) => {
    const reference = training();
    const uninterrupted = await reference.trainer.fit();
    const resumed = await stopAndResume(temporaryFolder(), step);
    expect(bitsOf(resumed.model)).toEqual(bitsOf(reference.model));
    expect(resumed.result).toEqual(uninterrupted);
    expect(resumed.trainer.stateDict().scheduler).toEqual(reference.trainer.stateDict().scheduler);
  });

  it('after a batch that cannot be read goes on from the batch before it', async () => {
    class Damaged extends RandomImages {
      override async *[Symbol.asyncIterator]() {
        for await (const one of super[Symbol.asyncIterator]()) {
          if (this.seen.length === 10) throw new DatasetError('3.png: the file is damaged');
          yield one;
        }
      }
    }
    const reference = training();
    await reference.trainer.fit();
    const made = (loader: RandomImages) => {
      const model = tinyNet({ dropout: 0.5 });
      const optimizer = sgd(model);
      const scheduler = new optim.lr.MultiStepLR(optimizer, { milestones: [1, 3], gamma: 0.5 });
      const valLoader = new RandomImages(16, { seed: 8 });
      const temperature = temperatureSchedule({ start: 4, epochs: 4 });
      const parts = { model, optimizer, scheduler, valLoader, temperature, epochs: 4, trainLoader: loader };
      return { model, trainer: new Trainer(parts) };
    };
    const out = join(temporaryFolder(), 'run');
    const first = made(new Damaged(8));
    const config = { classes: ['a', 'b', 'c'] };
    await expect(first.trainer.fit({ out, config })).rejects.toThrow('3.png: the file is damaged');
    // One batch was read for the configuration of the run.
    expect(first.trainer.position).toMatchObject({ epoch: 1, batch: 2, step: 8 });
    const second = made(new RandomImages(8));
    await second.trainer.fit({ out, config, resume: true });
    expect(bitsOf(second.model)).toEqual(bitsOf(reference.model));
  });

  it('reports the complete epoch in which it was stopped', async () => {
    const reference = training({ epochs: 1 });
    const records: unknown[] = [];
    const keep = ({
      train,
      val,
      lr,
      temperature,
    }: {
      train: object;
      val: object | null;
      lr: number;
      temperature: number | null;
    }) => void records.push({ train, val, lr, temperature });
    reference.trainer.on('epoch', keep);
    await reference.trainer.fit();

    const controller = new AbortController();
    const stopped = training({ epochs: 1, signal: controller.signal });
    stopped.trainer.on('step', ({ step }) => step === 4 && controller.abort());
    await stopped.trainer.fit();
    const state = stopped.trainer.stateDict(); // before the next model draws from the same generator
    const resumed = training({ epochs: 1 });
    resumed.model.loadStateDict(stopped.model.stateDict());
    resumed.trainer.loadStateDict(state);
    resumed.trainer.on('epoch', keep);
    await resumed.trainer.fit();
    expect(records[1]).toEqual(records[0]);
  });

  it('refuses the state of a training without scheduler', async () => {
    const { trainer } = training();
    const model = tinyNet();
    const other = new Trainer({ model, optimizer: sgd(model), trainLoader: new RandomImages(8), epochs: 1 });
    expect(() => trainer.loadStateDict(other.stateDict())).toThrow(CheckpointError);
  });
});

describe('resuming with everything on', () => {
  function everything(
    options: { signal?: AbortSignal; seed?: number; autocast?: 'bfloat16' | 'float16' } = {},
  ) {
    const model = tinyNet({ dropout: 0.5, seed: options.seed });
    const optimizer = new optim.AdamW(model.parameters(), { lr: 0.01 });
    const trainer = new Trainer({
      model,
      optimizer,
      scheduler: new optim.lr.OneCycleLR(optimizer, { maxLr: 0.05, totalSteps: 16 }),
      schedulerInterval: 'step',
      trainLoader: new RandomImages(4), // 12 batches, 4 steps an epoch
      valLoader: new RandomImages(16, { seed: 8 }),
      accumulate: 3,
      clip: { norm: 0.5, value: 0.1 },
      ema: { decay: 0.9 },
      autocast: options.autocast ?? 'bfloat16',
      monitor: 'loss',
      earlyStopping: { patience: 3 },
      validateEvery: 2,
      epochs: 4,
      signal: options.signal,
    });
    return { model, trainer };
  }

  it.each([
    [1, 'bfloat16'],
    [4, 'bfloat16'],
    [7, 'float16'],
    [13, 'bfloat16'],
  ] as const)('after step %i in %s ends with the same weights and averages', async (step, autocast) => {
    const reference = everything({ autocast });
    const uninterrupted = await reference.trainer.fit();

    const controller = new AbortController();
    const first = everything({ signal: controller.signal, autocast });
    first.trainer.on('step', (event) => event.step === step && controller.abort());
    await first.trainer.fit();
    const files = filesIn(temporaryFolder());
    await saveCheckpoint(files, first.model, first.trainer);
    const second = everything({ seed: 99, autocast });
    const checkpoint = await loadCheckpoint(files);
    second.model.loadStateDict(checkpoint.weights, { strict: true });
    second.trainer.loadStateDict(checkpoint.state);
    checkpoint.dispose();

    expect(await second.trainer.fit()).toEqual(uninterrupted);
    expect(bitsOf(second.model)).toEqual(bitsOf(reference.model));
    const averages = ({ model, trainer }: typeof reference) =>
      trainer.withEvaluationWeights(() => bitsOf(model));
    expect(averages(second)).toEqual(averages(reference));
    expect(averages(second)).not.toEqual(bitsOf(second.model));
    const { earlyStopping, scheduler } = reference.trainer.stateDict();
    expect(second.trainer.stateDict()).toMatchObject({ earlyStopping, scheduler });
  });
});

describe('checkpoints', () => {
  async function twoCheckpoints() {
    const folder = temporaryFolder();
    const files = filesIn(folder);
    const { model, trainer } = training({ epochs: 1 });
    await saveCheckpoint(files, model, trainer);
    const old = temporaryFolder();
    cpSync(folder, old, { recursive: true });
    await trainer.fit();
    await saveCheckpoint(files, model, trainer);
    return { folder, files, old };
  }

  it('leaves nothing but the two files', async () => {
    const { folder } = await twoCheckpoints();
    expect(readdirSync(folder).sort()).toEqual(['last.safetensors', 'last.state']);
  });

  it('finishes a save that was killed between its two renames', async () => {
    const { folder, files, old } = await twoCheckpoints();
    const { metadata } = await readSafetensorsHeader(files.weights);
    renameSync(files.weights, join(folder, `.last.safetensors.${metadata.checkpoint}.tmp`));
    cpSync(join(old, 'last.safetensors'), files.weights);
    const checkpoint = await loadCheckpoint(files);
    expect(checkpoint.state).toMatchObject({ epoch: 1, step: 6 });
    expect((await readSafetensorsHeader(files.weights)).metadata.checkpoint).toBe(metadata.checkpoint);
    expect(readdirSync(folder).sort()).toEqual(['last.safetensors', 'last.state']);
  });

  it('ignores and removes a save that was killed before its first rename', async () => {
    const { folder, files } = await twoCheckpoints();
    writeFileSync(join(folder, '.last.safetensors.1234.tmp'), 'half');
    writeFileSync(join(folder, '.last.state.1234.tmp'), 'half');
    expect((await loadCheckpoint(files)).state.epoch).toBe(1);
    expect(readdirSync(folder).sort()).toEqual(['last.safetensors', 'last.state']);
  });

  it('refuses weights of another checkpoint', async () => {
    const { files, old } = await twoCheckpoints();
    cpSync(join(old, 'last.safetensors'), files.weights);
    await expect(loadCheckpoint(files)).rejects.toThrow(
      /last\.safetensors and last\.state .* not from the same/,
    );
  });

  it('keeps the previous pair when it cannot write', async () => {
    const { files, folder } = await twoCheckpoints();
    const { model, trainer } = training({ epochs: 1 });
    const bad = { weights: files.weights, state: join(folder, 'missing', 'last.state') };
    await expect(saveCheckpoint(bad, model, trainer)).rejects.toThrow(CheckpointError);
    expect((await loadCheckpoint(files)).state.epoch).toBe(1);
    expect(readdirSync(folder).sort()).toEqual(['last.safetensors', 'last.state']);
  });

  it('names what is missing', async () => {
    const { files } = await twoCheckpoints();
    rmSync(files.weights);
    await expect(loadCheckpoint(files)).rejects.toThrow(/Cannot read .*last\.safetensors: no such file/);
  });
});
