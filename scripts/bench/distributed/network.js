/**
 * Several hosts: the all-reduce and training steps over links of several bandwidths and latencies, a model fitted to them, and what it says
 * about more hosts than there are here.
 * @module
 */
import { machine, median, printAbout, printRows } from '../turns.js';
import { allReduceMs, fitLink, stepMs } from './model.js';
import { withNetwork } from './namespaces.js';
import { startHosts, startRanks } from './ranks.js';
import { bucketsOf, passOf } from './trace.js';

/** @import { NetworkOptions } from '../options.js' */
/** @import { Link, LinkModel, Measurement, StepModel } from './model.js' */
/** @import { Ranks } from './ranks.js' */
/** @import { StepTrace } from './rank.js' */
/** @typedef {Link & { model: string, ms: number, predictedMs: number, error: number }} StepResult - `error`: relative. */

const BYTES_PER_FLOAT = 4;
/** A message, a bucket of the first size, a network. */
const ELEMENTS = [256, 262_144, 8_000_000];
const TIMES = 5;
const STEPS = 3;
const TRACES = 5;
const WORLD_SIZES = [8, 64, 512];
const PREDICTED_LINKS = [
  { gbits: 1, delayMs: 0.1 },
  { gbits: 10, delayMs: 0.1 },
  { gbits: 10, delayMs: 1 },
];

/** @param {NetworkOptions} options */
export async function measureNetwork(options) {
  const { json, models, batch, imageSize, python } = options;
  const { hosts = [2, 4], gbits = [1, 10], delays = [0.1, 1, 10] } = options;
  /** @type {Record<string, StepModel>} */
  const networks = {};
  for (const model of models) networks[model] = await measureStep({ model, batch, imageSize, threads: 1 });
  const links = hosts.flatMap((count) =>
    gbits.flatMap((rate) => delays.map((delayMs) => ({ hosts: count, gbits: rate, delayMs }))),
  );
  /** @type {Measurement[]} */
  const reduces = [];
  /** @type {(Link & { model: string, ms: number })[]} */
  const steps = [];
  for (const link of links) {
    await withNetwork({ ...link, python }, async (spaces) => {
      for (const model of models) {
        const ranks = startHosts(spaces, { model, batch, imageSize, threads: 1 });
        try {
          if (model === models[0]) reduces.push(...(await measureReduces(ranks, link)));
          steps.push({ ...link, model, ms: await measureSteps(ranks) });
        } finally {
          await ranks.end();
        }
      }
    });
    if (!json) console.error(`${link.hosts} hosts, ${link.gbits} Gbit/s, ${link.delayMs} ms: measured`);
  }
  const fit = fitLink(reduces);
  const checked = steps.map((step) => {
    const network = /** @type {StepModel} */ (networks[step.model]);
    const predictedMs = stepMs(network, fit.model, step);
    return { ...step, predictedMs, error: predictedMs / step.ms - 1 };
  });
  const predictions = predict(networks, fit.model, batch);
  const about = { what: 'network', batch, imageSize, machine: machine() };
  const results = { ...about, fit, reduces, steps: checked, predictions };
  if (json) console.log(JSON.stringify(results));
  else print(results);
}

/** Median milliseconds of all-reduces of several sizes. @param {Ranks} ranks @param {Link} link @returns {Promise<Measurement[]>} */
async function measureReduces(ranks, link) {
  /** @type {Measurement[]} */
  const measured = [];
  for (const elements of ELEMENTS) {
    /** @type {number[]} */
    const times = await ranks.ask(`allreduce ${elements} ${TIMES}`);
    measured.push({ ...link, bytes: BYTES_PER_FLOAT * elements, ms: Math.max(...times) });
  }
  return measured;
}

/** Milliseconds of a training step; the first ones warm up. @param {Ranks} ranks */
async function measureSteps(ranks) {
  await ranks.ask('train 2');
  /** @type {number[]} */
  const times = await ranks.ask(`train ${STEPS}`);
  return Math.max(...times) / STEPS;
}

/**
 * The passes of a step without a network to wait for: of one process in a group of two on this machine, whose buckets say when gradients are ready.
 * @param {import('./rank.js').RankConfig} config
 * @returns {Promise<StepModel>}
 */
