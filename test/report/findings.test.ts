import { describe, expect, it } from 'vitest';
import { findingsOf } from '../../lib/report/findings.js';
import type { ComparisonRow } from '../../lib/report/rows.js';
import { differenceInterval, meanInterval } from '../../lib/report/statistics.js';
import { comparison } from '../../lib/report/table.js';
import { madeUpRun } from './support/made-up-runs.js';

const images = (count: number, more = {}) => ({
  ...{ part: 'the test images', images: count, digest: null, contents: null },
  ...more,
});

function row(model: string, values: number[], more: Partial<ComparisonRow> = {}): ComparisonRow {
  return {
    ...{ model, runs: [], seeds: values.map((_, i) => i), parameters: 100, images: 0 },
    ...{ dataset: 'folder', classes: ['cat', 'dog'], validation: images(0), test: null },
    ...{ trainAccuracy: null, valAccuracy: null, bestValAccuracy: meanInterval(values), testAccuracy: null },
    ...{ epochs: [1], plannedEpochs: 1, finished: true, imagesPerSecond: null, seconds: null },
    ...{ attention: null, collapsed: null },
    ...more,
  };
}

const dynamic: Partial<ComparisonRow> = { attention: [] };

describe('differenceInterval', () => {
  it('is that of Welch', () => {
    // scipy.stats.ttest_ind([.9, .91, .93], [.8, .85, .83, .81], equal_var=False).confidence_interval() has 4.77 degrees: 0.0586 ... 0.1230
    const [a, b] = [meanInterval([0.9, 0.91, 0.93]), meanInterval([0.8, 0.85, 0.83, 0.81])];
    const { difference, halfWidth } = differenceInterval(a, b)!;
    expect(difference).toBeCloseTo(0.0908333, 6);
    expect(halfWidth).toBeCloseTo(2.776445 * Math.sqrt(0.000233333 / 3 + 0.000491667 / 4), 6);
    expect(differenceInterval(meanInterval([0.9]), b)).toBeNull();
    const same = meanInterval([0.5, 0.5]);
    expect(differenceInterval(same, same)).toEqual({ difference: 0, halfWidth: 0 });
  });
});

