/** Runs that are killed at random moments, and then continue with the same results. They run the compiled package. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadSafetensors } from '../../lib/formats/safetensors.js';
import { limit } from '../support/limit.js';
import { startProcess } from '../support/program.js';
import { config, generator, temporaryFolder } from './support.js';

const EPOCHS = 24;
const KILLS = 10;

/**
 * Starts or resumes a run with all kinds of state: augmentation, dropout, batch norm, momentum, a schedule by
 * steps, averages. Prints `.` after every step and `s` when it starts saving a checkpoint.
 */
const PROGRAM = `
const { data, DynamicConv2d, manualSeed, nn, optim, setNumThreads, train } = dyconv;
import { existsSync } from 'node:fs';
import { join } from 'node:path';
const path = process.argv[1];
setNumThreads(1);
const set = await data.bundled({ split: 'train', channels: 1 });
const loader = (limit, transform) =>
  data.loader(set, { batchSize: 8, limit, shuffle: true, seed: 5, transform, prefetch: 1 });
manualSeed(5);
const model = new nn.Sequential(
  new DynamicConv2d(1, 4, 3, { numExperts: 2 }), new nn.BatchNorm2d(4), new nn.ReLU(),
  new nn.Flatten(), new nn.Dropout(0.3), new nn.Linear(4 * 10 * 10, 10));
const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
const trainer = new train.Trainer({
  model, optimizer, epochs: ${EPOCHS},
  trainLoader: loader(48, data.transforms.train({ resize: 14, size: 12 })),
  valLoader: loader(16, data.transforms.test({ size: 12 })),
  scheduler: new optim.lr.CosineAnnealingLR(optimizer, { tMax: ${EPOCHS * 6} }), schedulerInterval: 'step',
  temperature: train.temperatureSchedule({ start: 10, epochs: 5 }),
  ema: { decay: 0.9 }, clip: { norm: 1 },
});
let run;
if (existsSync(join(path, 'config.json'))) {
  run = await train.RunDirectory.open(path);
  await run.resume(model, trainer);
} else {
  run = await train.RunDirectory.create(path, {
    config: ${JSON.stringify(config)},
    environment: train.describeEnvironment({ device: 'cpu' }),
  });
}
trainer.on('step', () => process.stdout.write('.'));
trainer.on('epoch', async (record, { improved }) => {
  process.stdout.write('s');
  await run.append(record);
  await run.saveCheckpoint(model, trainer, { improved, keep: { every: 5, last: 2 } });
});
await trainer.fit();
await run.close();
`;

/** When a run is killed: some milliseconds after this number of marks of a kind. */
interface Moment {
  mark: '.' | 's';
  count: number;
  delay: number;
}

/** Runs the program on a folder until it ends or is killed. Returns the signal that ended it. */
async function run(folder: string, moment?: Moment): Promise<NodeJS.Signals | null> {
  const child = startProcess(PROGRAM, [folder]);
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  let seen = 0;
  child.stdout.on('data', (text: Buffer) => {
    if (!moment || seen >= moment.count) return;
    seen += text.toString().split(moment.mark).length - 1;
    if (seen >= moment.count) setTimeout(() => child.kill('SIGKILL'), moment.delay);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  expect(errors).toBe('');
  if (signal === null) expect(code).toBe(0);
  return signal;
}

/** The results of a run that do not depend on time. */
async function resultsOf(folder: string) {
  const names = readdirSync(folder).sort();
  const weights: Record<string, unknown> = {};
  for (const name of names.filter((one) => /\.(safetensors|state)$/.test(one))) {
    for (const [key, value] of Object.entries(await loadSafetensors(join(folder, name)))) {
      weights[`${name} ${key}`] = Buffer.from(value.dataSync().buffer).toString('hex');
    }
  }
  const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const metrics = lines.map((line) => {
    const { epoch, lr, temperature, train, val } = JSON.parse(line);
    return { epoch, lr, temperature, train, val };
  });
  return { names, weights, metrics };
}

it('killed at 10 random moments, also while saving, ends with the same bits as one never stopped', {
  timeout: limit(180_000),
}, async () => {
  const random = generator(20);
  const killed = join(temporaryFolder(), 'killed');
  const whole = join(temporaryFolder(), 'whole');
  const reference = run(whole);
  for (let kill = 0; kill < KILLS; kill++) {
    // Half of them are during a checkpoint, which takes a few milliseconds; at most two epochs pass between two
    // kills.
    const saving = kill % 2 === 1;
    const moment: Moment = saving
      ? { mark: 's', count: 1 + Math.floor(random() * 2), delay: random() * 8 }
      : { mark: '.', count: 1 + Math.floor(random() * 11), delay: random() * 3 };
    expect(await run(killed, moment), `kill ${kill}: ${JSON.stringify(moment)}`).toBe('SIGKILL');
  }
  expect(await run(killed)).toBeNull();
  expect(await reference).toBeNull();
  const [actual, expected] = [await resultsOf(killed), await resultsOf(whole)];
  expect(expected.names).toEqual([
    'best.safetensors',
    'config.json',
    'environment.json',
    'epoch-0015.safetensors',
    'epoch-0020.safetensors',
    'last.safetensors',
    'last.state',
    'metrics.jsonl',
  ]);
  expect(expected.metrics.length).toBe(EPOCHS);
  expect(actual).toEqual(expected);
});