async function measureStep(config) {
  const ranks = await startRanks(2, config, { isGroup: true });
  try {
    await ranks.ask('train 3');
    /** @type {StepTrace[]} */
    const traces = [];
    for (let i = 0; i < TRACES; i++) traces.push(...(await ranks.ask('trace')));
    return stepModelOf(traces);
  } finally {
    await ranks.end();
  }
}

/** The medians of several traces. @param {readonly StepTrace[]} traces @returns {StepModel} */
export function stepModelOf(traces) {
  const lengths = (/** @type {string} */ name) =>
    median(
      traces.map((trace) => {
        const { start, end } = passOf(trace, name);
        return end - start;
      }),
    );
  const buckets = traces.map((trace) => {
    const { backward, buckets: own } = bucketsOf(trace);
    return own.map(({ elements, made }) => ({
      bytes: BYTES_PER_FLOAT * elements,
      readyMs: made - backward.start,
    }));
  });
  const [first = []] = buckets;
  const ready = first.map(({ bytes }, i) => ({
    bytes,
    readyMs: median(buckets.map((own) => own[i]?.readyMs ?? Number.NaN)),
  }));
  // The backward pass computes until the last bucket is handed over, and then waits.
  const backwardMs = ready.at(-1)?.readyMs ?? lengths('backward');
  return {
    forwardMs: lengths('forward'),
    backwardMs,
    optimizerMs: lengths('optimizer.step'),
    buckets: ready,
  };
}

/** Steps of larger worlds; `efficiency`: the time of a host alone over that of the step. @param {Record<string, StepModel>} networks @param {LinkModel} model @param {number} batch */
function predict(networks, model, batch) {
  return Object.entries(networks).flatMap(([name, network]) => {
    const alone = stepMs(network, model, { hosts: 1, gbits: 1, delayMs: 0 });
    return PREDICTED_LINKS.flatMap((link) =>
      WORLD_SIZES.map((hosts) => {
        const ms = stepMs(network, model, { ...link, hosts });
        const imagesPerSecond = (1000 * hosts * batch) / ms;
        return { model: name, hosts, ...link, stepMs: ms, imagesPerSecond, efficiency: alone / ms };
      }),
    );
  });
}

/** @param {number} part */
const percent = (part) => `${(100 * part).toFixed(0)} %`;
/** @param {Link} link */
const linkCells = ({ hosts, gbits, delayMs }) => ({
  hosts: String(hosts),
  'Gbit/s': String(gbits),
  'delay ms': String(delayMs),
});

/**
 * @param {object} results
 * @param {ReturnType<typeof fitLink>} results.fit
 * @param {Measurement[]} results.reduces
 * @param {StepResult[]} results.steps
 * @param {ReturnType<typeof predict>} results.predictions
 */
function print({ fit, reduces, steps, predictions, ...about }) {
  printAbout(about);
  const { efficiency, latencyMs, ceilingGbits } = fit.model;
  console.log(
    `\nall-reduce: ${percent(efficiency)} of the bandwidth up to ${ceilingGbits.toFixed(1)} Gbit/s, ` +
      `${latencyMs.toFixed(3)} ms a message; error ${percent(fit.meanError)} on average, ${percent(fit.worstError)} at worst`,
  );
  printRows(
    reduces.map(({ bytes, ms, ...link }) => ({
      'all-reduce bytes': String(bytes),
      ...linkCells(link),
      ms: ms.toFixed(2),
      'model ms': allReduceMs(fit.model, { ...link, bytes }).toFixed(2),
    })),
  );
  printRows(
    steps.map(({ model, ms, predictedMs, error, ...link }) => ({
      'step of': model,
      ...linkCells(link),
      ms: ms.toFixed(0),
      'model ms': predictedMs.toFixed(0),
      error: percent(error),
    })),
  );
  printRows(
    predictions.map(({ model, stepMs: ms, imagesPerSecond, efficiency: part, ...link }) => ({
      'predicted for': model,
      ...linkCells(link),
      'step ms': ms.toFixed(0),
      'images/s': imagesPerSecond.toFixed(0),
      efficiency: percent(part),
    })),
  );
}
