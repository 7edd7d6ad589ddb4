/** The command line of train.js, parsed in this process as the command does it; commands.test.ts runs the command. */
import { resolve } from 'node:path';
import { Command, type CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  addOptions,
  augmentation,
  checkTogether,
  configFields,
  configFor,
  data,
  defaultsOf,
  optionsOfConfig,
  parsed,
  resumedConfig,
  TRAIN_OPTIONS,
} from './train-line.js';

/** The error for a wrong command line. */
function parse(words: string[]) {
  let stderr = '';
  const writeErr = (text: string) => {
    stderr += text;
  };
  const command = addOptions(new Command(), TRAIN_OPTIONS).exitOverride().configureOutput({ writeErr });
  try {
    command.parse(words, { from: 'user' });
    return { status: 0, stderr };
  } catch (error) {
    return { status: (error as CommanderError).exitCode, stderr };
  }
}

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
    [['--color-jitter', '0.4,0.4'], /Expected 1, 3 or 4 numbers of at least 0, the fourth at most 0.5/],
    [
      ['--color-jitter', '0.4,0.4,0.4,0.6'],
      /Expected 1, 3 or 4 numbers of at least 0, the fourth at most 0.5/,
    ],
    [['--color-jitter', '-1'], /Expected 1, 3 or 4 numbers of at least 0/],
    [['--mixup', '0'], /--mixup <alpha>' argument '0' is invalid. Expected a number above 0/],
    [['--batch-dtype', 'float16'], /Allowed choices are float32, bfloat16/],
    [['--memory-format', 'channelsLast'], /Allowed choices are contiguous, channels-last/],
    [['--augment-on', 'cuda'], /Allowed choices are auto, cpu, device/],
    [['--colour-jitter', '0.4'], /Did you mean --color-jitter\?/],
    [
      ['--image-size', '4097'],
      /--image-size <px>' argument '4097' is invalid. Expected an integer from 1 to 4096/,
    ],
    [['--image-size', '0'], /Expected an integer from 1 to 4096/],
    [['--class-weights', '1,0'], /Expected balanced, or numbers above 0 separated by commas/],
    [['--model-options', 'widthMult=0.5'], /Expected a JSON object of numbers, strings and booleans/],
    [['--model-options', '[1]'], /Expected a JSON object of numbers, strings and booleans/],
    [['--model-options', '{"widthMult":[1]}'], /Expected a JSON object of numbers, strings and booleans/],
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
    [['--min-delta', '0.1'], 'Expected --early-stopping with --min-delta'],
    [['--keep-last', '2'], 'Expected --checkpoint-every with --keep-last'],
    [
      ['--schedule', 'cosine', '--gamma', '0.5'],
      'Expected --schedule milestones with --gamma but received cosine',
    ],
    [
      ['--schedule', 'cosine', '--milestones', '5'],
      'Expected --schedule milestones with --milestones but received cosine',
    ],
    [['--capture', '--accumulate', '2'], 'Expected --accumulate 1 with --capture but received 2'],
    [
      ['--capture', '--clip-grad-norm', '5'],
      'Expected no --clip-grad-norm and no --clip-grad-value with --capture',
    ],
    [['--dataset', 'bundled', '--data-dir', 'data'], 'Expected no --data-dir with the data set bundled'],
    [
      ['--model-options', '{"numClasses":2}'],
      'Expected no numClasses in --model-options, which is the number of classes of the data set, but received 2',
    ],
    [
      ['--model-options', '{"numExperts":2}'],
      'Expected no numExperts in --model-options, but --num-experts, but received 2',
    ],
    [['--find-lr', '--lr', '0.1'], 'Expected no --lr with --find-lr, which finds it'],
    [['--padding', '2'], 'Expected --crop padded with --padding 2 but received resized'],
    [['--mix-prob', '0.5'], 'Expected --mixup or --cutmix with --mix-prob'],
    [['--batch-dtype', 'bfloat16'], 'Expected --autocast bfloat16 with --batch-dtype bfloat16'],
  ])('%j', (words, message) => {
    const { options, given } = parsed(words);
    expect(() => checkTogether(options, given)).toThrow(message);
  });
});

