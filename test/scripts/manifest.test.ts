/** The commands with a manifest, and with images beyond memory. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { command, folder } from './support.js';

const file = join(folder, 'photos.csv');
const train = (out: string, ...more: string[]) =>
  command(
    'train',
    ...['--dataset', 'manifest', '--data-dir', file, '--model', 'mobilenet_v2', '--image-size', '32'],
    ...['--model-options', '{"widthMult":0.35}', '--epochs', '2', '--batch-size', '8', '--lr', '0.01'],
    ...['--threads', '1', '--device', 'cpu', '--out', out, ...more],
  );
/** The lines of a text file of a run without times. */
const records = (out: string) =>
  readFileSync(join(folder, out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const { seconds: _, dataSeconds: __, imagesPerSecond: ___, time: ____, ...record } = JSON.parse(line);
      return record;
    });

beforeAll(async () => {
  mkdirSync(join(folder, 'photos'));
  const rows = ['path,label,split'];
  for (let i = 0; i < 36; i++) {
    const background = { r: 7 * i, g: 100, b: i % 2 === 0 ? 200 : 40 };
    const create = { width: 30 + i, height: 40, channels: 3 as const, background };
    await sharp({ create })
      .jpeg()
      .toFile(join(folder, `photos/${i}.jpg`));
    rows.push(
      `photos/${i}.jpg,${i % 2 === 0 ? 'even' : '"odd, too"'},${i < 24 ? 'train' : i < 30 ? 'test' : 'valid'}`,
    );
  }
  writeFileSync(file, `${rows.join('\n')}\n`);
});

it('train.js has equal records with the images in memory and beyond it, and evaluate.js the test rows', {
  timeout: limit(180_000),
}, () => {
  const memory = train('memory');
  expect(memory.status, memory.stderr).toBe(0);
  const lazy = train('lazy', '--data-memory', '0');
  expect(lazy.status, lazy.stderr).toBe(0);
  expect(records('lazy').length).toBeGreaterThanOrEqual(2);
  expect(records('lazy')).toEqual(records('memory'));
  const config = (out: string) => {
    const { dataDir, ...rest } = JSON.parse(readFileSync(join(folder, out, 'config.json'), 'utf8'));
    expect(dataDir).toBe(file);
    return rest;
  };
  expect(config('lazy')).toEqual(config('memory'));
  expect(config('lazy')).toMatchObject({
    ...{
      dataset: 'manifest',
      classes: ['even', 'odd, too'],
      trainImages: 24,
      valImages: 6,
      valSplit: 'folder',
    },
    imageShape: [3, 33, 33],
  });
  const measured = (out: string) => JSON.parse(readFileSync(join(folder, out, 'evaluation.json'), 'utf8'));
  expect(measured('lazy').images).toBe(6);
  for (const picture of ['predictions.png', 'mistakes.png']) {
    const read = (out: string) => {
      try {
        return readFileSync(join(folder, out, picture), 'base64');
      } catch {
        return 'none'; // without mistakes
      }
    };
    expect(read('lazy')).toBe(read('memory'));
  }
  const again = command('evaluate', '--run', 'lazy', '--json', '--threads', '1', '--device', 'cpu');
  expect(JSON.parse(again.stdout)).toMatchObject({ images: 6, accuracy: measured('lazy').accuracy });
});

it('data.js describes a manifest; without its path, and where it has a wrong line, one line says so', () => {
  const { stdout, stderr, status } = command('data', '--dataset', 'manifest', '--data-dir', file, '--json');
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ name: 'manifest', split: 'train', length: 24, shape: [3, 130, 130] },
    counts: [
      { class: 'even', count: 12 },
      { class: 'odd, too', count: 12 },
    ],
  });
  const without = command('data', '--dataset', 'manifest');
  expect([without.status, without.stderr]).toEqual([
    1,
    'error: Expected --data-dir with the data set manifest: the path of a .csv, .tsv or .jsonl file\n',
  ]);
  writeFileSync(join(folder, 'wrong.csv'), 'path,label\nphotos/0.jpg,a\nphotos/none.jpg,b\n');
  const wrong = command('train', '--dataset', 'manifest', '--data-dir', 'wrong.csv', '--batch-size', '1');
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain(
    'error: wrong.csv, line 3: photos/none.jpg: cannot be read as an image (1 of 2 images): no such file. Repair or remove it, or add --skip-unreadable\n',
  );
});

it('a manifest without splits is split as a folder is', () => {
  const rows = Array.from({ length: 20 }, (_, i) => `photos/${i}.jpg,${i % 2}`);
  writeFileSync(join(folder, 'unsplit.csv'), `path,label\n${rows.join('\n')}\n`);
  const { status, stderr } = train('unsplit', '--data-dir', 'unsplit.csv', '--epochs', '1');
  expect(status, stderr).toBe(0);
  expect(stderr).toContain(
    'unsplit.csv has no splits: 20 % of the images, 4 of 20, are used as test images\n',
  );
  const again = command('evaluate', '--run', 'unsplit', '--json', '--threads', '1', '--device', 'cpu');
  expect(JSON.parse(again.stdout).images, again.stderr).toBe(4);
});
