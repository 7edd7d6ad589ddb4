/**
 * The schemas of what a run directory holds. The interfaces of records.ts are the public, documented form of the same; the
 * compiler compares the two field by field.
 * @module
 */
import * as v from 'valibot';
import { fitting, integer, number, object, type Schema } from '../check/schema.js';
import type { Device } from '../tensor/dtype.js';
import type {
  ConfusionInput,
  EpochRecord,
  EvaluationRecord,
  ExpertUsage,
  ImageDigests,
  LossAndAccuracy,
  ParameterCounts,
  RunConfig,
  RunData,
  RunEnvironment,
  StepRecord,
} from './records.js';

/** The longest side of an image that anything here is made for, in pixels. */
const MAX_SIDE = 4096;

const string = v.string();
const strings = v.array(string);
const count = integer(1);
const side = integer(1, MAX_SIDE);

function isJson(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}

const device = v.custom<Device>(
  (value) => typeof value === 'string' && /^(cpu|cuda(:\d+)?)$/.test(value),
  "'cpu', 'cuda' or 'cuda:<number>'",
);

const scalar = v.custom<number | string | boolean>(
  (value) => ['number', 'string', 'boolean'].includes(typeof value),
  'a number, a string or a boolean',
);

const imageDigests = object<ImageDigests>('the digests of the images', {
  train: string,
  test: string,
  val: v.optional(string),
});

/** `config.json`. */
export const CONFIG: Schema<RunConfig> = v.pipe(
  withJson(
    object<RunConfig>('a configuration', {
      model: string,
      modelOptions: v.record(string, scalar),
      parameters: object<ParameterCounts>('the counts of parameters', {
        trainable: integer(0),
        statistics: integer(0),
        total: integer(0),
      }),
      dataset: string,
      dataDir: v.nullable(string),
      classes: v.pipe(strings, v.minLength(1, 'at least one class')),
      imageDigests: v.optional(imageDigests),
      contentDigests: v.optional(imageDigests),
      trainImages: count,
      valImages: count,
      valSplit: v.optional(v.nullable(v.union([number, v.literal('folder')], "a number or 'folder'"))),
      imageShape: v.pipe(v.array(side), v.length(3, 'three numbers [C, H, W]')),
      imageSize: side,
      preset: v.optional(v.picklist(['half', 'imagenet', 'cifar10', 'cifar100'])),
      epochs: count,
      batchSize: count,
      lr: number,
      momentum: number,
      weightDecay: number,
      labelSmoothing: number,
      milestones: v.array(count),
      gamma: number,
      temperature: v.nullable(
        object<{ start: number; epochs: number }>('an object', { start: number, epochs: number }),
      ),
      seed: integer(0),
      device,
      dtype: string,
      limitTrain: v.nullable(count),
      limitTest: v.nullable(count),
      recipe: v.optional(v.picklist(['article', 'small', 'mobilenetv3-dy'])),
      crop: v.optional(v.picklist(['resized', 'padded', 'none'])),
      padding: v.optional(v.nullable(integer(0))),
      flip: v.optional(number),
      colorJitter: v.optional(v.nullable(v.array(number))),
      randomErasing: v.optional(v.nullable(number)),
      mixup: v.optional(v.nullable(number)),
      cutmix: v.optional(v.nullable(number)),
      mixProb: v.optional(v.nullable(number)),
      batchDtype: v.optional(v.picklist(['float32', 'bfloat16'])),
      memoryFormat: v.optional(v.picklist(['contiguous', 'channels-last'])),
      augmentOn: v.optional(v.picklist(['cpu', 'device'])),
      schedule: v.optional(v.picklist(['milestones', 'cosine', 'one-cycle', 'constant'])),
      warmupEpochs: v.optional(number),
      accumulate: v.optional(count),
      clipGradNorm: v.optional(v.nullable(number)),
      clipGradValue: v.optional(v.nullable(number)),
      ema: v.optional(v.nullable(number)),
      autocast: v.optional(v.nullable(v.picklist(['bfloat16', 'float16']))),
      capture: v.optional(v.boolean()),
      monitor: v.optional(v.picklist(['accuracy', 'loss'])),
      earlyStopping: v.optional(
        v.nullable(
          object<{ patience: number; minDelta: number }>('an object', {
            patience: integer(0),
            minDelta: number,
          }),
        ),
      ),
      validateEvery: v.optional(count),
      keepCheckpoints: v.optional(
        v.nullable(object<{ every: number; last: number }>('an object', { every: count, last: integer(0) })),
      ),
      init: v.optional(v.nullable(string)),
      freeze: v.optional(v.nullable(strings)),
      findLr: v.optional(v.boolean()),
      classWeights: v.optional(v.nullable(v.array(number))),
      sampling: v.optional(v.picklist(['shuffled', 'balanced'])),
      optimizer: v.optional(v.picklist(['sgd', 'adam', 'adamw', 'rmsprop'])),
    }),
  ),
  fitting(({ modelOptions: { numClasses }, classes }) =>
    numClasses === undefined || numClasses === classes.length
      ? undefined
      : { path: ['modelOptions', 'numClasses'], expected: `${classes.length}, the number of classes` },
  ),
);

