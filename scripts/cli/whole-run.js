/**
 * A run from its start, or from where it was stopped, to its report.
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** @import { RunDirectory } from '../../dist/train/index.js' */
/** @import { Given } from './config.js' */
/** @import { TrainOptions } from './train-options.js' */

/**
 * Trains, evaluates and reports a run.
 * @param {string} out - Its directory.
 * @param {object} request
 * @param {TrainOptions} request.options
 * @param {Given} request.given - Options that a continued run must agree with.
 * @param {string[]} request.words - The command line, for `environment.json`.
 * @param {AbortSignal} request.signal - Stops the training after a step.
 * @param {boolean} [request.resume] - Continue a run that exists; a finished one is left unchanged. Default: an existing run is an error.
 * @param {boolean} [request.collapseExperts] - Evaluate the mean of the experts, too, if there are any.
 * @returns {Promise<boolean>} False if the signal stopped it.
 */
export async function trainWhole(out, { resume = false, collapseExperts = false, ...request }) {
  const { report, setNumThreads, train } = await import('../../dist/index.js');
  const { continueRun, runTraining, startRun } = await import('./training.js');
  const { evaluateRun } = await import('./evaluation.js');
  const isStarted = resume && existsSync(join(out, 'config.json'));
  if (isStarted && (await isFinished(out, request))) return true;
  /** @type {RunDirectory | null} */
  let run = null;
  try {
    if (isStarted) {
      run = await train.RunDirectory.open(out);
      await run.lock();
    } else await train.RunDirectory.assertFree(out);
    // The same number of threads adds up in the same order: a continued run is equal to the bit.
    const threads = request.options.threads ?? (await run?.readEnvironment())?.threads;
    if (threads) setNumThreads(threads);
    const training = run ? await continueRun(run, request) : await startRun(out, request);
    run = training.run;
    const { stopped } = await runTraining(training, { signal: request.signal });
    if (stopped || run === null) return !stopped;
    const isDynamic = training.config.temperature !== null;
    await evaluateRun(run, training.testSet, {
      checkpoint: 'best',
      collapseExperts: collapseExperts && isDynamic,
    });
    await report.writeRunReport(out);
    return true;
  } finally {
    await run?.close();
  }
}

/** Whether a run has trained all its epochs and has been evaluated. @param {string} out @param {{ options: TrainOptions, given: Given }} request */
async function isFinished(out, { options, given }) {
  const { report } = await import('../../dist/index.js');
  const { resumedConfig } = await import('./config.js');
  const { config, epochs, evaluation } = await report.loadRun(out);
  return epochs.length >= resumedConfig(config, options, given).epochs && evaluation !== null;
}
