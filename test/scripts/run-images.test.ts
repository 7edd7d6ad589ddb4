/** A run of a folder without splits: what later commands do where its images or its files have changed. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { command, folder } from './support.js';

const pictures = join(folder, 'pictures');
const run = join(folder, 'run');
const fast = ['--image-size', '32', '--batch-size', '4', '--threads', '1', '--lr', '0.01'];
const network = ['--model', 'mobilenet_v3_small', '--model-options', '{"widthMult":0.25}'];
const resume = (...more: string[]) => command('train', '--out', 'run', '--resume', ...more);
const json = (name: string) => JSON.parse(readFileSync(join(run, name), 'utf8'));

beforeAll(async () => {
  for (const [name, background] of Object.entries({ cat: '#336699', dog: '#996633' })) {
    mkdirSync(join(pictures, name), { recursive: true });
    for (let i = 0; i < 10; i++) {
      const picture = sharp({ create: { width: 30 + i, height: 30, channels: 3, background } });
      await picture.png().toFile(join(pictures, name, `${i}.png`));
    }
  }
  const data = ['--dataset', 'folder', '--data-dir', 'pictures', '--epochs', '2', '--schedule', 'constant'];
  const { status, stderr } = command('train', ...data, ...fast, ...network, '--out', 'run');
  expect(status, stderr).toBe(0);
}, 120_000);

it('keeps the absolute path and the digests of its images', () => {
  const { dataDir, imageDigests, contentDigests, trainImages, valImages } = json('config.json');
  expect([dataDir, trainImages, valImages]).toEqual([pictures, 16, 4]);
  expect(imageDigests.train).toMatch(/^[0-9a-f]{16}$/);
  expect(imageDigests.test).not.toBe(imageDigests.train);
  expect(contentDigests.train).toMatch(/^[0-9a-f]{16}$/);
  expect(contentDigests.train).not.toBe(imageDigests.train);
  expect(json('evaluation.json')).toMatchObject({ dataDir: pictures, ownImages: true, images: 4 });
});

it('is evaluated on its test images at another path, and on all images of another folder', () => {
  cpSync(pictures, join(folder, 'moved'), { recursive: true });
  const moved = command('evaluate', '--run', 'run', '--data-dir', 'moved', '--threads', '1');
  expect(moved.stdout).toContain('on 4 test images');
  expect(json('evaluation.json')).toMatchObject({ dataDir: join(folder, 'moved'), ownImages: true });
  renameSync(join(folder, 'moved/cat/0.png'), join(folder, 'moved/cat/zero.png'));
  const other = command('evaluate', '--run', 'run', '--data-dir', 'moved', '--threads', '1');
  expect(other.stderr).toContain('moved: all 20 images are used for testing; they must not have been used');
  expect(json('evaluation.json')).toMatchObject({ ownImages: false, images: 20 });
});

describe('--resume refuses', () => {
  it('fewer epochs than are finished, and changes nothing', () => {
    const before = readFileSync(join(run, 'config.json'), 'utf8');
    const { status, stderr } = resume('--epochs', '1');
    expect(stderr).toBe('error: Expected at least 2, the finished epochs, for --epochs but received 1\n');
    expect(status).toBe(1);
    expect(readFileSync(join(run, 'config.json'), 'utf8')).toBe(before);
  });

  it('images that were renamed', () => {
    renameSync(join(pictures, 'dog/3.png'), join(pictures, 'dog/three.png'));
    const { status, stderr } = resume('--epochs', '3');
    expect(stderr).toMatch(
      /error: .*pictures: expected the images that the run was trained with but found others/,
    );
    expect(status).toBe(1);
    renameSync(join(pictures, 'dog/three.png'), join(pictures, 'dog/3.png'));
  });

  it('an image with other contents under the same name, until it has the former ones', () => {
    const file = join(pictures, 'dog/3.png');
    const before = readFileSync(file);
    cpSync(join(pictures, 'cat/4.png'), file);
    const { status, stderr } = resume('--epochs', '3');
    expect(stderr).toMatch(
      /error: .*pictures: expected the images that the run was trained with but found others: the contents of files have changed\. Restore/,
    );
    expect(status).toBe(1);
    writeFileSync(file, before);
  });

  it('a run without its environment, and leaves no lock', () => {
    const file = join(run, 'environment.json');
    renameSync(file, `${file}.away`);
    const { status, stderr } = resume('--epochs', '3');
    expect(stderr).toBe('error: Cannot read run/environment.json: no such file\n');
    expect([status, existsSync(join(run, 'run.lock'))]).toEqual([1, false]);
    renameSync(`${file}.away`, file);
  });

  it('a place without the images', () => {
    renameSync(pictures, `${pictures}-away`);
    expect(resume('--epochs', '3').stderr).toBe(
      `error: Cannot find ${pictures}, where the images were in the training: pass their folder with --data-dir\n`,
    );
    renameSync(`${pictures}-away`, pictures);
  });
});

describe('a new run refuses', () => {
  const start = (...more: string[]) => command('train', ...fast, '--out', 'new', '--epochs', '1', ...more);
  const data = ['--dataset', 'folder', '--data-dir', 'pictures'];

  it('the weights of another network', () => {
    const { stderr } = start(...data, '--model', 'resnet18', '--init', 'run/best.safetensors');
    expect(stderr).toMatch(
      /error: run\/best\.safetensors has the weights of another network than resnet18: missing conv1\.weight, .*; unexpected /,
    );
  });

  it('a photo as weights', () => {
    const { stderr } = start(...data, ...network, '--init', 'pictures/cat/1.png');
    expect(stderr).toMatch(
      /error: Cannot read pictures\/cat\/1\.png: it is not a file of weights \(\.safetensors, \.pt, \.pth\)/,
    );
  });

  it.each([
    [['--init', 'nosuch.safetensors'], /^error: Cannot read nosuch\.safetensors: no such file\n$/],
    [['--freeze', 'nosuch'], /^error: [^\n]*nosuch[^\n]*\n$/],
    [['--class-weights', '1,2,3'], /^error: Expected 2 numbers, one for each class, for --class-weights/],
    [['--batch-size', '3000'], /^error: Expected at most 20, the number of images, for --batch-size/],
  ])('%j before the images are read', (options, message) => {
    const { stderr } = start(...data, ...network, ...options);
    // Without a line that images are being read.
    expect(stderr).toMatch(message);
  });

  it('a class of val/ that is not in train/, before the images are read', () => {
    for (const split of ['train', 'test', 'val'])
      cpSync(pictures, join(folder, 'three', split), { recursive: true });
    renameSync(join(folder, 'three/val/dog'), join(folder, 'three/val/dgo'));
    const { stderr } = start('--dataset', 'folder', '--data-dir', 'three', ...network);
    expect(stderr).toMatch(/^error: three\/val: expected the 2 classes cat, dog but found 2: cat, dgo/);
  });

  it('a folder of images or a manifest without --dataset, which would be CIFAR-10', () => {
    expect(start('--data-dir', 'pictures').stderr).toBe(
      'error: pictures has folders of images: add --dataset folder\n',
    );
    cpSync(pictures, join(folder, 'splits/train'), { recursive: true });
    expect(start('--data-dir', 'splits').stderr).toBe(
      'error: splits has folders of images: add --dataset folder\n',
    );
    writeFileSync(join(folder, 'list.csv'), 'path,label\n');
    expect(start('--data-dir', 'list.csv').stderr).toBe(
      'error: list.csv is a list of images: add --dataset manifest\n',
    );
    rmSync(join(folder, 'splits'), { recursive: true });
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });
});
