import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ArgumentError, nn, report, ShapeError } from '../../lib/index.js';
import { madeUpRun } from './support/made-up-runs.js';
import { removeFolders, temporaryFolder, writeRun } from './support/run-folder.js';

afterAll(removeFolders);

// biome-ignore lint/suspicious/noExplicitAny: arguments that the types forbid
type Any = any;
type Case = [args: unknown[], message: string];

const symbol = Symbol('s');
const classes = ['cat', 'dog'];
const confusion = [
  [3, 1],
  [0, 4],
];
const input = { classes, confusion };
const item = { image: new Uint8Array(4), shape: [1, 2, 2], label: 0, predicted: 1, probability: 0.5 };
const linear = new nn.Linear(2, 3);

/** Waits for a result and gives the error. */
async function errorOf(name: string, args: unknown[]): Promise<unknown> {
  try {
    await (report as Any)[name](...args);
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A run with one field replaced. */
function broken(path: string, value: unknown): Any {
  const run = structuredClone(madeUpRun({ epochs: 2 })) as Any;
  const keys = path.split('.');
  let record = run;
  for (const key of keys.slice(0, -1)) record = record[key];
  record[keys.at(-1)!] = value;
  return run;
}

const RUNS: Case[] = [
  [[], 'Expected an array of runs for runs but received undefined'],
  [[null], 'Expected an array of runs for runs but received null'],
  [[5], 'Expected an array of runs for runs but received 5 (number)'],
  [['runs/dy'], "Expected an array of runs for runs but received 'runs/dy' (string)"],
  [[symbol], 'Expected an array of runs for runs but received a symbol'],
  [[{}], 'Expected an array of runs for runs but received Object (object)'],
  [[[undefined]], 'Expected a run as loadRun gives it for runs[0] but received undefined'],
  [[[{}]], 'Expected a string for runs[0].path but received undefined'],
  [[[broken('config', null)]], 'Expected a configuration for runs[0].config but received null'],
  [[[broken('config.model', 5)]], 'Expected a string for runs[0].config.model but received 5 (number)'],
  [
    [[madeUpRun(), broken('config.parameters', {})]],
    'Expected an integer of at least 0 for runs[1].config.parameters.trainable but received undefined',
  ],
  [
    [[broken('config.later', 1n)]],
    'Expected values that JSON can hold for runs[0].config but received Object (object)',
  ],
  [[[broken('config.lr', 1n)]], 'Expected a number for runs[0].config.lr but received 1n (bigint)'],
  [
    [[broken('config.monitor', 'f1')]],
    "Expected 'accuracy' or 'loss' for runs[0].config.monitor but received 'f1' (string)",
  ],
  [[[broken('epochs', {})]], 'Expected an array for runs[0].epochs but received Object (object)'],
  [
    [[broken('epochs.1.train.loss', 'x')]],
    "Expected a number for runs[0].epochs[1].train.loss but received 'x' (string)",
  ],
  [
    [[broken('epochs.0.val', 5)]],
    'Expected loss and accuracy or null for runs[0].epochs[0].val but received 5 (number)',
  ],
  [[[broken('steps', undefined)]], 'Expected an array for runs[0].steps but received undefined'],
  [[[broken('steps', [null])]], 'Expected the record of a step for runs[0].steps[0] but received null'],
  [
    [[broken('environment', 5)]],
    'Expected an object or null for runs[0].environment but received 5 (number)',
  ],
  [
    [[broken('environment.command', [symbol])]],
    'Expected a string for runs[0].environment.command[0] but received a symbol',
  ],
  [[[broken('evaluation.loss', null)]], 'Expected a number for runs[0].evaluation.loss but received null'],
  [
    [[broken('evaluation.confusion', [[1n]])]],
    'Expected a number for runs[0].evaluation.confusion[0][0] but received 1n (bigint)',
  ],
  [
    [[broken('epochs.0.experts', [{}])]],
    'Expected a string for runs[0].epochs[0].experts[0].layer but received undefined',
  ],
  [
    [[broken('predictions', 'x.png')]],
    "Expected a Uint8Array or null for runs[0].predictions but received 'x.png' (string)",
  ],
  [
    [[broken('evaluation.classes', ['one'])]],
    'Expected a 1 x 1 matrix, a row and a column for every class, for runs[0].evaluation.confusion but received [..., ..., ..., ..., ..., ..., ..., ..., ...] (array)',
  ],
];
const PAGE: Case[] = [
  [[[]], 'Expected at least one run for runs but received [] (array)'],
  [[[madeUpRun()], null], 'Expected an object for options but received null'],
  [[[madeUpRun()], { title: symbol }], 'Expected a string for title but received a symbol'],
];
const SIZES: Case[] = [
  [[[], null], 'Expected an object for options but received null'],
  [
    [[], { width: symbol }],
    'Expected a whole number of pixels from 64 to 16384 for width but received a symbol',
  ],
  [[[], { scheme: 'pink' }], "Expected 'light' or 'dark' for scheme but received 'pink' (string)"],
];
const CONFUSION: Case[] = [
  [[], 'Expected an object with classes and confusion for input but received undefined'],
  [[symbol], 'Expected an object with classes and confusion for input but received a symbol'],
  [[{}], 'Expected an array of class names for input.classes but received undefined'],
  [[{ classes }], 'Expected an array of rows for input.confusion but received undefined'],
  [[{ classes: [1], confusion }], 'Expected a string for input.classes[0] but received 1 (number)'],
  [
    [{ classes, confusion: [[1, 2], 3] }],
    'Expected an array of numbers for input.confusion[1] but received 3 (number)',
  ],
];
const scale = (received: string) =>
  `Expected a number above 0 and up to 8 for scale but received ${received}`;

const CASES: Record<string, Case[]> = {
  comparison: RUNS,
  groupRuns: RUNS,
  page: [...RUNS, ...PAGE],
  curvesSvg: [...RUNS, ...SIZES],
  curvesPng: [...RUNS, ...SIZES, [[[madeUpRun()], { scale: symbol }], scale('a symbol')]],
  classAccuracies: CONFUSION,
  confusionSvg: [...CONFUSION, [[input, 5], 'Expected an object for options but received 5 (number)']],
  confusionPng: [...CONFUSION, [[input, { scale: 1n }], scale('1n (bigint)')]],
  formatConfusion: [
    [[], 'Expected an array of class names for classes but received undefined'],
    [['x', classes], "Expected an array of rows for confusion but received 'x' (string)"],
    [[[['1']], ['cat']], "Expected a number for confusion[0][0] but received '1' (string)"],
  ],
  predictionsPng: [
    [[undefined, { classes }], 'Expected an array of predictions for items but received undefined'],
    [[{}, { classes }], 'Expected an array of predictions for items but received Object (object)'],
    [[[5], { classes }], 'Expected a prediction for items[0] but received 5 (number)'],
    [[[{}], { classes }], 'Expected a Uint8Array for items[0].image but received undefined'],
    [
      [[{ ...item, shape: [1, 2, '2'] }], { classes }],
      'Expected integers [C, H, W] for items[0].shape but received [1, 2, 2] (array)',
    ],
    [[[item]], 'Expected an object for options but received undefined'],
    [[[item], {}], 'Expected an array of class names for classes but received undefined'],
    [[[item], { classes, scheme: 5 }], "Expected 'light' or 'dark' for scheme but received 5 (number)"],
    [
      [[item], { classes, columns: symbol }],
      'Expected a whole number from 1 on for columns but received a symbol',
    ],
    [[[item], { classes, scale: 'x' }], scale("'x' (string)")],
  ],
  loadRun: [
    [[], 'Expected the path of a run directory for directory but received undefined'],
    [[symbol], 'Expected the path of a run directory for directory but received a symbol'],
    [[{}], 'Expected the path of a run directory for directory but received Object (object)'],
  ],
  writeRunReport: [[[null], 'Expected the path of a run directory for directory but received null']],
  parseMetrics: [
    [[], 'Expected the text of a metrics.jsonl for text but received undefined'],
    [[5, 'm.jsonl'], 'Expected the text of a metrics.jsonl for text but received 5 (number)'],
    [['', symbol], 'Expected the name of the file for file but received a symbol'],
  ],
  compare: [
    [[], 'Expected an array of run directories for directories but received undefined'],
    [[5], 'Expected an array of run directories for directories but received 5 (number)'],
    [[[{}]], 'Expected a string for directories[0] but received Object (object)'],
    [[['runs/dy'], null], 'Expected an object for options but received null'],
    [[['runs/dy'], { out: 5 }], 'Expected the path of an HTML file for out but received 5 (number)'],
  ],
  writePredictions: [
    [[], 'Expected the path of a PNG file for file but received undefined'],
    [['x.png'], 'Expected an object for options but received undefined'],
    [['x.png', {}], 'Expected a Dataset for set but received undefined'],
    [['x.png', { set: { length: 1 } }], 'Expected a Dataset for set but received Object (object)'],
    [
      ['x.png', { set: { get: () => item, length: 1, shape: [1, 2, 2], classes } }],
      'Expected an array of predictions for predictions but received undefined',
    ],
    [
      ['x.png', { set: { get: () => item, length: 1, shape: [1, 2, 2], classes }, predictions: [{}] }],
      'Expected a number for predictions[0].label but received undefined',
    ],
  ],
  summary: [
    [[], 'Expected a Module for model but received undefined'],
    [[{}, [1]], 'Expected a Module for model but received Object (object)'],
    [
      [linear, 'x'],
      "Expected a list of sizes such as [1, 3, 128, 128] for inputShape but received 'x' (string)",
    ],
    [[linear, [1, 2], null], 'Expected an object for options but received null'],
  ],
  studentT: [
    [[], 'Expected a whole number from 1 to 1,000,000 for degrees but received undefined'],
    [[2, symbol], 'Expected a number between 0 and 1 for confidence but received a symbol'],
  ],
  meanInterval: [
    [[5], 'Expected an array of numbers for values but received 5 (number)'],
    [[[1, 'x']], "Expected a number for values[1] but received 'x' (string)"],
    [[[1], 2], 'Expected a number between 0 and 1 for confidence but received 2 (number)'],
  ],
};

describe('bad arguments', () => {
  it('are tested of every function', () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.keys(report).sort());
  });

  const all = Object.entries(CASES).flatMap(([name, cases]) =>
    cases.map(([args, message]) => ({ name, args, message })),
  );
  it.each(all)('$name: $message', async ({ name, args, message }) => {
    const error = (await errorOf(name, args)) as Error;
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message).toBe(message);
  });
});

