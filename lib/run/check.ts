/**
 * The check of runs that are given as arguments. They may come from elsewhere than `loadRun`.
 * @module
 */
import { checkIterable } from '../check/index.js';
import { parseArgument } from '../check/schema.js';
import type { RunData } from './records.js';
import { RUN } from './schema.js';

/**
 * Checks runs and lists them.
 * @throws {ArgumentError} naming the run and its field.
 */
export function checkRuns(runs: readonly RunData[]): RunData[] {
  const list = checkIterable(runs, 'runs', 'an array of runs');
  for (const [i, run] of list.entries()) parseArgument(RUN, run, `runs[${i}]`);
  return list;
}