describe('findings', () => {
  it('give the difference of two models with its interval over the seeds', () => {
    const [text] = findingsOf([
      row('a', [0.9, 0.901, 0.902], { parameters: 110 }),
      row('b', [0.8, 0.801, 0.802]),
    ]);
    expect(text).toBe(
      'a is 10.00 points above b at its best, with 10.0 % more parameters. ' +
        '95 % interval of the difference over the seeds (3 and 3): 9.77 to 10.23 points.',
    );
    const [near] = findingsOf([row('a', [0.8, 0.85, 0.9]), row('b', [0.81, 0.86, 0.91])]);
    expect(near).toMatch(/^b is 1\.00 points above a .* -10\.33 to 12\.33 points, so it may be chance\.$/);
    expect(findingsOf([row('a', [0.9])])).toEqual([]);
  });

  it.each([
    ['helps', [0.85, 0.851, 0.852], 'Dynamic convolution helps compared with alexnet.'],
    ['makes it worse', [0.75, 0.751, 0.752], 'Dynamic convolution makes it worse compared with alexnet.'],
    [
      'cannot be told',
      [0.7, 0.8, 0.9],
      'Dynamic convolution has no measurable effect compared with alexnet.',
    ],
    ['one seed', [0.9], 'Whether dynamic convolution helps cannot be told from one seed of a model.'],
  ])('say whether dynamic convolution helps: %s', (_, values, verdict) => {
    const rows = [row('alexnet', [0.8, 0.801, 0.802]), row('alexnet-dy', values, dynamic)];
    expect(findingsOf(rows)[0]).toContain(verdict);
    expect(findingsOf([...rows].reverse())[0]).toContain(verdict);
  });

  it.each([
    [{ dataset: 'manifest' }, 'a was measured on folder, b on manifest'],
    [
      { classes: ['ant', 'bee', 'cat', 'dog'] },
      'a has 2 classes (cat, dog), b has 4 classes (ant, bee, cat, \u2026)',
    ],
    [{ validation: images(20) }, 'a was measured on 80 images, b on 20 images'],
    [
      { validation: images(80, { part: '10 % of the training images' }) },
      'a was measured on the test images, b on 10 % of the training images',
    ],
    [{ validation: images(80, { digest: '2' }) }, 'they were measured on different images'],
    [
      { validation: images(80, { digest: '1', contents: '4' }) },
      'they were measured on images of the same names but different contents',
    ],
  ])('do not compare runs with different images: %j', (other, reason) => {
    const first = row('a', [0.9, 0.91], { validation: images(80, { digest: '1', contents: '3' }) });
    const second = row('b', [0.8, 0.81], { validation: images(80), ...other });
    expect(findingsOf([first, second])).toEqual([`The runs cannot be compared: ${reason}.`]);
    const same = row('b', [0.8, 0.81], { validation: images(80), classes: ['dog', 'cat'] });
    expect(findingsOf([first, same])[0]).toMatch(/^a is 10\.00 points above b/);
  });

  it('use no evaluation of other images than the test images of the run', () => {
    const evaluated = (ownImages?: boolean) => {
      const run = madeUpRun({ config: { valSplit: 0.1 } });
      return comparison([{ ...run, evaluation: { ...run.evaluation!, ownImages } }]).rows[0]!;
    };
    expect(evaluated().testAccuracy).not.toBeNull();
    expect(evaluated(true).testAccuracy).not.toBeNull();
    expect(evaluated(false)).toMatchObject({ testAccuracy: null, test: null, collapsed: null });
  });

  it('compare a dynamic model with every control', () => {
    const texts = findingsOf([
      row('alexnet', [0.8, 0.801, 0.802]),
      row('alexnet-wide', [0.86, 0.861, 0.862]),
      row('alexnet-dy', [0.85, 0.851, 0.852], dynamic),
    ]);
    expect(texts).toHaveLength(2);
    expect(texts[0]).toMatch(/^alexnet-dy is 5\.00 points above alexnet .* helps compared with alexnet\.$/);
    expect(texts[1]).toMatch(
      /^alexnet-wide is 1\.00 points above alexnet-dy .* worse compared with alexnet-wide\.$/,
    );
  });

  it('give the entropy of the attention, and the accuracy with collapsed experts', () => {
    const made = [1, 2].map((seed) => madeUpRun({ model: 'alexnet-dy', seed, epochs: 2 }));
    const shares = [
      [Math.log(2), 0.9 * Math.log(2)],
      [Math.log(2), 0.7 * Math.log(2)],
    ];
    made.forEach((run, i) => {
      run.config.temperature = { start: 30, epochs: 10 };
      run.epochs.forEach((epoch, e) => {
        epoch.experts = [{ layer: 'features.8', mean: [0.5, 0.5], entropy: shares[i]![e]! }];
      });
      run.evaluation = {
        ...run.evaluation!,
        ...{ checkpoint: 'best', accuracy: 0.8, collapsed: { loss: 1, accuracy: 0.75 + i / 50 } },
      };
    });
    const { rows, findings } = comparison(made);
    expect(rows[0]!.attention).toEqual([{ layer: 'features.8', first: 1, last: expect.closeTo(0.8, 10) }]);
    expect(findings).toEqual([
      'Entropy of the attention of alexnet-dy from the first epoch to the last, where equal shares have 100 %: ' +
        "features.8 100.0 % to 80.0 %. With every image's attention replaced by the mean, accuracy is 0.7600 instead of 0.8000 (-4.00 points).",
    ]);
    delete made[1]!.evaluation!.collapsed;
    expect(comparison(made).rows[0]!.collapsed).toBeNull();
  });
});
