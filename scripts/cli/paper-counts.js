/**
 * The numbers of parameters and operations in the ImageNet tables of "Dynamic Convolution: Attention over Convolution Kernels"
 * (arXiv 1912.03458), to be compared with those of the networks here.
 * @module
 */

/** @import { models as Models, report as Report } from '../../dist/index.js' */

/**
 * Where a number was read. `paper`: the tables of the paper, which was not at hand here: from notes, to be checked. `papers-with-code`: the list of
 * https://paperswithcode.com/paper/dynamic-convolution-attention-over, with GFLOPs halved. `tensorflow`: research/slim/nets/mobilenet/README.md of
 * https://github.com/tensorflow/models.
 * @typedef {'paper' | 'papers-with-code' | 'tensorflow'} Source
 */

/**
 * A number of a table, in millions, with as many decimals as it is printed with.
 * @typedef {readonly [value: string, source: Source]} Printed
 */

/**
 * One row of the tables.
 * @typedef {object} PaperRow
 * @property {Models.ModelName} model
 * @property {Models.ModelOptions} options
 * @property {Printed} parameters
 * @property {Printed} multiplyAdds For an image of 224x224 and 1000 classes.
 */

/** @type {readonly PaperRow[]} */
export const PAPER_ROWS = [
  ...mobilenetV2(1, '3.5', '300', '11.1', '313'),
  ...mobilenetV2(0.75, '2.6', '209', '7.0', '217.5'),
  ...mobilenetV2(0.5, '2.0', '97', '4.0', '101.5'),
  ...mobilenetV2(0.35, '1.7', '59', '2.8', '62'),
  {
    model: 'mobilenet_v3_small',
    options: { variant: 'preprint' },
    parameters: ['2.9', 'tensorflow'],
    multiplyAdds: ['66', 'tensorflow'],
  },
  {
    model: 'mobilenet_v3_small_dy',
    options: { variant: 'preprint' },
    parameters: ['4.8', 'papers-with-code'],
    multiplyAdds: ['68.5', 'papers-with-code'],
  },
  { model: 'resnet10', options: {}, parameters: ['5.2', 'paper'], multiplyAdds: ['890', 'paper'] },
  {
    model: 'resnet10_dy',
    options: {},
    parameters: ['18.6', 'papers-with-code'],
    multiplyAdds: ['910', 'papers-with-code'],
  },
  { model: 'resnet18', options: {}, parameters: ['11.1', 'paper'], multiplyAdds: ['1810', 'paper'] },
  { model: 'resnet18_dy', options: {}, parameters: ['42.7', 'paper'], multiplyAdds: ['1850', 'paper'] },
];

/**
 * @param {number} widthMult
 * @param {string} parameters @param {string} multiplyAdds Of the ordinary network.
 * @param {string} dynamicParameters @param {string} dynamicMultiplyAdds
 * @returns {PaperRow[]}
 */
function mobilenetV2(widthMult, parameters, multiplyAdds, dynamicParameters, dynamicMultiplyAdds) {
  return [
    {
      model: 'mobilenet_v2',
      options: { widthMult },
      parameters: [parameters, 'tensorflow'],
      multiplyAdds: [multiplyAdds, 'tensorflow'],
    },
    {
      model: 'mobilenet_v2_dy',
      options: { widthMult },
      parameters: [dynamicParameters, 'papers-with-code'],
      multiplyAdds: [dynamicMultiplyAdds, 'papers-with-code'],
    },
  ];
}

/**
 * Whether a number is within 1 % of one that is printed so.
 * @param {number} value In millions. @param {string} printed
 */
export function agrees(value, printed) {
  const decimals = printed.split('.')[1]?.length ?? 0;
  const rounding = 0.5 * 10 ** -decimals;
  return Math.abs(value - Number(printed)) <= 0.01 * Number(printed) + rounding;
}

/**
 * Counts the parameters and multiply-adds of a row's network, in millions.
 * @param {PaperRow} row
 * @param {{ models: typeof Models, report: typeof Report }} library
 */
export function countsOf({ model, options }, { models, report }) {
  const { trainable, flops } = report.summary(
    models.create(model, { ...options, numClasses: 1000 }),
    [1, 3, 224, 224],
  );
  return { parameters: trainable / 1e6, multiplyAdds: flops / 2e6 };
}

/**
 * All rows with the numbers of the networks here, in millions.
 * @param {Parameters<typeof countsOf>[1]} library
 */
export function paperCounts(library) {
  return PAPER_ROWS.map((row) => ({ ...row, counted: countsOf(row, library) }));
}

/**
 * The table of all rows next to the paper's, as Markdown.
 * @param {ReturnType<typeof paperCounts>} rows
 */
export function paperTable(rows) {
  const heads = ['Network', 'Options', 'Parameters', 'Paper', '', 'Multiply-adds', 'Paper', ''];
  const lines = rows.map(({ model, options, parameters, multiplyAdds, counted }) => [
    ...[`\`${model}\``, Object.entries(options).map(([name, value]) => `${name}: ${value}`)],
    ...[`${counted.parameters.toFixed(2)} M`, `${parameters[0]} M`],
    difference(counted.parameters, parameters[0]),
    ...[`${counted.multiplyAdds.toFixed(1)} M`, `${multiplyAdds[0]} M`],
    difference(counted.multiplyAdds, multiplyAdds[0]),
  ]);
  const rule = heads.map((_, i) => (i < 2 ? '---' : '--:'));
  return [heads, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** @param {number} value @param {string} printed */
function difference(value, printed) {
  const percent = 100 * (value / Number(printed) - 1);
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`;
}
