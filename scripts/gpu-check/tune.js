/**
 * Measures a grid of dynamic convolutions on the GPU by every algorithm and writes the table `cuda-tuning.json` after every row.
 *
 *   node scripts/gpu-check/tune.js --out cuda-tuning.json --seconds 50 [--driver 580.65.06] [--cpu]
 *
 * `--driver`: version of the driver, for the table. `--cpu`: two small problems by algorithms of the CPU, to test this program without a GPU. The last line of the output is JSON:
 * the number of rows, and the rows in which `auto` is not the fastest.
 * @module
 */
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../../dist/files/atomic.js';
import { autograd, cuda, dynamicConv2d, noGrad, tidy, version } from '../../dist/index.js';
import { median } from '../bench/turns.js';
import { operandsOf } from './problems.js';
import { disagreements, tableOf } from './tuning-table.js';

/** @import { Device, DType } from '../../dist/index.js' */
/** @import { DynamicConv2dAlgorithm } from '../../dist/ops/dynamic-conv.js' */
/** @import { Problem } from './problems.js' */
/** @import { Row } from './tuning-table.js' */

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    seconds: { type: 'string', default: '50' },
    driver: { type: 'string', default: '' },
    cpu: { type: 'boolean', default: false },
  },
});
const { out } = values;
const seconds = Number(values.seconds);
if (out === undefined || !(seconds > 0)) throw new Error('Expected --out <file> and --seconds <n>');
/** @type {Device} */
const device = values.cpu ? 'cpu' : 'cuda';
const end = performance.now() + 1000 * seconds;

/** Steps that are queued before the device is waited for, and measurements of each. */
const QUEUED = values.cpu ? 1 : 10;
const TURNS = 3;

const COMMON = { kernel: 3, stride: 1, groups: 1 };
/** [in, out, size]: AlexNet-DY's layers first, then those of small and of large networks. */
const LAYERS = [
  [192, 192, 7],
  [128, 192, 7],
  [64, 64, 28],
  [32, 32, 32],
  [256, 256, 14],
  [64, 128, 56],
  [512, 512, 7],
];

/** The grid, so ordered that a table which was cut has all layers and dtypes. @returns {{ dtype: DType, problem: Problem }[]} */
function grid() {
  if (values.cpu) {
    const problem = { ...COMMON, batch: 2, in: 4, out: 4, size: 5, experts: 2 };
    return [
      { dtype: 'float32', problem },
      { dtype: 'float32', problem: { ...problem, experts: 4 } },
    ];
  }
  const dtypes = /** @type {const} */ (['float32', 'bfloat16', 'float16']);
  return [128, 32, 1].flatMap((batch) =>
    [2, 4, 8, 16, 32].flatMap((experts) =>
      LAYERS.flatMap(([channels = 0, filters = 0, size = 0]) =>
        dtypes.map((dtype) => ({
          dtype,
          problem: { ...COMMON, batch, in: channels, out: filters, size, experts },
        })),
      ),
    ),
  );
}

/** Milliseconds of a step: the median of some measurements, the device waited for once in each. @param {() => void} step */
function time(step) {
  const once = () => {
    const start = performance.now();
    for (let i = 0; i < QUEUED; i++) tidy(step);
    if (device !== 'cpu') cuda.synchronize();
    return (performance.now() - start) / QUEUED;
  };
  once(); // cuDNN chooses its algorithms
  return Number(median(Array.from({ length: TURNS }, once)).toFixed(5));
}

/** @param {DType} dtype @param {Problem} problem @returns {Row} */
function measure(dtype, problem) {
  const { gradOutputs, ...operands } = operandsOf(problem, { device, dtype, rounded: dtype });
  const { input, weight, attention, bias } = operands;
  const inputs = Object.values(operands).map((operand) => operand.requiresGrad_());
  const conv = { stride: problem.stride, padding: problem.kernel >> 1, groups: problem.groups };
  /** @type {Row['ms']} */
  const ms = {};
  const auto = dynamicConv2d.choice(input, weight, attention, bias, conv);
  const names = dynamicConv2d
    .algorithms()
    .filter((name) => name === auto || name === 'mix-after' || name.endsWith('-cuda'));
  for (const algorithm of names) {
    const run = (/** @type {DynamicConv2dAlgorithm} */ name) =>
      dynamicConv2d(input, weight, attention, bias, { ...conv, algorithm: name });
    ms[algorithm] = {
      infer: time(() => noGrad(() => void run(algorithm))),
      train: time(() => void autograd.grad(run(algorithm), inputs, { gradOutputs })),
    };
  }
  return { dtype, problem, auto, ms };
}

const properties = device === 'cpu' ? undefined : cuda.deviceProperties(device);
const about = {
  gpu: properties?.name ?? 'none',
  capability: properties?.capability.join('.') ?? '',
  driver: values.driver,
  ...version,
};
/** @type {Row[]} */
const rows = [];
for (const { dtype, problem } of grid()) {
  if (performance.now() > end) break;
  rows.push(tidy(() => measure(dtype, problem)));
  await writeFileAtomic(out, `${JSON.stringify(tableOf(about, rows))}\n`);
}
console.log(JSON.stringify({ rows: rows.length, slower: disagreements(rows) }));
