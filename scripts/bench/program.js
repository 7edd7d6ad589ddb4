/**
 * Inference of whole networks: as they are, compiled to programs, and by onnxruntime-node where that is installed.
 * @module
 */
import { setNumThreads } from '../../dist/index.js';
import { programContestants } from './program-contestants.js';
import { machine, median, printRows } from './turns.js';

/** @import { ProgramOptions } from './options.js' */
/** @import { Run } from './program-contestants.js' */

/** Seconds that a turn takes at least, in as many runs as that needs. */
const TURN = 0.1;

/** Milliseconds of CPU time of this process. */
function cpuMilliseconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds of a run, from as many as {@link TURN} takes. @param {Run} run @param {() => number} clock */
async function time(run, clock) {
  const start = clock();
  let runs = 0;
  do {
    await run();
    runs++;
  } while (clock() - start < TURN * 1000);
  return (clock() - start) / runs;
}

/** @param {ProgramOptions} options */
export async function measurePrograms(options) {
  const clock = options.cpuTime ? cpuMilliseconds : () => performance.now();
  if (options.cpuTime) setNumThreads(1);
  /** @type {Record<string, Record<string, number>>} */
  const results = {};
  for (const name of options.models) {
    for (const batch of options.batches ?? [1, 32]) {
      const runs = await programContestants(name, batch, options.onnxruntime);
      /** @type {Record<string, number[]>} */
      const times = {};
      for (let turn = 0; turn <= options.turns; turn++) {
        for (const [who, run] of Object.entries(runs)) {
          const ms = await time(run, clock);
          if (turn > 0) times[who] = [...(times[who] ?? []), ms];
        }
      }
      const round = (/** @type {number} */ value) => Number(value.toFixed(3));
      const of = (/** @type {string} */ who) => median(times[who]);
      results[`${name}, batch ${batch}`] = {
        ...Object.fromEntries(Object.keys(runs).map((who) => [`${who}_ms`, round(of(who))])),
        compiled_over_eager: round(of('compiled') / of('eager')),
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
