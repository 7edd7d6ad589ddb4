/**
 * What reports demand of a run. A run may come from elsewhere than `loadRun`, so its
 * records are checked as far as they are read.
 * @module
 */
import { checkIterable, checkRecord, checkStrings, type FieldKind } from '../check/index.js';
import { invalidArgument } from '../errors.js';
import { checkConfusion } from './confusion.js';
import type { EpochRecord, RunData } from './records.js';

type Fields = Record<string, FieldKind>;

const A_RUN = 'a run as loadRun gives it';
const EPOCH: Fields = {
  epoch: 'number',
  lr: 'number',
  train: 'object',
  seconds: 'number',
  imagesPerSecond: 'number',
};
const LOSS_AND_ACCURACY: Fields = { loss: 'number', accuracy: 'number' };

function checkEpoch(record: EpochRecord, name: string): void {
  checkRecord(record, name, 'the record of an epoch', EPOCH);
  const { train, val } = record;
  checkRecord(train, `${name}.train`, 'loss and accuracy', LOSS_AND_ACCURACY);
  if (val !== null && val !== undefined)
    checkRecord(val, `${name}.val`, 'loss and accuracy, or null', LOSS_AND_ACCURACY);
}

function checkRun(run: RunData, name: string): void {
  checkRecord(run, name, A_RUN, { path: 'string', name: 'string', config: 'object', epochs: 'array' });
  checkRecord(run.config, `${name}.config`, 'a configuration', { model: 'string', parameters: 'object' });
  checkRecord(run.config.parameters, `${name}.config.parameters`, 'counts', { total: 'number' });
  checkJson(run.config, `${name}.config`);
  for (const [i, record] of run.epochs.entries()) checkEpoch(record, `${name}.epochs[${i}]`);
}

/**
 * Checks runs by what tables and curves read of them, and lists them.
 * @throws ArgumentError naming the run and its field
 */
export function checkRuns(runs: readonly RunData[]): RunData[] {
  const list = checkIterable(runs, 'runs', 'an array of runs');
  for (const [i, run] of list.entries()) checkRun(run, `runs[${i}]`);
  return list;
}

/** Checks runs by what a page reads of them besides, and lists them. */
export function checkPageRuns(runs: readonly RunData[]): RunData[] {
  const list = checkRuns(runs);
  for (const [i, run] of list.entries()) checkPageRun(run, `runs[${i}]`);
  return list;
}

function checkPageRun(run: RunData, name: string): void {
  checkRecord(run, name, A_RUN, { steps: 'array' });
  for (const [i, record] of run.steps.entries())
    checkRecord(record, `${name}.steps[${i}]`, 'the record of a step', { step: 'number', loss: 'number' });
  for (const [i, { experts }] of run.epochs.entries()) checkExperts(experts, `${name}.epochs[${i}].experts`);
  checkOptional(run.config, `${name}.config`, { dataset: 'string' });
  const { environment, evaluation } = run;
  if (environment !== null) {
    const fields: Fields = { dyconv: 'string', memoryBytes: 'number' };
    checkOptional(
      checkRecord(environment, `${name}.environment`, 'an object or null', {}),
      `${name}.environment`,
      fields,
    );
    checkJson(environment, `${name}.environment`);
    if (Array.isArray(environment.command))
      checkStrings(environment.command, `${name}.environment.command`, 'an array of strings');
  }
  if (evaluation !== null && evaluation !== undefined) {
    checkConfusion(evaluation, `${name}.evaluation`);
    const numbers: Fields = { ...LOSS_AND_ACCURACY, images: 'number', imagesPerSecond: 'number' };
    checkRecord(evaluation, `${name}.evaluation`, 'an evaluation, or null', numbers);
    checkOptional(evaluation, `${name}.evaluation`, { checkpoint: 'string' });
  }
  checkOptional(run, name, { predictions: 'bytes', mistakes: 'bytes' });
}

/** Checks the fields that are there: older runs lack some. */
function checkOptional(record: object, name: string, fields: Fields): void {
  const present = Object.entries(fields).filter(([key]) => (record as Record<string, unknown>)[key] != null);
  checkRecord(record, name, 'an object', Object.fromEntries(present));
}

/** Checks that a record could come from a file: without circles and bigints. */
function checkJson(record: object, name: string): void {
  try {
    JSON.stringify(record);
  } catch {
    throw invalidArgument(name, 'values that JSON can hold', record);
  }
}

function checkExperts(experts: EpochRecord['experts'], name: string): void {
  if (experts === undefined || experts === null) return;
  if (!Array.isArray(experts)) throw invalidArgument(name, 'an array of expert usages', experts);
  for (const [i, usage] of experts.entries()) {
    const fields = { layer: 'string', mean: 'array', entropy: 'number' } as const;
    checkRecord(usage, `${name}[${i}]`, 'the usage of the experts of a layer', fields);
    if (!usage.mean.every((share) => typeof share === 'number'))
      throw invalidArgument(`${name}[${i}].mean`, 'an array of numbers', usage.mean);
  }
}
