import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDataset } from '../../lib/data/dataset.js';
import { ArgumentError, CheckpointError } from '../../lib/errors.js';
import {
  compare,
  type WritePredictionsOptions,
  writePredictions,
  writeRunReport,
} from '../../lib/report/write.js';
import { madeUpRun } from './support/made-up-runs.js';
import { removeFolders, temporaryFolder, writeRun } from './support/run-folder.js';

afterAll(removeFolders);

describe('writeRunReport', () => {
  it('leaves curves, confusion and page, and nothing half-written', async () => {
    const folder = writeRun(madeUpRun({ epochs: 3 }));
    await writeRunReport(folder);
    const added = ['confusion.png', 'curves.png', 'curves.svg', 'report.html'];
    const given = ['config.json', 'environment.json', 'evaluation.json', 'metrics.jsonl'];
    expect(readdirSync(folder).sort()).toEqual([...added, ...given].sort());
    expect((await sharp(join(folder, 'curves.png')).metadata()).width).toBe(2400);
    expect(readFileSync(join(folder, 'curves.svg'), 'utf8')).toMatch(/^<svg/);
  });
});

it('a file that cannot be written is an error that names it and the reason', async () => {
  const folder = writeRun(madeUpRun({ epochs: 1 }));
  const blocked = join(folder, 'config.json', 'page.html');
  await expect(compare([folder], { out: blocked })).rejects.toThrow(
    new CheckpointError(`Cannot write ${blocked}: a file is in the place of a folder`),
  );
  mkdirSync(join(folder, 'report.html'));
  await expect(writeRunReport(folder)).rejects.toThrow(
    new CheckpointError(`Cannot write ${join(folder, 'report.html')}: it is a folder, not a file`),
  );
});

describe('writePredictions', () => {
  const images = new Uint8Array(40 * 3 * 4 * 4);
  const labels = Uint8Array.from({ length: 40 }, (_, i) => i % 2);
  const set = createDataset({
    name: 'made-up',
    split: 'test',
    classes: ['a', 'b'],
    shape: [3, 4, 4],
    images,
    labels,
    source: 'test',
  });
  const predictions = Array.from(labels, (label) => ({ label, predicted: 0, probability: 0.7 }));

  it('shows 18 images of the set', async () => {
    const file = join(temporaryFolder(), 'predictions.png');
    expect(await writePredictions(file, { set, predictions })).toBe(18);
    const { width, height } = await sharp(file).metadata();
    expect([width, height]).toEqual([2080, 1308]);
  });

  /** The names below the images in order: every image is called by its index. */
  async function shown(
    options: Partial<WritePredictionsOptions>,
  ): Promise<[count: number, indices: number[]]> {
    const indices: number[] = [];
    const named = {
      ...set,
      nameOf(index: number) {
        indices.push(index);
        return String(index);
      },
    };
    const count = await writePredictions(join(temporaryFolder(), 'x.png'), {
      set: named,
      predictions,
      ...options,
    });
    return [count, indices];
  }

  it('spreads over the set, also where only some of its images were evaluated', async () => {
    expect(await shown({ count: 4 })).toEqual([4, [0, 10, 20, 30]]);
    // As selected by a loader with limit: 5.
    const five = [0, 8, 16, 24, 32].map((i) => predictions[i]!);
    expect(await shown({ predictions: five })).toEqual([5, [0, 8, 16, 24, 32]]);
  });

  it('shows the mistakes with the highest probability first, and writes nothing where there are none', async () => {
    const some = predictions.map((one, i) => ({
      ...one,
      predicted: [3, 8, 21].includes(i) ? 1 - one.label : one.label,
      probability: i / 40,
    }));
    expect(await shown({ predictions: some, show: 'mistakes' })).toEqual([3, [21, 8, 3]]);
    expect(await shown({ predictions: some, show: 'mistakes', count: 2 })).toEqual([2, [21, 8]]);
    const file = join(temporaryFolder(), 'mistakes.png');
    const right = predictions.map((one) => ({ ...one, predicted: one.label }));
    expect(await writePredictions(file, { set, predictions: right, show: 'mistakes' })).toBe(0);
    expect(existsSync(file)).toBe(false);
  });

  it('refuses predictions of another set', async () => {
    const file = join(temporaryFolder(), 'predictions.png');
    const write = (more: Partial<WritePredictionsOptions>) =>
      writePredictions(file, { set, predictions, ...more });
    await expect(write({ predictions: [...predictions, predictions[0]!] })).rejects.toThrow(
      'Expected at most 40 predictions, one for every image of made-up, but received 41',
    );
    await expect(write({ predictions: predictions.map((one) => ({ ...one, label: 1 })) })).rejects.toThrow(
      'Expected 0, the label of image 0, for predictions[0].label but received 1 (number)',
    );
    await expect(write({ show: 'best' as never })).rejects.toThrow(
      "Expected 'spread' or 'mistakes' for show but received 'best' (string)",
    );
    expect(existsSync(file)).toBe(false);
  });
});

