/** Full disks and folders without write permission. Needs root on Linux. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../lib/errors.js';
import { saveSafetensors, zeros } from '../../lib/index.js';
import { describeEnvironment, RunDirectory, Trainer } from '../../lib/train/index.js';
import { canMount, makeReadOnly, noMount, room, tinyDisk } from '../support/disk.js';
import { bitsOf, config, RandomImages, sgd, temporaryFolder, tinyNet } from './support.js';

const smallDisk = (kilobytes: number) => tinyDisk(temporaryFolder(), kilobytes);

async function trained(path: string) {
  const environment = describeEnvironment({ device: 'cpu' });
  const run = await RunDirectory.create(path, { config, environment });
  const model = tinyNet();
  const trainer = new Trainer({ model, optimizer: sgd(model), trainLoader: new RandomImages(16), epochs: 3 });
  return { run, model, trainer };
}

describe.skipIf(!canMount)(`a disk that gets full${noMount}`, () => {
  it('keeps the previous checkpoint, complete, and leaves nothing half-written', async () => {
    const disk = smallDisk(64);
    const { run, model, trainer } = await trained(join(disk, 'run'));
    let saved: unknown;
    trainer.on('epoch', async ({ epoch }) => {
      if (epoch === 2) writeFileSync(join(disk, 'filler'), Buffer.alloc(room(disk) - 12 * 1024));
      await run.saveCheckpoint(model, trainer, { improved: false });
      if (epoch === 1) saved = bitsOf(model);
    });
    const failure = trainer.fit();
    await expect(failure).rejects.toThrow(CheckpointError);
    await expect(failure).rejects.toThrow(/Cannot write .*last\.(safetensors|state): the disk is full/);
    expect(readdirSync(run.path).sort()).toEqual([
      'config.json',
      'environment.json',
      'last.safetensors',
      'last.state',
      'run.lock',
    ]);
    const again = tinyNet({ seed: 9 });
    const other = new Trainer({
      model: again,
      optimizer: sgd(again),
      trainLoader: new RandomImages(16),
      epochs: 3,
    });
    expect(await run.resume(again, other)).toBe(true);
    expect(bitsOf(again)).toEqual(saved);
    expect(other.epoch).toBe(1);
  });

  it('a metrics line without space is an error, and the existing lines remain readable', async () => {
    const disk = smallDisk(32);
    const { run } = await trained(join(disk, 'run'));
    const line = { type: 'step' as const, epoch: 1, step: 1, loss: 1, accuracy: 0, lr: 0.1 };
    await run.append(line);
    writeFileSync(join(disk, 'filler'), Buffer.alloc(room(disk)));
    const write = async () => {
      for (let step = 2; step < 200; step++) await run.append({ ...line, step });
    };
    await expect(write()).rejects.toThrow(/Cannot write .*metrics\.jsonl: the disk is full/);
    await run.close();
    const steps = (await run.readMetrics()).map((record) => (record as typeof line).step);
    expect(steps.length).toBeGreaterThan(0);
    expect(steps).toEqual(steps.map((_, i) => i + 1));
  });

  it('saveSafetensors keeps the file that was there', async () => {
    const file = join(smallDisk(32), 'weights.safetensors');
    await saveSafetensors(file, { a: zeros([10]) });
    const before = readFileSync(file);
    await expect(saveSafetensors(file, { a: zeros([100_000]) })).rejects.toThrow(/the disk is full/);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(join(file, '..'))).toEqual(['weights.safetensors']);
  });
});

describe.skipIf(!canMount)(`a folder that is read-only${noMount}`, () => {
  it('is an error when a run is started in it', async () => {
    const folder = makeReadOnly(temporaryFolder());
    await expect(trained(join(folder, 'run'))).rejects.toThrow(
      /Cannot use .*run as a run directory: the file system is read-only/,
    );
  });

  it('is an error at a checkpoint, which does not change the model or the folder', async () => {
    const parent = temporaryFolder();
    const { run, model, trainer } = await trained(join(parent, 'run'));
    trainer.on('epoch', async ({ epoch }) => {
      if (epoch === 2) makeReadOnly(run.path);
      await run.saveCheckpoint(model, trainer, { improved: true });
    });
    await expect(trainer.fit()).rejects.toThrow(
      /Cannot write .*best\.safetensors: the file system is read-only/,
    );
    expect((await run.loadCheckpoint()).state.epoch).toBe(1);
  });
});

describe('a folder of another user', () => {
  const isRoot = process.getuid?.() === 0;
  it.skipIf(!isRoot)('is reported as permission denied (needs root, to become another user)', () => {
    const parent = temporaryFolder();
    mkdirSync(join(parent, 'run'));
    expect(statSync(join(parent, 'run')).uid).toBe(0);
    const code = `
      import { RunDirectory } from '${new URL('../../dist/train/run-directory.js', import.meta.url).href}';
      process.setgid(65534);
      process.setuid(65534);
      const description = ${JSON.stringify({ config, environment: describeEnvironment({ device: 'cpu' }) })};
      await RunDirectory.create('${join(parent, 'run')}', description)
        .catch((error) => console.log(error.name, error.message));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/^TrainingError Cannot use .*run as a run directory: permission denied/);
  });
});
