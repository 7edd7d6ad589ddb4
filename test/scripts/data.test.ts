/** The commands for data sets, as a user types them. They run the compiled package: run `npm run build` first. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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

it('data.js refuses a file of --grid before it reads an image', async () => {
  mkdirSync(join(folder, 'set/cat'), { recursive: true });
  symlinkSync('set', join(folder, 'link'));
  writeFileSync(join(folder, 'set/cat/1.png'), 'mine');
  writeFileSync(join(folder, 'photo.png'), 'mine');
  // The set cannot be read: these errors come first.
  const refused = (grid: string, ...more: string[]) => {
    const options = ['--dataset', 'folder', '--data-dir', 'set', '--grid', grid, ...more];
    const { status, stderr } = command('data', ...options);
    expect(status).toBe(1);
    return stderr;
  };
  expect(refused('photo.png')).toBe(
    'error: Expected a file that does not exist for --grid but received photo.png. Use --force to overwrite it.\n',
  );
  expect(refused('photo.jpg')).toBe(
    'error: Expected the name of a .png file for --grid but received photo.jpg\n',
  );
  expect(refused('set')).toBe('error: Expected a file for --grid but received the folder set\n');
  expect(refused('none/x.png')).toBe('error: Cannot write none/x.png: no such folder\n');
  for (const inside of ['set/cat/1.png', 'set/new.png', 'link/cat/new.png'])
    expect(refused(inside, '--force')).toBe(
      `error: Expected a file outside of the folder of the images, set, for --grid but received ${inside}\n`,
    );
  expect(readFileSync(join(folder, 'photo.png'), 'utf8')).toBe('mine');
  expect(readFileSync(join(folder, 'set/cat/1.png'), 'utf8')).toBe('mine');
  expect(command('data', '--grid', 'photo.png', '--force', '--rows', '1').status).toBe(0);
  expect((await sharp(join(folder, 'photo.png')).metadata()).format).toBe('png');
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
  expect(strict.stderr).toMatch(
    /^error: pictures.dog.bad\.jpg: cannot be read as an image \(1 of 3 images\): it is not an image\. Repair or remove it, or add --skip-unreadable\n$/m,
  );
  const { status, stdout, stderr } = command('data', ...options, '--skip-unreadable');
  expect(status).toBe(0);
  const leftOut = [{ file: join('pictures', 'dog', 'bad.jpg'), reason: 'it is not an image' }];
  expect(JSON.parse(stdout)).toMatchObject({ length: 2, leftOut });
  expect(stderr).not.toMatch(/bad|Dyconv/);
  const plain = command('data', ...options.slice(0, -1), '--skip-unreadable');
  expect(plain.stderr).toMatch(/^warning: pictures.dog.bad\.jpg: it is not an image\n/m);
  expect(plain.stderr).not.toMatch(/DYCONV_|trace-warnings/);
});

it('data.js shows all splits of image files as a training uses them', async () => {
  const create = { width: 8, height: 8, channels: 3 as const, background: '#336699' };
  const png = await sharp({ create }).png().toBuffer();
  const put = (...names: string[]) => {
    for (const name of names) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), png);
    }
  };
  for (let i = 0; i < 10; i++) put(`whole/a/${i}.png`, `whole/b/${i}.png`);
  const whole = command('data', '--dataset', 'folder', '--data-dir', 'whole', '--split', 'test');
  expect(whole.stderr).toMatch(/whole has no folders train\/ and test\/: 20 % of the images, 4 of 20/);
  expect(whole.stdout).toMatch(/^folder, test: 4 images of 3 x 130 x 130$/m);
  expect(whole.stdout).toMatch(/^class +train +test\na +8 +2\nb +8 +2$/m);
  put(
    'parts/train/a/1.png',
    'parts/train/b/1.png',
    'parts/val/a/1.png',
    'parts/test/a/1.png',
    'parts/test/b/1.png',
  );
  const options = ['--dataset', 'folder', '--data-dir', 'parts'];
  const { stdout } = command('data', ...options, '--split', 'val', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    split: 'val',
    length: 1,
    splits: [
      { class: 'a', counts: { train: 1, val: 1, test: 1 } },
      { class: 'b', counts: { train: 1, val: 0, test: 1 } },
    ],
  });
  put('parts/test/c/1.png');
  expect(command('data', ...options).stderr).toMatch(
    /^error: parts.test: expected the 2 classes a, b but found 3: a, b, c/m,
  );
  const list = ['path,label,split', 'whole/a/1.png,a,train', 'whole/b/1.png,b,train', 'whole/b/2.png,B,test'];
  writeFileSync(join(folder, 'list.csv'), list.join('\n'));
  const wrong = command('data', '--dataset', 'manifest', '--data-dir', 'list.csv');
  expect(wrong.stderr).toMatch(
    /^error: list\.csv, line 4: expected one of the 2 classes a, b for label but found B$/m,
  );
  writeFileSync(join(folder, 'list.csv'), list.slice(0, 3).join('\n'));
  const none = command('data', '--dataset', 'manifest', '--data-dir', 'list.csv', '--split', 'val');
  expect(none.stderr).toMatch(
    /^error: Expected one of train, the splits of list\.csv, for --split but received val$/m,
  );
});

it('data.js warns of the same image in two classes or two splits', async () => {
  const noise = async (sigma: number) => {
    const background = { type: 'gaussian', mean: 128, sigma } as const;
    return sharp({ create: { width: 8, height: 8, channels: 3, background: '#000', noise: background } })
      .png()
      .toBuffer();
  };
  const [first, second, third] = [await noise(10), await noise(20), await noise(30)];
  const files = { 'train/a/1': first, 'train/a/2': first, 'train/b/1': second, 'train/b/2': first };
  for (const [name, bytes] of Object.entries({ ...files, 'test/a/1': third, 'test/b/9': second })) {
    mkdirSync(join(folder, 'same', name, '..'), { recursive: true });
    writeFileSync(join(folder, 'same', `${name}.png`), bytes);
  }
  const options = ['--dataset', 'folder', '--data-dir', 'same'];
  expect(command('data', ...options).stderr.match(/^warning: .*$/gm)).toEqual([
    'warning: the same image in two classes: train: a/1.png and train: b/2.png',
    'warning: the same image in two splits: train: b/1.png and test: b/9.png',
  ]);
  expect(JSON.parse(command('data', ...options, '--json').stdout).same).toEqual([
    { images: ['train: a/1.png', 'train: b/2.png'], problem: 'two classes' },
    { images: ['train: b/1.png', 'test: b/9.png'], problem: 'two splits' },
  ]);
});

it('an image that may not be read is called so', () => {
  const locked = join(folder, 'pictures', 'cat', 'good.jpg');
  chmodSync(locked, 0o000);
  // Root may read every file, unless it gives this up.
  const limits =
    process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : [];
  const script = [process.execPath, join(root, 'scripts', 'data.js')];
  const words = [...limits, ...script, '--dataset', 'folder', '--data-dir', 'pictures', '--skip-unreadable'];
  try {
    const { stderr } = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8', cwd: folder });
    expect(stderr).toMatch(/^warning: pictures.cat.good\.jpg: permission denied$/m);
  } finally {
    chmodSync(locked, 0o644);
  }
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
