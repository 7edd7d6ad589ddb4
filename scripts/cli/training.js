/**
 * Trains a run from its configuration, for train.js and demo.js.
 * @module
 */
import { join } from 'node:path';
import { isInMemory } from '../../dist/data/dataset.js';
import { sizeBeforeCrop, testTransform } from '../../dist/data/preprocessing.js';
import {
  ArgumentError,
  DatasetError,
  data,
  functional as F,
  manualSeed,
  models,
  nn,
  noGrad,
  ShapeError,
  TrainingError,
  tensor,
  tidy,
  train,
  zeros,
} from '../../dist/index.js';
import { augmentation, batchFormat } from './augmentation.js';
import {
  completeConfig,
  configOf,
  imageSizeOf,
  modelOptionsOf,
  resolveDevice,
  resumedConfig,
} from './config.js';
import { loadSplits } from './datasets.js';
import { digestsOf } from './image-digests.js';
import { partOf } from './launched.js';
import { createOptimizer, freezeParts, loadInitialWeights } from './model.js';
import { createProgress, jsonProgress } from './progress.js';
import { checkSame, rootOf } from './run-images.js';
import { createScheduler } from './schedule.js';
import { splitForValidation } from './split.js';
import { checkBeforeReading } from './survey.js';

/** @import { ProcessGroup } from './launched.js' */
/** @import { Loss, MetricsRecord, RunConfig, RunDirectory, TrainingResult } from '../../dist/train/index.js' */
/** @import { PictureListing } from '../../dist/data/picture-listing.js' */
/** @import { Draft, Given } from './config.js' */
/** @import { TrainOptions } from './train-options.js' */

/** @typedef {ReturnType<typeof assemble>} Parts */

/** Number of batches between logged steps, as in the article. */
const LOG_EVERY = 10;

/**
 * Loads both splits of a data set, and holds out validation images from the training set if requested; otherwise the
 * test images are used for validation. Labels are indices into the classes of the training set; a resumed run has its own.
 * @param {Pick<TrainOptions, 'download' | 'dataMirror' | 'verify' | 'skipUnreadable' | 'dataMemory'>} options
 * @param {Pick<RunConfig, 'dataset' | 'seed' | 'imageSize' | 'preset'> & { valSplit?: RunConfig['valSplit'], dataDir: string, limitTrain?: number | null | undefined, classes?: string[] }} config
 * @param {AbortSignal} signal
 * @param {{ byPosition?: boolean, listing?: PictureListing | undefined }} [how] - `byPosition`: how sets are split, see `splitForTest`; `listing`: of a
 *   folder or a manifest that was already listed.
 */
async function loadSets(
  { download, dataMirror: mirrors, verify, skipUnreadable, dataMemory },
  config,
  signal,
  { byPosition, listing } = {},
) {
  const { classes, dataset, dataDir, valSplit, seed, limitTrain } = config;
  const unreadable = skipUnreadable ? /** @type {const} */ ('skip') : /** @type {const} */ ('error');
  const size = sizeBeforeCrop(config);
  const memoryLimit = dataMemory * 2 ** 20;
  const options = { root: dataDir, size, memoryLimit, download, mirrors, verify, unreadable, signal };
  const loaded = await loadSplits(dataset, { ...options, classes, listing }, { byPosition });
  const { trainSet, testSet, valSet } = loaded;
  const digests = await digestsOf(loaded, signal);
  if (valSet && typeof valSplit === 'number') {
    throw new ArgumentError(
      `Expected no --val-split with ${dataDir}, which has validation images, but received ${valSplit}`,
    );
  }
  if (valSet) return { trainSet, valSet, testSet, digests, valSplit: /** @type {const} */ ('folder') };
  if (valSplit === 'folder')
    throw new TrainingError(`Expected validation images in ${dataDir}, as when the run was started`);
  if (!valSplit) return { trainSet, valSet: testSet, testSet, digests };
  const chosen = { share: valSplit, seed, limit: limitTrain, source: dataDir, byPosition };
  return { ...splitForValidation(trainSet, chosen), testSet, digests };
}

/** @typedef {Awaited<ReturnType<typeof loadSets>>} Sets */

