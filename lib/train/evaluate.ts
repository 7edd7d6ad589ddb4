/**
 * Evaluates a model on a data set.
 * @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { checkFunction, checkOptions, optionKeys } from '../check/index.js';
import { ArgumentError, DatasetError, invalidArgument } from '../errors.js';
import type { Module } from '../nn/module.js';
import { crossEntropy } from '../ops/loss.js';
import { checkGroup, type ProcessGroup } from '../process-group/group.js';
import { compile as compileProgram, type Program } from '../program/program.js';
import { autocast, noGrad, tidy } from '../tensor/context.js';
import type { Device } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkBatch, checkMetrics, checkModel, checkSource } from './checks.js';
import type { AutocastDType } from './forward-backward.js';
import { confusionOfProcesses } from './metrics/confusion.js';
import { sumOverProcesses } from './metrics/gather.js';
import type { Metric } from './metrics/metric.js';
import type { Batch, BatchSource, Loss } from './types.js';

/** Prediction for one image. */
export interface Prediction {
  /** True class. */
  label: number;
  /** Class with the largest logit. */
  predicted: number;
  /** Softmax probability of `predicted`, 0 to 1. */
  probability: number;
}

/** Result of {@link evaluate}. */
export interface Evaluation {
  /** Mean over the images. */
  loss: number;
  /** Share of images classified correctly, 0 to 1. */
  accuracy: number;
  /** Number of evaluated images. */
  images: number;
  /** Wall time of the whole pass, including loading. */
  seconds: number;
  /** Images per second, including loading. */
  imagesPerSecond: number;
  /** Counts: `confusion[true class][predicted class]`. */
  confusion: number[][];
  /** In the order of the loader; only with `predictions: true`. */
  predictions?: Prediction[] | undefined;
  /** Results of the option `metrics`, by name; only with that option. */
  metrics?: Record<string, unknown> | undefined;
}

/** The results of metrics, by name. */
export type MetricResults<M extends Readonly<Record<string, Metric>>> = {
  [Name in keyof M]: ReturnType<M[Name]['compute']>;
};

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** Default: cross entropy without label smoothing. */
  loss?: Loss | undefined;
  /** Device to which batches are moved; default: the device of the loader. */
  device?: Device | undefined;
  /** Mixed precision: 16-bit dtype of forward passes, see {@link autocast}. Default: none. */
  autocast?: AutocastDType | undefined;
  /**
   * Compile the forward pass with the first batch of each image size, and compute on native threads without blocking the event
   * loop. Only for a forward pass that depends on nothing but its input and the weights, see {@link compile}; not with
   * `autocast`, and not for layers with hooks, which would not be called. Default: false.
   */
  compile?: boolean | undefined;
  /** Whether to return the prediction for every image. Default: false. */
  predictions?: boolean | undefined;
  /** Metrics of {@link metrics} or custom ones, by name; they are reset at the start. Default: none. */
  metrics?: Readonly<Record<string, Metric>> | undefined;
  /**
   * Processes that evaluate parts of a set together. Each passes a loader of its own part (options `rank`, `worldSize` and
   * `dropRemainder: false` of `data.loader`) and gets the result over all images; only `predictions` are those of its own part.
   * Custom metrics need the method `gather` of {@link Metric}. Default: only this process.
   */
  group?: ProcessGroup | undefined;
  /** Stops after the current batch; the result then covers the images so far. */
  signal?: AbortSignal | undefined;
  /** Called after every batch with the number of finished batches. */
  onBatch?: ((done: number) => void) | undefined;
}

const EVALUATE_KEYS = optionKeys(
  ...(['loss', 'device', 'autocast', 'compile', 'predictions', 'metrics', 'group'] as const),
  ...(['signal', 'onBatch'] as const),
);

/**
 * One pass over a data set in evaluation mode and without autograd. Every module's training mode is restored.
 * Yields to the event loop between batches.
 * @param model - Maps [B, C, H, W] to logits [B, classes].
 * @param loader - Its batches are disposed after use.
 * @throws {DatasetError} if the loader yields no images.
 * @example
 * const { accuracy, confusion } = await train.evaluate(model, loader)
 */
