import { describe, expect, it } from 'vitest';
import { comparison } from '../../lib/report/table.js';
import { formatDuration } from '../../lib/text.js';
import { madeUpRun } from './support/made-up-runs.js';

/** A run whose last epoch has the given accuracies, and whose best epoch is an earlier one. */
function run(model: string, seed: number, train: number, val: number, best: number) {
  const made = madeUpRun({ model, seed, epochs: 3 });
  const accuracies = [best, val - 0.01, val];
  made.epochs.forEach((epoch, i) => {
    epoch.train.accuracy = train;
    epoch.val!.accuracy = accuracies[i]!;
    epoch.seconds = 100 * (i + 1);
    epoch.imagesPerSecond = 400;
  });
  return made;
}

describe('comparison', () => {
  it('is the table of the article', () => {
    const runs = [run('alexnet', 42, 0.7049, 0.7872, 0.79), run('alexnet-dy', 42, 0.7515, 0.8209, 0.8211)];
    expect(String(comparison(runs)).split('\n')).toEqual([
      'model       train acc  val acc  parameters  best val acc  epochs  images/s         time',
      '---------------------------------------------------------------------------------------',
      'alexnet        0.7049   0.7872   7,526,794        0.7900       3       400  10 min 00 s',
      'alexnet-dy     0.7515   0.8209   8,324,368        0.8211       3       400  10 min 00 s',
    ]);
  });

  it('gives mean and interval of several seeds, with the means below each other', () => {
    const runs = [
      run('alexnet', 1, 0.7, 0.78, 0.79),
      run('alexnet-dy', 1, 0.75, 0.81, 0.89),
      run('alexnet-dy', 2, 0.75, 0.82, 0.9),
      run('alexnet-dy', 3, 0.75, 0.83, 0.91),
    ];
    const result = comparison(runs);
    expect(result.rows.map(({ seeds }) => seeds)).toEqual([[1], [1, 2, 3]]);
    expect(result.rows[1]!.bestValAccuracy!.halfWidth).toBeCloseTo(0.024841, 5);
    const [heads, , alexnet, dy, , note] = String(result).split('\n');
    expect(heads).toMatch(/time {2}seeds$/);
    expect(dy).toContain('0.8200 \u00b1 0.0248');
    expect(alexnet!.indexOf('0.7800')).toBe(dy!.indexOf('0.8200'));
    expect(note).toMatch(/95 % interval/);
  });

  it('has a Markdown form', () => {
    const lines = comparison([run('a|b', 1, 0.7, 0.78, 0.79)])
      .toMarkdown()
      .split('\n');
    expect(lines).toEqual([
      '| model | train acc | val acc | parameters | best val acc | epochs | images/s | time |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
      '| a\\|b | 0.7000 | 0.7800 | 7,526,794 | 0.7900 | 3 | 400 | 10 min 00 s |',
    ]);
  });

  it('shows a dash where there is nothing to show', () => {
    const made = madeUpRun({ epochs: 2 });
    for (const epoch of made.epochs) epoch.val = null;
    const [row] = comparison([made]).rows;
    expect(row).toMatchObject({ valAccuracy: null, bestValAccuracy: null });
    expect(String(comparison([made]))).toMatch(/ - +8,324,368 +- /);
  });

  it('is data that survives JSON', () => {
    const { rows } = comparison([madeUpRun({ seed: 1 }), madeUpRun({ seed: 2 })]);
    expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
  });
});

describe('formatDuration', () => {
  it.each([
    [0.04, '0.0 s'],
    [59.94, '59.9 s'],
    [59.96, '1 min 00 s'],
    [725, '12 min 05 s'],
    [3599.6, '1 h 00 min'],
    [11220, '3 h 07 min'],
  ])('%d seconds', (seconds, expected) => {
    expect(formatDuration(seconds)).toBe(expected);
  });
});

it('has the data and the number of images where they differ', () => {
  const heads = (config: object) =>
    String(comparison([madeUpRun({ model: 'a' }), madeUpRun({ model: 'b', config })])).split('\n')[0];
  expect(heads({})).not.toMatch(/data|images$/);
  expect(heads({ valImages: 77 })).toMatch(/images$/);
  const text = String(
    comparison([madeUpRun({ model: 'a' }), madeUpRun({ model: 'b', config: { dataset: 'mnist' } })]),
  );
  expect(text).toMatch(/mnist, 10 classes/);
});
