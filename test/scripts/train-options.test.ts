/** The command line of train.js, parsed as the command does it, in this process: commands.test.ts runs the command. */
import type { Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import type { format, Transform } from '../../lib/data/transforms.js';

const script = (name: string) => import(new URL(`../../scripts/cli/${name}.js`, import.meta.url).href);
const { trainCommand } = (await script('train-options')) as { trainCommand: () => Command };
const { checkTogether } = (await script('option-checks')) as { checkTogether: (options: object) => void };
const { applyRecipe, epochWarning } = (await script('recipe')) as {
  applyRecipe: (command: Command) => void;
  epochWarning: (config: object) => string | null;
};
const { augmentation, augmentationOf } = (await script('augmentation')) as {
  augmentation: (config: object) => { transform: Transform; mix?: object[] };
  augmentationOf: (options: object, device: string) => object;
};
const { data } = (await import(new URL('../../dist/index.js', import.meta.url).href)) as {
  data: { transforms: { format: typeof format } };
};

const parse = (options: string[]) => {
  let stderr = '';
  const writeErr = (text: string) => {
    stderr += text;
  };
  try {
    trainCommand().exitOverride().configureOutput({ writeErr }).parse(options, { from: 'user' });
    return { status: 0, stderr };
  } catch (error) {
    return { status: (error as CommanderError).exitCode, stderr };
  }
};

describe('wrong options', () => {
  it.each([
    [['--epochs', '0'], /--epochs <n>' argument '0' is invalid. Expected a positive integer/],
    [['--lr', 'fast'], /--lr <rate>' argument 'fast' is invalid. Expected a number above 0/],
    [['--label-smoothing', '1'], /Expected a number of at least 0 and below 1/],
    [['--milestones', '60,30'], /Expected ascending epochs separated by commas/],
    [['--model', 'alexnet-xl'], /Allowed choices are .*alexnet/],
    [['--dataset', 'cifar'], /Allowed choices are .*cifar10/],
    [['--dtype', 'int8'], /Allowed choices are float32/],
    [['--device', 'gpu'], /Expected auto, cpu, cuda or cuda:<n>/],
    [['extra'], /too many arguments/],
    [['--ema', '1'], /--ema <decay>' argument '1' is invalid. Expected a number of at least 0 and below 1/],
    [
      ['--clip-grad-norm', '0'],
      /--clip-grad-norm <norm>' argument '0' is invalid. Expected a number above 0/,
    ],
    [['--accumulate', '0'], /--accumulate <n>' argument '0' is invalid. Expected a positive integer/],
    [['--schedule', 'linear'], /Allowed choices are milestones, cosine, one-cycle, constant/],
    [['--autocast', 'float64'], /Allowed choices are bfloat16, float16/],
    [['--early-stoping', '3'], /unknown option '--early-stoping'\n\(Did you mean --early-stopping\?\)/],
    [['--crop', 'random'], /Allowed choices are resized, padded, none/],
    [
      ['--flip', '1.5'],
      /--flip <p>' argument '1.5' is invalid. Expected a number of at least 0 and at most 1/,
    ],
    [['--color-jitter', '0.4,0.4'], /Expected 1, 3 or 4 numbers from 0 on, the fourth at most 0.5/],
    [['--color-jitter', '0.4,0.4,0.4,0.6'], /Expected 1, 3 or 4 numbers from 0 on, the fourth at most 0.5/],
    [['--color-jitter', '-1'], /Expected 1, 3 or 4 numbers from 0 on/],
    [['--mixup', '0'], /--mixup <alpha>' argument '0' is invalid. Expected a number above 0/],
    [['--batch-dtype', 'float16'], /Allowed choices are float32, bfloat16/],
    [['--memory-format', 'channelsLast'], /Allowed choices are contiguous, channels-last/],
    [['--augment-on', 'cuda'], /Allowed choices are auto, cpu, device/],
    [['--colour-jitter', '0.4'], /Did you mean --color-jitter\?/],
  ])('%j', (options, message) => {
    const { status, stderr } = parse(options);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });

  it.each([
    [
      ['--epochs', '2', '--warmup-epochs', '2'],
      'Expected less than 2, the number of epochs, for --warmup-epochs',
    ],
    [
      ['--schedule', 'one-cycle', '--warmup-epochs', '1'],
      'Expected no --warmup-epochs with --schedule one-cycle',
    ],
    [['--min-delta', '0.1'], 'Expected --early-stopping beside --min-delta 0.1'],
    [['--padding', '2'], 'Expected --crop padded beside --padding 2 but received resized'],
    [['--mix-prob', '0.5'], 'Expected --mixup or --cutmix beside --mix-prob 0.5'],
    [['--batch-dtype', 'bfloat16'], 'Expected --autocast bfloat16 beside --batch-dtype bfloat16'],
  ])('%j', (options, message) => {
    expect(() => checkTogether(trainCommand().parse(options, { from: 'user' }).opts())).toThrow(message);
  });
});

describe('augmentation', () => {
  const of = (...options: string[]) => {
    const parsed = trainCommand().parse(options, { from: 'user' }).opts();
    const config = { imageSize: 128, imageShape: [3, 32, 32], ...augmentationOf(parsed, 'cpu') };
    const { transform, ...rest } = augmentation(config);
    return { lines: data.transforms.format(transform).split('\n'), transform, ...rest };
  };

  it("is the article's where nothing is said", () => {
    expect(of()).toMatchObject({
      transform: { kind: 'train', resize: 130, size: 128, scale: [0.08, 1], flip: 0.5, mean: [0.5] },
      mix: undefined,
      dtype: 'float32',
      memoryFormat: 'contiguous',
      augmentOn: 'cpu',
    });
  });

  it('is a list of steps where more is asked for', () => {
    expect(of('--color-jitter', '0.2', '--random-erasing', '0.25').lines).toEqual([
      'compose',
      '  resize(size: [130, 130])',
      '  randomResizedCrop(size: [128, 128], scale: [0.08, 1], ratio: [0.75, 1.33333])',
      '  randomHorizontalFlip(p: 0.5)',
      '  colorJitter(brightness: [0.8, 1.2], contrast: [0.8, 1.2], saturation: [0.8, 1.2], hue: [0, 0])',
      '  normalize(mean: 0.5, std: 0.5)',
      '  randomErasing(p: 0.25, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: 0)',
    ]);
    expect(of('--crop', 'padded', '--flip', '0').lines.slice(1, 4)).toEqual([
      '  randomCrop(size: [32, 32], padding: 4)',
      '  resize(size: [128, 128])',
      '  randomHorizontalFlip(p: 0)',
    ]);
    expect(of('--crop', 'none').lines[1]).toBe('  resize(size: [128, 128])');
  });

  it('mixes batches by one way or by both', () => {
    expect(of('--mixup', '0.2').mix).toEqual([{ kind: 'mixup', alpha: 0.2, p: 1 }]);
    expect(of('--cutmix', '1', '--mixup', '0.2', '--mix-prob', '0.5').mix).toEqual([
      { kind: 'mixup', alpha: 0.2, p: 0.5 },
      { kind: 'cutmix', alpha: 1, p: 0.5 },
    ]);
  });

  it("of a run made before there were such options is the article's", () => {
    expect(augmentation({ imageSize: 128, imageShape: [3, 28, 28] })).toMatchObject({
      transform: { kind: 'train', resize: 130, flip: 0.5 },
      mix: undefined,
    });
  });
});

describe('--recipe small', () => {
  const of = (...options: string[]) => {
    const command = trainCommand().parse(['--recipe', 'small', ...options], { from: 'user' });
    applyRecipe(command);
    const parsed = command.opts();
    expect(() => checkTogether(parsed)).not.toThrow();
    return parsed;
  };

  it('stands in for the defaults', () => {
    expect(of()).toMatchObject({ epochs: 20, batchSize: 32, lr: 0.01, momentum: 0.9, warmupEpochs: 1 });
    expect(of()).toMatchObject({ schedule: 'cosine', crop: 'padded', weightDecay: 1e-5, seed: 42 });
    expect(trainCommand().parse([], { from: 'user' }).opts()).toMatchObject({ epochs: 100, batchSize: 512 });
  });

  it('gives way to the command line', () => {
    expect(of('--epochs', '5', '--lr', '0.1', '--crop', 'none')).toMatchObject({
      epochs: 5,
      lr: 0.1,
      crop: 'none',
      batchSize: 32,
    });
    // Even where it is given the default: what is typed counts.
    expect(of('--batch-size', '512').batchSize).toBe(512);
    expect(of('--schedule', 'one-cycle').warmupEpochs).toBe(0);
    expect(of('--epochs', '1').warmupEpochs).toBe(0);
  });
});

describe('the warning of short epochs', () => {
  it('names steps, the share that is left out, and what helps', () => {
    expect(epochWarning({ trainImages: 1500, batchSize: 512 })).toBe(
      'warning: an epoch has only 2 steps: 1,500 images in batches of 512. The last 476 images (31.7 %), too few for a batch, are left out of every epoch. --recipe small is made for so few images; a smaller --batch-size makes more steps.',
    );
    expect(epochWarning({ trainImages: 64, batchSize: 32, accumulate: 2, recipe: 'small' })).toBe(
      'warning: an epoch has only one step: 64 images in batches of 32, 2 batches a step. A smaller --batch-size makes more steps.',
    );
  });

  it.each([
    [{ trainImages: 1500, batchSize: 32, recipe: 'small' }],
    [{ trainImages: 50_000, batchSize: 512 }],
    [{ trainImages: 320, batchSize: 32 }],
  ])('is not there for %j', (config) => expect(epochWarning(config)).toBeNull());
});