describe('the configuration of a run', () => {
  it('has the values of the options, null for what was left out', () => {
    expect(configFor()).toMatchObject({
      ...{ model: 'alexnet-dy', modelOptions: { numClasses: 2, numExperts: 2 }, dataset: 'cifar10' },
      ...{
        dataDir: resolve('data'),
        trainImages: 1500,
        valImages: 1500,
        valSplit: null,
        imageShape: [3, 32, 32],
      },
      ...{
        epochs: 100,
        batchSize: 512,
        lr: 0.1,
        milestones: [30, 60, 90],
        gamma: 0.1,
        seed: 42,
        dtype: 'float32',
      },
      ...{ temperature: { start: 30, epochs: 10 }, device: 'cpu', limitTrain: null, augmentOn: 'cpu' },
      ...{ earlyStopping: null, keepCheckpoints: null, clipGradNorm: null, ema: null, autocast: null },
      ...{
        init: null,
        capture: false,
        padding: null,
        colorJitter: null,
        recipe: 'article',
        validateEvery: 1,
      },
    });
  });

  it('has the options that the network has, and the size of images that it was designed for', () => {
    const half = ['--model-options', '{"widthMult":0.5}', '--image-size', '64'];
    expect(configFor('--model', 'mobilenet_v3_small', ...half)).toMatchObject({
      modelOptions: { numClasses: 2, widthMult: 0.5 },
      imageSize: 64,
    });
    expect(configFor('--model', 'mobilenet_v3_small').modelOptions).toEqual({ numClasses: 2 });
    expect(configFor('--model', 'resnet18_dy')).toMatchObject({
      modelOptions: { numClasses: 2, numExperts: 4 },
      imageSize: 224,
    });
    // The weights of a Vision Transformer are for one size.
    expect(
      configFor('--model', 'vit_b_16', '--image-size', '32', '--model-options', '{"patchSize":4}'),
    ).toMatchObject({
      modelOptions: { numClasses: 2, imageSize: 32, patchSize: 4 },
      imageSize: 32,
    });
    expect(configFor('--model', 'vit_b_16').modelOptions).toEqual({ numClasses: 2, imageSize: 224 });
    expect(() => configFor('--model', 'resnet18', ...half)).toThrow(
      /Expected the keys numClasses, .* for options of resnet18 but received 'widthMult'/,
    );
    expect(() => configFor('--model', 'resnet18', '--classifier-gain', '2')).toThrow(/'classifierGain'/);
  });

  it('has weights of the classes: given ones, or the inverse of their numbers of images', () => {
    expect(configFor('--class-weights', '1,5').classWeights).toEqual([1, 5]);
    // 1,000 of class a and 500 of class b; with the limit every other image, 500 and 250.
    expect(configFor('--class-weights', 'balanced').classWeights).toEqual([0.75, 1.5]);
    expect(configFor('--class-weights', 'balanced', '--limit-train', '750').classWeights).toEqual([
      0.75, 1.5,
    ]);
    expect(() => configFor('--class-weights', '1')).toThrow(
      'Expected 2 numbers, one for each class, for --class-weights but received 1',
    );
    expect(() => configFor('--class-weights', 'balanced', '--limit-train', '1', '--batch-size', '1')).toThrow(
      'Expected training images of every class for --class-weights balanced but found none of b',
    );
  });

  it('has objects where the options that they need are given', () => {
    expect(configFor('--early-stopping', '3', '--checkpoint-every', '2', '--crop', 'padded')).toMatchObject({
      earlyStopping: { patience: 3, minDelta: 0 },
      keepCheckpoints: { every: 2, last: 3 },
      padding: 4,
    });
  });

  it('gives the options back', () => {
    const words = [
      '--early-stopping',
      '3',
      '--min-delta',
      '0.1',
      '--lr',
      '0.5',
      '--temperature',
      '7',
      '--ema',
      '0.9',
    ];
    const { options } = parsed(words);
    const kept = optionsOfConfig(TRAIN_OPTIONS, configFields(TRAIN_OPTIONS, options));
    expect(kept).toEqual(Object.fromEntries(Object.keys(kept).map((name) => [name, options[name]])));
    for (const name of ['earlyStopping', 'minDelta', 'lr', 'temperature', 'ema', 'numExperts', 'keepLast'])
      expect(kept).toHaveProperty(name);
  });

  it('of an older run is that of the defaults where it has no value', () => {
    expect(optionsOfConfig(TRAIN_OPTIONS, { lr: 0.2 })).toEqual({
      ...optionsOfConfig(TRAIN_OPTIONS, configFields(TRAIN_OPTIONS, defaultsOf(TRAIN_OPTIONS))),
      lr: 0.2,
    });
  });
});

