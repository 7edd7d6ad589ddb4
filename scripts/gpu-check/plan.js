/**
 * Which parts of `gpu-check` fit into the time that is left: the most valuable first.
 * @module
 */

/**
 * The time of a part. `value`: the order in which parts get time, from 1. `seconds`: how long it usually takes. `most`: when it is
 * stopped. `least`: a part that can use any time needs this much; undefined for one that ends on its own. `needs`: parts that
 * must have passed.
 * @typedef {{ name: string, value: number, seconds: number, most: number, least?: number, needs: readonly string[] }} Timed
 */

/** The time that a part must get. @param {Timed} part */
export const neededBy = ({ least, seconds }) => least ?? seconds;

/**
 * Divides the time that is left among the parts that fit.
 * @template {Timed} T
 * @param {readonly T[]} parts - Those that have not run, in the order in which they run.
 * @param {number} seconds - The time that is left.
 * @param {ReadonlySet<string>} passed - Parts that have passed already.
 * @returns {Map<string, number>} Seconds by part, in the order of `parts`. Parts that can use any time share what the others leave.
 */
export function planParts(parts, seconds, passed = new Set()) {
  /** @type {Set<string>} */
  const chosen = new Set();
  let left = seconds;
  for (const part of [...parts].sort((one, other) => one.value - other.value)) {
    const hasNeeds = part.needs.every((name) => passed.has(name) || chosen.has(name));
    if (!hasNeeds || neededBy(part) > left) continue;
    chosen.add(part.name);
    left -= neededBy(part);
  }
  const planned = parts.filter(({ name }) => chosen.has(name));
  let open = planned.filter(({ least }) => least !== undefined).length;
  return new Map(
    planned.map((part) => {
      if (part.least === undefined) return [part.name, part.seconds];
      const extra = Math.min(part.most - part.least, left / open--);
      left -= extra;
      return [part.name, part.least + extra];
    }),
  );
}

/**
 * When a part is stopped: it may take longer than planned, but not the time of the other parts of the plan.
 * @param {Timed} part
 * @param {ReadonlyMap<string, number>} plan
 * @param {readonly Timed[]} parts - Those that have not run, with this one.
 * @param {number} seconds - The time that is left.
 */
export function limitOf(part, plan, parts, seconds) {
  const planned = plan.get(part.name) ?? part.seconds;
  if (part.least !== undefined) return planned;
  const others = parts.filter(({ name }) => name !== part.name && plan.has(name));
  const reserved = others.reduce((sum, other) => sum + neededBy(other), 0);
  return Math.min(part.most, Math.max(planned, seconds - reserved));
}
