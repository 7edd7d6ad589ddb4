/** Training on a folder of images: what is refused and how it is stopped before it begins. Runs the compiled package. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { limit } from '../support/limit.js';
import { command, env, folder, root } from './support.js';

it('an output folder in the folder of the images is refused before any is read', () => {
  mkdirSync(join(folder, 'photos/cat'), { recursive: true });
  symlinkSync('photos', join(folder, 'link'));
  for (const out of ['photos', 'photos/run', 'link/cat/run']) {
    const { status, stderr } = command('train', '--dataset', 'folder', '--data-dir', 'photos', '--out', out);
    expect(stderr).toBe(
      `error: Expected a folder outside of the folder of the images, photos, for --out but received ${out}\n`,
    );
    expect(status).toBe(1);
  }
  // The set itself is no set; another place for the output is accepted.
  const { stderr } = command('train', '--dataset', 'folder', '--data-dir', 'photos', '--out', 'photos-run');
  expect(stderr).toMatch(/^error: photos: expected at least 2 class folders but found 1: cat$/m);
});

it('Ctrl-C while images are read ends the command, and nothing is written', {
  timeout: limit(60_000),
}, async () => {
  // Large images, so that reading them takes longer than the signal.
  const create = { width: 3000, height: 3000, channels: 3, background: '#336699' } as const;
  const photo = await sharp({ create }).jpeg().toBuffer();
  for (const name of ['cat', 'dog']) {
    mkdirSync(join(folder, 'large', name), { recursive: true });
    for (let i = 0; i < 150; i++) writeFileSync(join(folder, 'large', name, `${i}.jpg`), photo);
  }
  const options = ['--dataset', 'folder', '--data-dir', 'large', '--out', 'stopped', '--batch-size', '8'];
  const child = spawn(process.execPath, [join(root, 'scripts/train.js'), ...options], { cwd: folder, env });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (!stderr.includes('Reading') && (stderr + text).includes('Reading')) child.kill('SIGINT');
    stderr += text;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(stderr).toBe(
    'Reading large\n\nStopping. Press Ctrl-C again to stop at once.\nStopped before the training began; nothing was written.\n',
  );
  expect(code).toBe(130);
  expect(existsSync(join(folder, 'stopped'))).toBe(false);
});
