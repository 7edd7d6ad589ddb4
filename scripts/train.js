#!/usr/bin/env node
/**
 * Trains a model into a run directory: `node scripts/train.js --help`.
 * @module
 */
import { report, setNumThreads, TrainingError, train } from '../dist/index.js';
import { runCommand } from './cli/command.js';
import { interruptible } from './cli/interrupt.js';
import { formatSeconds } from './cli/progress.js';
import { configOf, outOf, resumedConfig, trainCommand } from './cli/train-options.js';
import { assemble, completeConfig, loadSets, resume, runTraining } from './cli/training.js';

await runCommand(trainCommand(), async (options, command) => {
  if (options.threads) setNumThreads(options.threads);
  const out = outOf(options);
  // Before any data is read: a folder that cannot be used should not cost a download first.
  const previous = options.resume ? await train.RunDirectory.open(out) : null;
  if (!previous) await train.RunDirectory.assertFree(out);
  const interrupt = interruptible({
    message: 'Stopping after this step with a checkpoint; once more stops at once.',
  });
  const start = performance.now();

  const { run, config, parts } = previous
    ? await continueRun(previous, options, command, interrupt.signal)
    : await startRun(out, options, interrupt.signal);
  const result = await runTraining(run, config, parts);
  interrupt.release();
  if (result.stopped) {
    console.log(
      `Stopped after ${result.steps} steps. Continue with: node scripts/train.js --out ${out} --resume`,
    );
    return interrupt.exitCode();
  }
  await report.writeRunReport(run.path);
  const { best } = result;
  console.log(
    `${config.model}: best accuracy ${best?.accuracy.toFixed(4)} in epoch ${best?.epoch}, ` +
      `${config.parameters.total.toLocaleString('en')} parameters, ` +
      `${formatSeconds((performance.now() - start) / 1000)}. Results are in ${out}`,
  );
  return 0;
});

/** @param {string} out @param {Record<string, any>} options @param {AbortSignal} signal */
async function startRun(out, options, signal) {
  const sets = await loadSets({ ...optionsForSets(options), signal });
  const draft = completeConfig(configOf(options, sets.trainSet), sets);
  const parts = assemble(draft, sets, signal);
  const config = { ...draft, parameters: parts.parameters };
  const environment = train.describeEnvironment({ device: config.device, command: process.argv.slice(2) });
  return { run: await train.RunDirectory.create(out, { config, environment }), config, parts };
}

/**
 * @param {import('../dist/train/index.js').RunDirectory} run
 * @param {Record<string, any>} options
 * @param {import('commander').Command} command
 * @param {AbortSignal} signal
 */
async function continueRun(run, options, command, signal) {
  const config = resumedConfig(await run.readConfig(), command);
  const { dataset, limitTrain, limitTest, dataDir } = config;
  const sets = await loadSets({
    ...optionsForSets(options),
    dataset,
    limitTrain,
    limitTest,
    dataDir: dataDir ?? options.dataDir,
    signal,
  });
  if (sets.trainSet.length !== config.trainImages) {
    throw new TrainingError(
      `Expected ${config.trainImages} training images, as when the run was started, but found ${sets.trainSet.length}`,
    );
  }
  const parts = assemble(config, sets, signal);
  await resume(run, parts);
  await run.writeConfig(config);
  return { run, config, parts };
}

/** @param {Record<string, any>} options */
function optionsForSets({ dataset, dataDir, limitTrain = null, limitTest = null, download, verify }) {
  return { dataset, dataDir, limitTrain, limitTest, download, verify };
}
