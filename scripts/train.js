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
import { outOf, trainCommand } from './cli/train-options.js';

await runCommand(trainCommand(), async (options, command) => {
  if (!options.resume) checkTogether(options); // with --resume, the options are compared with the run's
  const { report, setNumThreads, train } = await import('../dist/index.js');
  const { continueRun, runTraining, startRun } = await import('./cli/training.js');
  const { evaluateRun } = await import('./cli/evaluation.js');
  const out = outOf(options);
  // Before any data is read: a folder that cannot be used should not cost a download first.
  const previous = options.resume ? await train.RunDirectory.open(out) : null;
  if (!previous) await train.RunDirectory.assertFree(out);
  // The same number of threads adds up in the same order: a resumed run is equal to the bit.
  const threads = options.threads ?? (await previous?.readEnvironment())?.threads;
  if (threads) setNumThreads(threads);
  const start = performance.now();
  const interrupt = interruptible({
    message: 'Stopping after this step with a checkpoint; once more stops at once.',
  });

  const training = await interrupt.unlessAborted(
    previous
      ? continueRun(previous, options, command, interrupt.signal)
      : startRun(out, options, interrupt.signal),
  );
  if (training === null) return interrupt.exitCode();
  const { run, config, testSet } = training;
  const { stopped, earlyStopped, epochs, steps, best, waitingForData } = await runTraining(training, {
    json: options.json,
    signal: interrupt.signal,
  });
  const seconds = (performance.now() - start) / 1000;
  if (options.json && stopped)
    console.log(JSON.stringify({ type: 'end', stopped, epochs, steps, best, out }));
  else if (stopped) {
    console.log(
      `Stopped after ${steps} steps. Continue with: ${asInvoked(`node scripts/train.js --out ${out} --resume`)}`,
    );
  }
  if (stopped) return interrupt.exitCode();
  interrupt.release();
  if (best) await evaluateRun(run, testSet, { checkpoint: 'best' });
  await report.writeRunReport(run.path);
  if (options.json) {
    console.log(
      JSON.stringify({
        type: 'end',
        stopped,
        earlyStopped,
        epochs,
        steps,
        best,
        seconds,
        waitingForData,
        out,
      }),
    );
    return 0;
  }
  if (earlyStopped) console.log(`No improvement any more: ended after ${epochs} of ${config.epochs} epochs`);
  console.log(
    `${config.model}: best accuracy ${best?.accuracy.toFixed(4)} in epoch ${best?.epoch}, ` +
      `${config.parameters.total.toLocaleString('en')} parameters, ${formatSeconds(seconds)}${waitingForData === null ? '' : `, ${(100 * waitingForData).toFixed(1)} % of the training waiting for data`}. ` +
      `Results are in ${out}`,
  );
  return 0;
});
