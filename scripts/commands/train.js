/**
 * `train`: trains a model into a run directory.
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineCommand, nameOf, wordsOf } from '../cli/command.js';
import { checkDatasetGiven } from '../cli/data-place.js';
import { interruptible } from '../cli/interrupt.js';
import { checkTogether } from '../cli/option-checks.js';
import { formatSeconds } from '../cli/progress.js';
import { applyRecipe, epochWarning } from '../cli/recipe.js';
import { outOf, TRAIN_OPTIONS } from '../cli/train-options.js';

/** @import { RunConfig, RunDirectory } from '../../dist/train/index.js' */
/** @import { Invocation } from '../cli/command.js' */
/** @import { TrainOptions } from '../cli/train-options.js' */
/** @import { ProcessGroup } from '../cli/launched.js' */
/** @import { Training } from '../cli/training.js' */

export const command = defineCommand({
  name: 'train',
  description: 'Trains a model. The defaults are the recipe of the article.',
  examples: [
    '--model alexnet-dy --dataset cifar10 --data-dir data --out runs/dy',
    '--model alexnet --dataset bundled --epochs 8 --batch-size 50 --lr 0.02 --out runs/small',
    '--dataset folder --data-dir pictures --recipe small --out runs/pictures',
    '--dataset fashion-mnist --schedule cosine --warmup-epochs 1 --ema 0.999 --clip-grad-norm 5 --early-stopping 5',
    '--dataset cifar10 --crop padded --color-jitter 0.2 --random-erasing 0.25 --mixup 0.2 --cutmix 1 --out runs/strong',
    '--dataset mnist --crop none --flip 0 --autocast bfloat16 --batch-dtype bfloat16 --out runs/digits',
    '--dataset cifar10 --device cuda --augment-on device --memory-format channels-last --out runs/gpu',
    '--out runs/dy --resume',
  ],
  options: TRAIN_OPTIONS,
  run: train,
});

/**
 * @param {TrainOptions} parsed
 * @param {Invocation<typeof TRAIN_OPTIONS>} invocation
 */
async function train(parsed, { given, command }) {
  const options = applyRecipe(parsed, given);
  // With --resume, the options are compared with those of the run.
  if (!options.resume) {
    checkTogether(options, given);
    await checkDatasetGiven(options, given);
  }
  const { setNumThreads, train } = await import('../../dist/index.js');
  const { isRestart, joinLaunched } = await import('../cli/launched.js');
  const out = outOf(options);
  const group = await joinLaunched();
  const writes = !group || group.rank === 0;
  // A launcher that starts the processes again after a failure repeats the command line.
  const resume = options.resume || (isRestart() && existsSync(join(out, 'config.json')));
  if (!resume) await checkOutside(options, out);
  // Before any data is read: a folder that cannot be used should not cost a download first.
  const previous = resume ? await train.RunDirectory.open(out) : null;
  if (!previous && writes) await train.RunDirectory.assertFree(out);
  const { continueRun, startRun } = await import('../cli/training.js');
  const start = performance.now();
  let hasBegun = false;
  const interrupt = interruptible({
    message: () =>
      `Stopping${hasBegun ? ' after this step, with a checkpoint' : ''}. Press Ctrl-C again to stop at once.`,
  });
  /** @type {RunDirectory | null} */
  let run = writes ? previous : null;
  try {
    await run?.lock();
    // The same number of threads adds up in the same order: a resumed run is equal to the bit.
    const threads = options.threads ?? (await previous?.readEnvironment())?.threads;
    if (threads) setNumThreads(threads);
    const training = await interrupt.unlessAborted(
      previous
        ? continueRun(previous, { options, given, signal: interrupt.signal, group })
        : startRun(out, { options, words: wordsOf(command), signal: interrupt.signal, group }),
    );
    if (training === null) {
      console.error('Stopped before the training began; nothing was written.');
      return interrupt.exitCode();
    }
    hasBegun = true;
    run = training.run;
    if (!previous && writes) for (const warning of warningsOf(training.config)) console.error(warning);
    // What a run does not remember, and cannot go on without.
    const flags = `${options.verify ? '' : ' --no-verify'}${options.skipUnreadable ? ' --skip-unreadable' : ''}`;
    const again = `${nameOf(command)} --out ${shellWord(out)} --resume${flags}`;
    return await finish(training, { out, again, json: options.json, start, interrupt, group });
  } finally {
    await run?.close();
  }
}

/**
 * The images of the report would become images of the data set.
 * @param {TrainOptions} options @param {string} out
 */
async function checkOutside({ dataset, dataDir }, out) {
  if (dataset !== 'folder') return;
  const { isInside } = await import('../cli/output-file.js');
  if (!(await isInside(out, dataDir))) return;
  const { ArgumentError } = await import('../../dist/errors.js');
  throw new ArgumentError(
    `Expected a folder outside of the folder of the images, ${dataDir}, for --out but received ${out}`,
  );
}

/** Prints warnings before a new run begins. @param {RunConfig} config */
function warningsOf(config) {
  const { capture, device } = config;
  const withoutEffect =
    capture && !device.startsWith('cuda')
      ? `warning: --capture has no effect on the device ${device}.`
      : null;
  return [epochWarning(config), withoutEffect].filter((warning) => warning !== null);
}

/** A path as a shell reads it as one word. @param {string} path */
function shellWord(path) {
  return /^[\w./:@%+=-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/**
 * Trains, evaluates and reports.
 * @param {Training} training
 * @param {{ out: string, again: string, json: boolean, start: number, interrupt: ReturnType<typeof interruptible>, group: ProcessGroup | undefined }} options -
 *   `again`: the command that resumes the run.
 * @returns {Promise<number>} The exit code.
 */
async function finish(training, { out, again, json, start, interrupt, group }) {
  const { report } = await import('../../dist/index.js');
  const { runTraining } = await import('../cli/training.js');
  const { evaluateRun } = await import('../cli/evaluation.js');
  const { run, config, testSet } = training;
  const trained = await runTraining(training, {
    json,
    isGroup: group !== undefined,
    signal: interrupt.signal,
  });
  // What follows is the work of rank 0 alone.
  await group?.destroy();
  if (run === null) return trained.stopped ? interrupt.exitCode() : 0;
  const { stopped, earlyStopped, epochs, steps, best, waitingForData } = trained;
  const seconds = (performance.now() - start) / 1000;
  if (stopped) {
    if (json) console.log(JSON.stringify({ type: 'end', stopped, epochs, steps, best, out }));
    else console.log(`Stopped after ${steps} steps. Continue with: ${again}`);
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
  if (earlyStopped)
    console.log(`Stopped early, after ${epochs} of ${config.epochs} epochs: no more improvement`);
  const scores = best
    ? `best accuracy ${best.accuracy.toFixed(4)} in epoch ${best.epoch}`
    : 'no epoch was validated';
  const onTest = test ? ` on the validation images, ${test.accuracy.toFixed(4)} on the test images` : '';
  const waited =
    waitingForData === null
      ? ''
      : `, ${(100 * waitingForData).toFixed(1)} % of the training time waiting for data`;
  console.log(
    `${config.model}: ${scores}${onTest}, ${config.parameters.total.toLocaleString('en')} parameters, ` +
      `${formatSeconds(seconds)}${waited}. Results are in ${out}`,
  );
  return 0;
}
