import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ArgumentError, CheckpointError } from '../../lib/errors.js';
import { groupRuns } from '../../lib/report/groups.js';
import { parseMetrics } from '../../lib/run/metrics.js';
import { loadRun } from '../../lib/run/read.js';
import { madeUpRun } from './support/made-up-runs.js';
import { metricsText, removeFolders, temporaryFolder, writeRun } from './support/run-folder.js';

afterAll(removeFolders);

describe('loadRun', () => {
  it('gives back what was written', async () => {
    const run = madeUpRun({ epochs: 3 });
    const folder = writeRun(run);
    const read = await loadRun(folder);
    expect(read).toMatchObject({ config: run.config, environment: run.environment, steps: run.steps });
    expect(read.epochs).toEqual(run.epochs);
    expect(read.evaluation).toEqual(run.evaluation);
    expect(read.predictions).toBeNull();
    expect(folder.endsWith(read.name)).toBe(true);
  });

  it('leaves out a last line that was cut off', async () => {
    const folder = writeRun(madeUpRun({ epochs: 3 }));
    appendFileSync(join(folder, 'metrics.jsonl'), '{"type":"epoch","epoch":4,"lr":0.1,"tr');
    expect((await loadRun(folder)).epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  });

  it('takes a run that has only just begun', async () => {
    const folder = writeRun(madeUpRun({ epochs: 2 }));
    for (const name of ['metrics.jsonl', 'environment.json', 'evaluation.json']) rmSync(join(folder, name));
    expect(await loadRun(folder)).toMatchObject({
      epochs: [],
      steps: [],
      environment: null,
      evaluation: null,
    });
  });

  it('reads the runs of docs/results', async () => {
    const folder = fileURLToPath(new URL('../../docs/results', import.meta.url));
    const names = readdirSync(folder);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const { config, epochs, steps } = await loadRun(join(folder, name));
      expect(epochs).toHaveLength(config.epochs);
      expect(steps.at(-1)!.epoch).toBe(config.epochs);
      expect(config).toEqual(JSON.parse(readFileSync(join(folder, name, 'config.json'), 'utf8')));
    }
  });

  it('names what is missing in a folder that is not a run', async () => {
    const folder = temporaryFolder();
    await expect(loadRun(folder)).rejects.toThrow(ArgumentError);
    await expect(loadRun(folder)).rejects.toThrow(
      /run directory but received '.*', which has no config\.json/,
    );
    await expect(loadRun(join(folder, 'nope'))).rejects.toThrow(/'.*nope', which does not exist/);
    writeFileSync(join(folder, 'file'), '');
    await expect(loadRun(join(folder, 'file'))).rejects.toThrow(/which is not a folder/);
  });

  it.each([
    ['config.json', '{"model":', /config\.json is damaged: Expected a JSON object/],
    ['config.json', '[]', /config\.json is damaged: Expected a JSON object/],
    [
      'config.json',
      '{"model":"alexnet"}',
      /config\.json is damaged: Expected an object for modelOptions but received undefined/,
    ],
    [
      'evaluation.json',
      '{"classes":["a","b"],"confusion":[[1,2]],"checkpoint":"best","loss":1,"accuracy":1,"images":1,"imagesPerSecond":1}',
      /evaluation\.json is damaged: Expected a 2 x 2 matrix, a row and a column for every class, for confusion/,
    ],
    [
      'evaluation.json',
      '{"classes":["a"],"confusion":[["many"]],"loss":1,"accuracy":1,"images":1,"imagesPerSecond":1}',
      /evaluation\.json is damaged: Expected a number for confusion\[0\]\[0\] but received 'many' \(string\)/,
    ],
    ['environment.json', '{"dyconv":1}', /environment\.json is damaged: Expected a string for dyconv but/],
    [
      'metrics.jsonl',
      '{"type":5}\n',
      /metrics\.jsonl:1 is damaged: Expected a string for type but received 5/,
    ],
  ])('names a damaged %s', async (name, text, message) => {
    const folder = writeRun(madeUpRun({ epochs: 1 }));
    writeFileSync(join(folder, name), text);
    await expect(loadRun(folder)).rejects.toThrow(CheckpointError);
    await expect(loadRun(folder)).rejects.toThrow(message);
  });
});

describe('parseMetrics', () => {
  const text = metricsText(madeUpRun({ epochs: 2 }));

  it('names file and line of a broken record', () => {
    const lines = text.split('\n');
    lines[3] = 'nonsense';
    expect(() => parseMetrics(lines.join('\n'), 'runs/x/metrics.jsonl')).toThrow(
      /runs\/x\/metrics\.jsonl:4 is damaged: Expected a JSON object but received 'nonsense'/,
    );
  });

  it('names the field that is wrong', () => {
    const line = '{"type":"epoch","epoch":1,"lr":"fast"}\n';
    expect(() => parseMetrics(line, 'm.jsonl')).toThrow(
      /m\.jsonl:1 is damaged: Expected a number for lr but received 'fast' \(string\)/,
    );
  });

  it('keeps the later of two records of an epoch, as after a resume', () => {
    const again = { ...madeUpRun({ epochs: 2 }).epochs[1]!, lr: 0.123 };
    const { epochs } = parseMetrics(`${text}${JSON.stringify(again)}\n`, 'm.jsonl');
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(epochs[1]!.lr).toBe(0.123);
  });

  it('reads a value that was not finite as NaN, and skips records of unknown types', () => {
    const odd =
      '{"type":"note","text":"later"}\n{"type":"step","epoch":1,"step":1,"loss":null,"accuracy":0,"lr":1}\n';
    const { epochs, steps } = parseMetrics(odd, 'm.jsonl');
    expect(epochs).toEqual([]);
    expect(steps[0]!.loss).toBeNaN();
  });

  it('reads experts whose use was not finite as NaN, not as 0', () => {
    const epoch = { ...madeUpRun({ epochs: 1 }).epochs[0]! };
    epoch.experts = [{ layer: 'features.8', mean: [Number.NaN, 1], entropy: 0 }];
    const { epochs } = parseMetrics(`${JSON.stringify(epoch)}\n`, 'm.jsonl');
    expect(epochs[0]!.experts![0]!.mean).toEqual([Number.NaN, 1]);
  });
});

describe('groupRuns', () => {
  it('puts seeds of one configuration together', () => {
    const groups = groupRuns([
      madeUpRun({ seed: 1 }),
      madeUpRun({ model: 'alexnet', seed: 1 }),
      madeUpRun({ seed: 2 }),
    ]);
    expect(groups.map(({ label, runs }) => [label, runs.length])).toEqual([
      ['alexnet-dy', 2],
      ['alexnet', 1],
    ]);
  });

  it('distinguishes two configurations of one model, even with the same name', () => {
    const runs = [0.1, 0.2, 0.3].map((lr, i) => madeUpRun({ name: i < 2 ? 'a' : 'b', config: { lr } }));
    const labels = groupRuns(runs).map(({ label }) => label);
    expect(labels).toEqual(['alexnet-dy (a)', 'alexnet-dy (a) #2', 'alexnet-dy (b)']);
  });
});
