/**
 * Times of runs by a clock: elapsed time, or CPU time on a busy machine.
 * @module
 */

/** Seconds that a turn takes at least, in as many runs as that needs. */
const TURN = 0.1;

/** Milliseconds of CPU time of this process. */
function cpuMilliseconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** @param {{ cpuTime: boolean }} options @returns {() => number} Milliseconds. */
export function clockOf({ cpuTime }) {
  return cpuTime ? cpuMilliseconds : () => performance.now();
}

/**
 * Milliseconds of a run of each contestant in each turn. The first turn, which warms up, is left out.
 * @param {Record<string, () => unknown>} runs @param {number} turns @param {() => number} clock
 */
export async function timesOf(runs, turns, clock) {
  /** @type {Record<string, number[]>} */
  const times = {};
  for (let turn = 0; turn <= turns; turn++) {
    for (const [who, run] of Object.entries(runs)) {
      const ms = await time(run, clock);
      if (turn > 0) times[who] = [...(times[who] ?? []), ms];
    }
  }
  return times;
}

/** Milliseconds of a run, from as many as {@link TURN} takes. @param {() => unknown} run @param {() => number} clock */
async function time(run, clock) {
  const start = clock();
  let runs = 0;
  do {
    await run();
    runs++;
  } while (clock() - start < TURN * 1000);
  return (clock() - start) / runs;
}