describe('what only looks right', () => {
  it('is an image of no pixels', async () => {
    const empty = { ...item, image: new Uint8Array(0), shape: [1, 0, 0] };
    await expect(report.predictionsPng([empty], { classes })).rejects.toThrow(ShapeError);
    const negative = { ...item, shape: [1, -2, -2] };
    await expect(report.predictionsPng([negative], { classes })).rejects.toThrow(ShapeError);
  });

  it('is a large picture that is none', async () => {
    const run = { ...madeUpRun({ name: 'dy' }), predictions: new Uint8Array(400_000) };
    const message = "Expected an image for predictions of run 'dy' but it cannot be read";
    await expect(report.page([run])).rejects.toThrow(ArgumentError);
    await expect(report.page([run])).rejects.toThrow(message);
  });
});

describe('what looks odd and is right', () => {
  it('is a set of runs or of numbers', () => {
    expect(report.comparison(new Set([madeUpRun()]) as Any).rows).toHaveLength(1);
    expect(report.meanInterval(new Set([1, 3]) as Any).mean).toBe(2);
  });

  it('is a run of another version, which lacks what came later or has more', async () => {
    const { config, ...run } = madeUpRun({ epochs: 2 });
    const { mistakes: _, ...rest } = { ...run, evaluation: undefined };
    const other = { ...rest, config: { ...config, later: { than: ['this', 1] } } };
    expect(await report.page([other as Any])).toContain('than this, 1');
  });

  it('is an evaluation whose loss was not finite: JSON has null for it', async () => {
    const run = madeUpRun({ epochs: 2 });
    const folder = writeRun(run, temporaryFolder());
    writeFileSync(join(folder, 'evaluation.json'), JSON.stringify({ ...run.evaluation, loss: null }));
    const read = await report.loadRun(folder);
    expect(read.evaluation?.loss).toBeNaN();
    expect(await report.page([read])).toContain('loss NaN');
  });
});
