/**
 * The time of an all-reduce and of a training step as a function of the number of hosts, bandwidth and latency.
 * @module
 */

/**
 * What the fit finds. `efficiency`: the part of the bandwidth that data gets. `latencyMs`: of a message on an ideal link, by
 * software. `ceilingGbits`: what a host can send and add up without a limit of the link.
 * @typedef {{ efficiency: number, latencyMs: number, ceilingGbits: number }} LinkModel
 */
/** @typedef {{ hosts: number, gbits: number, delayMs: number }} Link - `delayMs`: one way. */
/** @typedef {Link & { bytes: number, ms: number }} Measurement */
/** @typedef {{ bytes: number, readyMs: number }} Bucket - `readyMs`: from the start of the backward pass. */
/** @typedef {{ forwardMs: number, backwardMs: number, optimizerMs: number, buckets: Bucket[] }} StepModel */

/** Bytes of the largest piece that gloo sends at once. */
const SEGMENT = 2 ** 20;
const BITS_PER_MS_OF_GBIT = 1e6;

/**
 * Milliseconds of gloo's ring: the data are cut into segments, as many for each host; each host sends those of all others once to
 * reduce and once to gather, with two under way. The calls are compared before it, by an all-gather that goes round once.
 * @param {LinkModel} model @param {Link & { bytes: number }} call
 * @see https://github.com/pytorch/gloo/blob/main/gloo/allreduce.cc
 */
export function allReduceMs({ efficiency, latencyMs, ceilingGbits }, { hosts, gbits, delayMs, bytes }) {
  if (hosts === 1) return 0;
  const segments = Math.max(Math.ceil(bytes / SEGMENT), 2 * hosts);
  const perHost = Math.ceil(segments / hosts);
  const sendMs =
    ((bytes / (perHost * hosts)) * 8) / (Math.min(efficiency * gbits, ceilingGbits) * BITS_PER_MS_OF_GBIT);
  const wayMs = delayMs + latencyMs;
  const roundMs = Math.max(sendMs, (wayMs + sendMs) / 2);
  return (hosts - 1) * (2 * perHost * roundMs + wayMs);
}

/** Mean absolute error of the logarithm. @param {LinkModel} model @param {readonly Measurement[]} measured */
function errorOf(model, measured) {
  const errors = measured.map((one) => Math.abs(Math.log(allReduceMs(model, one) / one.ms)));
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
}

/** Steps of the search: factors by which a parameter is changed. */
const FACTORS = [2, 1.5, 1.2, 1.1, 1.05, 1.02, 1.01];

/**
 * The model that fits best, by a search along the parameters from several starts.
 * @param {readonly Measurement[]} measured
 * @returns {{ model: LinkModel, meanError: number, worstError: number }} Errors are relative.
 */
export function fitLink(measured) {
  if (measured.length === 0) throw new Error('Expected measurements');
  /** @type {LinkModel} */
  let best = { efficiency: 0.9, latencyMs: 0.1, ceilingGbits: 10 };
  for (const latencyMs of [0.02, 0.1, 0.5]) {
    for (const ceilingGbits of [3, 10, 30]) {
      const found = descend({ efficiency: 0.9, latencyMs, ceilingGbits }, measured);
      if (errorOf(found, measured) < errorOf(best, measured)) best = found;
    }
  }
  const errors = measured.map((one) => Math.abs(allReduceMs(best, one) / one.ms - 1));
  return {
    model: best,
    meanError: errors.reduce((sum, error) => sum + error, 0) / errors.length,
    worstError: Math.max(...errors),
  };
}

/** @param {LinkModel} start @param {readonly Measurement[]} measured */
function descend(start, measured) {
  let best = start;
  let error = errorOf(best, measured);
  for (const factor of FACTORS) {
    for (let improved = true; improved; ) {
      improved = false;
      for (const key of /** @type {const} */ (['efficiency', 'latencyMs', 'ceilingGbits'])) {
        for (const change of [factor, 1 / factor]) {
          const next = { ...best, [key]: best[key] * change };
          if (next.efficiency > 1) continue; // no link carries more than its bandwidth
          const nextError = errorOf(next, measured);
          if (nextError >= error - 1e-9) continue;
          [best, error, improved] = [next, nextError, true];
        }
      }
    }
  }
  return best;
}

/**
 * Milliseconds of a training step: buckets are sent one after another as the backward pass hands them over, and the optimizer waits for the
 * last.
 * @param {StepModel} step @param {LinkModel} model @param {Link} link
 */
export function stepMs({ forwardMs, backwardMs, optimizerMs, buckets }, model, link) {
  let sent = 0;
  for (const { bytes, readyMs } of buckets)
    sent = Math.max(sent, readyMs) + allReduceMs(model, { ...link, bytes });
  return forwardMs + Math.max(backwardMs, sent) + optimizerMs;
}

/**
 * The most that a group can reach of the images per second of processes that exchange nothing, where no core is idle: the exchange of
 * the gradients takes its time from the computation, hidden or not.
 * @param {Record<string, { userMs: number, systemMs: number }>} parts
 */
export function floorOf(parts) {
  const total = (/** @type {string} */ name) => {
    const part = parts[name];
    if (!part) throw new Error(`Expected ${name} among the parts`);
    return part.userMs + part.systemMs;
  };
  const alone = total('step without exchange');
  return alone / (alone + total('all-reduce of the gradients'));
}
