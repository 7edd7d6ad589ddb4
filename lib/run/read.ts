/**
 * Reading a run directory: what a training run has left behind, as typed data.
 * @module
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { checkString } from '../check/index.js';
import { ArgumentError, CheckpointError, describe } from '../errors.js';
import { parseJsonObject } from '../files/json.js';
import { checkPageRuns } from './check.js';
import type {
  EpochRecord,
  EvaluationRecord,
  ExpertUsage,
  RunConfig,
  RunData,
  RunEnvironment,
  StepRecord,
} from './records.js';

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readOptional(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    throw new CheckpointError(`Cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** A number, or NaN where JSON had to write null for one that was not finite. */
function number(record: Json, key: string, where: string): number {
  const value = record[key];
  if (value === null) return Number.NaN;
  if (typeof value !== 'number')
    throw new CheckpointError(`Expected a number for '${key}' in ${where} but received ${describe(value)}`);
  return value;
}

function lossAndAccuracy(record: Json, key: string, where: string): { loss: number; accuracy: number } {
  const value = record[key];
  if (!isObject(value))
    throw new CheckpointError(
      `Expected loss and accuracy for '${key}' in ${where} but received ${describe(value)}`,
    );
  return { loss: number(value, 'loss', where), accuracy: number(value, 'accuracy', where) };
}

function experts(record: Json, where: string): ExpertUsage[] | undefined {
  if (record.experts === undefined || record.experts === null) return undefined;
  const bad = () => new CheckpointError(`Expected a list of expert usages for 'experts' in ${where}`);
  if (!Array.isArray(record.experts)) throw bad();
  return record.experts.map((usage: unknown) => {
    if (!isObject(usage) || typeof usage.layer !== 'string' || !Array.isArray(usage.mean)) throw bad();
    return { layer: usage.layer, mean: usage.mean.map(Number), entropy: number(usage, 'entropy', where) };
  });
}

function epochRecord(record: Json, where: string): EpochRecord {
  return {
    type: 'epoch',
    epoch: number(record, 'epoch', where),
    lr: number(record, 'lr', where),
    temperature: typeof record.temperature === 'number' ? record.temperature : null,
    train: lossAndAccuracy(record, 'train', where),
    val: record.val === null || record.val === undefined ? null : lossAndAccuracy(record, 'val', where),
    seconds: number(record, 'seconds', where),
    imagesPerSecond: number(record, 'imagesPerSecond', where),
    dataSeconds: typeof record.dataSeconds === 'number' ? record.dataSeconds : 0,
    time: String(record.time ?? ''),
    experts: experts(record, where),
  };
}