export async function evaluate<M extends Readonly<Record<string, Metric>>>(
  model: Module,
  loader: BatchSource,
  options: EvaluateOptions & { metrics: M },
): Promise<Evaluation & { metrics: MetricResults<M> }>;
export async function evaluate(
  model: Module,
  loader: BatchSource,
  options?: EvaluateOptions,
): Promise<Evaluation>;
export async function evaluate(
  model: Module,
  loader: BatchSource,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { loss, onBatch, compile = false, autocast } = checkOptions(options, EVALUATE_KEYS);
  checkModel(model);
  checkSource('loader', loader);
  if (loss !== undefined) checkFunction(loss, 'loss');
  if (onBatch !== undefined) checkFunction(onBatch, 'onBatch');
  if (options.group !== undefined) checkGroup('group', options.group);
  if (options.metrics !== undefined) checkMetrics(options.metrics, options.group !== undefined);
  for (const metric of Object.values(options.metrics ?? {})) metric.reset();
  if (typeof compile !== 'boolean') throw invalidArgument('compile', 'a boolean', compile);
  if (compile && autocast)
    throw new ArgumentError('Expected compile or autocast of evaluate but received both');
  const restore = switchToEvaluation(model);
  const start = performance.now();
  let sums = { loss: 0, correct: 0, images: 0 };
  let confusion: number[][] = [];
  const predictions: Prediction[] = [];
  let batches = 0;
  const programs = new Programs(model);
  try {
    for await (const batch of loader) {
      checkBatch(batch);
      const logits = compile ? await programs.run(batch, options.device) : undefined;
      const { loss, classes, results } = evaluateBatch(model, batch, options, logits);
      sums.loss += loss * results.length;
      sums.images += results.length;
      if (batches === 0) confusion = zeros(classes);
      for (const { label, predicted } of results) {
        checkLabel(label, classes);
        sums.correct += Number(label === predicted);
        confusion[label]![predicted]! += 1;
      }
      if (options.predictions) predictions.push(...results);
      batches += 1;
      options.onBatch?.(batches);
      await nextTurn();
      if (options.signal?.aborted) break;
    }
  } finally {
    programs.dispose();
    restore();
  }
  if (options.group) ({ sums, confusion } = await gather(options.group, sums, confusion, options.metrics));
  const { images } = sums;
  if (images === 0) throw new DatasetError('Expected images to evaluate on, but the loader yielded no batch');
  const seconds = (performance.now() - start) / 1000;
  return {
    loss: sums.loss / images,
    accuracy: sums.correct / images,
    images,
    seconds,
    imagesPerSecond: images / seconds,
    confusion,
    ...(options.predictions && { predictions }),
    ...(options.metrics && { metrics: resultsOf(options.metrics) }),
  };
}

interface Sums {
  loss: number;
  correct: number;
  images: number;
}

/** The results of all processes. */
async function gather(
  group: ProcessGroup,
  { loss, correct, images }: Sums,
  confusion: number[][],
  metrics: Readonly<Record<string, Metric>> = {},
): Promise<{ sums: Sums; confusion: number[][] }> {
  const sums = (await sumOverProcesses(group, [loss, correct, images])) as [number, number, number];
  const all = await confusionOfProcesses(group, confusion);
  for (const metric of Object.values(metrics)) await metric.gather!(group);
  return { sums: { loss: sums[0], correct: sums[1], images: sums[2] }, confusion: all };
}

function resultsOf(metrics: Readonly<Record<string, Metric>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, metric.compute()]));
}

/** Checks that the confusion matrix has a row for every label. */
function checkLabel(label: number, classes: number): void {
  if (label >= 0 && label < classes) return;
  throw new DatasetError(
    `Expected labels from 0 to ${classes - 1}, as the model has ${classes} classes, but received ${label} from the loader`,
  );
}

/** Programs of a model, by the shape and dtype of an image. */
class Programs {
  readonly #model: Module;
  readonly #programs = new Map<string, Program>();

  constructor(model: Module) {
    this.#model = model;
  }

  /** The logits of a batch, which is disposed if that fails. */
  async run({ images, labels }: Batch, device: Device | undefined): Promise<Tensor> {
    try {
      using moved = device ? images.to({ device }) : images.detach();
      const key = `${moved.shape.slice(1)} ${moved.dtype}`;
      let program = this.#programs.get(key);
      if (program === undefined) {
        program = compileProgram(this.#model, moved);
        this.#programs.set(key, program);
      }
      return await program.run(moved);
    } catch (error) {
      images.dispose();
      labels.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const program of this.#programs.values()) program.dispose();
  }
}

/** Evaluates one batch and disposes it, and the logits if they are given. */
function evaluateBatch(
  model: Module,
  { images, labels }: Batch,
  options: EvaluateOptions,
  computed: Tensor | undefined,
): { loss: number; classes: number; results: Prediction[] } {
  const { loss: lossOf = crossEntropy, device, autocast: dtype } = options;
  try {
    return noGrad(() =>
      tidy(() => {
        const target = device ? labels.to({ device }) : labels;
        const forward = () => {
          const logits = computed ?? model.forward(device ? images.to({ device }) : images);
          return { logits, loss: lossOf(logits, target) };
        };
        const { logits, loss } = dtype ? autocast(forward, { dtype }) : forward();
        for (const metric of Object.values(options.metrics ?? {})) metric.update(logits, target);
        const probabilities = logits.to({ dtype: 'float32' }).softmax({ dim: 1 }).dataSync();
        const predicted = logits.argmax({ dim: 1 }).dataSync();
        const classes = logits.shape[1]!;
        const results = Array.from(labels.dataSync({ dtype: 'int64' }), (label, row): Prediction => {
          const column = Number(predicted[row]);
          const probability = Number(probabilities[row * classes + column]);
          return { label: Number(label), predicted: column, probability };
        });
        return { loss: Number(loss.item()), classes, results };
      }),
    );
  } finally {
    images.dispose();
    labels.dispose();
    computed?.dispose();
  }
}

/** Switches a model to evaluation mode; the returned function restores the mode of each module. */
export function switchToEvaluation(model: Module): () => void {
  const modes = [...model.namedModules()].map(([, module]) => ({ module, training: module.training }));
  model.eval();
  return () => {
    for (const { module, training } of modes) module.training = training;
  };
}

function zeros(size: number): number[][] {
  return Array.from({ length: size }, () => new Array<number>(size).fill(0));
}