describe('compare', () => {
  it('refuses one run twice and a run without an epoch', async () => {
    const folder = writeRun(madeUpRun({ epochs: 1 }));
    await expect(compare([folder, `${folder}/`])).rejects.toThrow(/different run directories .* twice/);
    const empty = writeRun({ ...madeUpRun(), epochs: [], steps: [] });
    await expect(compare([folder, empty])).rejects.toThrow(ArgumentError);
    await expect(compare([folder, empty])).rejects.toThrow(/its metrics\.jsonl has none/);
  });
});

// The command runs the compiled package: `npm run build:ts` first.
describe('scripts/compare.js', () => {
  const script = fileURLToPath(new URL('../../scripts/compare.js', import.meta.url));
  const folder = temporaryFolder();
  let runs: string[];
  beforeAll(() => {
    runs = [
      writeRun(madeUpRun({ model: 'alexnet' })),
      ...[1, 2].map((seed) => writeRun(madeUpRun({ seed }))),
    ];
  });
  const command = (...options: string[]) =>
    spawnSync(process.execPath, [script, ...options], { encoding: 'utf8', cwd: folder });

  it('prints the table and writes the page', () => {
    const { status, stdout, stderr } = command(...runs, '--out', 'deep/page.html');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '\nCurves and details: deep/page.html\n' });
    expect(stdout).toMatch(/^model +train acc +val acc +parameters/);
    expect(stdout).toMatch(/\nalexnet-dy .* \u00b1 /);
    expect(readFileSync(join(folder, 'deep/page.html'), 'utf8')).toMatch(/^<!doctype html>/);
  });

  it('prints JSON, and then writes a page only where asked to', () => {
    const { status, stdout } = command(...runs, '--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout).rows).toHaveLength(2);
    expect(existsSync(join(folder, 'report.html'))).toBe(false);
  });

  it('replaces a page only where asked to, and takes a free name where none is given', () => {
    const read = (file: string) => readFileSync(join(folder, file), 'utf8');
    writeFileSync(join(folder, 'report.html'), 'mine');
    writeFileSync(join(folder, 'other.html'), 'mine');
    expect(command(...runs).stderr).toMatch('Curves and details: report-2.html');
    expect(command(...runs, '--out', 'other.html')).toMatchObject({
      status: 1,
      stderr:
        'error: Expected a file that does not exist for --out but received other.html. Use --force to overwrite it.\n',
    });
    expect([read('report.html'), read('other.html')]).toEqual(['mine', 'mine']);
    expect(read('report-2.html')).toMatch(/^<!doctype html>/);
    expect(command(...runs, '--out', 'other.html', '--force').status).toBe(0);
    expect(command(...runs, '--force').stderr).toMatch('Curves and details: report.html');
    for (const file of ['report.html', 'other.html']) expect(read(file)).toMatch(/^<!doctype html>/);
  });

  it('has a help with examples', () => {
    const { status, stdout } = command('--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: node scripts\/compare\.js/);
    expect(stdout).toMatch(/Examples:\n {2}\$ node/);
  });

  it('answers mistakes with one line', () => {
    const missing = command(runs[0]!, 'no-such-run');
    expect(missing.status).toBe(1);
    expect(missing.stderr).toBe(
      "error: Expected a run directory but received 'no-such-run', which does not exist\n",
    );
    expect(command('--jsn', runs[0]!).stderr).toMatch(/unknown option '--jsn'[\s\S]*Did you mean --json\?/);
    expect(command().stderr).toMatch(/missing required argument 'runs'/);
  });
});
