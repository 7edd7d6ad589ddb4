/**
 * How much of the communication of a training step the backward pass hides.
 * @module
 */

/** @import { StepTrace } from './rank.js' */

/** A pass of a step. @param {StepTrace} trace @param {string} name */
export function passOf({ passes }, name) {
  const pass = passes.find((one) => one.name === name);
  if (!pass) throw new Error(`The trace has no ${name}`);
  return pass;
}

/** The backward pass of a step, and the all-reduces that it began. @param {StepTrace} trace */
export function bucketsOf(trace) {
  const backward = passOf(trace, 'backward');
  const buckets = trace.calls.filter(
    ({ operation, made }) => operation === 'allReduce' && made >= backward.start && made <= backward.end,
  );
  return { backward, buckets };
}

/**
 * Buckets of gradients of one process in one step. The backward pass computes until the last bucket is handed over; what is sent after
 * that delays the step.
 * @param {StepTrace} trace
 */
export function overlapOf(trace) {
  const { backward, buckets } = bucketsOf(trace);
  const last = buckets.at(-1);
  if (!last) throw new Error('The step reduced no gradients');
  const ends = buckets.map(({ ended }) => ended ?? backward.end);
  // Calls of a group are carried out one after another or side by side: time with at least one is counted once.
  let busy = 0;
  let until = Number.NEGATIVE_INFINITY;
  buckets.forEach(({ begun }, i) => {
    const start = Math.max(begun ?? backward.end, until);
    const end = Math.max(ends[i] ?? start, start);
    busy += end - start;
    until = Math.max(until, end);
  });
  const exposed = Math.min(Math.max(0, until - last.made), busy);
  return {
    buckets: buckets.length,
    backwardMs: backward.end - backward.start,
    communicationMs: busy,
    exposedMs: exposed,
    hiddenShare: busy > 0 ? 1 - exposed / busy : 1,
  };
}

/**
 * A trace in Chrome's format: a process for each rank, with its passes and its collective calls.
 * @param {readonly StepTrace[]} traces - By rank.
 */
export function chromeTrace(traces) {
  const first = Math.min(
    ...traces.map(({ passes, origin }) => origin + (passes[0]?.start ?? Number.POSITIVE_INFINITY)),
  );
  const traceEvents = traces.flatMap(({ passes, calls, origin }, rank) => {
    /** @param {number} tid @param {string} name @param {number} start @param {number} end @param {object} [args] */
    const span = (tid, name, start, end, args = {}) => ({
      ...{ name, ph: 'X', pid: rank, tid, args },
      ts: 1000 * (origin + start - first),
      dur: 1000 * (end - start),
    });
    const named = (/** @type {number} */ tid, /** @type {string} */ name) => ({
      ...{ name: 'thread_name', ph: 'M', pid: rank, tid, args: { name } },
    });
    return [
      { name: 'process_name', ph: 'M', pid: rank, tid: 0, args: { name: `rank ${rank}` } },
      named(0, 'passes'),
      named(1, 'collectives'),
      ...passes.map(({ name, start, end }) => span(0, name, start, end)),
      ...calls.flatMap(({ operation, elements, dtype, made, begun, ended }) =>
        begun === null || ended === null
          ? []
          : [span(1, operation, begun, ended, { elements, dtype, waitedMs: begun - made })],
      ),
    ];
  });
  return { traceEvents, displayTimeUnit: 'ms' };
}