/** `environment.json`. */
export const ENVIRONMENT: Schema<RunEnvironment> = withJson(
  object<RunEnvironment>('an object', {
    dyconv: string,
    commit: v.optional(v.nullable(string)),
    node: string,
    libtorch: string,
    platform: string,
    cpu: string,
    cores: count,
    memoryBytes: number,
    threads: count,
    device: string,
    cpuCapability: v.optional(string),
    kernels: v.optional(v.record(string, string)),
    algorithms: strings,
    command: strings,
    time: string,
  }),
);

/** Keys that are not in the interface come from other versions; what is in them is printed, so JSON has to hold it. */
function withJson<T extends object>(schema: Schema<T>): Schema<T> {
  return v.pipe(schema, v.check<T, string>(isJson, 'values that JSON can hold'));
}

/** Fields of a confusion matrix, which an evaluation has too. */
const CONFUSION_ENTRIES = {
  classes: v.array(string, 'an array of class names'),
  confusion: v.array(v.array(number, 'an array of numbers'), 'an array of rows'),
};

/** A confusion matrix as an argument; whether it has a row and a column for every class is checked separately. */
export const CONFUSION: Schema<ConfusionInput> = object<ConfusionInput>(
  'an object with classes and confusion',
  CONFUSION_ENTRIES,
);

/** Whether a matrix has `size` rows and as many columns. */
export function isSquare(matrix: readonly (readonly number[])[], size: number): boolean {
  return matrix.length === size && matrix.every((row) => row.length === size);
}

/** Schemas of records, by what a measured number is. */
function records(measured: Schema<number>) {
  const metrics = { loss: measured, accuracy: measured };
  const lossAndAccuracy = object<LossAndAccuracy>('loss and accuracy', metrics);
  const experts = object<ExpertUsage>('the usage of the experts of a layer', {
    layer: string,
    mean: v.array(measured, 'an array of numbers'),
    entropy: measured,
  });
  const epoch = object<EpochRecord>('the record of an epoch', {
    type: v.literal('epoch'),
    epoch: count,
    lr: measured,
    temperature: v.nullish(number, null),
    train: lossAndAccuracy,
    val: v.nullish(lossAndAccuracy, null),
    seconds: measured,
    imagesPerSecond: measured,
    dataSeconds: v.optional(measured, 0),
    time: v.optional(string, ''),
    experts: v.optional(v.array(experts, 'an array of expert usages')),
    metrics: v.optional(v.record(string, v.unknown(), 'an object')),
  });
  const step = object<StepRecord>('the record of a step', {
    type: v.literal('step'),
    epoch: count,
    step: count,
    ...metrics,
    lr: measured,
  });
  const evaluation = v.pipe(
    object<EvaluationRecord>('an evaluation', {
      ...CONFUSION_ENTRIES,
      checkpoint: string,
      images: integer(0),
      imagesPerSecond: measured,
      ...metrics,
      dataDir: v.optional(v.nullable(string)),
      ownImages: v.optional(v.boolean()),
      collapsed: v.optional(lossAndAccuracy),
    }),
    fitting(({ classes, confusion }) =>
      isSquare(confusion, classes.length)
        ? undefined
        : {
            path: ['confusion'],
            expected: `a ${classes.length} x ${classes.length} matrix, a row and a column for every class,`,
          },
    ),
  );
  return { epoch, step, evaluation };
}

/** Records as they are written: JSON has null for a number that is not finite, which becomes NaN. */
export const STORED = records(
  v.pipe(
    v.custom<number | null>((value) => typeof value === 'number' || value === null, 'a number'),
    v.transform((value) => value ?? Number.NaN),
  ),
);

/** Records in memory. */
export const RECORDS = records(number);

const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'a Uint8Array');

/** A run directory, read. */
export const RUN: Schema<RunData> = object<RunData>('a run as loadRun gives it', {
  path: string,
  name: string,
  config: CONFIG,
  environment: v.nullable(ENVIRONMENT),
  epochs: v.array(RECORDS.epoch),
  steps: v.array(RECORDS.step),
  evaluation: v.nullish(RECORDS.evaluation, null),
  predictions: v.nullish(bytes, null),
  mistakes: v.nullish(bytes, null),
});
