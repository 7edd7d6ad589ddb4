import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../lib/errors.js';
import { confusionPng, confusionSvg, formatConfusion } from '../../lib/report/confusion.js';
import { accuracyBounds, curvePanels, curvesOption } from '../../lib/report/curve-panels.js';
import { curvesPng, curvesSvg } from '../../lib/report/curves.js';
import { groupRuns } from '../../lib/report/groups.js';
import { type Prediction, predictionsPng } from '../../lib/report/predictions.js';
import { classAccuracies } from '../../lib/run/confusion.js';
import { CLASSES, madeUpEvaluation, madeUpRun } from './support/made-up-runs.js';

const pair = [madeUpRun({ model: 'alexnet', ceiling: 0.89 }), madeUpRun()];

/** The texts of an SVG. */
function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);
}

describe('learning curves', () => {
  it('have both panels, every series and the best values', async () => {
    const svg = await curvesSvg(pair);
    const words = texts(svg);
    expect(words).toEqual(expect.arrayContaining(['Loss', 'Accuracy']));
    for (const name of ['alexnet', 'alexnet-dy'])
      expect(words).toEqual(expect.arrayContaining([`${name} training`, `${name} validation`]));
    const best = Math.max(...pair[1]!.epochs.map(({ val }) => val!.accuracy));
    expect(words.join('\n')).toContain(best.toFixed(4));
    expect(svg.match(/width="1200" height="480"/)).not.toBeNull();
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it.each([1, 2, 100])('draw a run of %i epochs', async (epochs) => {
    const svg = await curvesSvg([madeUpRun({ epochs })]);
    expect(texts(svg)).toEqual(expect.arrayContaining(['training', 'validation', 'Epoch']));
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('leave a gap where a value is not finite', async () => {
    const run = madeUpRun({ epochs: 5 });
    run.epochs[2]!.train.loss = Number.NaN;
    run.epochs[3]!.val!.loss = Number.POSITIVE_INFINITY;
    const svg = await curvesSvg([run]);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it('do without validation', async () => {
    const run = madeUpRun({ epochs: 4 });
    for (const epoch of run.epochs) epoch.val = null;
    expect(texts(await curvesSvg([run]))).toContain('no validation');
  });

  it('have one color and one name for the seeds of a model', () => {
    const groups = groupRuns([1, 2, 3].map((seed) => madeUpRun({ seed })));
    const { series, legend } = curvesOption(
      groups,
      curvePanels(groups, (i) => `c${i}`),
      1200,
    );
    const lines = series as { name: string; color: string }[];
    expect(lines).toHaveLength(12);
    expect(new Set(lines.map(({ color }) => color))).toEqual(new Set(['c0']));
    expect((legend as { data: string[] }).data).toEqual(['training', 'validation']);
  });

  it('become a PNG of the size asked for', async () => {
    const { width, height, format } = await sharp(
      await curvesPng(pair, { width: 900, height: 400 }),
    ).metadata();
    expect({ width, height, format }).toEqual({ width: 1800, height: 800, format: 'png' });
    const single = await sharp(await curvesPng(pair, { scale: 1, scheme: 'dark' })).metadata();
    expect([single.width, single.height]).toEqual([1200, 480]);
  });

  it('refuse sizes that cannot be drawn', async () => {
    await expect(curvesSvg(pair, { width: 3 })).rejects.toThrow(
      /pixels from 64 to 16384 for width but received 3/,
    );
    await expect(curvesPng(pair, { scale: 0 })).rejects.toThrow(ArgumentError);
  });

  it.each([
    [[0.5, 0.91], { min: 0.5, max: 1 }],
    [[0.985, 0.993], { min: 0.98, max: 1 }],
    [[1, 1], { min: 0.99, max: 1 }],
    [[0, 0], { min: 0, max: 0.01 }],
    [[0, 1], { min: 0, max: 1 }],
    [[Number.NaN], { min: 0, max: 1 }],
  ])('frame accuracies %j', (values, expected) => {
    expect(accuracyBounds(values)).toEqual(expected);
  });
});

describe('confusion matrix', () => {
  const evaluation = madeUpEvaluation();

  it('shows every class and count', async () => {
    const words = texts(await confusionSvg(evaluation));
    expect(words).toEqual(expect.arrayContaining([...CLASSES, 'Predicted', 'True']));
    expect(words).toContain(String(evaluation.confusion[3]![3]));
    const { width, height } = await sharp(await confusionPng(evaluation)).metadata();
    expect([width, height]).toEqual([1520, 1400]);
  });

  it('can be drawn for a hundred classes', async () => {
    const classes = Array.from({ length: 100 }, (_, i) => `class ${i}`);
    const confusion = classes.map((_, i) => classes.map((_, j) => (i === j ? 90 : 0)));
    expect(await confusionSvg({ classes, confusion })).not.toMatch(/NaN|undefined/);
  });

  it('gives accuracy, precision and the usual mistake of each class', () => {
    const classes = ['a', 'b', 'c'];
    const confusion = [
      [8, 2, 0],
      [1, 9, 0],
      [0, 0, 0],
    ];
    expect(classAccuracies({ classes, confusion })).toEqual([
      { class: 'a', images: 10, accuracy: 0.8, precision: 8 / 9, mistakenFor: { class: 'b', images: 2 } },
      { class: 'b', images: 10, accuracy: 0.9, precision: 9 / 11, mistakenFor: { class: 'a', images: 1 } },
      { class: 'c', images: 0, accuracy: null, precision: null, mistakenFor: null },
    ]);
    expect(formatConfusion(confusion, classes).split('\n')).toEqual(
      [
        'true \\ predicted  a  b  c  accuracy',
        '               a  8  2  .    80.0 %',
        '               b  1  9  .    90.0 %',
        '               c  .  .  .         -',
      ].map((line) =>
        expect.stringMatching(new RegExp(`${line.trim().replace(/[\\.]/g, '\\$&').replace(/ +/g, '\\s+')}$`)),
      ),
    );
  });

  it('refuses a matrix that is not square', () => {
    expect(() => classAccuracies({ classes: ['a', 'b'], confusion: [[1, 2]] })).toThrow(ShapeError);
  });
});

describe('predictions', () => {
  const red = new Uint8Array(3 * 28 * 28).fill(255, 0, 28 * 28);
  const item = (label: number, predicted: number): Prediction => ({
    image: red,
    shape: [3, 28, 28],
    label,
    predicted,
    probability: 0.9,
  });

  it('show 18 images in three rows, in their own colors', async () => {
    const items = Array.from({ length: 18 }, (_, i) => item(i % 10, i % 10));
    const png = await predictionsPng(items, { classes: CLASSES, scale: 1 });
    const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([1040, 654]);
    const at = (x: number, y: number) => [
      ...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3),
    ];
    for (const row of [0, 1, 2]) expect(at(100, 80 + 212 * row)).toEqual([255, 0, 0]);
  });

  it('draw a wrong one differently from a right one', async () => {
    const [right, wrong] = await Promise.all(
      [0, 1].map((predicted) => predictionsPng([item(0, predicted)], { classes: ['same', 'same'] })),
    );
    expect(right!.equals(wrong!)).toBe(false);
  });

  it('take gray images, and names that would break the markup', async () => {
    const grey = {
      image: new Uint8Array(64 * 80),
      shape: [1, 64, 80],
      label: 0,
      predicted: 0,
      probability: 1,
    };
    const png = await predictionsPng([grey], { classes: ['<&"\u0001>'], columns: 1 });
    expect((await sharp(png).metadata()).format).toBe('png');
  });

  it('refuse what does not fit', async () => {
    await expect(predictionsPng([], { classes: CLASSES })).rejects.toThrow(ArgumentError);
    const short = { ...item(0, 0), image: new Uint8Array(5) };
    await expect(predictionsPng([short], { classes: CLASSES })).rejects.toThrow(
      /image 0 but received .* 5 bytes/,
    );
    await expect(predictionsPng([item(0, 10)], { classes: CLASSES })).rejects.toThrow(
      /a class from 0 to 9 for predicted of image 0 but received 10/,
    );
  });
});
