/**
 * Training in two processes of this machine against one process, the all-reduce against torch.distributed, and how much of the
 * communication the backward pass hides.
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { machine, median, printAbout, printRows } from '../turns.js';
import { startRanks, startReference } from './ranks.js';
import { chromeTrace, overlapOf } from './trace.js';

/** @import { DistributedOptions } from '../options.js' */
/** @import { StepTrace } from './rank.js' */
/** @import { Ranks } from './ranks.js' */

const WORLD_SIZE = 2;
/** All-reduces of a turn. */
const TIMES = 5;
const BYTES_PER_FLOAT = 4;

/** @param {DistributedOptions} options */
export async function measureDistributed(options) {
  const { json, models, batch, imageSize, steps, turns, elements, pytorch, trace } = options;
  /** @type {Record<string, unknown>[]} */
  const training = [];
  /** @type {Awaited<ReturnType<typeof measureAllReduce>> | undefined} */
  let allReduce;
  for (const model of models) {
    const common = { model, imageSize };
    const whole = { ...common, batch: batch * WORLD_SIZE, threads: WORLD_SIZE };
    const half = { ...common, batch, threads: 1 };
    const single = await startRanks(1, whole, { isGroup: false });
    const apart = await startRanks(WORLD_SIZE, half, { isGroup: false });
    const pair = await startRanks(WORLD_SIZE, half, { isGroup: true });
    try {
      const contestants = { single, apart, pair };
      const rates = await measureTraining(contestants, { batch: batch * WORLD_SIZE, steps, turns });
      training.push({ model, ...rates, ...(await traceStep(pair, model, trace)) });
      allReduce ??= await measureAllReduce(pair, { elements, turns, pytorch });
    } finally {
      await Promise.all([single.end(), apart.end(), pair.end()]);
    }
  }
  const about = { what: 'distributed', batch, imageSize, machine: machine() };
  if (json) console.log(JSON.stringify({ ...about, training, allReduce }));
  else print(about, training, allReduce);
}

/**
 * Images per second, medians over interleaved turns; a turn of two processes takes as long as the slower one. Processes that
 * exchange nothing show what sharing the machine costs, without sending.
 * @param {{ single: Ranks, apart: Ranks, pair: Ranks }} contestants
 * @param {{ batch: number, steps: number, turns: number }} options
 */
async function measureTraining(contestants, { batch, steps, turns }) {
  const rates = {
    single: /** @type {number[]} */ ([]),
    apart: /** @type {number[]} */ ([]),
    pair: /** @type {number[]} */ ([]),
  };
  for (let turn = 0; turn <= turns; turn++) {
    for (const name of /** @type {const} */ (['single', 'apart', 'pair'])) {
      /** @type {number[]} */
      const times = await contestants[name].ask(`train ${steps}`);
      if (turn > 0) rates[name].push((batch * steps * 1000) / Math.max(...times));
    }
  }
  const [single, apart, pair] = [median(rates.single), median(rates.apart), median(rates.pair)];
  return {
    ...{ singleImagesPerSecond: single, apartImagesPerSecond: apart, pairImagesPerSecond: pair },
    ratio: pair / single,
  };
}

/** The overlap of one step of rank 0. @param {Ranks} pair @param {string} model @param {string} [file] - For a trace of all processes. */
async function traceStep(pair, model, file) {
  /** @type {StepTrace[]} */
  const traces = await pair.ask('trace');
  const [own] = traces;
  if (!own) throw new Error('No process answered');
  if (file !== undefined) {
    const path = file.replaceAll('{model}', model);
    await writeFile(path, JSON.stringify(chromeTrace(traces)));
  }
  return { overlap: overlapOf(own) };
}

/**
 * Milliseconds of an all-reduce of float32, and those of torch.distributed in turns with it.
 * @param {Ranks} pair
 * @param {{ elements: number, turns: number, pytorch?: string | undefined }} options
 */
async function measureAllReduce(pair, { elements, turns, pytorch }) {
  const reference = pytorch === undefined ? undefined : await startReference(pytorch, WORLD_SIZE);
  /** @type {number[]} */
  const own = [];
  /** @type {number[]} */
  const theirs = [];
  try {
    for (let turn = 0; turn <= turns; turn++) {
      for (const [ranks, all] of /** @type {const} */ ([
        [pair, own],
        [reference, theirs],
      ])) {
        if (!ranks) continue;
        /** @type {number[]} */
        const times = await ranks.ask(`allreduce ${elements} ${TIMES}`);
        if (turn > 0) all.push(Math.max(...times));
      }
    }
  } finally {
    await reference?.end();
  }
  const ms = median(own);
  return {
    elements,
    ms,
    gigabytesPerSecond: (elements * BYTES_PER_FLOAT) / ms / 1e6,
    ...(reference && { pytorchMs: median(theirs), speedRatio: median(theirs) / ms }),
  };
}

/**
 * @param {object} about
 * @param {Record<string, any>[]} training
 * @param {Awaited<ReturnType<typeof measureAllReduce>>} [allReduce]
 */
function print(about, training, allReduce) {
  printAbout(about);
  printRows(
    training.map(
      ({ model, singleImagesPerSecond, apartImagesPerSecond, pairImagesPerSecond, ratio, overlap }) => ({
        model,
        '1 process images/s': singleImagesPerSecond.toFixed(0),
        '2 alone images/s': apartImagesPerSecond.toFixed(0),
        '2 in a group images/s': pairImagesPerSecond.toFixed(0),
        ratio: ratio.toFixed(2),
        buckets: String(overlap.buckets),
        'backward ms': overlap.backwardMs.toFixed(1),
        'sending ms': overlap.communicationMs.toFixed(1),
        'of it hidden': `${(100 * overlap.hiddenShare).toFixed(0)} %`,
      }),
    ),
  );
  if (!allReduce) return;
  const { elements, ms, gigabytesPerSecond, pytorchMs, speedRatio } = allReduce;
  console.log(
    `\nall-reduce of ${elements} float32, 2 processes: ${ms.toFixed(1)} ms, ${gigabytesPerSecond.toFixed(2)} GB/s` +
      (pytorchMs === undefined
        ? ''
        : `; torch.distributed: ${pytorchMs.toFixed(1)} ms, ${speedRatio?.toFixed(2)} of its speed`),
  );
}
