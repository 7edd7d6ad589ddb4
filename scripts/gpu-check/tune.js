/**
 * Measures how the kernels of dynamic convolution divide their work best, then a grid of problems by every algorithm, on the GPU. Writes
 * the table `cuda-tuning.json` after every row.
 *
 *   node scripts/gpu-check/tune.js --out cuda-tuning.json --seconds 50 [--driver 580.65.06] [--cpu]
 *
 * `--driver`: version of the driver, for the table. `--cpu`: two small problems by algorithms of the CPU, to test this program without a GPU. The last line of the output is JSON:
 * the splits, the number of rows, and the rows in which `auto` without a table is not the fastest.
 * @module
 */
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../../dist/files/atomic.js';
import { autograd, cuda, dynamicConv2d, NativeError, noGrad, tidy, version } from '../../dist/index.js';
import { TUNED_ALGORITHMS } from '../../dist/ops/cuda-tuning.js';
import { median } from '../bench/turns.js';
import { operandsOf, requireKernels } from './problems.js';
import { disagreements, shortest, tableOf } from './tuning-table.js';

/** @import { Device, functional } from '../../dist/index.js' */
/** @import { Problem } from './sizes.js' */
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
if (device === 'cuda') requireKernels();
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

/** The grid, so ordered that a table which was cut has all layers and dtypes. @returns {{ dtype: Row['dtype'], problem: Problem }[]} */
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

/** A problem as functions that run one step by an algorithm. @param {Row['dtype']} dtype @param {Problem} problem */
function stepsOf(dtype, problem) {
  const { gradOutputs, ...operands } = operandsOf(problem, { device, dtype, rounded: dtype });
  const { input, weight, attention, bias } = operands;
  const inputs = Object.values(operands).map((operand) => operand.requiresGrad_());
  const conv = { stride: problem.stride, padding: problem.kernel >> 1, groups: problem.groups };
  const run = (/** @type {functional.DynamicConv2dAlgorithm} */ algorithm) =>
    dynamicConv2d(input, weight, attention, bias, { ...conv, algorithm });
  return {
    auto: dynamicConv2d.choice(input, weight, attention, bias, conv),
    infer: (/** @type {functional.DynamicConv2dAlgorithm} */ name) => noGrad(() => void run(name)),
    train: (/** @type {functional.DynamicConv2dAlgorithm} */ name) =>
      void autograd.grad(run(name), inputs, { gradOutputs }),
  };
}

/** @param {Row['dtype']} dtype @param {Problem} problem @returns {Row} */
function measure(dtype, problem) {
  const { auto, infer, train } = stepsOf(dtype, problem);
  const available = dynamicConv2d.algorithms();
  const names = TUNED_ALGORITHMS.filter(
    (name) => available.includes(name) && (name !== 'mix-once' || problem.batch === 1),
  );
  /** @type {Row['ms']} */
  const ms = {};
  for (const name of names) {
    try {
      ms[name] = { infer: time(() => infer(name)), train: time(() => train(name)) };
    } catch (error) {
      // K x O outputs may be too many for a small GPU: what is not measured is never chosen.
      if (!(error instanceof NativeError && error.message.includes('out of memory'))) throw error;
      cuda.emptyCache();
    }
  }
  return { dtype, problem, auto, ms };
}

/** Values that are tried, each with the other at its default; the first one is the default. @type {Record<keyof functional.CudaTuningSplits, number[]>} */
const SPLITS = { mixForwardBlocks: [1024, 32, 128, 8192], mixBackwardPixels: [512, 128, 2048, 8192] };
const DEFAULT_SPLITS = { mixForwardBlocks: 1024, mixBackwardPixels: 512 };

/** The splits with the shortest steps by `mix-cuda`; the defaults if there is no such algorithm. @returns {functional.CudaTuningSplits} */
function bestSplits() {
  if (values.cpu || !dynamicConv2d.algorithms().includes('mix-cuda')) return DEFAULT_SPLITS;
  const problems = LAYERS.slice(0, 3).flatMap(([channels = 0, filters = 0, size = 0]) =>
    /** @type {const} */ (['float32', 'bfloat16']).map((dtype) => ({
      dtype,
      problem: { ...COMMON, batch: 128, in: channels, out: filters, size, experts: 2 },
    })),
  );
  const milliseconds = () =>
    problems.map(({ dtype, problem }) =>
      tidy(() => {
        const { infer, train } = stepsOf(dtype, problem);
        return [time(() => infer('mix-cuda')), time(() => train('mix-cuda'))];
      }),
    );
  const best = /** @type {const} */ (['mixForwardBlocks', 'mixBackwardPixels']).map((key) => {
    const measured = SPLITS[key].map((value) => {
      dynamicConv2d.setCudaTuning([tableOf(about, { ...DEFAULT_SPLITS, [key]: value }, [])]);
      return { value, ms: milliseconds().flat() };
    });
    return [key, shortest(measured)];
  });
  dynamicConv2d.setCudaTuning([]);
  return { ...DEFAULT_SPLITS, ...Object.fromEntries(best) };
}

const properties = device === 'cpu' ? undefined : cuda.deviceProperties(device);
const about = {
  gpu: properties?.name ?? 'none',
  capability: properties?.capability.join('.') ?? '',
  driver: values.driver,
  ...version,
};
// The rules alone choose what the rows have as `auto`.
dynamicConv2d.setCudaTuning([]);
const splits = bestSplits();
// Without rows the rules still choose.
dynamicConv2d.setCudaTuning([tableOf(about, splits, [])]);
/** @type {Row[]} */
const rows = [];
for (const { dtype, problem } of grid()) {
  if (performance.now() > end) break;
  const row = tidy(() => measure(dtype, problem));
  if (Object.keys(row.ms).length === 0) continue;
  rows.push(row);
  await writeFileAtomic(out, `${JSON.stringify(tableOf(about, splits, rows))}\n`);
}
console.log(JSON.stringify({ splits, rows: rows.length, slower: disagreements(rows) }));