function stepRecord(record: Json, where: string): StepRecord {
  return {
    type: 'step',
    epoch: number(record, 'epoch', where),
    step: number(record, 'step', where),
    loss: number(record, 'loss', where),
    accuracy: number(record, 'accuracy', where),
    lr: number(record, 'lr', where),
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Appends a record; one that goes back (a resumed run repeats what its checkpoint had not seen) replaces. */
function append<T>(records: T[], record: T, position: (record: T) => number): void {
  while (records.length > 0 && position(records.at(-1)!) >= position(record)) records.pop();
  records.push(record);
}

/**
 * The records of a `metrics.jsonl`, as they stand there. A last line that was cut off by a crash is left out.
 * @param text - the whole file
 * @param file - its name, for messages
 * @throws CheckpointError naming file and line where a line is no valid record
 */
export function parseRecords(
  text: string,
  file: string,
): { record: Json & { type: string }; parsed: EpochRecord | StepRecord | null }[] {
  const lines = text.split('\n');
  // Only the end of the file can be torn: without its newline, the last line was never finished.
  const torn = lines.length - 1;
  return lines.flatMap((line, index) => {
    if (line.trim() === '' || (index === torn && !isJson(line))) return [];
    const where = `${file}:${index + 1}`;
    const record = parseJsonObject(line, where);
    const { type } = record;
    if (typeof type !== 'string')
      throw new CheckpointError(
        `Expected a record with a type in ${where} but received ${describe(type)} for 'type'`,
      );
    const parse = { epoch: epochRecord, step: stepRecord }[type];
    return [{ record: { ...record, type }, parsed: parse?.(record, where) ?? null }];
  });
}

/**
 * Parses the text of a `metrics.jsonl`. A last line that was cut off by a crash is left out; records of a type
 * this version does not know are skipped.
 * @param text - the whole file
 * @param file - its name, for messages
 * @throws ArgumentError unless both are strings; CheckpointError naming file and line where a line is no valid record
 */
export function parseMetrics(text: string, file: string): { epochs: EpochRecord[]; steps: StepRecord[] } {
  const epochs: EpochRecord[] = [];
  const steps: StepRecord[] = [];
  checkString(text, 'text', 'the text of a metrics.jsonl');
  checkString(file, 'file', 'the name of the file');
  for (const { parsed } of parseRecords(text, file)) {
    if (parsed?.type === 'epoch') append(epochs, parsed, (r) => r.epoch);
    else if (parsed?.type === 'step') append(steps, parsed, (r) => r.step);
  }
  return { epochs, steps };
}

async function readJson(file: string): Promise<Json | null> {
  const bytes = await readOptional(file);
  if (bytes === null) return null;
  return parseJsonObject(bytes.toString('utf8'), file);
}

function checkConfig(value: Json, file: string): RunConfig {
  if (typeof value.model !== 'string')
    throw new CheckpointError(`Expected a model name for 'model' in ${file}`);
  const parameters = value.parameters;
  if (!isObject(parameters) || typeof parameters.total !== 'number')
    throw new CheckpointError(`Expected the counts of parameters for 'parameters' in ${file}`);
  if (!Array.isArray(value.classes))
    throw new CheckpointError(`Expected a list of class names for 'classes' in ${file}`);
  return value as unknown as RunConfig;
}

function checkEvaluation(value: Json, file: string): EvaluationRecord {
  const { classes, confusion } = value;
  if (!Array.isArray(classes) || !Array.isArray(confusion))
    throw new CheckpointError(`Expected lists for 'classes' and 'confusion' in ${file}`);
  const n = classes.length;
  const square = confusion.length === n && confusion.every((row) => Array.isArray(row) && row.length === n);
  if (!square)
    throw new CheckpointError(
      `Expected a ${n} x ${n} matrix for 'confusion' in ${file}, as there are ${n} classes`,
    );
  const numbers = ['loss', 'accuracy', 'images', 'imagesPerSecond'].map((key) => [
    key,
    number(value, key, file),
  ]);
  return { ...value, ...Object.fromEntries(numbers) } as unknown as EvaluationRecord;
}

/**
 * Reads a run directory.
 * @param directory - the folder `train.js --out` named
 * @returns config, environment, metrics and what evaluation has left
 * @throws ArgumentError where there is no such folder or it holds no run; CheckpointError where a file in it is damaged
 * @example
 * const run = await report.loadRun('runs/dy')
 * run.epochs.at(-1)?.val?.accuracy
 */
export async function loadRun(directory: string): Promise<RunData> {
  checkString(directory, 'directory', 'the path of a run directory');
  const info = await stat(directory).catch(() => null);
  if (!info?.isDirectory())
    throw new ArgumentError(
      `Expected a run directory but received '${directory}', which ${info ? 'is not a folder' : 'does not exist'}`,
    );
  const file = (name: string) => path.join(directory, name);
  const config = await readJson(file('config.json'));
  if (config === null)
    throw new ArgumentError(`Expected a run directory but received '${directory}', which has no config.json`);
  const metrics = await readOptional(file('metrics.jsonl'));
  const evaluation = await readJson(file('evaluation.json'));
  return whole({
    path: directory,
    name: path.basename(path.resolve(directory)),
    config: checkConfig(config, file('config.json')),
    environment: (await readJson(file('environment.json'))) as RunEnvironment | null,
    ...parseMetrics(metrics?.toString('utf8') ?? '', file('metrics.jsonl')),
    evaluation: evaluation && checkEvaluation(evaluation, file('evaluation.json')),
    predictions: await readOptional(file('predictions.png')),
    mistakes: await readOptional(file('mistakes.png')),
  });
}

/** A run that a page can be made of: what is left to be wrong in its files is told now, not when it is read. */
function whole(run: RunData): RunData {
  try {
    checkPageRuns([run]);
  } catch (error) {
    const problem = (error as Error).message.replace('runs[0].', '');
    throw new CheckpointError(`${run.path} holds a damaged run: ${problem}`, { cause: error });
  }
  return run;
}
