/**
 * The run directory: the folder of a training's results.
 * @module
 */
import { access, constants, type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptions, checkRecord, optionKeys } from '../check/index.js';
import { parseArgument, parseStored, type Schema } from '../check/schema.js';
import { CheckpointError, DyconvError, invalidArgument, TrainingError } from '../errors.js';
import { saveFile, writeFileAtomic } from '../files/atomic.js';
import { checkPath, fileError } from '../files/error.js';
import { parseJsonObject } from '../files/json.js';
import type { Module } from '../nn/module.js';
import { json, nearestFolder, unusable, whenMissing } from '../run/files.js';
import { lockRun, type RunLock } from '../run/lock.js';
import { type MetricsLine, parseLines, toLine } from '../run/metrics.js';
import type { EvaluationRecord, MetricsRecord, RunConfig, RunEnvironment } from '../run/records.js';
import { CONFIG, ENVIRONMENT, RECORDS } from '../run/schema.js';
import type { TrainerControl } from './callbacks.js';
import { type LoadedCheckpoint, loadCheckpoint, saveCheckpoint, saveWeights } from './checkpoint.js';
import { checkModel, checkTrainer } from './checks.js';
import { fitting } from './trainer-state.js';

const IMPROVED_KEEP = optionKeys('improved', 'keep');
const KEEP_KEYS = optionKeys('every', 'last');
const DESCRIPTION_KEYS = optionKeys('config', 'environment');

/** A folder with any of these files is a run and must not be overwritten. */
const RESULTS = ['config.json', 'metrics.jsonl', 'best.safetensors', 'last.safetensors', 'last.state'];

/** The position of a checkpoint: later metrics are removed when a run is resumed. */
export interface RunPosition {
  /** Finished epochs. */
  epoch: number;
  /** Finished steps. */
  step: number;
}

/**
 * A run directory: `config.json`, `environment.json`, `metrics.jsonl`, `best.safetensors`, `last.safetensors`,
 * `last.state`. Every file is replaced atomically; each line of `metrics.jsonl` is appended by one write. One process at a time writes
 * the records and checkpoints of a run: `run.lock` names it until {@link close}. Reading needs no lock.
 * @example
 * const run = await train.RunDirectory.create('runs/dy', { config, environment })
 * trainer.on('epoch', async (record, { improved }) => {
 *   await run.append(record)
 *   await run.saveCheckpoint(model, trainer, { improved })
 * })
 */
export class RunDirectory {
  /** The folder. */
  readonly path: string;
  #metrics: FileHandle | null = null;
  #lock: RunLock | null = null;

  private constructor(path: string) {
    checkPath(path, 'the path of a folder');
    this.path = path;
  }

  /**
   * Starts a run and locks it for this process: {@link lock}.
   * @param path - Created if it does not exist.
   * @throws {ArgumentError} naming the field of the configuration or the environment that is missing or does not fit.
   * @throws {TrainingError} if it already contains a run, or cannot be written to.
   * @throws {LockedError} if another process is starting a run in it.
   */
  static async create(
    path: string,
    description: { config: RunConfig; environment: RunEnvironment },
  ): Promise<RunDirectory> {
    const { config, environment } = checkOptions(description, DESCRIPTION_KEYS, 'description');
    const texts = {
      environment: json('environment', parseArgument(ENVIRONMENT, environment, 'environment')),
      config: json('config', parseArgument(CONFIG, config, 'config')),
    };
    await RunDirectory.assertFree(path);
    const run = new RunDirectory(path);
    try {
      await mkdir(path, { recursive: true });
      await run.lock();
      await RunDirectory.assertFree(path); // another process may have been faster
      await run.#removeHalfWritten();
      await writeFileAtomic(run.file('environment.json'), texts.environment);
      await writeFileAtomic(run.file('config.json'), texts.config);
      return run;
    } catch (error) {
      await run.close();
      throw error instanceof DyconvError ? error : unusable(path, error);
    }
  }

  /**
   * Locks the run for training in this process until {@link close}. {@link create} and {@link resume} call this; call
   * it earlier to detect a conflict before data is read. Several objects of one process share the lock.
   * @throws {LockedError} if another process trains in the folder, naming that process. The lock of an ended process is
   *   taken over.
   */
  async lock(): Promise<void> {
    try {
      this.#lock ??= await lockRun(this.path);
    } catch (error) {
      throw fileError('write', this.file('run.lock'), error);
    }
  }

