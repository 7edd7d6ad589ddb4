/**
 * `summary`: lists the layers of a model.
 * @module
 */
import { MODEL_NAMES } from '../../dist/models/names.js';
import { defineCommand } from '../cli/command.js';
import { paperCounts, paperTable } from '../cli/paper-counts.js';
import { imageBatch, oneOf, positiveInteger, scalars } from '../cli/value-types.js';

/** @import { OptionTable } from '../cli/types.js' */

const OPTIONS = /** @satisfies {OptionTable} */ ({
  model: { value: 'name', type: oneOf(MODEL_NAMES), default: 'alexnet-dy', help: 'network' },
  input: {
    value: 'sizes',
    type: imageBatch,
    default: [1, 3, 128, 128],
    shownDefault: '1,3,128,128',
    help: 'shape of the input: batch, channels, height, width',
  },
  numClasses: { value: 'n', type: positiveInteger, default: 10, help: 'number of classes' },
  numExperts: {
    value: 'n',
    type: positiveInteger,
    shownDefault: "the network's",
    help: 'kernels per dynamic layer',
  },
  modelOptions: {
    value: 'json',
    type: scalars,
    help: 'other options of the network, such as \'{"widthMult":0.5}\'',
  },
  paper: {
    flag: 'plain',
    help: 'compare parameters and multiply-adds of the dynamic networks with the tables of the paper',
  },
  json: { flag: 'plain', help: 'print the summary, or the rows of --paper, as JSON' },
});

export const command = defineCommand({
  name: 'summary',
  description: 'Lists the layers of a model with output shapes, parameters and FLOPs.',
  examples: [
    '--model alexnet-dy',
    '--model alexnet-dy --num-experts 4 --input 8,3,128,128',
    '--model alexnet --json',
    '--paper',
  ],
  options: OPTIONS,
  async run({ model: name, input, numClasses, numExperts, modelOptions, paper, json }) {
    const { models, report } = await import('../../dist/index.js');
    if (paper) {
      const rows = paperCounts({ models, report });
      console.log(json ? JSON.stringify(rows) : paperTable(rows));
      return;
    }
    const model = models.create(name, { ...modelOptions, numClasses, numExperts });
    const summary = report.summary(model, input);
    console.log(json ? JSON.stringify({ model: name, ...summary }) : String(summary));
  },
});
