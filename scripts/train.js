#!/usr/bin/env node
/**
 * Trains a model into a run directory: `node scripts/train.js --help`.
 * @module
 */
import { runCommand } from './cli/command.js';
import { interruptible } from './cli/interrupt.js';
import { asInvoked } from './cli/invocation.js';
import { checkTogether } from './cli/option-checks.js';
import { formatSeconds } from './cli/progress.js';
import { applyRecipe, epochWarning } from './cli/recipe.js';
import { outOf, trainCommand } from './cli/train-options.js';

await runCommand(trainCommand(), async (_, command) => {
  applyRecipe(command);
  const options = command.opts();
  // With --resume, the options are compared with the run's.
  if (!options.resume) checkTogether(options);
  const { setNumThreads, train } = await import('../dist/index.js');
  const out = outOf(options);
  // Before any data is read: a folder that cannot be used should not cost a download first.
  const previous = options.resume ? await train.RunDirectory.open(out) : null;
  if (previous) await previous.lock();
  else await train.RunDirectory.assertFree(out);
  // The same number of threads adds up in the same order: a resumed run is equal to the bit.
  const threads = options.threads ?? (await previous?.readEnvironment())?.threads;
  if (threads) setNumThreads(threads);
  const { continueRun, startRun } = await import('./cli/training.js');
  const start = performance.now();
  const interrupt = interruptible({
    message: 'Stopping after this step with a checkpoint; once more stops at once.',
  });
  let run = previous;
  try {
    const training = await interrupt.unlessAborted(
      previous
        ? continueRun(previous, options, command, interrupt.signal)
        : startRun(out, options, interrupt.signal),
    );
    if (training === null) return interrupt.exitCode();
    run = training.run;
    const warning = previous ? null : epochWarning(training.config);
    if (warning) console.error(warning);
    return await finish(training, { out, json: options.json, start, interrupt });
  } finally {
    await run?.close();
  }
});

/**
 * Trains, evaluates and reports.
 * @param {import('./cli/training.js').Training} training
 * @param {{ out: string, json: boolean, start: number, interrupt: ReturnType<typeof interruptible> }} options
 * @returns {Promise<number>} The exit code.
 */
async function finish(training, { out, json, start, interrupt }) {
  const { report } = await import('../dist/index.js');
  const { runTraining } = await import('./cli/training.js');
  const { evaluateRun } = await import('./cli/evaluation.js');
  const { run, config, testSet } = training;
  const trained = await runTraining(training, { json, signal: interrupt.signal });
  const { stopped, earlyStopped, epochs, steps, best, waitingForData } = trained;
  const seconds = (performance.now() - start) / 1000;
  if (stopped) {
    if (json) console.log(JSON.stringify({ type: 'end', stopped, epochs, steps, best, out }));
    else {
      const again = asInvoked(`node scripts/train.js --out ${out} --resume`);
      console.log(`Stopped after ${steps} steps. Continue with: ${again}`);
    }
    return interrupt.exitCode();
  }
  interrupt.release();
  const evaluation = best ? (await evaluateRun(run, testSet, { checkpoint: 'best' })).result : null;
  // Where the test images chose the best epoch, their accuracy is that of the epoch.
  const test = config.valSplit && evaluation && { accuracy: evaluation.accuracy, loss: evaluation.loss };
  await report.writeRunReport(run.path);
  if (json) {
    const result = { stopped, earlyStopped, epochs, steps, best, ...(test && { test }) };
    const end = { type: 'end', ...result, seconds, waitingForData, out };
    console.log(JSON.stringify(end));
    return 0;
  }
  if (earlyStopped) console.log(`No improvement any more: ended after ${epochs} of ${config.epochs} epochs`);
  const waited =
    waitingForData === null
      ? ''
      : `, ${(100 * waitingForData).toFixed(1)} % of the training waiting for data`;
  console.log(
    `${config.model}: best accuracy ${best?.accuracy.toFixed(4)} in epoch ${best?.epoch}${test ? ` on the images held out, ${test.accuracy.toFixed(4)} on the test images` : ''}, ` +
      `${config.parameters.total.toLocaleString('en')} parameters, ${formatSeconds(seconds)}${waited}. Results are in ${out}`,
  );
  return 0;
}
