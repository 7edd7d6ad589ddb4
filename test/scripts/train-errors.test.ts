/** Errors of train.js for wrong command lines, folders and data. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cuda } from '../../lib/runtime/cuda.js';
import { command, folder, small } from './support.js';

describe('wrong options of train', () => {
  it('reach the user', () => {
    const { status, stderr } = command('train', '--epochs', '0');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: .*--epochs <n>' argument '0' is invalid. Expected a positive integer/);
  });

  it.each([
    [['--padding', '2'], /^error: Expected --crop padded with --padding 2 but received resized\n$/],
    [['--init', 'none.pt'], /^error: Cannot read none.pt: no such file/],
  ])('%j, before anything is written', (options, message) => {
    const { status, stderr } = command('train', ...small(join(folder, 'refused'), ...options));
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(readdirSync(folder)).not.toContain('refused');
  });

  it.runIf(!cuda.isAvailable())('a device that is absent, with the reason', () => {
    const { status, stderr } = command('bench', 'model', '--device', 'cuda');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: Expected an available device for --device .*no CUDA device \(.+\)\n$/s);
    expect(stderr).toContain(cuda.whyUnavailable());
  });

  it('a device that is absent', () => {
    const out = join(folder, 'absent');
    const { status, stderr } = command('train', ...small(out, '--device', 'cuda:99'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: Expected an available device for --device but received cuda:99/);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(readdirSync(folder)).not.toContain('absent');
  });

  it('a batch larger than the set', () => {
    const { status, stderr } = command('train', ...small(join(folder, 'large'), '--batch-size', '64'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: Expected at most 32, .* for --batch-size but received 64/);
    expect(readdirSync(folder)).not.toContain('large');
  });

  it('an output folder that is a file', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const { status, stderr } = command('train', '--out', file);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: Cannot use .*file as a run directory: a file is in its place/);
  });

  it('a learning rate that ends in NaN', () => {
    const { status, stderr } = command('train', ...small(join(folder, 'nan'), '--lr', '1e9'));
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^error: Expected a finite loss but received \w+ in epoch 1, .*learning rate 1000000000/m,
    );
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(readdirSync(join(folder, 'nan')).join()).not.toMatch(/safetensors|state|report/);
  });

  it('a data set that is missing', () => {
    const { status, stderr } = command('train', '--data-dir', join(folder, 'none'), '--no-download');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: .*cifar-10.* Leave out --no-download, or put the file from /m);
  });
});