/**
 * Creates the network, the optimizer and the loader of a run. The seed is set before the model is created, so it also determines
 * the weights.
 * @param {Draft} config
 * @param {Sets['trainSet']} trainSet
 * @param {ProcessGroup} [group]
 */
function prepare(config, trainSet, group) {
  const { device, batchSize, seed, sampling } = config;
  manualSeed(seed);
  const model = models.create(config.model, config.modelOptions).to({ device });
  if (group) nn.SyncBatchNorm.convert(model, { group });
  const frozen = freezeParts(model, config);
  const optimizer = createOptimizer(model, config);
  const trainLoader = data.loader(trainSet, {
    ...partOf(batchSize, group),
    shuffle: true,
    dropLast: true,
    ...augmentation(config),
    seed,
    device,
    limit: config.limitTrain ?? undefined,
    weights: sampling === 'balanced' ? data.balancedWeights(trainSet.labels) : undefined,
  });
  return { model, frozen, optimizer, trainLoader };
}

/**
 * Creates all objects of a run.
 * @param {Draft} config
 * @param {Pick<Sets, 'trainSet' | 'valSet'>} sets
 * @param {{ signal?: AbortSignal, tensorboard?: string | undefined, group?: ProcessGroup | undefined }} [context] - `tensorboard`: a folder for
 *   TensorBoard's event file; `group`: the processes that train together.
 */
export function assemble(config, { trainSet, valSet }, { signal, tensorboard, group } = {}) {
  const { device } = config;
  const { model, frozen, optimizer, trainLoader } = prepare(config, trainSet, group);
  // A held-out set is used completely; the limit applies only to test images.
  const valLoader = testLoader(config.valSplit ? { ...config, limitTest: null } : config, valSet, group);
  const { accumulate, clipGradNorm, clipGradValue, ema, autocast, monitor, earlyStopping, validateEvery } =
    config;
  const clips = clipGradNorm || clipGradValue;
  const trainer = new train.Trainer({
    model,
    optimizer,
    loss: lossOf(config),
    trainLoader,
    valLoader,
    ...createScheduler(optimizer, config, trainLoader.length),
    epochs: config.epochs,
    accumulate,
    clip: clips ? { norm: clipGradNorm ?? undefined, value: clipGradValue ?? undefined } : undefined,
    ema: ema === null || ema === undefined ? undefined : { decay: ema },
    autocast: autocast ?? undefined,
    capture: config.capture,
    monitor,
    earlyStopping: earlyStopping ?? undefined,
    validateEvery,
    temperature: config.temperature ? train.temperatureSchedule(config.temperature) : undefined,
    frozen,
    device,
    signal,
    callbacks: tensorboard === undefined ? undefined : [new train.TensorBoard(tensorboard, { model })],
    group,
  });
  return { model, trainer };
}

/**
 * All test images of a run, in order.
 * @param {Pick<RunConfig, 'batchSize' | 'imageSize' | 'preset' | 'device' | 'limitTest' | 'batchDtype' | 'memoryFormat' | 'augmentOn'>} config
 * @param {Sets['testSet']} testSet
 * @param {ProcessGroup} [group] - Each of its processes gets a part of the images.
 */
export function testLoader(config, testSet, group) {
  const { batchSize, device, limitTest } = config;
  return data.loader(testSet, {
    ...batchFormat(config),
    ...partOf(batchSize, group),
    dropRemainder: false,
    limit: limitTest ?? undefined,
    shuffle: false,
    dropLast: false,
    transform: testTransform(config),
    device,
    // A set beyond memory is not copied to the device.
    ...(!isInMemory(testSet) && { augmentOn: /** @type {const} */ ('cpu') }),
  });
}

/**
 * The loss for training and validation.
 * @param {Pick<RunConfig, 'labelSmoothing' | 'classWeights'>} config
 * @returns {Loss}
 */
export function lossOf({ labelSmoothing, classWeights }) {
  if (!classWeights) return (logits, labels) => F.crossEntropy(logits, labels, { labelSmoothing });
  return (logits, labels) => {
    // Inside of a step, which frees it.
    const weight = tensor(classWeights, { dtype: 'float32', device: logits.device });
    return F.crossEntropy(logits, labels, { labelSmoothing, weight });
  };
}

