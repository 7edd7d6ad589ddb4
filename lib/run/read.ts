/**
 * Reads a run directory as typed data.
 * @module
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { checkString } from '../check/index.js';
import { parseStored, type Schema } from '../check/schema.js';
import { ArgumentError } from '../errors.js';
import { fileError } from '../files/error.js';
import { parseJsonObject } from '../files/json.js';
import { whenMissing } from './files.js';
import { parseMetrics } from './metrics.js';
import type { RunData } from './records.js';
import { CONFIG, ENVIRONMENT, STORED } from './schema.js';

/**
 * Reads a run directory.
 * @param directory - the folder `train.js --out` named
 * @returns config, environment, metrics and results of the evaluation
 * @throws ArgumentError if the folder does not exist or contains no run; CheckpointError if a file in it is damaged
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
  const config = await readJson(file('config.json'), CONFIG);
  if (config === null)
    throw new ArgumentError(`Expected a run directory but received '${directory}', which has no config.json`);
  const metrics = await readOptional(file('metrics.jsonl'));
  return {
    path: directory,
    name: path.basename(path.resolve(directory)),
    config,
    environment: await readJson(file('environment.json'), ENVIRONMENT),
    ...parseMetrics(metrics?.toString('utf8') ?? '', file('metrics.jsonl')),
    evaluation: await readJson(file('evaluation.json'), STORED.evaluation),
    predictions: await readOptional(file('predictions.png')),
    mistakes: await readOptional(file('mistakes.png')),
  };
}

async function readJson<T>(file: string, schema: Schema<T>): Promise<T | null> {
  const bytes = await readOptional(file);
  return bytes && parseStored(schema, parseJsonObject(bytes.toString('utf8'), file), file);
}

/** The bytes of a file; null where there is none. */
async function readOptional(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file).catch(whenMissing(null));
  } catch (error) {
    throw fileError('read', file, error);
  }
}
