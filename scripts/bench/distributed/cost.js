/**
 * Processor time of the parts of a training step in a group. It is measured by process, so that waits, and other work on the machine,
 * do not count.
 * @module
 */
import { machine, median, printAbout, printRows } from '../turns.js';
import { floorOf } from './model.js';
import { PART_NAMES } from './parts.js';
import { startRanks } from './ranks.js';

/** @import { DistributedOptions } from '../options.js' */
/** @typedef {{ userMs: number, systemMs: number }} Cost - Of one repetition in one process. */

const WORLD_SIZE = 2;

/** @param {DistributedOptions} options */
export async function measureCost({ json, models, batch, imageSize, steps, turns }) {
  /** @type {{ model: string, parts: Record<string, Cost>, floor: number }[]} */
  const all = [];
  for (const model of models) {
    const pair = await startRanks(WORLD_SIZE, { model, imageSize, batch, threads: 1 }, { isGroup: true });
    try {
      const parts = await measureParts(pair, { steps, turns });
      all.push({ model, parts, floor: floorOf(parts) });
    } finally {
      await pair.end();
    }
  }
  const about = { what: 'distributed --cost', batch, imageSize, machine: machine() };
  if (json) console.log(JSON.stringify({ ...about, models: all }));
  else print(about, all);
}

/**
 * Medians over interleaved turns of the means over the processes.
 * @param {import('./ranks.js').Ranks} pair
 * @param {{ steps: number, turns: number }} options
 */
async function measureParts(pair, { steps, turns }) {
  /** @type {Cost[][]} */
  const costs = PART_NAMES.map(() => []);
  for (let turn = 0; turn <= turns; turn++) {
    for (const [index, taken] of costs.entries()) {
      /** @type {Cost[]} */
      const answers = await pair.ask(`cost ${index} ${steps}`);
      const mean = (/** @type {keyof Cost} */ key) =>
        answers.reduce((sum, answer) => sum + answer[key], 0) / answers.length;
      if (turn > 0) taken.push({ userMs: mean('userMs'), systemMs: mean('systemMs') });
    }
  }
  return Object.fromEntries(
    PART_NAMES.map((name, i) => [
      name,
      {
        userMs: median(costs[i]?.map(({ userMs }) => userMs)),
        systemMs: median(costs[i]?.map(({ systemMs }) => systemMs)),
      },
    ]),
  );
}

/** @param {object} about @param {{ model: string, parts: Record<string, Cost>, floor: number }[]} all */
function print(about, all) {
  printAbout(about);
  for (const { model, parts, floor } of all) {
    console.log(`\n${model}: processor time of each process, ms`);
    printRows(
      Object.entries(parts).map(([part, { userMs, systemMs }]) => ({
        part,
        user: userMs.toFixed(1),
        kernel: systemMs.toFixed(1),
        sum: (userMs + systemMs).toFixed(1),
      })),
    );
    console.log(
      `with the all-reduce alone, a group has at most ${floor.toFixed(2)} of the speed without exchange`,
    );
  }
}
