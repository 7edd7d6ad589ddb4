/**
 * `reproduce`: trains the article's two networks with several seeds and compares them with the article.
 * @module
 */
import { join } from 'node:path';
import { MODEL_NAMES } from '../../dist/models/names.js';
import { ARTICLE } from '../cli/article.js';
import { defineCommand, wordsOf } from '../cli/command.js';
import { interruptible } from '../cli/interrupt.js';
import { defaultsOf } from '../cli/option-table.js';
import { printable } from '../cli/printable.js';
import { collectRecords } from '../cli/records.js';
import { TRAIN_OPTIONS } from '../cli/train-options.js';
import { integers, namesOf, path } from '../cli/value-types.js';
import { trainWhole } from '../cli/whole-run.js';

/** @import { Comparison } from '../../dist/report/index.js' */
/** @import { OptionsOf, OptionTable } from '../cli/types.js' */
/** @import { TrainOptions } from '../cli/train-options.js' */

/** Options of train.js that apply to all runs. */
const { dataset, dataDir, limitTrain, limitTest, download, dataMirror, verify } = TRAIN_OPTIONS;
const { device, threads, epochs, batchSize, milestones, temperatureEpochs, initialWeights, autocast } =
  TRAIN_OPTIONS;

const OPTIONS = /** @satisfies {OptionTable} */ ({
  out: {
    value: 'folder',
    type: path,
    default: 'runs/reproduce',
    help: 'folder of the runs and their records',
  },
  seeds: {
    value: 'numbers',
    type: integers,
    default: [42, 43, 44],
    shownDefault: '42,43,44',
    help: 'seeds, separated by commas',
  },
  models: {
    value: 'names',
    type: namesOf(MODEL_NAMES),
    default: /** @type {typeof MODEL_NAMES} */ (['alexnet', 'alexnet-dy']),
    shownDefault: 'alexnet,alexnet-dy',
    help: 'networks, separated by commas',
  },
  controls: {
    flag: 'plain',
    help: 'also train alexnet-wide, which has as many parameters as alexnet-dy, and alexnet for as long as alexnet-dy takes',
  },
  ...{ device, threads, dataset, dataDir, limitTrain, limitTest, download, dataMirror, verify },
  ...{ epochs, batchSize, milestones, temperatureEpochs, initialWeights, autocast },
});

/** @typedef {OptionsOf<typeof OPTIONS>} ReproduceOptions */
/** @typedef {{ name: string, options: TrainOptions }} PlannedRun */

export const command = defineCommand({
  name: 'reproduce',
  description:
    "Trains the article's networks with several seeds, compares them, and collects the records. The same command continues where it was stopped.",
  examples: [
    '--device cuda',
    '--device cuda --controls',
    '--seeds 42 --data-dir data --threads 1',
    '--dataset bundled --epochs 2 --batch-size 50 --seeds 1,2 --out runs/try',
  ],
  options: OPTIONS,
  async run(options, { given, command }) {
    const interrupt = interruptible({
      message: 'Stopping after this step, with a checkpoint. Press Ctrl-C again to stop at once.',
    });
    const { out, models } = options;
    const ofTraining = new Set([...given].filter((name) => name in TRAIN_OPTIONS));
    const request = {
      given: /** @type {ReadonlySet<keyof TrainOptions>} */ (ofTraining),
      words: wordsOf(command),
      signal: interrupt.signal,
      ...{ resume: true, collapseExperts: true },
    };
    /** @type {string[]} */
    const done = [];
    const trainAll = async (/** @type {PlannedRun[]} */ planned) => {
      for (const { name, options: chosen } of planned) {
        console.log(`\n${printable(name)}`);
        if (!(await trainWhole(join(out, name), { ...request, options: chosen }))) return false;
        done.push(name);
      }
      return true;
    };
    const controls = options.controls && !models.includes('alexnet-wide') ? ['alexnet-wide'] : [];
    const first = plan(options, [...models, ...controls]);
    const isDone =
      (await trainAll(first)) && (!options.controls || (await trainAll(await longRuns(options, done))));
    if (!isDone) {
      console.log('Stopped. Run the same command again to continue.');
      return interrupt.exitCode();
    }
    interrupt.release();
    const { report } = await import('../../dist/index.js');
    const records = await collectRecords(out, done);
    const page = join(out, 'report.html');
    await print(await report.compare(records, { out: page }));
    console.log(`\nRecords: ${printable(join(out, 'records'))}. Curves and details: ${printable(page)}`);
    return 0;
  },
});

/** Every model with every seed; seeds first, so that a stopped comparison has all models. @param {ReproduceOptions} options @param {string[]} models @returns {PlannedRun[]} */
function plan(options, models) {
  const { seeds, out: _, models: __, controls: ___, ...common } = options;
  return seeds.flatMap((seed) =>
    models.map((model) => ({
      name: `${common.dataset}-${model}-${seed}`,
      options: /** @type {TrainOptions} */ ({ ...defaultsOf(TRAIN_OPTIONS), ...common, model, seed }),
    })),
  );
}

/**
 * AlexNet with as many epochs as fit into the time of AlexNet-DY, as measured; the milestones are moved with them.
 * @param {ReproduceOptions} options
 * @param {readonly string[]} done - Names of the finished runs.
 * @returns {Promise<PlannedRun[]>}
 */
async function longRuns(options, done) {
  const { ArgumentError, report } = await import('../../dist/index.js');
  const seconds = { alexnet: 0, 'alexnet-dy': 0 };
  for (const name of done) {
    const { config, epochs } = await report.loadRun(join(options.out, name));
    const model = /** @type {keyof typeof seconds} */ (config.model);
    if (model in seconds) seconds[model] += epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  }
  if (!seconds.alexnet || !seconds['alexnet-dy'])
    throw new ArgumentError('Expected alexnet and alexnet-dy among --models for --controls');
  const planned = plan(options, ['alexnet']);
  const longer = Math.round((options.epochs * seconds['alexnet-dy']) / seconds.alexnet);
  if (longer <= options.epochs) {
    console.log('\nNo longer training of alexnet: alexnet-dy did not take more time.');
    return [];
  }
  return Promise.all(
    planned.map(async (run) => {
      const name = run.name.replace('alexnet', 'alexnet-long');
      // A run that has begun keeps its number of epochs.
      const begun = await report.loadRun(join(options.out, name)).catch(() => null);
      const epochs = begun?.config.epochs ?? longer;
      const milestones = begun?.config.milestones ?? [
        ...new Set(options.milestones.map((epoch) => Math.round((epoch * epochs) / options.epochs))),
      ];
      return { name, options: { ...run.options, epochs, milestones } };
    }),
  );
}

/** Prints the table, next to that of the article, and the findings. @param {Comparison} comparison */
async function print(comparison) {
  const { printRows } = await import('../bench/turns.js');
  console.log(`\n${comparison}`);
  const share = (/** @type {number | undefined} */ value) => value?.toFixed(4) ?? '-';
  const rows = comparison.rows.flatMap(({ model, trainAccuracy, valAccuracy }) => {
    const article = ARTICLE.get(model.replace(/ \(.*/, ''));
    if (!article || model.includes('alexnet-long')) return [];
    return {
      model,
      'train acc': share(trainAccuracy?.mean),
      'in the article': share(article.train),
      'val acc': share(valAccuracy?.mean),
      'in the article ': share(article.val),
    };
  });
  printRows(rows);
  for (const text of comparison.findings) console.log(`\n${printable(text)}`);
}