  /**
   * Checks that a run can be started in a folder.
   * @throws {TrainingError} if it already contains a run, is not a folder, or cannot be written to or created.
   */
  static async assertFree(path: string): Promise<void> {
    checkPath(path, 'the path of a folder');
    let names: string[] = [];
    try {
      await access(await nearestFolder(path), constants.W_OK);
      names = await readdir(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') throw unusable(path, error);
    }
    const found = RESULTS.filter((name) => names.includes(name));
    if (found.length > 0) {
      throw new TrainingError(
        `${path} already holds a run (${found.join(', ')}): continue it with --resume, or choose another --out`,
      );
    }
  }

  /**
   * Opens an existing run.
   * @throws {CheckpointError} if the folder contains none.
   */
  static async open(path: string): Promise<RunDirectory> {
    const run = new RunDirectory(path);
    await run.#readObject('config.json');
    return run;
  }

  /** Path of a file of this run. */
  file(name: string): string {
    checkPath(name, 'the name of a file', 'name');
    return join(this.path, name);
  }

  /** @throws {CheckpointError} if it is missing or damaged. */
  async readConfig(): Promise<RunConfig> {
    return this.#readJson('config.json', CONFIG);
  }

  /** @throws {CheckpointError} if it is missing or damaged. */
  async readEnvironment(): Promise<RunEnvironment> {
    return this.#readJson('environment.json', ENVIRONMENT);
  }

  /**
   * Replaces the configuration, for a resumed run with more epochs.
   * @throws {ArgumentError} naming the field that is missing or does not fit.
   */
  async writeConfig(config: RunConfig): Promise<void> {
    await this.#write('config.json', json('config', parseArgument(CONFIG, config, 'config')));
  }

  /** Writes `evaluation.json` and replaces an earlier one. */
  async writeEvaluation(record: EvaluationRecord): Promise<void> {
    await this.#write('evaluation.json', json('record', parseArgument(RECORDS.evaluation, record, 'record')));
  }

  /**
   * Appends a line to `metrics.jsonl` in a single write.
   * @throws {ArgumentError} naming the field of the record that does not fit.
   * @throws {CheckpointError} if it cannot be written; the existing lines remain readable.
   */
  async append(record: MetricsRecord): Promise<void> {
    const line = toLine(record);
    const path = this.file('metrics.jsonl');
    try {
      this.#metrics ??= await open(path, 'a');
      await this.#metrics.appendFile(line);
    } catch (error) {
      throw fileError('write', path, error);
    }
  }

  /**
   * The records of `metrics.jsonl`; empty if nothing has been logged yet. A last line that was truncated by a crash is left
   * out, and so are records of a type that is unknown to this version.
   * @throws {CheckpointError} if any other line is damaged.
   */
  async readMetrics(): Promise<MetricsRecord[]> {
    return (await this.#readLines()).flatMap(({ record }) => record ?? []);
  }

  async #readLines(): Promise<MetricsLine[]> {
    const path = this.file('metrics.jsonl');
    return parseLines(await readFile(path, 'utf8').catch(whenMissing('')), path);
  }

  /** Removes the metrics after a position, atomically. Records of an unknown type are kept, unless their epoch is after it. */
  async truncateMetrics(position: RunPosition): Promise<void> {
    checkRecord(position, 'position', 'a position', { epoch: 'number', step: 'number' });
    await this.#closeMetrics();
    const kept = (await this.#readLines()).filter(({ stored, record }) =>
      record?.type === 'step' ? record.step <= position.step : !((stored.epoch as number) > position.epoch),
    );
    await this.#write('metrics.jsonl', kept.map(({ stored }) => `${JSON.stringify(stored)}\n`).join(''));
  }

  /**
   * Saves `last.safetensors` and `last.state`, and `best.safetensors` first if this is the best epoch so far. If
   * the trainer averages weights, `best.safetensors` and the kept checkpoints contain the averages;
   * `last.safetensors` contains the weights with which training continues.
   * @param options.keep - Also keeps the weights of every `every`-th epoch as `epoch-<number>.safetensors`, the `last`
   *   of them. Default: none.
   * @throws {CheckpointError} if a file cannot be written; the previous checkpoint is then unchanged.
   */
  async saveCheckpoint(
    model: Module,
    trainer: TrainerControl,
    options: { improved: boolean; keep?: { every: number; last: number } | undefined },
  ): Promise<void> {
    const { improved, keep } = checkOptions(options, IMPROVED_KEEP);
    checkModel(model);
    checkTrainer(trainer);
    if (keep !== undefined) {
      checkOptions(keep, KEEP_KEYS, 'keep');
      checkRecord(keep, 'keep', 'an object', { every: 'number', last: 'number' });
    }
    if (improved && trainer.best) {
      const { epoch, accuracy } = trainer.best;
      const metadata = { epoch: String(epoch), accuracy: String(accuracy) };
      await trainer.withEvaluationWeights(() => saveWeights(this.file('best.safetensors'), model, metadata));
    }
    const { epoch, batch } = trainer.position;
    if (keep && batch === 0 && epoch > 0 && epoch % keep.every === 0) {
      const file = this.weightsFile(`epoch-${epoch}`);
      await trainer.withEvaluationWeights(() => saveWeights(file, model, { epoch: String(epoch) }));
    }
    await saveCheckpoint(this.#last, model, trainer);
    if (keep) await this.#removeKept(keep.last);
  }

  /**
   * The file of a checkpoint: `best`, `last` or `epoch-<number>` of this run; a name with a file extension is a path.
   * @throws {CheckpointError} for another name.
   */
  weightsFile(checkpoint: string): string {
    if (typeof checkpoint !== 'string') throw invalidArgument('checkpoint', 'a name', checkpoint);
    if (/\.(safetensors|pt|pth|bin)$/.test(checkpoint)) return checkpoint;
    const epoch = /^epoch-(\d+)$/.exec(checkpoint)?.[1];
    if (epoch !== undefined) return this.file(`epoch-${epoch.padStart(4, '0')}.safetensors`);
    if (checkpoint === 'best' || checkpoint === 'last') return this.file(`${checkpoint}.safetensors`);
    throw new CheckpointError(
      `Expected best, last, epoch-<number> or a file (.safetensors, .pt, .pth) for checkpoint but received ${checkpoint}`,
    );
  }

  /** Removes temporary files of killed processes. Called with the lock, after the last checkpoint has been completed. */
  async #removeHalfWritten(): Promise<void> {
    const pattern = /^\.(.+\.(safetensors|state|jsonl|json|html|svg|png))\..+\.tmp$/;
    const names = (await readdir(this.path)).filter((name) => pattern.test(name));
    for (const name of names) await rm(this.file(name), { force: true });
  }

  async #removeKept(count: number): Promise<void> {
    const kept = (await readdir(this.path)).filter((name) => /^epoch-\d+\.safetensors$/.test(name)).sort();
    for (const name of kept.slice(0, Math.max(0, kept.length - count))) await rm(this.file(name));
  }

