/**
 * Writes the run directory of a training that was started with `fit({ out })`.
 * @module
 */
import { checkOptions, dropUndefined, optionKeys, type PartialOptions } from '../check/index.js';
import { TrainingError } from '../errors.js';
import { describeEnvironment } from '../run/environment.js';
import type { EpochRecord, RunConfig } from '../run/records.js';
import type { Callback, TrainerControl } from './callbacks.js';
import { countParameters } from './count-parameters.js';
import type { StepEvent, TrainingResult } from './events.js';
import { kernelChoices } from './kernel-choices.js';
import { sumOverProcesses } from './metrics/gather.js';
import type { Parallel } from './parallel.js';
import { RunDirectory } from './run-directory.js';
import type { ResolvedOptions } from './trainer-options.js';
import type { BatchSource } from './types.js';

/** Options of `fit`. */
export interface FitOptions {
  /**
   * A folder for the results: configuration, metrics of steps and epochs, checkpoints of the last and the best epoch. In a
   * training of several processes, all pass the same folder: rank 0 writes it, and the others read it when a run is resumed.
   * Default: nothing is written.
   */
  out?: string | undefined;
  /** With `out`: continue the run in the folder from its last checkpoint, if there is one. Default: a folder with a run is an error. */
  resume?: boolean | undefined;
  /**
   * With `out`: fields of `config.json` that are unknown to the trainer, such as the arguments `model` and `modelOptions` of
   * `models.create`, by which the commands load the run, `seed`, and the names of the `classes`. Default: the class of the
   * model, the fields of the loader's data set.
   */
  config?: PartialOptions<RunConfig> | undefined;
  /** With `out`: number of steps between recorded steps. Default: 10. */
  logEvery?: number | undefined;
  /** With `out`: also keeps the weights of every `every`-th epoch, the `last` of them. Default: none. */
  keep?: { every: number; last: number } | undefined;
}

/** Keys of {@link FitOptions}. */
export const FIT_KEYS = optionKeys('out', 'resume', 'config', 'logEvery', 'keep');

/** Properties of the images that loaders of this package have. */
type KnownSource = BatchSource & {
  dataset?: { name?: string; classes?: readonly string[]; shape?: readonly number[] };
  numImages?: number;
  batchSize?: number;
};

/** Creates or resumes a run directory and writes its files. */
class RunWriter implements Callback {
  readonly #out: string;
  readonly #fit: FitOptions;
  readonly #options: ResolvedOptions;
  readonly #parallel: Parallel | undefined;
  #images = { trainImages: 0, valImages: 0 };
  #run: RunDirectory | undefined;
  /** Records that are being appended. */
  #appending: Promise<void> = Promise.resolve();

  constructor(out: string, fit: FitOptions, options: ResolvedOptions, parallel?: Parallel) {
    this.#out = out;
    this.#fit = checkOptions(fit, FIT_KEYS);
    this.#options = options;
    this.#parallel = parallel;
  }

  /** Opens the folder, and restores the last checkpoint of a run that is resumed. */
  async onStart(context: { trainer: TrainerControl }): Promise<void> {
    this.#images = await countImages(this.#options, this.#parallel);
    let failed = true;
    try {
      await this.#open(context);
      failed = false;
    } finally {
      await this.#parallel?.any(failed); // the other processes wait for it
    }
  }

  async #open({ trainer }: { trainer: TrainerControl }): Promise<void> {
    const { model } = this.#options;
    const existing = this.#fit.resume ? await openIfRun(this.#out) : undefined;
    if (existing) {
      this.#run = existing;
      await existing.resume(model, trainer);
      return;
    }
    const shape = await imageShapeOf(this.#options.trainLoader);
    const config = this.#config(shape);
    const environment = describeEnvironment({
      device: config.device,
      command: process.argv,
      kernels: kernelChoices(model, [config.batchSize, ...shape]),
    });
    this.#run = await RunDirectory.create(this.#out, { config, environment });
  }

  /** Records every n-th step. */
  onStep({ step, epoch, loss, accuracy, lr }: StepEvent): void {
    const { logEvery = 10 } = this.#fit;
    if (step % logEvery !== 0) return;
    const record = { type: 'step', epoch, step, loss, accuracy, lr } as const;
    this.#appending = this.#appending.then(() => this.#run?.append(record));
    // The error is thrown at the end of the epoch.
    this.#appending.catch(() => {});
  }

  /** Records the epoch and saves a checkpoint. */
  async onEpoch(
    record: EpochRecord,
    { improved, trainer }: { improved: boolean; trainer: TrainerControl },
  ): Promise<void> {
    await this.#appending;
    await this.#run?.append(record);
    await this.#run?.saveCheckpoint(this.#options.model, trainer, { improved, keep: this.#fit.keep });
  }