describe('a resumed run', () => {
  const resumed = (started: string[], ...words: string[]) => {
    const { options, given } = parsed(['--resume', ...words]);
    return resumedConfig(configFor(...started), options, given);
  };

  it('continues as it was started', () => {
    const started = [
      '--lr',
      '0.3',
      '--ema',
      '0.9',
      '--checkpoint-every',
      '2',
      '--keep-last',
      '5',
      '--color-jitter',
      '0.4',
    ];
    expect(resumed(started)).toEqual(configFor(...started));
    expect(resumed(started, ...started, '--device', 'auto', '--augment-on', 'auto')).toEqual(
      configFor(...started),
    );
  });

  it.each([
    [[], ['--lr', '0.2'], 'Expected 0.1 for --lr, as the run to be resumed was started, but received 0.2'],
    [[], ['--ema', '0.9'], 'Expected no --ema, as the run to be resumed was started, but received 0.9'],
    [['--ema', '0.5'], ['--ema', '0.9'], 'Expected 0.5 for --ema,'],
    [[], ['--num-experts', '4'], 'Expected 2 for --num-experts,'],
    [['--early-stopping', '3'], ['--early-stopping', '4'], 'Expected 3 for --early-stopping,'],
    [[], ['--milestones', '5'], 'Expected 30,60,90 for --milestones,'],
    [[], ['--image-size', '64'], 'Expected 128 for --image-size,'],
    [['--class-weights', 'balanced'], ['--class-weights', '1,2'], 'Expected 0.75,1.5 for --class-weights,'],
    [
      ['--model', 'mobilenet_v2', '--model-options', '{"widthMult":0.5}'],
      ['--model-options', '{"widthMult":1}'],
      'Expected {"widthMult":0.5} for --model-options, as the run to be resumed was started, but received {"widthMult":1}',
    ],
    [[], ['--model-options', '{"middleChannels":3}'], 'Expected {} for --model-options,'],
    [['--schedule', 'cosine'], ['--epochs', '4'], 'Expected 100 for --epochs, as the schedule cosine'],
    [['--dataset', 'bundled'], ['--data-dir', 'data'], 'Expected no --data-dir with the data set bundled'],
  ])('of %j refuses %j', (started, words, message) => {
    expect(() => resumed(started, ...words)).toThrow(message);
  });

  it('takes what may be replaced', () => {
    expect(resumed([], '--epochs', '120', '--data-dir', 'moved', '--checkpoint-every', '4')).toMatchObject({
      ...{ epochs: 120, dataDir: resolve('moved'), keepCheckpoints: { every: 4, last: 3 } },
    });
    expect(resumed(['--checkpoint-every', '2'], '--keep-last', '9').keepCheckpoints).toEqual({
      every: 2,
      last: 9,
    });
  });
});

describe('augmentation', () => {
  const of = (...options: string[]) => {
    const { transform, ...rest } = augmentation(configFor(...options));
    return { lines: data.transforms.format(transform).split('\n'), transform, ...rest };
  };

  it("is the article's by default", () => {
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

  it('resizes to the size of --image-size', () => {
    expect(of('--image-size', '64').transform).toMatchObject({ resize: 65, size: 64 });
    expect(of('--image-size', '64', '--crop', 'none').lines[1]).toBe('  resize(size: [64, 64])');
  });

  it('has the mean and the margin of --preset', () => {
    const { transform } = of('--preset', 'imagenet', '--image-size', '224');
    expect(transform).toMatchObject({ kind: 'train', resize: 256, size: 224, mean: [0.485, 0.456, 0.406] });
    expect(of('--preset', 'cifar10', '--crop', 'none').lines.at(-1)).toMatch(/normalize\(mean: \[0.4914, /);
  });

  it("of a run made before there were such options is the article's", () => {
    expect(augmentation({ imageSize: 128, imageShape: [3, 28, 28] })).toMatchObject({
      transform: { kind: 'train', resize: 130, flip: 0.5 },
      mix: undefined,
    });
  });
});
