/** The commands for data sets, as a user types them. They run the compiled package: run `npm run build` first. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, expect, it } from 'vitest';
import { limit } from '../support/limit.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dyconv-data-'));
afterAll(() => rmSync(folder, { recursive: true }));

function command(name: string, ...options: string[]) {
  const path = join(root, 'scripts', `${name}.js`);
  return spawnSync(process.execPath, [path, ...options], { encoding: 'utf8', cwd: folder });
}

it('data.js counts the classes and draws a grid', async () => {
  const options = ['--grid', 'grid.png', '--rows', '2', '--columns', '3', '--split', 'test'];
  const { status, stdout, stderr } = command('data', ...options);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(stdout).toContain('bundled, test: 500 images of 3 x 28 x 28');
  expect(stdout).toMatch(/Ankle boot +50/);
  const { width, height } = await sharp(readFileSync(join(folder, 'grid.png'))).metadata();
  expect([width, height]).toEqual([404, 204]);
});

it('data.js prints JSON, and one line for what is wrong', () => {
  const description = JSON.parse(command('data', '--json').stdout);
  expect(description).toMatchObject({ name: 'bundled', length: 2000, shape: [3, 28, 28] });
  const missing = command('data', '--dataset', 'cifar10', '--data-dir', 'nowhere');
  expect(missing.status).toBe(1);
  expect(missing.stderr).toMatch(
    /^error: Expected cifar-10-python.tar.gz .* Add --download, or put the file from .*\n$/,
  );
  const unused = command('data', '--data-dir', 'nowhere');
  expect(unused.status).toBe(1);
  expect(unused.stderr).toMatch(/^error: Expected no --data-dir with the data set bundled/);
  const wrong = command('data', '--transform', 'rotate');
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toMatch(/Allowed choices are train, test, pad-crop, none/);
});

it('an unreadable picture ends data.js, unless it is to be left out', async () => {
  const create = { width: 8, height: 8, channels: 3 as const, background: '#336699' };
  for (const name of ['cat', 'dog']) {
    mkdirSync(join(folder, 'pictures', name), { recursive: true });
    await sharp({ create })
      .jpeg()
      .toFile(join(folder, 'pictures', name, 'good.jpg'));
  }
  writeFileSync(join(folder, 'pictures', 'dog', 'bad.jpg'), 'no picture');
  const options = ['--dataset', 'folder', '--data-dir', 'pictures', '--json'];
  const strict = command('data', ...options);
  expect(strict.status).toBe(1);
  expect(strict.stderr).toMatch(/error: pictures.dog.bad\.jpg: cannot be read as an image \(1 of 3 images\)/);
  const { status, stdout, stderr } = command('data', ...options, '--skip-unreadable');
  expect(status).toBe(0);
  expect(JSON.parse(stdout).length).toBe(2);
  expect(stderr).toMatch(/DYCONV_SKIPPED.*1 of 3 images/);
});

it('a tenth of the soak leaves memory flat', () => {
  const { status, stdout, stderr } = command(
    'bench',
    'data-soak',
    '--epochs',
    '20',
    '--images',
    '256',
    '--json',
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ what: 'data-soak', epochs: 20, tensors_left: 0 });
});

it('bench.js data measures every pipeline', () => {
  const options = ['data', '--no-archive', '--images', '256', '--turns', '1', '--json'];
  const { results } = JSON.parse(command('bench', ...options).stdout);
  expect(Object.keys(results)).toEqual(
    expect.arrayContaining(['train, 1 thread', 'train, 2 threads', 'test, 2 threads', 'train, sharp']),
  );
  for (const result of Object.values(results) as { images_per_second: number }[])
    expect(result.images_per_second).toBeGreaterThan(0);
});

it('bench.js pictures measures every source', { timeout: limit(120_000) }, () => {
  const sizes = ['--images', '24', '--size', '40', '--image-size', '32', '--batch', '8', '--turns', '1'];
  const { stdout, stderr, status } = command('bench', 'pictures', ...sizes, '--threads', '1', '--json');
  expect(status, stderr).toBe(0);
  const { results } = JSON.parse(stdout);
  expect(Object.keys(results)).toEqual(['folder', 'shards', 'parquet']);
  for (const result of Object.values(results) as Record<string, number>[]) {
    for (const key of ['train_images_per_second', 'peak_mb', 'images_per_second', 'of_sharp'])
      expect(result[key], key).toBeGreaterThan(0);
    expect(result.waiting).toBeGreaterThanOrEqual(0);
    expect(result.waiting).toBeLessThan(1);
  }
});
