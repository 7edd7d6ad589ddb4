/**
 * Groups runs that differ only in their seed: a group has one color, one row, one name.
 * @module
 */

import { checkRuns } from '../run/check.js';
import type { RunData } from '../run/records.js';

/** Runs of one configuration. */
export interface RunGroup {
  /** Name in tables and legends: the model, with the run's name if several groups have this model. */
  label: string;
  /** At least one run. */
  runs: RunData[];
}

/** Keys that may differ between runs of one group. */
const OUTSIDE_THE_RECIPE = new Set(['seed', 'dataDir', 'device']);

function recipe(run: RunData): string {
  const entries = Object.entries(run.config).filter(([key]) => !OUTSIDE_THE_RECIPE.has(key));
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Groups runs by everything in their configuration except the seed, in the order in which they are given.
 * @param runs - runs of `loadRun`
 * @throws ArgumentError for an invalid run, naming the field
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
