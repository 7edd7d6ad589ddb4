/** The commands as a user types them. They run the compiled package: run `npm run build` first. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadSafetensors, saveSafetensors } from '../../lib/formats/safetensors.js';
import { tensor } from '../../lib/tensor/create.js';
import { limit } from '../support/limit.js';
import { command, env, folder, metrics, root, small } from './support.js';

describe.each(['train', 'evaluate', 'predict', 'compare', 'summary', 'demo'])('%s', (name) => {
  it('has a help with options and examples', () => {
    const { status, stdout } = command(name, '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: node scripts\//);
    expect(stdout).toMatch(/Options:/);
    expect(stdout).toMatch(/Examples:\n {2}\$ (node|npm)/);
  });

  it('suggests the right option for a typo', () => {
    const typos = { train: '--epoch', evaluate: '--rnu', predict: '--checkpiont', demo: '--epoch' };
    const typo = { ...typos, compare: '--titel', summary: '--modle' }[name]!;
    const { status, stderr } = command(name, typo, '3');
    expect(status).toBe(1);
    expect(stderr).toMatch(`error: unknown option '${typo}'`);
    expect(stderr).toMatch(/Did you mean --(epochs|run|checkpoint|title|model)\?/);
  });
});

it.each(['evaluate', 'predict'])('%s says that --run is missing', (name) => {
  const { status, stderr } = command(name, ...(name === 'predict' ? ['photo.png'] : []));
  expect(status).toBe(1);
  expect(stderr).toMatch("error: required option '--run <folder>' not specified");
});

describe('a training', () => {
  const run = join(folder, 'run');
  let first: SpawnSyncReturns<string>;
  beforeAll(() => {
    const { NO_COLOR: _, ...coloured } = env; // CI and FORCE_COLOR enable colors without a terminal
    const args = [join(root, 'scripts', 'train.js'), ...small(run)];
    first = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      cwd: folder,
      env: { ...coloured, CI: 'true', FORCE_COLOR: '1' },
    });
  }, limit(120_000));

  it('leaves a complete run directory and prints a line an epoch', () => {
    expect(first.stderr).toMatch(/^warning: an epoch has only 4 steps: 32 images in batches of 8\. .*\n$/);
    expect(first.status).toBe(0);
    expect(first.stdout).not.toContain('\u001b');
    expect(first.stdout).toMatch(/epoch 2\/2 {2}lr 0.01 {2}temperature 27 {2}train loss .* {2}val loss/);
    expect(readdirSync(run)).toEqual(
      expect.arrayContaining([
        'best.safetensors',
        'config.json',
        'curves.png',
        'curves.svg',
        'environment.json',
        'last.safetensors',
        'last.state',
        'metrics.jsonl',
        'report.html',
      ]),
    );
    expect(readdirSync(run).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
    expect(config.parameters).toEqual({ trainable: 8_322_992, statistics: 1376, total: 8_324_368 });
    expect(metrics(run).map(({ type, epoch }) => [type, epoch])).toEqual([
      ['epoch', 1],
      ['epoch', 2],
    ]);
  });

  it('is not overwritten', () => {
    const before = readFileSync(join(run, 'last.safetensors'));
    const { status, stderr } = command('train', ...small(run));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: .*already holds a run.*--resume/);
    expect(readFileSync(join(run, 'last.safetensors')).equals(before)).toBe(true);
  });

  it('refuses to resume with other settings, and a folder that holds no run', () => {
    const { status, stderr } = command('train', '--out', run, '--resume', '--lr', '0.2');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: Expected 0.01 for --lr, .* but received 0.2\n$/);
    const none = command('train', '--out', join(folder, 'none'), '--resume');
    expect(none.status).toBe(1);
    expect(none.stderr).toMatch(/none is not a run directory/);
  });

  it('stops at Ctrl-C with a checkpoint and resumes to the same weights', {
    timeout: limit(120_000),
  }, async () => {
    const out = join(folder, 'stopped here');
    const child = spawn(process.execPath, [join(root, 'scripts/train.js'), ...small(out), '--no-verify'], {
      cwd: folder,
      env,
    });
    let told = '';
    child.stderr.on('data', (text) => {
      told += text;
    });
    // The first progress line follows the first step: 4 batches per epoch.
    child.stdout.once('data', () => child.kill('SIGINT'));
    let printed = '';
    child.stdout.on('data', (text) => {
      printed += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    // The path is quoted, and the option without which an archive of one's own is refused is there: the line can be pasted into a shell.
    expect(printed).toContain(`Continue with: node scripts/train.js --out '${out}' --resume --no-verify\n`);
    expect(told).toMatch(/Stopping after this step/);
    expect(code).toBe(130);
    expect(readdirSync(out)).toContain('last.state');

    const resumed = command('train', '--out', out, '--resume');
    expect(resumed.stderr).toBe('');
    expect(resumed.status).toBe(0);
    for (const name of ['last.safetensors', 'best.safetensors']) {
      const expected = await loadSafetensors(join(run, name));
      const actual = await loadSafetensors(join(out, name));
      expect(Object.keys(actual)).toEqual(Object.keys(expected));
      for (const [key, value] of Object.entries(expected)) {
        expect(
          Buffer.from(actual[key]!.dataSync().buffer).equals(Buffer.from(value.dataSync().buffer)),
          key,
        ).toBe(true);
      }
    }
    const scores = (path: string) => metrics(path).map(({ train, val }) => ({ train, val }));
    expect(scores(out)).toEqual(scores(run));
  });

  it('ends immediately at a second Ctrl-C, and resumes from the last epoch', {
    timeout: limit(120_000),
  }, async () => {
    const out = join(folder, 'twice');
    const child = spawn(process.execPath, [join(root, 'scripts/train.js'), ...small(out)], {
      cwd: folder,
      env,
    });
    // The second signal arrives during the step, or during the checkpoint after it.
    child.stdout.once('data', () => {
      child.kill('SIGINT');
      child.stderr.on('data', (text) => {
        if (String(text).includes('again to stop at once')) child.kill('SIGINT');
      });
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(130);
    const { status, stderr } = command('train', '--out', out, '--resume');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(readdirSync(out).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const expected = await loadSafetensors(join(run, 'last.safetensors'));
    const actual = await loadSafetensors(join(out, 'last.safetensors'));
    expect(actual['classifier.6.bias']!.arraySync()).toEqual(expected['classifier.6.bias']!.arraySync());
  });

  it('accepts every option, reports in JSON, keeps checkpoints and starts from given weights', {
    timeout: limit(120_000),
  }, () => {
    const out = join(folder, 'refined');
    const options = [
      ...['--schedule', 'cosine', '--warmup-epochs', '1', '--ema', '0.9', '--clip-grad-norm', '5'],
      ...['--clip-grad-value', '1', '--accumulate', '2', '--autocast', 'bfloat16', '--monitor', 'loss'],
      ...['--early-stopping', '3', '--min-delta', '0.001', '--checkpoint-every', '1', '--keep-last', '1'],
      ...['--init', join(run, 'best.safetensors'), '--json'],
      ...[
        '--crop',
        'padded',
        '--padding',
        '3',
        '--flip',
        '0',
        '--color-jitter',
        '0.4',
        '--random-erasing',
        '1',
      ],
      ...['--mixup', '0.2', '--cutmix', '1', '--mix-prob', '0.9', '--augment-on', 'device'],
      ...['--batch-dtype', 'bfloat16', '--memory-format', 'channels-last'],
    ];
    const { status, stdout, stderr } = command('train', ...small(out, ...options));
    expect(stderr).toMatch(
      /^initial weights: (\d+) of \1 tensors from .*best\.safetensors\nwarning: an epoch has only \d steps.*\n$/,
    );
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type }) => type)).toEqual(['epoch', 'epoch', 'end']);
    expect(lines[2]).toMatchObject({ stopped: false, earlyStopped: false, epochs: 2, steps: 4 });
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    expect(config).toMatchObject({
      schedule: 'cosine',
      warmupEpochs: 1,
      accumulate: 2,
      clipGradNorm: 5,
      clipGradValue: 1,
      ema: 0.9,
      autocast: 'bfloat16',
      monitor: 'loss',
      earlyStopping: { patience: 3, minDelta: 0.001 },
      validateEvery: 1,
      keepCheckpoints: { every: 1, last: 1 },
      init: join(run, 'best.safetensors'),
      crop: 'padded',
      padding: 3,
      flip: 0,
      colorJitter: [0.4, 0.4, 0.4],
      randomErasing: 1,
      mixup: 0.2,
      cutmix: 1,
      mixProb: 0.9,
      augmentOn: 'device',
      batchDtype: 'bfloat16',
      memoryFormat: 'channels-last',
    });
    expect(readdirSync(out).filter((name) => name.startsWith('epoch-'))).toEqual(['epoch-0002.safetensors']);
    const kept = command('evaluate', '--run', out, '--checkpoint', 'epoch-2', '--json');
    expect(kept.status).toBe(0);
    expect(JSON.parse(kept.stdout).loss).toBeCloseTo(lines[1].val.loss, 5); // the averages, as validated
    const longer = command('train', '--out', out, '--resume', '--epochs', '4');
    expect(longer.status).toBe(1);
    expect(longer.stderr).toMatch(/^error: Expected 2 for --epochs, as the schedule cosine/);
    const other = command('train', '--out', out, '--resume', '--cutmix', '0.5', '--mixup', '0.2');
    expect(other.status).toBe(1);
    expect(other.stderr).toMatch(/^error: Expected 1 for --cutmix, as the run .* but received 0.5/);
    const unknown = command('evaluate', '--run', out, '--checkpoint', 'bst');
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toMatch(/^error: Expected best, last, epoch-<number> or a file/);
  });

  it('is continued with more epochs', { timeout: limit(120_000) }, () => {
    const { status, stdout, stderr } = command('train', '--out', run, '--resume', '--epochs', '3');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/epoch 3\/3/);
    expect(metrics(run).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  });

  it('is evaluated as it was validated', () => {
    const { status, stdout, stderr } = command('evaluate', '--run', run, '--checkpoint', 'last', '--json');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    const last = metrics(run).at(-1)! as unknown as { val: { loss: number; accuracy: number } };
    expect(result.images).toBe(16);
    expect(result.accuracy).toBe(last.val.accuracy);
    expect(result.loss).toBeCloseTo(last.val.loss, 5);
    expect(result.confusion.flat().reduce((sum: number, count: number) => sum + count)).toBe(16);
    expect(readdirSync(run)).toEqual(expect.arrayContaining(['mistakes.png', 'predictions.png']));
  });

  it('predicts pictures of any size, gray ones too', async () => {
    const photo = join(folder, 'photo.png');
    const grey = join(folder, 'grey.jpg');
    const create = { width: 60, height: 40, channels: 3 as const, background: '#336699' };
    await sharp({ create }).png().toFile(photo);
    await sharp({ create }).greyscale().jpeg().toFile(grey);
    const { status, stdout, stderr } = command('predict', '--run', run, '--json', photo, grey);
    expect(stderr).not.toMatch(/error/i);
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ file }) => file)).toEqual([photo, grey]);
    for (const { predictions } of lines) {
      const values = predictions.map(({ probability }: { probability: number }) => probability);
      expect(values.length).toBe(5);
      expect(values).toEqual([...values].sort((a, b) => b - a));
      expect(values[0]).toBeLessThanOrEqual(1);
    }
  });

  it('names a picture that is none', () => {
    const file = join(folder, 'text.png');
    writeFileSync(file, 'no picture');
    const { status, stderr } = command('predict', '--run', run, file);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: .*text.png: cannot be read as an image/);
  });

  it('continues after an unreadable image, and reports it at the end', () => {
    const [photo, missing, text] = ['photo.png', 'missing.png', 'text.png'].map((name) => join(folder, name));
    const { status, stdout, stderr } = command(
      'predict',
      '--run',
      run,
      '--json',
      photo!,
      missing!,
      text!,
      photo!,
    );
    expect(status).toBe(1);
    const files = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).file);
    expect(files).toEqual([photo, photo]);
    expect(stderr.match(/^error: .*/gm)).toEqual([
      expect.stringContaining('missing.png'),
      expect.stringContaining('text.png: cannot be read as an image'),
      'error: 2 of 4 images could not be classified',
    ]);
  });

  it('refuses weights of another architecture, naming the key and both shapes', async () => {
    const other = join(folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'config.json'), readFileSync(join(run, 'config.json')));
    const weights = await loadSafetensors(join(run, 'best.safetensors'));
    await saveSafetensors(join(other, 'best.safetensors'), {
      ...weights,
      'classifier.6.bias': tensor([1, 2, 3]),
    });
    const { status, stderr } = command('evaluate', '--run', other);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^error: .*best.safetensors does not fit alexnet-dy: .*\[10\] for classifier\.6\.bias.*\[3\]/,
    );
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