  /** Whether a checkpoint has been saved: a run killed before its first one is resumed from the start. */
  async hasCheckpoint(): Promise<boolean> {
    const names = await readdir(this.path);
    return names.includes('last.state') || names.includes('last.safetensors');
  }

  /**
   * Reads the last checkpoint.
   * @throws {CheckpointError} if there is none, or if it is damaged.
   */
  async loadCheckpoint(): Promise<LoadedCheckpoint> {
    return loadCheckpoint(this.#last);
  }

  /**
   * Restores a model and its trainer from the last checkpoint, and removes later metrics. Without a
   * checkpoint, for example after a kill in the first epoch, only the metrics are changed: the run restarts, and its seed
   * makes it the same run.
   * @returns Whether there was a checkpoint.
   * @throws {CheckpointError} if it is damaged or does not fit.
   * @throws {LockedError} if another process trains in the folder.
   */
  async resume(model: Module, trainer: TrainerControl): Promise<boolean> {
    checkModel(model);
    checkTrainer(trainer);
    await this.lock();
    if (!(await this.hasCheckpoint())) {
      await this.#removeHalfWritten();
      await this.truncateMetrics({ epoch: 0, step: 0 });
      return false;
    }
    const { epoch, step } = await this.#restore(model, trainer, () => this.#removeHalfWritten());
    await this.truncateMetrics({ epoch, step });
    return true;
  }

  /**
   * Loads the last checkpoint into the model and the trainer, and changes nothing in the folder: for the processes of a group that do
   * not write, after {@link resume} in the one that does.
   * @returns False if there is no checkpoint.
   * @throws {CheckpointError} if it is damaged or does not fit.
   */
  async restore(model: Module, trainer: TrainerControl): Promise<boolean> {
    checkModel(model);
    checkTrainer(trainer);
    if (!(await this.hasCheckpoint())) return false;
    await this.#restore(model, trainer);
    return true;
  }

  async #restore(
    model: Module,
    trainer: TrainerControl,
    whenRead?: () => Promise<void>,
  ): Promise<{ epoch: number; step: number }> {
    const { weights, state, dispose } = await this.loadCheckpoint();
    await whenRead?.();
    try {
      fitting(this.#last.weights, () => model.loadStateDict(weights, { strict: true }));
      fitting(this.#last.state, () => trainer.loadStateDict(state));
      return { epoch: state.epoch, step: state.step };
    } finally {
      dispose();
    }
  }

  /** Closes `metrics.jsonl`, which {@link append} opens again, and releases the {@link lock}. */
  async close(): Promise<void> {
    await this.#closeMetrics();
    await this.#lock?.release();
    this.#lock = null;
  }

  async #closeMetrics(): Promise<void> {
    await this.#metrics?.close();
    this.#metrics = null;
  }

  get #last(): { weights: string; state: string } {
    return { weights: this.file('last.safetensors'), state: this.file('last.state') };
  }

  async #write(name: string, contents: string): Promise<void> {
    await saveFile(this.file(name), contents);
  }

  async #readJson<T>(name: string, schema: Schema<T>): Promise<T> {
    return parseStored(schema, await this.#readObject(name), this.file(name));
  }

  async #readObject(name: string): Promise<Record<string, unknown>> {
    const path = this.file(name);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (name !== 'config.json' || (code !== 'ENOENT' && code !== 'ENOTDIR'))
        throw fileError('read', path, error);
      throw new CheckpointError(`${this.path} is not a run directory: cannot read ${name} in it`, {
        cause: error,
      });
    }
    return parseJsonObject(text, path);
  }
}
