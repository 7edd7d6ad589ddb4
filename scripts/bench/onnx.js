/**
 * Exported networks: size of the file, time of the export, inference by onnxruntime-node, and of a dynamic network what it takes
 * more than its static one.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportOnnx, getNumThreads, models, randn, setNumThreads } from '../../dist/index.js';
import { IMAGE_SIZES } from '../../dist/models/names.js';
import { feedOf, requireOnnxruntime } from '../cli/onnxruntime.js';
import { clockOf, timesOf } from './clock.js';
import { machine, median, printRows } from './turns.js';

/** @import { ExportOnnxOptions } from '../../dist/index.js' */
/** @import { ModelName } from '../../dist/models/names.js' */
/** @import { Onnxruntime, Session } from '../cli/onnxruntime.js' */
/** @import { OnnxOptions } from './options.js' */

/**
 * An exported network.
 * @typedef {object} Exported
 * @property {string} name - Of the row.
 * @property {ModelName} model
 * @property {Session} session
 * @property {number} export_seconds
 * @property {number} file_over_weights - Size of the file, where 1 is that of the weights.
 */

/** Images of the calibration: its ranges do not matter for the time. */
const CALIBRATION = 8;

/** @param {ModelName} name @param {string} folder @param {Onnxruntime} ort @param {boolean} int8 @returns {Promise<Exported[]>} */
async function exported(name, folder, ort, int8) {
  const model = models.create(name).eval();
  const size = IMAGE_SIZES[name];
  const example = randn([1, 3, size, size]);
  const weights = Object.values(model.stateDict()).reduce((sum, { nbytes }) => sum + nbytes, 0);
  /** @param {string} row @param {ExportOnnxOptions} [options] @returns {Promise<Exported>} */
  const write = async (row, options) => {
    const file = join(folder, `${row}.onnx`);
    const start = performance.now();
    const { bytes } = await exportOnnx(model, example, file, options);
    const seconds = (performance.now() - start) / 1000;
    const session = await ort.InferenceSession.create(file, { intraOpNumThreads: getNumThreads() });
    return {
      ...{ name: row, model: name, session },
      ...{ export_seconds: seconds, file_over_weights: bytes / weights },
    };
  };
  const plain = await write(name);
  if (!int8) return [plain];
  const calibration = [randn([CALIBRATION, 3, size, size])];
  return [plain, await write(`${name} int8`, { precision: 'int8', calibration })];
}

/** Medians of all networks at one batch size, which take turns. @param {Exported[]} all @param {number} batch @param {Onnxruntime} ort @param {OnnxOptions} options */
async function inference(all, batch, ort, options) {
  const runs = all.map(({ name, model, session }) => {
    const size = IMAGE_SIZES[model];
    const feeds = { [session.inputNames[0] ?? '']: feedOf(ort, randn([batch, 3, size, size])) };
    return /** @type {const} */ ([name, () => session.run(feeds)]);
  });
  const times = await timesOf(Object.fromEntries(runs), options.turns, clockOf(options));
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
}

/** The row of the network without dynamic convolutions. @param {string} name */
const staticOf = (name) => name.replace(/[-_]dy\b/, '');

/** @param {OnnxOptions} options */
export async function measureOnnx(options) {
  const ort = requireOnnxruntime(options.onnxruntime);
  if (options.cpuTime) setNumThreads(1);
  const folder = await mkdtemp(join(tmpdir(), 'dyconv-bench-onnx-'));
  const round = (/** @type {number} */ value) => Number(value.toFixed(3));
  /** @type {Record<string, Record<string, number>>} */
  const results = {};
  try {
    const all = [];
    for (const name of options.models) all.push(...(await exported(name, folder, ort, options.int8)));
    for (const { name, export_seconds, file_over_weights } of all)
      results[name] = { export_seconds: round(export_seconds), file_over_weights: round(file_over_weights) };
    for (const batch of options.batches ?? [1, 32]) {
      const times = await inference(all, batch, ort, options);
      for (const [name, ms] of Object.entries(times)) {
        const reference = times[staticOf(name)];
        Object.assign(results[name] ?? {}, {
          [`batch_${batch}_ms`]: round(ms),
          ...(reference !== undefined &&
            staticOf(name) !== name && { [`batch_${batch}_over_static`]: round(ms / reference) }),
        });
      }
    }
    for (const { session } of all) await session.release();
  } finally {
    await rm(folder, { recursive: true });
  }
  print(options, results);
}

/** @param {OnnxOptions} options @param {Record<string, Record<string, number>>} results */
function print({ json }, results) {
  if (json) {
    console.log(JSON.stringify({ what: 'onnx', machine: machine(), results }));
    return;
  }
  console.log(`machine: ${JSON.stringify(machine())}`);
  const columns = [...new Set(Object.values(results).flatMap(Object.keys))];
  printRows(
    Object.entries(results).map(([name, numbers]) => ({
      name,
      ...Object.fromEntries(columns.map((key) => [key, numbers[key]?.toFixed(3) ?? ''])),
    })),
  );
}
