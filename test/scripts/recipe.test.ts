/** The recipes of train.js, and the warning of short epochs. */
import { describe, expect, it } from 'vitest';
import { applyRecipe, checkTogether, configOf, epochWarning, parsed, SET } from './train-line.js';

describe('--recipe small', () => {
  const of = (...options: string[]) => {
    const { options: values, given } = parsed(['--recipe', 'small', ...options]);
    const applied = applyRecipe(values, given);
    expect(() => checkTogether(applied, given)).not.toThrow();
    return applied;
  };

  it('replaces the defaults', () => {
    expect(of()).toMatchObject({ epochs: 20, batchSize: 32, lr: 0.01, momentum: 0.9, warmupEpochs: 1 });
    expect(of()).toMatchObject({ schedule: 'cosine', crop: 'padded', weightDecay: 1e-5, seed: 42 });
    expect(parsed([]).options).toMatchObject({ epochs: 100, batchSize: 512 });
  });

  it('gives way to the command line', () => {
    expect(of('--epochs', '5', '--lr', '0.1', '--crop', 'none')).toMatchObject({
      epochs: 5,
      lr: 0.1,
      crop: 'none',
      batchSize: 32,
    });
    // Even if the value is the default: options on the command line take precedence.
    expect(of('--batch-size', '512').batchSize).toBe(512);
    expect(of('--schedule', 'one-cycle').warmupEpochs).toBe(0);
    expect(of('--epochs', '1').warmupEpochs).toBe(0);
  });
});

describe('--recipe mobilenetv3-dy', () => {
  const of = (...words: string[]) => {
    const { options, given } = parsed(['--recipe', 'mobilenetv3-dy', ...words]);
    const applied = applyRecipe(options, given);
    expect(() => checkTogether(applied, given)).not.toThrow();
    return configOf({ ...applied, device: 'cpu' }, { trainSet: SET, valSet: SET });
  };

  it('trains the network of the paper', () => {
    expect(of()).toMatchObject({
      ...{ model: 'mobilenet_v3_small_dy', modelOptions: { numClasses: 2, numExperts: 4 }, imageSize: 224 },
      ...{ epochs: 300, batchSize: 256, lr: 0.1, momentum: 0.9, weightDecay: 3e-5, schedule: 'cosine' },
      ...{ labelSmoothing: 0.1, ema: 0.9999, temperature: { start: 30, epochs: 10 } },
    });
  });

  it('trains the same network without dynamic convolution', () => {
    expect(of('--model', 'mobilenet_v3_small', '--epochs', '10')).toMatchObject({
      ...{ model: 'mobilenet_v3_small', modelOptions: { numClasses: 2 }, epochs: 10, ema: 0.9999 },
    });
  });
});

describe('--optimizer', () => {
  const of = (...words: string[]) => {
    const { options, given } = parsed(words);
    return { options: applyRecipe(options, given), given };
  };

  it('has the defaults of PyTorch for others than SGD, also in a recipe', () => {
    expect(of().options).toMatchObject({ optimizer: 'sgd', lr: 0.1, weightDecay: 1e-5 });
    expect(of('--optimizer', 'adamw', '--recipe', 'small').options).toMatchObject({
      ...{ lr: 1e-3, momentum: 0, weightDecay: 1e-2, batchSize: 32 },
    });
    expect(of('--optimizer', 'rmsprop', '--momentum', '0.9').options).toMatchObject({
      lr: 0.01,
      momentum: 0.9,
    });
    expect(of('--optimizer', 'adam', '--lr', '0.1').options).toMatchObject({ lr: 0.1, weightDecay: 0 });
  });

  it.each([
    [['--optimizer', 'adam', '--momentum', '0.9'], 'Expected --optimizer sgd or rmsprop with --momentum 0.9'],
    [['--optimizer', 'rmsprop', '--capture'], 'Expected --optimizer sgd, adam or adamw with --capture'],
  ])('%j', (words, message) => {
    const { options, given } = of(...words);
    expect(() => checkTogether(options, given)).toThrow(message);
  });
});

describe('the warning of short epochs', () => {
  it('names steps, the share that is left out, and what helps', () => {
    expect(epochWarning({ trainImages: 1500, batchSize: 512 })).toBe(
      'warning: an epoch has only 2 steps: 1,500 images in batches of 512. The last 476 images (31.7 %) of every epoch, an incomplete batch, are not used. Use --recipe small, which is for small data sets, or a smaller --batch-size for more steps.',
    );
    expect(epochWarning({ trainImages: 33, batchSize: 32 })).toContain(
      'The last image (3.0 %) of every epoch, an incomplete batch, is not used.',
    );
    expect(epochWarning({ trainImages: 64, batchSize: 32, accumulate: 2, recipe: 'small' })).toBe(
      'warning: an epoch has only 1 step: 64 images in batches of 32, 2 batches per step. Use a smaller --batch-size for more steps.',
    );
  });

  it.each([
    [{ trainImages: 1500, batchSize: 32, recipe: 'small' }],
    [{ trainImages: 50_000, batchSize: 512 }],
    [{ trainImages: 320, batchSize: 32 }],
  ])('is not there for %j', (config) => expect(epochWarning(config)).toBeNull());
});