/** Steps of the test of --find-lr. */
const FIND_LR_STEPS = 60;

/**
 * The configuration with the learning rate that --find-lr finds, to two digits.
 * @param {Draft} draft
 * @param {Sets['trainSet']} trainSet
 * @param {AbortSignal} signal
 * @returns {Promise<Draft>}
 */
async function withFoundLr(draft, trainSet, signal) {
  const { model, frozen, optimizer, trainLoader } = prepare(draft, trainSet);
  await loadInitialWeights(model, draft, { signal, quiet: true });
  const { lr } = await train.findLearningRate({
    ...{ model, frozen, optimizer, trainLoader, signal, loss: lossOf(draft), steps: FIND_LR_STEPS },
    device: draft.device,
    autocast: draft.autocast === 'bfloat16' ? 'bfloat16' : undefined,
  });
  const rounded = Number(lr.toPrecision(2));
  console.error(`learning rate: ${rounded}, at which the loss fell fastest in ${FIND_LR_STEPS} steps`);
  return { ...draft, lr: rounded };
}

/**
 * `run`: null in processes that do not write, all but rank 0.
 * @typedef {{ run: RunDirectory | null, config: RunConfig, parts: Parts, testSet: Sets['testSet'] }} Training
 */

/**
 * Starts a run in a new directory, which is created after everything else has succeeded.
 * @param {string} out
 * @param {{ options: TrainOptions, words: string[], signal: AbortSignal, group?: ProcessGroup | undefined }} request - `words`: the command line, for
 *   `environment.json`.
 * @returns {Promise<Training>}
 */
export async function startRun(out, { options, words, signal, group }) {
  // Before a download: a missing device, and options that the network does not have.
  resolveDevice(options.device);
  modelOptionsOf(options);
  const listing = await checkBeforeReading(options);
  const sets = await loadSets(options, { ...options, imageSize: imageSizeOf(options) }, signal, { listing });
  const given = configOf(options, sets);
  if (group && given.findLr)
    throw new ArgumentError(
      'Expected --find-lr in a single process: the processes of a group would find different rates',
    );
  const draft = given.findLr ? await withFoundLr(given, sets.trainSet, signal) : given;
  const parts = assemble(draft, sets, { signal, group, tensorboard: tensorboardFolder(options, out, group) });
  await loadInitialWeights(parts.model, draft, { signal });
  const config = completeConfig(draft, parts.model);
  const { batchSize, imageSize, device, autocast } = config;
  checkImageSize(parts.model, config);
  const kernels = train.kernelChoices(parts.model, [batchSize, 3, imageSize, imageSize], {
    device,
    autocast: autocast ?? undefined,
  });
  if (group && group.rank > 0) return { run: null, config, parts, testSet: sets.testSet };
  const environment = train.describeEnvironment({ device, kernels, command: words });
  const run = await train.RunDirectory.create(out, { config, environment });
  return { run, config, parts, testSet: sets.testSet };
}

/**
 * The folder of TensorBoard's event file, in the process that writes.
 * @param {Pick<TrainOptions, 'tensorboard'>} options @param {string} out @param {ProcessGroup} [group]
 */
function tensorboardFolder({ tensorboard }, out, group) {
  return tensorboard && (group?.rank ?? 0) === 0 ? join(out, 'tensorboard') : undefined;
}

/**
 * Passes one black image through the network, as images that are too small end in an error of a layer.
 * @param {nn.Module} model
 * @param {Pick<RunConfig, 'model' | 'imageSize' | 'device'>} config
 * @throws {ArgumentError} naming the layer.
 */
function checkImageSize(model, { model: name, imageSize, device }) {
  model.eval();
  try {
    noGrad(() => tidy(() => void model.forward(zeros([1, 3, imageSize, imageSize], { device }))));
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new ArgumentError(
      `Expected a size that ${name} can compute with for --image-size but received ${imageSize}: ${error.message}`,
      { cause: error },
    );
  } finally {
    model.train();
  }
}

/**
 * Loads a run from its last checkpoint.
 * @param {RunDirectory} run
 * @param {{ options: TrainOptions, given: Given, signal: AbortSignal, group?: ProcessGroup | undefined }} request
 * @returns {Promise<Training>}
 */
