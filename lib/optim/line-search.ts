/**
 * The line search of {@link LBFGS}: a step that meets the strong Wolfe conditions.
 * @see Nocedal and Wright, Numerical Optimization, 2nd edition, algorithms 3.5 and 3.6
 * @module
 */
import type { Tensor } from '../tensor/tensor.js';

/** A step size, with the loss there, its gradient, and the slope along the direction. */
export interface Trial {
  t: number;
  loss: number;
  gradient: Tensor;
  slope: number;
}

/** The lowest point of the cubic through two trials, within bounds. */
function cubicMinimum(a: Trial, b: Trial, low = Math.min(a.t, b.t), high = Math.max(a.t, b.t)): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = Math.sqrt(square);
  const at =
    a.t <= b.t
      ? b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
      : a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2));
  return Math.min(Math.max(at, low), high);
}

/** The arguments of a search. */
export interface Search {
  /** Where the search begins: t is 0. */
  start: Trial;
  /** The first step size that is tried. */
  t: number;
  /** The largest element of the direction. */
  directionSize: number;
  /** Evaluates a step size. */
  evaluate: (t: number) => Trial;
  /** The search ends when the bracket changes no element by more. */
  toleranceChange: number;
  /** The most trials after the first. */
  maxTrials: number;
}

const C1 = 1e-4;
const C2 = 0.9;

/** Finds a step. @returns The step, and how many times the function was evaluated. */
export function strongWolfe(search: Search): { trial: Trial; evaluations: number } {
  const { start, evaluate, maxTrials } = search;
  const isTooHigh = ({ t, loss }: Trial) => loss > start.loss + C1 * t * start.slope;
  const isFlat = ({ slope }: Trial) => Math.abs(slope) <= -C2 * start.slope;
  let [previous, trial] = [start, evaluate(search.t)];
  let trials = 0;
  for (; trials < maxTrials; trials++) {
    if (isTooHigh(trial) || (trials > 1 && trial.loss >= previous.loss)) break;
    if (isFlat(trial)) return { trial, evaluations: trials + 1 };
    if (trial.slope >= 0) break;
    const low = trial.t + 0.01 * (trial.t - previous.t);
    const next = evaluate(cubicMinimum(previous, trial, low, trial.t * 10));
    [previous, trial] = [trial, next];
  }
  const bracket: [Trial, Trial] = trials === maxTrials ? [start, trial] : [previous, trial];
  if (bracket[0].loss > bracket[1].loss) bracket.reverse();
  const narrowed = narrow(bracket, search, { isTooHigh, isFlat, trials });
  return { trial: narrowed.trial, evaluations: narrowed.trials + 1 };
}

/** Narrows a bracket, the lower trial first, until a trial in it meets the conditions. */
function narrow(
  bracket: [low: Trial, high: Trial],
  { evaluate, directionSize, toleranceChange, maxTrials }: Search,
  conditions: { isTooHigh: (trial: Trial) => boolean; isFlat: (trial: Trial) => boolean; trials: number },
): { trial: Trial; trials: number } {
  let [low, high] = bracket;
  let { trials } = conditions;
  let hadLittleProgress = false;
  while (trials < maxTrials) {
    const [least, most] = [Math.min(low.t, high.t), Math.max(low.t, high.t)];
    if ((most - least) * directionSize < toleranceChange) break;
    let t = cubicMinimum(low, high);
    const edge = 0.1 * (most - least);
    const isNearEdge = Math.min(most - t, t - least) < edge;
    if (isNearEdge && (hadLittleProgress || t >= most || t <= least)) {
      t = Math.abs(t - most) < Math.abs(t - least) ? most - edge : least + edge;
      hadLittleProgress = false;
    } else hadLittleProgress = isNearEdge;
    const trial = evaluate(t);
    trials++;
    if (conditions.isTooHigh(trial) || trial.loss >= low.loss) {
      high = trial;
      if (low.loss > high.loss) [low, high] = [high, low];
      continue;
    }
    if (conditions.isFlat(trial)) return { trial, trials };
    if (trial.slope * (high.t - low.t) >= 0) high = low;
    low = trial;
  }
  return { trial: low, trials };
}