  /** Saves the position of a training that was stopped within an epoch. */
  async onEnd({ stopped }: TrainingResult, { trainer }: { trainer: TrainerControl }): Promise<void> {
    await this.#appending;
    if (stopped && trainer.position.batch > 0)
      await this.#run?.saveCheckpoint(this.#options.model, trainer, { improved: false });
  }

  /** Releases the folder. */
  async close(): Promise<void> {
    await this.#run?.close();
    this.#run = undefined;
  }

  /** @param shape - [C, H, W] of the images of a batch. */
  #config(shape: readonly number[]): RunConfig {
    const { model, optimizer, trainLoader, epochs, device, monitor, validateEvery, accumulate } =
      this.#options;
    const source: KnownSource = trainLoader;
    const batchSize = (source.batchSize ?? 1) * (this.#parallel?.group.size ?? 1);
    const [parameter] = model.parameters();
    const group = optimizer.paramGroups[0] as { momentum?: number; weightDecay?: number } | undefined;
    return {
      model: model.constructor.name,
      modelOptions: {},
      parameters: countParameters(model),
      dataset: source.dataset?.name ?? 'custom',
      dataDir: null,
      classes: [...(source.dataset?.classes ?? [])],
      ...this.#images,
      imageShape: [...(source.dataset?.shape ?? shape)],
      imageSize: shape[1] ?? 0,
      epochs,
      batchSize,
      lr: optimizer.lr,
      momentum: group?.momentum ?? 0,
      weightDecay: group?.weightDecay ?? 0,
      labelSmoothing: 0,
      milestones: [],
      gamma: 1,
      temperature: null,
      seed: 0,
      device: device ?? parameter?.device ?? 'cpu',
      dtype: parameter?.dtype ?? 'float32',
      limitTrain: null,
      limitTest: null,
      monitor,
      validateEvery,
      accumulate,
      ...(dropUndefined(this.#fit.config ?? {}) as Partial<RunConfig>),
    };
  }
}

/**
 * The run directory of a training in several processes: that of rank 0 writes it; when a run is resumed, the others read its
 * checkpoint.
 */
class RunFollower implements Callback {
  readonly #out: string;
  readonly #resume: boolean;
  readonly #options: ResolvedOptions;
  readonly #parallel: Parallel;

  constructor(out: string, fit: FitOptions, options: ResolvedOptions, parallel: Parallel) {
    this.#out = out;
    this.#resume = checkOptions(fit, FIT_KEYS).resume ?? false;
    this.#options = options;
    this.#parallel = parallel;
  }

  /** @throws TrainingError if rank 0 could not open the folder. */
  async onStart({ trainer }: { trainer: TrainerControl }): Promise<void> {
    await countImages(this.#options, this.#parallel);
    if (await this.#parallel.any(false))
      throw new TrainingError(`The process of rank 0 could not open the run directory ${this.#out}`);
    if (this.#resume) await (await RunDirectory.open(this.#out)).restore(this.#options.model, trainer);
  }
}

/** Images of an epoch, of all processes. */
async function countImages(
  { trainLoader, valLoader }: ResolvedOptions,
  parallel: Parallel | undefined,
): Promise<{ trainImages: number; valImages: number }> {
  const own = [trainLoader, valLoader].map((source: KnownSource | undefined) =>
    source ? finite(source.numImages ?? source.length * (source.batchSize ?? 1)) : 0,
  );
  const all = parallel ? await sumOverProcesses(parallel.group, own) : own;
  return { trainImages: all[0]!, valImages: all[1]! };
}

/** The callback that writes or follows the run directory `out`. */
export function runWriterOf(
  out: string,
  fit: FitOptions,
  options: ResolvedOptions,
  parallel?: Parallel,
): Callback {
  if (parallel && parallel.group.rank > 0) return new RunFollower(out, fit, options, parallel);
  return new RunWriter(out, fit, options, parallel);
}

/** The run in a folder, if there is one. */
async function openIfRun(path: string): Promise<RunDirectory | undefined> {
  try {
    await RunDirectory.assertFree(path);
    return undefined;
  } catch {
    return RunDirectory.open(path);
  }
}

/** An iterable set of unknown length has no number of images. */
function finite(count: number): number {
  return Number.isFinite(count) ? count : 0;
}

/** [C, H, W] of the images of a loader's first batch; the trainer starts it again. */
async function imageShapeOf(loader: BatchSource): Promise<readonly number[]> {
  loader.seek?.({ epoch: 0, batch: 0 });
  for await (const { images, labels } of loader) {
    const shape = images.shape.slice(1);
    images.dispose();
    labels.dispose();
    return shape;
  }
  return [];
}
