/**
 * Runs that differ by nothing but their seed belong together: a group has one colour, one row, one name.
 * @module
 */

import { checkRuns } from '../run/check.js';
import type { RunData } from '../run/records.js';

/** Runs of one configuration. */
export interface RunGroup {
  /** What tables and legends call it: the model, with the run's name where the model alone would not tell. */
  label: string;
  /** At least one run. */
  runs: RunData[];
}

/** Keys that may differ between runs of one group: they name where and with which dice, not what. */
const OUTSIDE_THE_RECIPE = new Set(['seed', 'dataDir', 'device']);

function recipe(run: RunData): string {
  const entries = Object.entries(run.config).filter(([key]) => !OUTSIDE_THE_RECIPE.has(key));
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Groups runs by everything in their configuration except the seed, in the order in which they are given.
 * @param runs - runs as `loadRun` gives them
 * @throws ArgumentError for what is no run, naming the field
 */
export function groupRuns(runs: readonly RunData[]): RunGroup[] {
  return groupsOf(checkRuns(runs));
}

/** {@link groupRuns} for runs that have been checked. */
export function groupsOf(runs: readonly RunData[]): RunGroup[] {
  const byRecipe = new Map<string, RunData[]>();
  for (const run of runs) {
    const key = recipe(run);
    byRecipe.set(key, [...(byRecipe.get(key) ?? []), run]);
  }
  const groups = [...byRecipe.values()];
  const uses = (model: string) => groups.filter((group) => group[0]?.config.model === model).length;
  const labels = new Set<string>();
  return groups.map((group) => {
    const first = group[0]!;
    const { model } = first.config;
    const plain = uses(model) > 1 ? `${model} (${first.name})` : model;
    let label = plain;
    for (let n = 2; labels.has(label); n++) label = `${plain} #${n}`;
    labels.add(label);
    return { label, runs: group };
  });
}
