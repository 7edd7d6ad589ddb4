/**
 * Inference of whole networks: eager, compiled to programs, also in bfloat16 and int8, and by onnxruntime-node where that is installed.
 * @module
 */
import { setNumThreads } from '../../dist/index.js';
import { clockOf, timesOf } from './clock.js';
import { programContestants } from './program-contestants.js';
import { machine, median, printRows } from './turns.js';

/** @import { ProgramOptions } from './options.js' */

/** @param {ProgramOptions} options */
export async function measurePrograms(options) {
  const clock = clockOf(options);
  if (options.cpuTime) setNumThreads(1);
  /** @type {Record<string, Record<string, number>>} */
  const results = {};
  for (const name of options.models) {
    for (const batch of options.batches ?? [1, 32]) {
      const runs = await programContestants(name, batch, options.onnxruntime, options);
      const times = await timesOf(runs, options.turns, clock);
      const round = (/** @type {number} */ value) => Number(value.toFixed(3));
      const of = (/** @type {string} */ who) => median(times[who]);
      results[`${name}, batch ${batch}`] = {
        ...Object.fromEntries(Object.keys(runs).map((who) => [`${who}_ms`, round(of(who))])),
        compiled_over_eager: round(of('compiled') / of('eager')),
        ...('int8' in runs && { int8_over_compiled: round(of('int8') / of('compiled')) }),
        ...('int8' in runs &&
          'bfloat16' in runs && { int8_over_bfloat16: round(of('int8') / of('bfloat16')) }),
        ...('onnxruntime' in runs && {
          compiled_over_onnxruntime: round(of('compiled') / of('onnxruntime')),
        }),
      };
    }
  }
  if (options.json) {
    console.log(JSON.stringify({ what: 'program', machine: machine(), results }));
    return;
  }
  console.log(`machine: ${JSON.stringify(machine())}`);
  printRows(
    Object.entries(results).map(([name, numbers]) => ({
      name,
      ...Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, value.toFixed(3)])),
    })),
  );
}