export async function continueRun(run, { options, given, signal, group }) {
  const started = await run.readConfig();
  const finished = (await run.readMetrics()).findLast(({ type }) => type === 'epoch')?.epoch ?? 0;
  const config = resumedConfig(started, options, given, finished);
  const dataDir = await rootOf(config, given.has('dataDir') ? options.dataDir : undefined);
  const sets = await loadSets(options, { ...config, dataDir }, signal, {
    byPosition: config.imageDigests === undefined,
  });
  if (Math.min(sets.trainSet.length, config.limitTrain ?? Number.POSITIVE_INFINITY) !== config.trainImages) {
    throw new TrainingError(
      `Expected ${config.trainImages} training images, as when the run was started, but found ${sets.trainSet.length}`,
    );
  }
  checkSame(config, sets.digests, dataDir);
  const parts = assemble(config, sets, {
    signal,
    group,
    tensorboard: tensorboardFolder(options, run.path, group),
  });
  // First in the process that writes, which completes a checkpoint that was interrupted.
  if (group && group.rank > 0) await group.barrier();
  const hadCheckpoint =
    group && group.rank > 0
      ? await run.restore(parts.model, parts.trainer)
      : await run.resume(parts.model, parts.trainer);
  if (group?.rank === 0) await group.barrier();
  if (!hadCheckpoint) await loadInitialWeights(parts.model, config, { signal });
  if (group && group.rank > 0) return { run: null, config, parts, testSet: sets.testSet };
  await run.writeConfig(config);
  return { run, config, parts, testSet: sets.testSet };
}

/**
 * Trains until the end or until the signal stops it, and writes metrics and checkpoints to the run directory. The run
 * stays locked: its caller closes it.
 * @param {Training} training
 * @param {{ json?: boolean, isGroup?: boolean, signal?: AbortSignal }} [options] - `json`: epochs as JSON on stdout, in place of the progress;
 *   `isGroup`: whether other processes take part; `signal`: the one that stops the training.
 * @returns {Promise<TrainingResult & { waitingForData: number | null }>}
 *   `waitingForData`: share of the training time of the epochs finished here; null where there was none.
 */
export async function runTraining(
  { run, config, parts: { model, trainer } },
  { json = false, isGroup = false, signal } = {},
) {
  if (run === null) return { ...(await trainer.fit()), waitingForData: null };
  const progress = json
    ? jsonProgress()
    : createProgress({ stream: process.stdout, epochs: config.epochs, label: config.model, signal });
  const keep = config.keepCheckpoints ?? undefined;
  /** @type {Promise<void>} */
  let written = Promise.resolve();
  const log = (/** @type {MetricsRecord} */ record) => {
    written = written.then(() => run.append(record));
    written.catch(() => {}); // reported when `written` is awaited next
  };
  trainer.on('step', (event) => {
    progress.step(event);
    const { epoch, step, loss, accuracy, lr } = event;
    if (Math.ceil(event.batch / (config.accumulate ?? 1)) % LOG_EVERY === 0)
      log({ type: 'step', epoch, step, loss, accuracy, lr });
  });
  const time = { seconds: 0, dataSeconds: 0 };
  trainer.on('epoch', async (record, { improved }) => {
    time.seconds += record.seconds;
    time.dataSeconds += record.dataSeconds;
    progress.epoch(record);
    log(record);
    await written;
    await run.saveCheckpoint(model, trainer, { improved, keep });
  });
  try {
    const result = await trainer.fit();
    await written;
    if (result.stopped) await run.saveCheckpoint(model, trainer, { improved: false });
    return { ...result, waitingForData: time.seconds > 0 ? time.dataSeconds / time.seconds : null };
  } catch (error) {
    // The other processes of a group do not stop at the same step.
    if (error instanceof DatasetError && trainer.position.batch > 0 && !isGroup) {
      await written;
      await run.saveCheckpoint(model, trainer, { improved: false });
      progress.stop();
      console.error(
        `The training stopped after ${trainer.position.step} steps, with a checkpoint: --resume continues it.`,
      );
    }
    throw error;
  } finally {
    progress.stop();
    await written.catch(() => {});
  }
}
